//! Which component a line belongs to, and so which file beside the main one.

use log::Level;

use crate::Error;

/// The main file's name without `.log`.
pub(crate) const MAIN: &str = "trading_automation";

/// The component whose lines are never dropped, whatever their level.
const KEPT: &str = "trading";

/// The components that have files, by their place in the options.
#[derive(Debug)]
pub(crate) struct Components(Vec<String>);

impl Components {
    pub(crate) fn new(names: Vec<String>) -> Result<Self, Error> {
        let mut seen = vec![MAIN.to_owned()];
        for name in &names {
            let lower = name.to_ascii_lowercase();
            let named = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            if !named || name.is_empty() || name.len() > 64 {
                return Err(refused(name, "a name is 1 to 64 ASCII letters, digits, `_` or `-`"));
            }
            // Compared without case: on some file systems both would be one file.
            if seen.contains(&lower) {
                return Err(refused(name, "each name can be used once, and `trading_automation` is the main file's"));
            }
            seen.push(lower);
        }
        Ok(Self(names))
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// The component that bears this very name.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|component| component == name)
    }

    /// The component of a target: `trading` and `trading::orders` are of `trading`, `trading_app::run` is not.
    pub(crate) fn of_target(&self, target: &str) -> Option<usize> {
        self.named(target.split_once("::").map_or(target, |(first, _)| first))
    }

    /// Whether a line may never be dropped.
    pub(crate) fn keeps(&self, component: Option<usize>, level: Level) -> bool {
        level <= Level::Warn || component.and_then(|index| self.0.get(index)).is_some_and(|name| name == KEPT)
    }
}

fn refused(name: &str, rule: &'static str) -> Error {
    Error::Option { option: "components", found: format!("{name:?}"), rule }
}

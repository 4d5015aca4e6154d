//! Levels of some components of the log.

use std::path::Path;

use super::Level;
use crate::{Kind, Value};

/// How much is logged of some components, each with its level, in the order in which they were written.
///
/// ```
/// use std::path::Path;
/// use trading_config::{Level, Levels, Value as _};
///
/// let levels = Levels::parse("api=DEBUG, quiver=WARNING", Path::new("")).expect("is good");
/// assert_eq!(levels.iter().collect::<Vec<_>>(), [("api", Level::Debug), ("quiver", Level::Warn)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(Vec<(String, Level)>);

impl Levels {
    /// Each component with its level.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Level)> {
        self.0.iter().map(|(component, level)| (component.as_str(), *level))
    }
}

impl Value for Levels {
    const RULE: &'static str = "components with levels, each once, such as api=DEBUG, quiver=WARNING";
    const KIND: Kind = Kind::Text {
        pattern: Some(r"^\s*([A-Za-z0-9_-]+\s*=\s*[A-Za-z]+(\s*,\s*[A-Za-z0-9_-]+\s*=\s*[A-Za-z]+)*)?\s*$"),
    };
    fn parse(text: &str, root: &Path) -> Option<Self> {
        let mut levels: Vec<(String, Level)> = Vec::new();
        for pair in text.split(',').filter(|_| !text.trim().is_empty()) {
            let (component, level) = pair.split_once('=')?;
            let (component, level) = (component.trim(), Level::parse(level, root)?);
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            let is_new = levels.iter().all(|(other, _)| other != component);
            if component.is_empty() || !component.bytes().all(fits) || !is_new {
                return None;
            }
            levels.push((component.to_owned(), level));
        }
        Some(Self(levels))
    }
}

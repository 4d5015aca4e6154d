//! Which component a line belongs to, and so which file beside the main one, and which level holds for it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use log::{Level, LevelFilter, Record, kv::Key};

use crate::{Error, Options};

/// The main file's name without `.log`, and that of all lines of no component.
pub(crate) const MAIN: &str = "trading_automation";

/// The component whose lines are never dropped, whatever their level, nor folded.
const KEPT: &str = "trading";

/// The components that have files, by their place in the options.
#[derive(Debug)]
pub(crate) struct Components {
    names: Vec<String>,
    kept: Option<usize>,
    /// What is logged of each component, and last of all else: a `LevelFilter` as a number.
    levels: Vec<AtomicUsize>,
    /// The least and the most of these: most lines need no more.
    lowest: AtomicUsize,
    highest: AtomicUsize,
    /// Held while a level is set: two at once could leave what neither of them wants as the most.
    setting: Mutex<()>,
}

impl Components {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let names = options.components.clone();
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
        let components = Self {
            kept: names.iter().position(|name| name == KEPT),
            levels: names.iter().map(|_| ()).chain([()]).map(|()| number(options.level).into()).collect(),
            lowest: number(options.level).into(),
            highest: number(options.level).into(),
            setting: Mutex::default(),
            names,
        };
        for (name, level) in &options.levels {
            components.set_level(name, *level, |_highest| {})?;
        }
        Ok(components)
    }

    /// The names in the order of slots, which is that of the components, and then the main one.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).chain([MAIN])
    }

    /// The place of a component, or of all else, among the slots.
    pub(crate) fn slot(&self, component: Option<usize>) -> usize {
        component.unwrap_or(self.names.len())
    }

    /// The component that bears this very name.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|component| component == name)
    }

    /// The component of a target: `trading` and `trading::orders` are of `trading`, `trading_app::run` is not.
    pub(crate) fn of_target(&self, target: &str) -> Option<usize> {
        // The first letter alone tells most of them apart, for a tenth of the time: lines that are filtered out come here.
        let first = target.as_bytes().first();
        self.names.iter().position(|name| {
            name.as_bytes().first() == first
                && target.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }

    /// The component of a record, by its field or else by its target.
    pub(crate) fn of_record(&self, record: &Record<'_>) -> Option<usize> {
        let field = record.key_values().get(Key::from_str("component"));
        let named = field.and_then(|value| match value.to_borrowed_str() {
            Some(name) => self.named(name),
            None => self.named(&value.to_string()),
        });
        named.or_else(|| self.of_target(record.target()))
    }

    /// Whether a line may never be dropped.
    pub(crate) fn keeps(&self, component: Option<usize>, level: Level) -> bool {
        level <= Level::Warn || self.is_kept(component)
    }

    /// Whether this is the component whose lines are all kept.
    pub(crate) fn is_kept(&self, component: Option<usize>) -> bool {
        component.is_some() && component == self.kept
    }

    /// Whether a line of this level is logged; its component is looked for only if it matters.
    pub(crate) fn wants(&self, level: Level, component: impl FnOnce() -> Option<usize>) -> bool {
        let level = level as usize;
        level <= self.lowest.load(Relaxed)
            || (level <= self.highest.load(Relaxed)
                && self.levels.get(self.slot(component())).is_some_and(|limit| level <= limit.load(Relaxed)))
    }

    /// The most detailed level that any component logs.
    pub(crate) fn highest(&self) -> LevelFilter {
        filter(self.highest.load(Relaxed))
    }

    pub(crate) fn levels(&self) -> impl Iterator<Item = (&str, LevelFilter)> {
        self.slots().zip(&self.levels).map(|(name, level)| (name, filter(level.load(Relaxed))))
    }

    /// Sets a level, and tells the most detailed one before another can be set.
    pub(crate) fn set_level(
        &self,
        name: &str,
        level: LevelFilter,
        tell: impl FnOnce(LevelFilter),
    ) -> Result<(), Error> {
        let slot = self.slots().position(|slot| slot == name);
        let Some(of_name) = slot.and_then(|slot| self.levels.get(slot)) else {
            return Err(Error::UnknownComponent { name: name.to_owned() });
        };
        let _setting = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        of_name.store(number(level), Relaxed);
        let numbers = || self.levels.iter().map(|level| level.load(Relaxed));
        self.lowest.store(numbers().min().unwrap_or(0), Relaxed);
        self.highest.store(numbers().max().unwrap_or(0), Relaxed);
        tell(self.highest());
        Ok(())
    }
}

fn number(level: LevelFilter) -> usize {
    level as usize
}

fn filter(number: usize) -> LevelFilter {
    LevelFilter::iter().nth(number).unwrap_or(LevelFilter::Trace)
}

fn refused(name: &str, rule: &'static str) -> Error {
    Error::Option { option: "components", found: format!("{name:?}"), rule }
}

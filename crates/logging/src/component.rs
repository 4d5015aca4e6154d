//! Which component a line belongs to, and so which file beside the main one, and which level holds for it.

use std::{
    array,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use log::{
    Level, LevelFilter, Metadata, Record,
    kv::{Key, Value},
};

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
    /// The most that is logged of any target whose first byte ends with these five bits, which tell letters apart. It settles
    /// nearly all lines that are filtered out, for a third of the time that looking for the component takes.
    by_first_byte: [AtomicUsize; 32],
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
            by_first_byte: array::from_fn(|_| number(options.level).into()),
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
        let first = target.as_bytes().first();
        self.names.iter().position(|name| {
            name.as_bytes().first() == first
                && target.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }

    /// The component that the value of a field names. Apart, because few records have one, and what all do is shorter then.
    #[inline(never)]
    fn of_value(&self, value: &Value<'_>) -> Option<usize> {
        match value.to_borrowed_str() {
            Some(name) => self.named(name),
            None => self.named(&value.to_string()),
        }
    }

    /// Whether a line may never be dropped.
    pub(crate) fn keeps(&self, component: Option<usize>, level: Level) -> bool {
        level <= Level::Warn || self.is_kept(component)
    }

    /// Whether this is the component whose lines are all kept.
    pub(crate) fn is_kept(&self, component: Option<usize>) -> bool {
        component.is_some() && component == self.kept
    }

    /// Whether a line is logged, by its target alone.
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = metadata.level() as usize;
        level <= self.lowest.load(Relaxed) || self.wants_of_target(level, metadata.target())
    }

    /// Whether a record is logged, by its field or else by its target.
    pub(crate) fn wants_record(&self, record: &Record<'_>) -> bool {
        let level = record.level() as usize;
        level <= self.lowest.load(Relaxed)
            || (level <= self.highest.load(Relaxed)
                && match record.key_values().get(Key::from_str("component")).and_then(|value| self.of_value(&value)) {
                    Some(component) => self.wants_of(level, Some(component)),
                    None => self.wants_of_target(level, record.target()),
                })
    }

    #[inline]
    fn wants_of_target(&self, level: usize, target: &str) -> bool {
        let most = self.by_first_byte.get(first_bits(target));
        most.is_some_and(|most| level <= most.load(Relaxed)) && self.wants_of_component(level, target)
    }

    #[inline(never)]
    fn wants_of_component(&self, level: usize, target: &str) -> bool {
        self.wants_of(level, self.of_target(target))
    }

    fn wants_of(&self, level: usize, component: Option<usize>) -> bool {
        self.levels.get(self.slot(component)).is_some_and(|limit| level <= limit.load(Relaxed))
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
        self.sum_up();
        tell(self.highest());
        Ok(())
    }

    fn sum_up(&self) {
        let levels = || self.levels.iter().map(|level| level.load(Relaxed));
        let of_no_component = levels().next_back().unwrap_or(0);
        // Each is stored once: a line that is wanted before and after must be wanted meanwhile.
        for (bits, most) in self.by_first_byte.iter().enumerate() {
            let named = self.names.iter().zip(levels()).filter(|(name, _)| first_bits(name) == bits);
            most.store(named.fold(of_no_component, |most, (_, level)| most.max(level)), Relaxed);
        }
        self.lowest.store(levels().min().unwrap_or(0), Relaxed);
        self.highest.store(levels().max().unwrap_or(0), Relaxed);
    }
}

fn first_bits(target: &str) -> usize {
    usize::from(target.as_bytes().first().copied().unwrap_or(0) & 31)
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

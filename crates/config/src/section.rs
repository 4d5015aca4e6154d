//! The sections of the configuration, each declared once: field, key, default, rule and meaning in one place.

use std::{borrow::Cow, collections::HashMap, fmt};

use crate::{Fault, reader::Reader};

mod choice;
mod key;
mod levels;
mod operations;
mod services;
mod trading;

pub use self::{
    choice::{Authorization, Console, Environment, Level, SizeType},
    key::{Bounds, Key, Limit},
    levels::Levels,
    operations::{Backup, Dashboard, Database, Logging, Monitoring, Notifications},
    services::{Alpaca, Api, Quiver},
    trading::{Scheduling, Trading},
};

/// A group of settings that are read together. Made by [`section!`](crate::section), and not by hand.
pub trait Section: Clone + fmt::Debug + Send + Sync + 'static {
    /// Its name in TOML.
    const NAME: &'static str;

    /// Its keys, and those of the sections in it.
    fn keys() -> Vec<&'static Key>;

    /// Its values, out of the sources.
    #[doc(hidden)]
    fn read(reader: &mut Reader<'_>) -> Self;
}

/// Declares a section: a struct together with its keys, its rules and the reading of it.
///
/// Each field has its meaning (the doc comment), its type (any [`Value`](crate::Value)), its default as a text that goes through the
/// same parser and rules as every other source, and if need be
///
/// - `variable "NAME"`, where the environment variable is not `SECTION__FIELD`,
/// - `from "LOW" to "HIGH"`, `from "LOW"`, `above "LOW" to "HIGH"` or `above "LOW"`,
/// - `check CLOSURE, "RULE"` for what bounds cannot say; `RULE` ends the sentence "must be …".
///
/// `rules` are those between several fields: the fields, what must hold, the rule as a sentence, and the way out. One that
/// fails is a fault that names all its keys.
///
/// ```
/// use std::time::Duration;
///
/// use trading_config::{SecretString, Settings};
///
/// trading_config::section! {
///     /// Where signals come from.
///     pub struct Signals in "signals" {
///         /// How often they are asked for.
///         interval: Duration = "5m", from "1s" to "1h";
///         /// How long one request may take.
///         timeout: Duration = "30s", above "0s" to "5m";
///         /// The password of the service.
///         token: Option<SecretString> = "", variable "SIGNALS_TOKEN";
///     }
///     rules {
///         [timeout, interval]: |signals| signals.timeout < signals.interval,
///             "one request must end before the next one begins", "lower SIGNALS__TIMEOUT";
///     }
/// }
///
/// let folder = tempfile::tempdir()?;
/// let loader = || Settings::loader().root(folder.path()).section::<Signals>();
/// let settings = loader().environment([("SIGNALS__INTERVAL", "60s")]).load()?;
/// assert_eq!(settings.section::<Signals>().map(|signals| signals.interval.as_secs()), Some(60));
///
/// let error = loader().environment([("SIGNALS__INTERVAL", "20s")]).load().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the configuration has 1 fault: signals.timeout, signals.interval: one request must end before the next one \
///      begins; found \"30s\" and \"20s\", from default and variable SIGNALS__INTERVAL; lower SIGNALS__TIMEOUT"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $Section:ident in $path:literal {
            $(
                $(#[doc = $meaning:literal])+
                $field:ident: $Type:ty = $default:literal
                $(, variable $variable:literal)?
                $(, from $from:literal)?
                $(, above $above:literal)?
                $(to $to:literal)?
                $(, check $check:expr, $rule:literal)?;
            )+
        }
        $(sections { $( $(#[doc = $sub_about:literal])+ $sub:ident: $Sub:ty; )+ })?
        $(rules { $( [$first:ident, $($other:ident),+]: $holds:expr, $between:literal, $hint:literal; )+ })?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $Section {
            $(
                $(#[doc = $meaning])+
                #[doc = concat!("\n\nKey `", $path, ".", stringify!($field), "`, default `", $default, "`.")]
                pub $field: $Type,
            )+
            $($( $(#[doc = $sub_about])+ pub $sub: $Sub, )+)?
        }

        impl $crate::Section for $Section {
            const NAME: &'static str = $path;

            fn keys() -> Vec<&'static $crate::Key> {
                const KEYS: &[$crate::Key] = &[$(
                    $crate::Key::of::<$Type>($path, stringify!($field), concat!($path, ".", stringify!($field))).with(
                        $crate::section!(@option $($variable)?),
                        $default,
                        concat!($($meaning),+),
                        $crate::section!(@limit $(from $from)? $(above $above)? $(to $to)? $(check $rule)?),
                    ),
                )+];
                KEYS.iter()$($(.chain(<$Sub as $crate::Section>::keys()))+)?.collect()
            }

            fn read(reader: &mut $crate::Reader<'_>) -> Self {
                let section = Self {
                    $($field: {
                        let good: fn(&$Type) -> bool =
                            $crate::section!(@check $(from $from)? $(above $above)? $(to $to)? $(check $check)?);
                        reader.read(concat!($path, ".", stringify!($field)), good)
                    },)+
                    $($($sub: <$Sub as $crate::Section>::read(reader),)+)?
                };
                $($({
                    let holds: fn(&Self) -> bool = $holds;
                    reader.between(
                        &[concat!($path, ".", stringify!($first)), $(concat!($path, ".", stringify!($other))),+],
                        holds(&section),
                        $between,
                        $hint,
                    );
                })+)?
                section
            }
        }
    };
    (@option) => { None };
    (@option $value:literal) => { Some($value) };
    (@limit) => { None };
    (@limit check $rule:literal) => { Some($crate::Limit::Rule($rule)) };
    (@limit $($bounds:tt)+) => { Some($crate::Limit::Bounds($crate::section!(@bounds $($bounds)+))) };
    (@check) => { |_| true };
    (@check check $check:expr) => { $check };
    (@check $($bounds:tt)+) => { |value| $crate::section!(@bounds $($bounds)+).contain(value) };
    (@bounds from $low:literal) => { $crate::Bounds { low: $low, low_included: true, high: None } };
    (@bounds from $low:literal to $high:literal) => {
        $crate::Bounds { low: $low, low_included: true, high: Some($high) }
    };
    (@bounds above $low:literal) => { $crate::Bounds { low: $low, low_included: false, high: None } };
    (@bounds above $low:literal to $high:literal) => {
        $crate::Bounds { low: $low, low_included: false, high: Some($high) }
    };
}

/// Chooses the TOML file, and so is no key in one.
pub(crate) const ENVIRONMENT: &Key = &Key::of::<Environment>("", "environment", "environment").with(
    Some("ENVIRONMENT"),
    "development",
    "What the process is run for. It chooses the TOML file, and so stands in none.",
    None,
);

/// The keys of all sections.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    [
        Database::keys(),
        Backup::keys(),
        Api::keys(),
        Trading::keys(),
        Scheduling::keys(),
        Dashboard::keys(),
        Logging::keys(),
        Monitoring::keys(),
        Notifications::keys(),
    ]
    .into_iter()
    .flatten()
}

/// Behind the name of a variable: it names a file that holds the value.
pub(crate) const FILE: &str = "_FILE";

/// All keys of one load, to be found by what the operator calls them.
#[derive(Debug)]
pub(crate) struct Keys {
    by_path: HashMap<&'static str, &'static Key>,
    by_variable: HashMap<Cow<'static, str>, &'static Key>,
    /// The [`letters`] of each variable, and its length.
    variables: Vec<(u64, usize, &'static Key)>,
}

impl Keys {
    /// The keys of all sections, and those that others bring, which must be new.
    pub(crate) fn new(others: impl IntoIterator<Item = &'static Key>, faults: &mut Vec<Fault>) -> Self {
        let mut all = Self { by_path: HashMap::new(), by_variable: HashMap::new(), variables: Vec::new() };
        all.by_variable.insert(ENVIRONMENT.variable(), ENVIRONMENT);
        for key in keys().chain(others) {
            if let Some(known) = all.by_path(key.whole).or_else(|| all.by_variable(&key.variable())) {
                faults.push(Fault {
                    key: key.path(),
                    rule: "must be declared once, and so must its variable".to_owned(),
                    found: format!("{} with {}", known.path(), known.variable()),
                    source: "the sections that this program brings".to_owned(),
                    hint: "give the section or its variable another name".to_owned(),
                });
            }
            all.by_path.insert(key.whole, key);
            all.by_variable.insert(key.variable(), key);
        }
        all.variables = all.by_variable.iter().map(|(name, key)| (letters(name), name.len(), *key)).collect();
        all
    }

    pub(crate) fn by_path(&self, path: &str) -> Option<&'static Key> {
        self.by_path.get(path).copied()
    }

    pub(crate) fn by_variable(&self, variable: &str) -> Option<&'static Key> {
        self.by_variable.get(variable).copied()
    }

    /// The key whose file a variable names, as `QUIVER_API_KEY_FILE` does.
    pub(crate) fn by_file_variable(&self, variable: &str) -> Option<&'static Key> {
        variable.strip_suffix(FILE).and_then(|name| self.by_variable(name)).filter(|key| *key != ENVIRONMENT)
    }

    /// If there is a section of this name.
    pub(crate) fn is_section(&self, path: &str) -> bool {
        self.by_path.values().any(|key| key.section == path)
    }

    /// If a variable begins with the name of one of our sections, as `DATABASE__PAHT` does.
    pub(crate) fn is_in_a_section(&self, variable: &str) -> bool {
        let Some((section, _)) = variable.split_once("__") else { return false };
        self.by_path.values().any(|key| {
            let first = key.section.split('.').next().unwrap_or_default();
            first.eq_ignore_ascii_case(section) && section.bytes().all(|byte| !byte.is_ascii_lowercase())
        })
    }

    /// The path that is most like `name`, by its own letters or those of its variable: that is the name in `.env`.
    pub(crate) fn nearest_path(&self, name: &str) -> &'static str {
        // Comparing takes the product of the lengths, and no key is longer.
        const CHARS_MAX: usize = 100;
        let name = name.char_indices().nth(CHARS_MAX).and_then(|(end, _)| name.get(..end)).unwrap_or(name);
        let by_path = self.by_path.keys().map(|path| (strsim::osa_distance(path, name), *path));
        let by_variable =
            self.by_variable.iter().map(|(variable, key)| (strsim::osa_distance(variable, name), key.whole));
        by_path.chain(by_variable).min().map(|(_, path)| path).unwrap_or_default()
    }

    /// The variable that is most like `name`, and how many letters lie between them; none beyond `distance_max`.
    pub(crate) fn nearest_variable(&self, name: &str, distance_max: usize) -> Option<String> {
        let (name, suffix) = name.strip_suffix(FILE).map_or((name, ""), |name| (name, FILE));
        let own = letters(name);
        let nearest = self
            .variables
            .iter()
            // One slip changes the length by one and the set of letters by two at the most. Comparing all would take longer than
            // the rest of the load.
            .filter(|(letters, length, _)| {
                length.abs_diff(name.len()) <= distance_max && (letters ^ own).count_ones() as usize <= 2 * distance_max
            })
            .map(|(_, _, key)| key.variable())
            .map(|known| (strsim::osa_distance(&known, name), known))
            .min()?;
        // The environment is chosen before any file is read, and has none.
        let suffix = if nearest.1 == ENVIRONMENT.variable() { "" } else { suffix };
        (nearest.0 <= distance_max).then(|| format!("{}{suffix}", nearest.1))
    }
}

/// The set of letters in a name, which small and capital ones and some of the others share.
fn letters(name: &str) -> u64 {
    name.bytes().fold(0, |set, byte| set | 1 << (byte & 63))
}

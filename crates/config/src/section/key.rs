//! What is known about one setting without reading it.

use std::{borrow::Cow, fmt, path::Path};

use crate::{Kind, Value};

/// One key of the configuration, as [`Settings::keys`](crate::Settings::keys) lists them. Made by
/// [`section!`](crate::section).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The section, as in TOML: `database`, `api.alpaca`.
    pub section: &'static str,
    /// The name within the section: `path`.
    pub name: &'static str,
    /// The name that the earlier system gave the environment variable, if it had one.
    pub earlier_variable: Option<&'static str>,
    /// The text that holds where no source says otherwise; empty for "not set".
    pub default: &'static str,
    /// What the setting does, in a sentence or two.
    pub meaning: &'static str,
    /// If the value must never be shown.
    pub secret: bool,
    /// What its type allows.
    pub kind: Kind,
    /// What its type asks for, as the end of "must be …".
    pub type_rule: &'static str,
    /// What is asked for beyond the type.
    pub limit: Option<Limit>,
    /// Section and name: a text that need not be put together at each load.
    pub(crate) whole: &'static str,
}

impl Key {
    /// For [`section!`](crate::section).
    #[doc(hidden)]
    #[must_use]
    pub const fn of<T: Value>(section: &'static str, name: &'static str, whole: &'static str) -> Self {
        Self {
            section,
            name,
            earlier_variable: None,
            default: "",
            meaning: "",
            secret: T::SECRET,
            kind: T::KIND,
            type_rule: T::RULE,
            limit: None,
            whole,
        }
    }

    /// For [`section!`](crate::section).
    #[doc(hidden)]
    #[must_use]
    pub const fn with(
        self,
        earlier_variable: Option<&'static str>,
        default: &'static str,
        meaning: &'static str,
        limit: Option<Limit>,
    ) -> Self {
        Self { earlier_variable, default, meaning: meaning.trim_ascii(), limit, ..self }
    }

    /// The whole key: `database.path`.
    #[must_use]
    pub fn path(&self) -> String {
        self.whole.to_owned()
    }

    /// The environment variable that sets it: the earlier system's name, else `SECTION__NAME`. With `_FILE` behind it, it names
    /// a file that holds the value.
    #[must_use]
    pub fn variable(&self) -> Cow<'static, str> {
        self.earlier_variable.map_or_else(|| self.whole.replace('.', "__").to_ascii_uppercase().into(), Cow::Borrowed)
    }

    /// What a good value is, as the end of "must be …": the limit, and where there is none what the type asks for.
    #[must_use]
    pub fn rule(&self) -> Cow<'static, str> {
        match self.limit {
            None => self.type_rule.into(),
            Some(Limit::Rule(rule)) => rule.into(),
            Some(Limit::Bounds(bounds)) => bounds.to_string().into(),
        }
    }
}

/// What is asked of a value beyond its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// To lie between two others.
    Bounds(Bounds),
    /// Something that only code can check, as the end of "must be …".
    Rule(&'static str),
}

/// A lowest and perhaps a highest value, as texts of the key's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The lowest value.
    pub low: &'static str,
    /// If `low` itself is good.
    pub low_included: bool,
    /// The highest value, itself good; `None` for no end.
    pub high: Option<&'static str>,
}

impl Bounds {
    /// If the value lies within.
    ///
    /// # Panics
    /// If a bound is no text of this type.
    #[must_use]
    pub fn contain<T: Value + PartialOrd>(&self, value: &T) -> bool {
        let bound =
            |text| T::parse(text, Path::new("")).unwrap_or_else(|| panic!("the bound {text} must be {}", T::RULE));
        let low = bound(self.low);
        (if self.low_included { *value >= low } else { *value > low })
            && self.high.is_none_or(|high| *value <= bound(high))
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.low_included, self.high) {
            (low, true, Some(high)) => write!(f, "from {low} to {high}"),
            (low, true, None) => write!(f, "at least {low}"),
            (low, false, Some(high)) => write!(f, "above {low} and at most {high}"),
            (low, false, None) => write!(f, "above {low}"),
        }
    }
}

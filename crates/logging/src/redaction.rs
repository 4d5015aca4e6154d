//! What is never written: fields by their names, and values that the program registered.

mod assigned;
mod known;
mod name;

pub(crate) use self::known::{Known, Values};
use self::name::is_secret;

/// What stands in the place of a secret field.
pub(crate) const REDACTED: &str = "\"[redacted]\"";

/// What stands in the place of a secret within a text.
const HIDDEN: &str = "[redacted]";

/// The names of secret fields: those that are known, and those of the options.
#[derive(Debug)]
pub(crate) struct FieldNames(Vec<String>);

impl FieldNames {
    pub(crate) fn new(more: &[String]) -> Self {
        Self(more.iter().map(|name| name.to_lowercase()).collect())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        is_secret(name) || (!self.0.is_empty() && self.has(&name.to_lowercase()))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (None, None) => name == pattern,
            (Some(end), None) => name.ends_with(end),
            (None, Some(start)) => name.starts_with(start),
            (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        })
    }
}

//! Turns the merged sources into typed sections, and collects every fault on the way.

use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::{
    Environment, Explanation, Fault, Key, Value,
    error::Error,
    section::Keys,
    sources::{Entry, Found, Merged},
};

/// Reads keys and remembers what was wrong.
#[derive(Debug)]
pub struct Reader<'a> {
    merged: &'a Merged,
    keys: &'a Keys,
    root: &'a Path,
    environment: Environment,
    faults: Vec<Fault>,
    explanations: Vec<Explanation>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(merged: &'a Merged, keys: &'a Keys, environment: Environment, root: &'a Path) -> Self {
        Self { merged, keys, root, environment, faults: Vec::new(), explanations: Vec::new() }
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Ends the reading: what is to be said of each key, or the faults, sorted.
    pub(crate) fn finish(mut self) -> Result<Vec<Explanation>, Error> {
        if self.faults.is_empty() {
            return Ok(self.explanations);
        }
        self.faults.sort();
        Err(Error::Invalid { faults: self.faults })
    }

    /// The value of one key, which `good` must hold for. After a fault it is the default's, so that the reading can go on to
    /// find the others.
    ///
    /// # Panics
    /// If the default itself is not good, or there is no such key: then its declaration is wrong.
    #[doc(hidden)]
    pub fn read<T: Value>(&mut self, path: &'static str, good: fn(&T) -> bool) -> T {
        let key = self.keys.by_path(path).expect("a section's keys are all in the table");
        let accept = |text: &str| match T::parse(text, self.root) {
            None => Err(key.type_rule.into()),
            Some(value) if good(&value) => Ok(value),
            Some(_) => Err(key.rule()),
        };
        let default = || accept(key.default).unwrap_or_else(|_| panic!("the default of {path} must be {}", key.rule()));
        self.explanations.push(self.explanation::<T>(key));

        let Some(entry) = self.merged.winner(key) else { return default() };
        let broken = |rule: &str, found, hint| Fault {
            key: key.path(),
            rule: format!("must be {rule}"),
            found,
            source: entry.place.clone(),
            hint,
        };
        let fault = match &entry.found {
            Found::Text(text) if is_placeholder(text.expose_secret()) => {
                if self.environment != Environment::Production && key.default.is_empty() {
                    return default();
                }
                let hint = format!("set {} to what it stands for", key.variable());
                broken("a value, not a placeholder for one", "a placeholder".to_owned(), hint)
            }
            Found::Text(text) => match accept(text.expose_secret()) {
                Ok(value) => return value,
                Err(rule) => broken(&rule, describe::<T>(entry), example(key)),
            },
            Found::List | Found::Table => broken(T::RULE, describe::<T>(entry), example(key)),
        };
        self.faults.push(fault);
        default()
    }

    fn explanation<T: Value>(&self, key: &'static Key) -> Explanation {
        let mut entries = self.merged.of_key(key).rev();
        let shown = |entry: &Entry| (entry.place.clone(), redacted::<T>(entry));
        let (source, value) = entries.next().map_or_else(
            || ("default".to_owned(), Some(key.default.to_owned()).filter(|text| !text.is_empty())),
            |entry| (entry.place.clone(), Some(redacted::<T>(entry))),
        );
        Explanation { key, value, source, shadowed: entries.map(shown).collect() }
    }

    /// A rule between keys. It says nothing where one of them is faulty: it would judge the default in its place.
    #[doc(hidden)]
    pub fn between(&mut self, paths: &[&'static str], holds: bool, rule: &str, hint: &str) {
        if holds || self.is_faulty(paths) {
            return;
        }
        let found: Vec<_> = paths.iter().map(|path| self.shown(path)).collect();
        let mut sources: Vec<_> = paths.iter().map(|path| self.place(path)).collect();
        sources.dedup();
        let fault = Fault {
            key: paths.join(", "),
            rule: rule.to_owned(),
            found: list(&found),
            source: list(&sources),
            hint: hint.to_owned(),
        };
        self.faults.push(fault);
    }

    pub(crate) fn is_faulty(&self, paths: &[&str]) -> bool {
        self.faults.iter().any(|fault| paths.contains(&fault.key.as_str()))
    }

    /// Of a key that was read, what is shown of its value in a message.
    fn shown(&self, path: &str) -> String {
        let explanation = self.explanations.iter().find(|explanation| explanation.key.whole == path);
        match explanation {
            Some(Explanation { key, value: Some(_), .. }) if key.secret => "a secret".to_owned(),
            Some(Explanation { value: Some(value), .. }) => quote(value),
            _ => "nothing".to_owned(),
        }
    }

    fn place(&self, path: &str) -> String {
        self.keys.by_path(path).map(|key| self.source(key)).unwrap_or_default()
    }

    /// Where the value of `key` came from.
    pub(crate) fn source(&self, key: &Key) -> String {
        self.merged.winner(key).map_or_else(|| "default".to_owned(), |entry| entry.place.clone())
    }

    /// If what was written for `key` only stands for a value.
    pub(crate) fn holds_placeholder(&self, key: &Key) -> bool {
        self.merged.winner(key).is_some_and(|entry| is_placeholder(entry.written()))
    }
}

/// `your_api_key_here`, as examples have it.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase().replace('-', "_");
    text.starts_with("your_") && text.ends_with("_here")
}

fn describe<T: Value>(entry: &Entry) -> String {
    match &entry.found {
        Found::Text(_) if T::SECRET => "a secret".to_owned(),
        Found::Text(text) => quote(&T::redact(text.expose_secret())),
        Found::List => "a list".to_owned(),
        Found::Table => "a table".to_owned(),
    }
}

fn redacted<T: Value>(entry: &Entry) -> String {
    match &entry.found {
        Found::Text(_) if T::SECRET => crate::explain::REDACTED.to_owned(),
        Found::Text(text) => T::redact(text.expose_secret().trim()).into_owned(),
        Found::List => "a list".to_owned(),
        Found::Table => "a table".to_owned(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [words @ .., last] => format!("{} and {last}", words.join(", ")),
    }
}

/// A found text for a message: quoted, escaped, cut.
pub(crate) fn quote(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let cut: String = text.chars().take(CHARS_MAX).collect();
    let mark = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{mark}")
}

/// The way out of a fault of `key`.
fn example(key: &Key) -> String {
    let variable = key.variable();
    if key.default.is_empty() {
        format!("set {variable}, or leave it empty to do without")
    } else {
        format!("for example {variable}={}", key.default)
    }
}

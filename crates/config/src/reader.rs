//! Turns the merged sources into typed sections, and collects every fault on the way.

use std::path::Path;

use figment::{
    Figment,
    value::{Dict, Value as Found},
};

use crate::{Fault, Key, error::Error, section, value::Value};

/// A check beyond the type's own rule, and that rule as the end of "must be …".
pub(crate) type Check<T> = (fn(&T) -> bool, &'static str);

/// Reads keys and remembers what was wrong.
pub(crate) struct Reader<'a> {
    figment: &'a Figment,
    tree: Found,
    root: &'a Path,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(figment: &'a Figment, root: &'a Path) -> Self {
        let tree = figment.find_value("").unwrap_or_else(|_| Dict::new().into());
        let mut reader = Self { figment, tree, root, faults: Vec::new() };
        reader.refuse_unknown();
        reader
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Ends the reading: the faults, sorted, or nothing.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if self.faults.is_empty() {
            return Ok(());
        }
        self.faults.sort();
        Err(Error::Invalid { faults: self.faults })
    }

    /// The value of one key. After a fault it is the default's, so that the reading can go on to find the others.
    pub(crate) fn read<T: Value>(&mut self, section: &'static str, name: &'static str, check: Option<Check<T>>) -> T {
        let key = section::keys().find(|key| key.section == section && key.name == name).expect("it is in the table");
        let accept = |text: &str| match T::parse(text, self.root) {
            None => Err(T::RULE),
            Some(value) => match check {
                Some((check, rule)) if !check(&value) => Err(rule),
                _ => Ok(value),
            },
        };
        let default = || accept(key.default).unwrap_or_else(|_| panic!("the default of {} is good", key.path()));
        let Some(found) = self.tree.find_ref(&key.path()) else { return default() };
        let rule = match text(found).as_deref().map(accept) {
            Some(Ok(value)) => return value,
            Some(Err(rule)) => rule,
            None => T::RULE,
        };
        let fault = Fault {
            key: key.path(),
            rule: format!("must be {rule}"),
            found: describe::<T>(found),
            source: self.source(key),
            hint: example(key),
        };
        let value = default();
        self.faults.push(fault);
        value
    }

    /// Where the value of `key` came from.
    pub(crate) fn source(&self, key: &Key) -> String {
        self.name(self.tree.find_ref(&key.path()))
    }

    fn name(&self, found: Option<&Found>) -> String {
        let metadata = found.and_then(|value| self.figment.get_metadata(value.tag()));
        metadata.map_or_else(|| "default".to_owned(), |metadata| metadata.name.to_string())
    }

    fn refuse_unknown(&mut self) {
        let mut leaves = Vec::new();
        collect_leaves(&self.tree, String::new(), &mut leaves);
        for (path, value) in leaves {
            if section::keys().any(|key| key.path() == path) {
                continue;
            }
            let nearest = section::keys()
                .map(Key::path)
                .max_by(|a, b| strsim::jaro_winkler(a, &path).total_cmp(&strsim::jaro_winkler(b, &path)))
                .unwrap_or_default();
            let fault = Fault {
                key: path,
                rule: "must be a known key".to_owned(),
                found: "an unknown one".to_owned(),
                source: self.name(Some(value)),
                hint: format!("did you mean {nearest}?"),
            };
            self.faults.push(fault);
        }
    }
}

fn collect_leaves<'v>(value: &'v Found, path: String, leaves: &mut Vec<(String, &'v Found)>) {
    match value {
        Found::Dict(_, values) if path.is_empty() || !values.is_empty() => {
            for (name, value) in values {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                // What stands at a key is that key's value, of whatever shape: its own reading says what is wrong.
                if section::keys().any(|key| key.path() == path) {
                    continue;
                }
                collect_leaves(value, path, leaves);
            }
        }
        // An empty section says nothing.
        Found::Dict(..) if section::keys().any(|key| key.section == path) => {}
        _ => leaves.push((path, value)),
    }
}

fn text(found: &Found) -> Option<String> {
    match found {
        Found::String(_, text) => Some(text.clone()),
        Found::Char(_, c) => Some(c.to_string()),
        Found::Bool(_, value) => Some(value.to_string()),
        Found::Num(_, number) => {
            let integer = number.to_i128().map(|n| n.to_string()).or_else(|| number.to_u128().map(|n| n.to_string()));
            integer.or_else(|| number.to_f64().map(|n| n.to_string()))
        }
        Found::Empty(..) | Found::Dict(..) | Found::Array(..) => None,
    }
}

fn describe<T: Value>(found: &Found) -> String {
    match found {
        _ if T::SECRET => "a secret".to_owned(),
        Found::Dict(..) => "a table".to_owned(),
        Found::Array(..) => "a list".to_owned(),
        Found::Empty(..) => "nothing".to_owned(),
        _ => T::show(&text(found).unwrap_or_default()),
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
pub(crate) fn example(key: &Key) -> String {
    let variable = key.variable();
    if key.default.is_empty() {
        format!("set {variable}, or leave it empty to do without")
    } else {
        format!("for example {variable}={}", key.default)
    }
}

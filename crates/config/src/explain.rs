//! The settings explained: where each came from, and all of them at once.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::{Key, Kind, Value as _};

/// Stands where a secret is.
pub(crate) const REDACTED: &str = "[redacted]";

/// Where the value of one setting came from. `Display` is a text for people, of several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The key, with its default and its meaning.
    pub key: &'static Key,
    /// The value as it was written, `[redacted]` for a secret, `None` where nothing is set.
    pub value: Option<String>,
    /// Where it was written: `variable LOG_LEVEL`, `.env:3 LOG_LEVEL`, `config/production.toml:7`, `default`.
    pub source: String,
    /// What it won over, source and value (redacted too), the nearest first.
    pub shadowed: Vec<(String, String)>,
}

impl Explanation {
    pub(crate) fn new(
        key: &'static Key,
        value: Option<String>,
        source: String,
        shadowed: Vec<(String, String)>,
    ) -> Self {
        Self { key, value, source, shadowed }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, source, shadowed } = self;
        writeln!(f, "{} = {}", key.whole, value.as_deref().unwrap_or("(not set)"))?;
        writeln!(f, "  from      {source}")?;
        for (source, value) in shadowed {
            writeln!(f, "  not from  {source}: {value}")?;
        }
        writeln!(f, "  variable  {}", key.variable())?;
        writeln!(f, "  default   {}", if key.default.is_empty() { "(not set)" } else { key.default })?;
        writeln!(f, "  must be   {}", key.rule())?;
        write!(f, "  meaning   {}", key.meaning)
    }
}

/// All settings as they hold, without their secrets. `Display` is [`to_toml`](Self::to_toml).
#[derive(Debug, Clone, Copy)]
pub struct Effective<'s> {
    pub(crate) explanations: &'s [Explanation],
    /// The section that is shown; `None` for all of them.
    pub(crate) within: Option<&'s str>,
}

impl<'s> Effective<'s> {
    /// Those of one section, such as `database` or `api.alpaca`, and of the sections within it; `None` if there is no such section.
    #[must_use]
    pub fn section<'n>(&self, name: &'n str) -> Option<Effective<'n>>
    where
        's: 'n,
    {
        let section = Effective { explanations: self.explanations, within: Some(name) };
        (!name.is_empty() && section.each().next().is_some()).then_some(section)
    }

    fn each(&self) -> impl Iterator<Item = &'s Explanation> {
        let within = self.within;
        self.explanations.iter().filter(move |explanation| {
            let rest = within.map(|within| explanation.key.section.strip_prefix(within));
            rest.is_none_or(|rest| rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        })
    }

    /// The settings as the text of a `config/{environment}.toml`, each with its source. What is secret, or not set, is a comment.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for Explanation { key, value, source, .. } in self.each() {
            if key.section != section {
                section = key.section;
                text += &format!("\n[{section}]\n");
            }
            text += &match value {
                None => format!("# {} is not set\n", key.name),
                Some(value) if key.secret || section.is_empty() => {
                    format!("# {} = {value:?} # {}\n", key.name, printable(source))
                }
                Some(value) => format!("{} = {} # {}\n", key.name, toml(key.kind, value), printable(source)),
            };
        }
        text
    }

    /// The settings as one JSON object, sections within it. What is secret is `"[redacted]"`, what is not set `null`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut root = Map::new();
        'keys: for Explanation { key, value, .. } in self.each() {
            let mut section = &mut root;
            for name in key.section.split('.').filter(|name| !name.is_empty()) {
                let inner = section.entry(name).or_insert_with(|| Map::new().into());
                let Some(inner) = inner.as_object_mut() else { continue 'keys };
                section = inner;
            }
            let value = value.as_ref().map_or(Json::Null, |value| typed(key.kind, value));
            section.insert(key.name.to_owned(), value);
        }
        root.into()
    }
}

impl fmt::Display for Effective<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_toml())
    }
}

/// A good text of this kind as JSON.
pub(crate) fn typed(kind: Kind, text: &str) -> Json {
    let typed = match kind {
        Kind::Boolean => bool::parse(text, "".as_ref()).map(Json::from),
        Kind::Integer { .. } => text.parse::<u64>().ok().map(Json::from),
        Kind::Number => text.parse::<f64>().ok().map(Json::from),
        Kind::Choice(_) | Kind::Text { .. } => None,
    };
    typed.unwrap_or_else(|| text.into())
}

fn toml(kind: Kind, text: &str) -> String {
    match typed(kind, text) {
        Json::String(text) => toml_edit::Value::from(text).to_string(),
        other => other.to_string(),
    }
}

/// A comment in TOML ends with the line, and may hold no other control character either.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

//! JSON whose values know their line, and whose objects keep the second of two equal keys.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value as Json, value::RawValue};

use crate::reader;

/// A value and the line that it begins in.
pub(super) struct Node {
    /// Counted from 1.
    pub(super) line: usize,
    value: Value,
}

enum Value {
    Scalar(Json),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads the whole text. Nesting is bounded by `serde_json`, at 128.
    pub(super) fn parse(text: &str) -> serde_json::Result<Self> {
        // First as a whole: what is wrong in a part would be told with a line and column counted from that part's start.
        serde_json::from_str::<Json>(text)?;
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Place { start: text.as_ptr().addr(), line_ends }.node(serde_json::from_str(text)?)
    }

    /// The first value of this name; `None` also if this is no object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.fields()?.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    pub(super) fn fields(&self) -> Option<&[(String, Self)]> {
        if let Value::Object(fields) = &self.value { Some(fields) } else { None }
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        if let Value::List(items) = &self.value { Some(items) } else { None }
    }

    pub(super) fn scalar(&self) -> Option<&Json> {
        if let Value::Scalar(scalar) = &self.value { Some(scalar) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.scalar().and_then(Json::as_str)
    }

    pub(super) fn json(&self) -> Json {
        match &self.value {
            Value::Scalar(scalar) => scalar.clone(),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Object(fields) => Json::Object(object(fields.iter())),
        }
    }

    /// Calls `tell` with the path, the value and the line of the first value, for each key that its object has already. Only then is a
    /// path made.
    pub(super) fn each_duplicate(&self, at: &dyn Fn() -> String, tell: &mut dyn FnMut(String, &Self, usize)) {
        let mut lines = BTreeMap::new();
        for (name, value) in self.fields().unwrap_or_default() {
            let path = || field(&at(), name);
            value.each_duplicate(&path, tell);
            let first = *lines.entry(name).or_insert(value);
            if !std::ptr::eq(first, value) {
                tell(path(), value, first.line);
            }
        }
        for (index, item) in self.items().unwrap_or_default().iter().enumerate() {
            item.each_duplicate(&|| format!("{}[{index}]", at()), tell);
        }
    }
}

pub(super) fn object<'n>(fields: impl Iterator<Item = &'n (String, Node)>) -> Map<String, Json> {
    fields.map(|(name, value)| (name.clone(), value.json())).collect()
}

/// The path of the field `name` in the object at `at`.
pub(super) fn field(at: &str, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    match (at, !name.is_empty() && name.len() <= 80 && name.chars().all(plain)) {
        ("", true) => name.to_owned(),
        (_, true) => format!("{at}.{name}"),
        (_, false) => format!("{at}[{}]", reader::quote(name)),
    }
}

/// What a value is, for a message.
pub(super) fn describe(json: &Json) -> String {
    match json {
        Json::Object(_) => "an object".to_owned(),
        Json::Array(values) if values.is_empty() => "an empty list".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::String(text) => reader::quote(text),
        Json::Null | Json::Bool(_) | Json::Number(_) => json.to_string(),
    }
}

/// Where the text lies in memory, so that a part of it, which `serde_json` borrows, tells its line by its address.
struct Place {
    start: usize,
    line_ends: Vec<usize>,
}

impl Place {
    fn node(&self, raw: &RawValue) -> serde_json::Result<Node> {
        let text = raw.get();
        let at = text.as_ptr().addr().saturating_sub(self.start);
        let value = match text.as_bytes().first() {
            Some(b'{') => {
                let Fields(fields) = serde_json::from_str(text)?;
                let fields = fields.into_iter().map(|(name, raw)| Ok((name, self.node(raw)?)));
                Value::Object(fields.collect::<serde_json::Result<_>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                Value::List(items.into_iter().map(|raw| self.node(raw)).collect::<serde_json::Result<_>>()?)
            }
            _ => Value::Scalar(serde_json::from_str(text)?),
        };
        Ok(Node { line: self.line_ends.partition_point(|end| *end < at) + 1, value })
    }
}

/// An object's fields in their order, equal keys and all.
struct Fields<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Fields<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

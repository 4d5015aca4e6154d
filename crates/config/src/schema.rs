//! The JSON Schema of the settings, out of the table of keys: what the loader reads is what the schema allows.

use serde_json::{Map, Value as Json, json};

use crate::{Bounds, Key, Kind, Limit, explain::typed};

/// The schema as a text with a final line end.
pub(crate) fn text<'k>(keys: impl Iterator<Item = &'k Key>) -> String {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of the trading system: config/{environment}.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {},
    });
    for key in keys {
        let mut section = &mut root;
        for name in key.section.split('.') {
            section = properties(section).entry(name).or_insert_with(object);
        }
        properties(section).insert(key.name.to_owned(), field(key));
    }
    let mut text = serde_json::to_string_pretty(&root).expect("JSON has a text");
    text.push('\n');
    text
}

fn field(key: &Key) -> Json {
    let mut field = match key.kind {
        Kind::Boolean => json!({"enum": [true, false, "true", "false", "yes", "no", "on", "off", 1, 0, "1", "0"]}),
        Kind::Integer { low, high } => {
            json!({"type": ["integer", "string"], "minimum": low, "maximum": high, "pattern": r"^\s*\+?[0-9]+\s*$"})
        }
        Kind::Number => json!({"type": ["number", "string"], "pattern": r"^\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*$"}),
        Kind::Choice(words) => {
            let capital = words.iter().map(|word| word.to_ascii_uppercase());
            let title = words.iter().map(|word| {
                let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
                first.to_ascii_uppercase() + rest
            });
            json!({"enum": words.iter().map(|word| (*word).to_owned()).chain(title).chain(capital).collect::<Vec<_>>()})
        }
        Kind::Text { pattern: Some(pattern) } => json!({"type": ["string", "number"], "pattern": pattern}),
        Kind::Text { pattern: None } => json!({"type": "string"}),
    };
    let fields = field.as_object_mut().expect("each kind is an object");
    if key.default.is_empty() {
        // Empty is as good as not set, whatever a set value must look like.
        fields.remove("pattern");
    } else {
        fields.insert("default".to_owned(), typed(key.kind, key.default));
    }
    if let Some(Limit::Bounds(bounds)) = key.limit
        && matches!(key.kind, Kind::Integer { .. } | Kind::Number)
    {
        bound(fields, bounds, key.kind);
    }
    let secret = if key.secret { " A secret, which does not belong into a file that is shared." } else { "" };
    let description = format!("{} Must be {}.{secret} Variable {}.", key.meaning, key.rule(), key.variable());
    fields.insert("description".to_owned(), description.into());
    field
}

/// Bounds of numbers; those of durations and decimals stand in the description, since schemas cannot compare texts.
fn bound(field: &mut Map<String, Json>, bounds: Bounds, kind: Kind) {
    field.remove("minimum");
    let low = if bounds.low_included { "minimum" } else { "exclusiveMinimum" };
    field.insert(low.to_owned(), typed(kind, bounds.low));
    if let Some(high) = bounds.high {
        field.insert("maximum".to_owned(), typed(kind, high));
    }
}

fn object() -> Json {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

fn properties(object: &mut Json) -> &mut Map<String, Json> {
    object.get_mut("properties").and_then(Json::as_object_mut).expect("each object was made with properties")
}

//! The JSON Schema of the settings, out of the table of keys.

use serde_json::{Map, Value as Json, json};

use crate::Key;

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
        properties(section).insert(key.name.to_owned(), json!({"description": key.meaning}));
    }
    let mut text = serde_json::to_string_pretty(&root).expect("JSON has a text");
    text.push('\n');
    text
}

fn object() -> Json {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

fn properties(object: &mut Json) -> &mut Map<String, Json> {
    object.get_mut("properties").and_then(Json::as_object_mut).expect("each object was made with properties")
}

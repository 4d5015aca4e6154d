//! The JSON Schema of the agents file, from its types and the rules of its parameters.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value as Json, json};

use super::{
    AgentKind, Agents,
    check::{GLOBAL_PARAMETERS, PARAMETERS, Rule},
};

/// The JSON Schema (draft 2020-12) of the agents file, as it stands in `config/agents.schema.json`.
///
/// For editors, while the file is written. It cannot say everything that loading checks: that ids differ, that names of fields are not
/// slightly misspelt.
///
/// ```
/// assert_eq!(trading_config::agents_schema()["title"], "The agents file");
/// ```
#[must_use]
pub fn agents_schema() -> Json {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Agents>();
    schema.to_value()
}

impl JsonSchema for AgentKind {
    fn schema_name() -> Cow<'static, str> {
        "AgentKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What an agent follows: one of the examples, or something that a later group brings, by its name.",
            "type": "string",
            "pattern": r"\S",
            "examples": AgentKind::NAMES,
        })
    }
}

pub(super) fn parameters(_: &mut SchemaGenerator) -> Schema {
    open_object("Open to whatever an agent needs.", &PARAMETERS)
}

pub(super) fn global_parameters(_: &mut SchemaGenerator) -> Schema {
    open_object("What holds for all agents.", &GLOBAL_PARAMETERS)
}

fn open_object(description: &str, rules: &[Rule]) -> Schema {
    let schema = |rule: &Rule| serde_json::from_str(rule.schema).expect("the schema of a rule is JSON");
    let properties: Map<_, _> = rules.iter().map(|rule| (rule.name.to_owned(), schema(rule))).collect();
    json_schema!({ "description": description, "type": "object", "properties": properties })
}

/// A committee or an individual without names would follow nobody.
pub(super) fn needs_politicians(schema: &mut Schema) {
    schema.insert(
        "if".to_owned(),
        json!({ "properties": { "type": { "enum": ["committee", "individual"] } }, "required": ["type"] }),
    );
    schema.insert(
        "then".to_owned(),
        json!({ "properties": { "politicians": { "minItems": 1 } }, "required": ["politicians"] }),
    );
}

//! The JSON Schema of the agents file, from its types and the rules of its parameters.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value as Json, json};

use super::{
    AgentKind, Agents,
    check::{GLOBAL_PARAMETERS, PARAMETERS, Rule},
};

impl Agents {
    /// The JSON Schema (draft 2020-12) of the agents file, as it stands in `config/agents.schema.json`.
    ///
    /// For editors, while the file is written. Loading checks more: that ids differ, that no key is there twice, that no field is
    /// slightly misspelt, that a time zone is one.
    ///
    /// ```
    /// assert!(trading_config::Agents::schema().contains("The agents file"));
    /// ```
    #[must_use]
    pub fn schema() -> String {
        let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Self>();
        format!("{:#}\n", schema.to_value())
    }
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
    let mut schema = open_object("Open to whatever an agent needs.", &PARAMETERS);
    when(
        &mut schema,
        json!({ "properties": { "position_size_type": { "enum": ["percentage", "percent"] } }, "required": ["position_size_type"] }),
        json!({ "properties": { "position_size_value": { "maximum": 100 } } }),
    );
    schema
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
    when(
        schema,
        json!({ "properties": { "type": { "enum": ["committee", "individual"] } }, "required": ["type"] }),
        json!({ "properties": { "politicians": { "minItems": 1 } }, "required": ["politicians"] }),
    );
}

fn when(schema: &mut Schema, condition: Json, then: Json) {
    schema.insert("if".to_owned(), condition);
    schema.insert("then".to_owned(), then);
}

//! The JSON Schema of the agents file: as it is checked in, and against what loading takes.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};
use trading_config::Agents;

use crate::{loader, project};

fn is_valid(json: &Json) -> bool {
    let schema: Json = serde_json::from_str(&Agents::schema()).expect("is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("is a schema");
    jsonschema::is_valid(&schema, json)
}

fn is_loaded(json: &Json) -> bool {
    let folder = project(&[("config/agents.json", &json.to_string())]);
    loader(folder.path(), &[]).load().is_ok()
}

/// The document with `value` at `pointer` is good for the schema and for loading, or bad for both.
#[track_caller]
fn check(pointer: &str, value: &Json, good: bool) {
    let mut json = json!({
        "agents": [{"id": "a", "name": "A", "type": "individual", "description": "", "politicians": ["P"],
                    "enabled": true, "parameters": {}}],
        "global_parameters": {},
    });
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    json.pointer_mut(parent).and_then(Json::as_object_mut).expect("an object").insert(name.to_owned(), value.clone());
    assert_eq!((is_valid(&json), is_loaded(&json)), (good, good), "{json}");
}

#[test]
fn the_file_beside_the_agents_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/agents.schema.json");
    let found = fs::read_to_string(path).expect("the workspace has it");
    assert_eq!(found, Agents::schema(), "`cargo xtask schema` writes it anew");
}

#[test]
fn the_agents_of_the_workspace_and_of_the_earlier_system_are_valid() {
    for text in [include_str!("../../../../config/agents.json"), include_str!("fixtures/agents.json")] {
        let json: Json = serde_json::from_str(text).expect("is JSON");
        assert!(is_valid(&json) && is_loaded(&json));
    }
}

#[test]
fn it_refuses_what_loading_refuses() {
    for (pointer, goods, bads) in [
        ("/agents", json!([]), json!([[], {}, null, [1]])),
        ("/agents/0/id", json!(["a_-9", "a".repeat(64)]), json!(["", "A", "a b", "a".repeat(65), 1])),
        ("/agents/0/name", json!(["N"]), json!(["", " ", null])),
        ("/agents/0/type", json!(["committee", "technical", "sentiment"]), json!(["", 1])),
        ("/agents/0/description", json!(["", "D"]), json!([1, null])),
        ("/agents/0/politicians", json!([["P"], ["P", "Q"]]), json!([[], [""], ["P", "P"], [1], "P", null])),
        ("/agents/0/enabled", json!([true, false]), json!(["true", 1, null])),
        (
            "/agents/0/parameters",
            json!([{}, {"own": [1]}, {"position_size_type": "percentage", "position_size_value": 100}]),
            json!([[], null, {"position_size_type": "percent", "position_size_value": 101}]),
        ),
        ("/agents/0/parameters/match_threshold", json!([1, 0.01]), json!([0, 1.01, "1"])),
        ("/agents/0/parameters/minimum_trade_value", json!([0, 1.5]), json!([-1, "1"])),
        ("/agents/0/parameters/position_size_value", json!([0.01]), json!([0, "1"])),
        ("/agents/0/parameters/position_size_type", json!(["fixed", "percentage"]), json!(["big", 1])),
        ("/global_parameters", json!([{}, {"own": 1}]), json!([[], null])),
        ("/global_parameters/execution_time", json!(["09:30", "23:59:59"]), json!(["24:00", "x", 9])),
        ("/global_parameters/timezone", json!(["UTC"]), json!([1])),
        ("/global_parameters/max_concurrent_trades", json!([1]), json!([0, 1.5, "1"])),
        ("/global_parameters/trade_timeout_seconds", json!([1]), json!([0])),
        ("/global_parameters/position_update_interval", json!([1]), json!([0])),
        ("/global_parameters/performance_calculation_interval", json!([1]), json!([0])),
        ("/later", json!([null, {}]), json!([])),
        ("/agents/0/later", json!([null, {}]), json!([])),
    ] {
        for good in goods.as_array().expect("a list") {
            check(pointer, good, true);
        }
        for bad in bads.as_array().expect("a list") {
            check(pointer, bad, false);
        }
    }
    for name in ["id", "name", "type", "politicians"] {
        let mut json = json!({"agents": [{"id": "a", "name": "A", "type": "committee", "politicians": ["P"]}]});
        assert!(is_valid(&json) && is_loaded(&json));
        json["agents"][0].as_object_mut().expect("an object").remove(name);
        assert!(!is_valid(&json) && !is_loaded(&json), "without {name}");
    }
}

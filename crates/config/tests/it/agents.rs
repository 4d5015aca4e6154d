//! The agents file as it is read.

use rust_decimal::Decimal;
use serde_json::json;
use trading_config::{AgentKind, Settings, SizeType};

use crate::{load, loader, project};

fn read(json: &str) -> Settings {
    let folder = project(&[("config/agents.json", json)]);
    loader(folder.path(), &[]).load().expect("loads")
}

#[test]
fn the_earlier_systems_file_is_read_whole() {
    const IDS: [&str; 5] =
        ["transportation_committee", "josh_gottheimer", "sheldon_whitehouse", "nancy_pelosi", "dan_meuser"];
    let json = include_str!("fixtures/agents.json");
    for json in [json.to_owned(), format!("\u{feff}{json}"), json.replace('\n', "\r\n")] {
        let settings = read(&json);
        let ids: Vec<_> = settings.enabled_agents().map(|agent| agent.id.as_str()).collect();
        assert_eq!(ids, IDS);
        let committee = settings.agent("transportation_committee").expect("is there");
        assert_eq!((&committee.kind, committee.politicians.len()), (&AgentKind::Committee, 10));
        assert_eq!(committee.name, "Transportation & Infrastructure Committee Agent");
        assert_eq!(committee.description, "Follows the House Committee on Transportation and Infrastructure");
        assert_eq!(committee.politicians[5], "Donald Payne Jr.");
        let meuser = settings.agent("dan_meuser").expect("is there");
        assert_eq!((&meuser.kind, &meuser.politicians), (&AgentKind::Individual, &vec!["Dan Meuser".to_owned()]));
        assert_eq!(
            json!(meuser.parameters),
            json!({"minimum_trade_value": 50_000, "position_size_type": "fixed", "position_size_value": 100, "match_threshold": 0.85})
        );
        assert_eq!(
            json!(settings.agents().global_parameters()),
            json!({"execution_time": "21:30", "timezone": "US/Eastern", "max_concurrent_trades": 10,
                   "trade_timeout_seconds": 300, "position_update_interval": 3_600, "performance_calculation_interval": 86_400})
        );
        assert!(settings.agent("nobody").is_none());
        assert!(committee.other.is_empty() && settings.agents().other().is_empty());
        assert_eq!(settings.agents().source(), "config/agents.json");
    }
}

#[test]
fn the_built_in_agents_are_those_of_the_earlier_system() {
    let built_in = load(&[]).expect("loads");
    assert_eq!(built_in.agents().source(), "the built-in agents");
    assert_eq!(built_in.agents().list(), read(include_str!("fixtures/agents.json")).agents().list());
}

#[test]
fn fields_that_later_groups_bring_are_kept() {
    let settings = read(
        r#"{"version": 2, "agents": [
            {"id": "a", "name": "A", "type": "individual", "politicians": ["P"], "enabled": false},
            {"id": "b", "name": " B ", "type": "sentiment", "later": [1, {"x": "y"}], "parameters": {"x": {"y": null}}}
        ], "$schema": "agents.schema.json"}"#,
    );
    assert_eq!(json!(settings.agents().other()), json!({"version": 2, "$schema": "agents.schema.json"}));
    let enabled: Vec<_> = settings.enabled_agents().map(|agent| agent.id.as_str()).collect();
    assert_eq!(enabled, ["b"], "the other is switched off");
    assert_eq!(settings.agents().list().len(), 2);
    let later = settings.agent("b").expect("is there");
    assert_eq!((later.kind.to_string(), later.name.as_str()), ("sentiment".to_owned(), "B"));
    assert_eq!(later.kind, AgentKind::Other("sentiment".to_owned()));
    assert_eq!(json!(later.other), json!({"later": [1, {"x": "y"}]}));
    assert_eq!(json!(later.parameters), json!({"x": {"y": null}}));
}

#[test]
fn kinds_have_names() {
    for (name, kind) in [
        ("committee", AgentKind::Committee),
        ("individual", AgentKind::Individual),
        ("technical", AgentKind::Technical),
        ("other", AgentKind::Other("other".to_owned())),
    ] {
        let json = format!(r#"{{"agents": [{{"id": "a", "name": "A", "type": "{name}", "politicians": ["P"]}}]}}"#);
        let settings = read(&json);
        let found = &settings.agent("a").expect("is there").kind;
        assert_eq!((found, found.to_string().as_str()), (&kind, name));
    }
}

#[test]
fn parameters_are_read_by_name_and_type() {
    let settings = read(
        r#"{"agents": [{"id": "a", "name": "A", "type": "technical", "parameters": {
            "minimum_trade_value": 0.1, "position_size_type": "percent", "windows": [5, 20], "odd name": null}}]}"#,
    );
    let agent = settings.agent("a").expect("is there");
    assert_eq!(agent.parameter("minimum_trade_value").expect("a number"), Some(Decimal::new(1, 1)));
    assert_eq!(agent.parameter("position_size_type").expect("a word"), Some(SizeType::Percentage));
    assert_eq!(agent.parameter("windows").expect("a list"), Some(vec![5_u16, 20]));
    assert_eq!(agent.parameter::<String>("missing").expect("is not there"), None);
    assert_eq!(
        agent.parameter::<u8>("windows").expect_err("is no number").to_string(),
        "the configuration has 1 fault: a.parameters.windows: must be of the type that its reader expects; found a list, from the \
         agents file; invalid type: sequence, expected u8"
    );
    assert_eq!(
        agent.parameter::<SizeType>("odd name").expect_err("is no text").to_string(),
        "the configuration has 1 fault: a.parameters[\"odd name\"]: must be of the type that its reader expects; found null, from the \
         agents file; invalid type: null, expected a string"
    );
}

#[test]
fn a_named_file_must_exist_and_the_default_one_only_outside_development() {
    let folder = project(&[]);
    let load = |variables: &[(&str, &str)]| loader(folder.path(), variables).load();
    assert_eq!(load(&[]).expect("loads").agents().list().len(), 5, "the built-in ones");
    for variables in [[("TRADING__AGENTS_PATH", "missing.json")], [("ENVIRONMENT", "test")]] {
        let error = load(&variables).expect_err("is refused").to_string();
        assert!(error.contains("trading.agents_path: must name a file that exists; found \"/"), "{error}");
    }
}

#[test]
fn who_needs_no_agents_does_not_read_them() {
    let folder = project(&[("config/agents.json", "{")]);
    assert!(loader(folder.path(), &[]).load().is_err());
    let settings = loader(folder.path(), &[]).without_agents().load().expect("loads");
    assert!(settings.agents().list().is_empty());
}

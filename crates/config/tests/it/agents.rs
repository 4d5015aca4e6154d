//! The agents file.

use trading_config::{AgentKind, Error};

use crate::{loader, project};

#[track_caller]
fn faults(json: &str, expected: &[&str]) {
    let folder = project(&[("config/agents.json", json)]);
    let error = loader(folder.path(), &[]).load().expect_err("is refused").to_string();
    let lines: Vec<_> = error.lines().skip(1).map(str::trim).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_earlier_systems_file_is_read_whole() {
    let json = include_str!("../../../../config/agents.json");
    let folder = project(&[("config/agents.json", &format!("\u{feff}{json}"))]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    let ids: Vec<_> = settings.enabled_agents().map(|agent| agent.id.as_str()).collect();
    assert_eq!(
        ids,
        ["transportation_committee", "josh_gottheimer", "sheldon_whitehouse", "nancy_pelosi", "dan_meuser"]
    );
    let committee = settings.agent("transportation_committee").expect("is there");
    assert_eq!((&committee.kind, committee.politicians.len()), (&AgentKind::Committee, 10));
    assert_eq!(committee.parameters["minimum_trade_value"], 50_000);
    assert_eq!(settings.agents().global_parameters()["timezone"], "US/Eastern");
    assert!(settings.agent("nobody").is_none());
}

#[test]
fn an_agent_can_be_switched_off_and_unknown_fields_and_kinds_are_no_fault() {
    let folder = project(&[(
        "config/agents.json",
        r#"{"agents": [
            {"id": "a", "name": "A", "type": "individual", "politicians": ["P"], "enabled": false},
            {"id": "b", "name": "B", "type": "sentiment", "later": [1], "parameters": {"x": {"y": null}}}
        ], "version": 2}"#,
    )]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    assert_eq!(settings.agents().list().len(), 2);
    let enabled: Vec<_> = settings.enabled_agents().collect();
    assert_eq!(enabled.len(), 1);
    assert_eq!(enabled[0].kind, AgentKind::Other("sentiment".to_owned()));
    assert!(enabled[0].parameters["x"].is_object());
}

#[test]
fn every_fault_names_its_place() {
    faults(
        r#"{"agents": [
            {"id": "Nancy Pelosi", "name": " ", "type": "individual", "politicians": [], "enabled": "yes"},
            {"id": "b", "name": "B", "type": "committee", "politicians": ["P", 7], "parameters": {"match_threshold": 1.5}},
            {"id": "b", "name": "B", "type": "technical", "parameters": []},
            17
        ], "global_parameters": 3}"#,
        &[
            "agents[0].enabled: must be true or false; found \"yes\", from config/agents.json; for example true",
            "agents[0].id: must be 1 to 64 of a-z, 0-9, _ and -; found \"Nancy Pelosi\", from config/agents.json; for \
             example nancy_pelosi",
            "agents[0].name: must be a text that is not empty; found \" \", from config/agents.json; for example Nancy \
             Pelosi Agent",
            "agents[0].politicians: must be a list of names that is not empty; found an empty list, from \
             config/agents.json; for example [\"Nancy Pelosi\"]",
            "agents[1].parameters.match_threshold: must be a number above 0 and at most 1; found 1.5, from \
             config/agents.json; for example 0.85",
            "agents[1].politicians[1]: must be a name; found 7, from config/agents.json; for example [\"Nancy Pelosi\"]",
            "agents[2].id: must be unique, and agents[1] has the same; found \"b\", from config/agents.json; for example an \
             id of its own",
            "agents[2].parameters: must be an object; found an empty list, from config/agents.json; for example \
             {\"match_threshold\": 0.85}",
            "agents[3]: must be an object; found 17, from config/agents.json; for example {\"id\": \"nancy_pelosi\", …}",
            "global_parameters: must be an object; found 3, from config/agents.json; for example {\"execution_time\": \
             \"21:30\"}",
        ],
    );
    faults(
        "[]",
        &[
            "agents: must be a list of agents; found nothing, from config/agents.json; for example \"agents\": [{\"id\": …}]",
        ],
    );
}

#[test]
fn ids_have_a_longest() {
    let json = |length: usize| {
        format!(r#"{{"agents": [{{"id": "{}", "name": "A", "type": "technical"}}]}}"#, "a".repeat(length))
    };
    let folder = project(&[("config/agents.json", &json(64))]);
    loader(folder.path(), &[]).load().expect("64 is good");
    let folder = project(&[("config/agents.json", &json(65))]);
    loader(folder.path(), &[]).load().expect_err("65 is not");
}

#[test]
fn text_that_is_not_json_is_refused_with_the_line() {
    let folder = project(&[("config/agents.json", "{\n\"agents\": [\n}")]);
    let Err(Error::Malformed { path, line, reason }) = loader(folder.path(), &[]).load() else { panic!("is no JSON") };
    assert_eq!((path, line), (folder.path().join("config/agents.json"), 3));
    assert!(reason.starts_with("not JSON: "), "{reason}");
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
fn slips_of_the_finger_are_faults_and_not_fields_of_their_own() {
    faults(
        r#"{"agents": [{"id": "a", "name": "A", "type": "indvidual", "enabeld": false, "parmeters": {}, "later": 1,
            "parameters": {"match_treshold": 0.5, "minimum_trade_value": -1, "position_size_type": "big",
                           "position_size_value": "100", "own": true}}],
            "global_parameter": {}}"#,
        &[
            "agents[0].enabeld: must be a known field; found \"enabeld\", from config/agents.json; for example enabled",
            "agents[0].parameters.match_treshold: must be a known field; found \"match_treshold\", from config/agents.json; for \
             example match_threshold",
            "agents[0].parameters.minimum_trade_value: must be a number from 0 up; found -1, from config/agents.json; for \
             example 50000",
            "agents[0].parameters.position_size_type: must be fixed or percentage; found \"big\", from config/agents.json; for \
             example fixed",
            "agents[0].parameters.position_size_value: must be a number above 0; found \"100\", from config/agents.json; for \
             example 100",
            "agents[0].parmeters: must be a known field; found \"parmeters\", from config/agents.json; for example parameters",
            "agents[0].type: must be one of committee, individual, technical, or a name of its own; found \"indvidual\", from \
             config/agents.json; for example individual",
            "global_parameter: must be a known field; found \"global_parameter\", from config/agents.json; for example \
             global_parameters",
        ],
    );
}

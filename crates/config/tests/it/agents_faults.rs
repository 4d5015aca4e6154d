//! What is said about an agents file that breaks a rule.

use std::fs;

use proptest::prelude::*;
use trading_config::Error;

use crate::{faults_of, loader, project};

fn lines(json: &str) -> Vec<String> {
    let folder = project(&[("config/agents.json", json)]);
    let error = loader(folder.path(), &[]).load().expect_err("is refused").to_string();
    faults_of(&error).into_iter().map(str::to_owned).collect()
}

#[track_caller]
fn check(json: &str, expected: &[&str]) {
    assert_eq!(lines(json), expected);
}

/// One agent with these further fields in line 2.
fn agent(fields: &str) -> String {
    format!("{{\"agents\": [{{\"id\": \"a\", \"name\": \"A\", \"type\": \"technical\",\n{fields}}}]}}")
}

#[track_caller]
fn good(fields: &str) {
    let folder = project(&[("config/agents.json", &agent(fields))]);
    if let Err(error) = loader(folder.path(), &[]).load() {
        panic!("{fields} is good, but: {error}");
    }
}

#[track_caller]
fn bad(fields: &str, expected: &str) {
    check(&agent(fields), &[expected]);
}

#[test]
fn every_fault_names_its_place_and_line() {
    check(
        r#"{"agents": [
            {"id": "Nancy Pelosi", "name": " ", "type": "individual", "politicians": [], "enabled": "yes"},
            {"id": "b", "name": "B", "type": "committee",
             "politicians": ["P",
                             7],
             "parameters": {
                 "match_threshold":
                     1.5}},
            {"id": "b", "name": "B", "type": "technical", "parameters": [], "description": 5},
            17,
            {"type": "committee"}
        ],
        "global_parameters": 3}"#,
        &[
            "agents[0].enabled: must be true or false; found \"yes\", from config/agents.json:2; for example true",
            "agents[0].id: must be 1 to 64 of a-z, 0-9, _ and -; found \"Nancy Pelosi\", from config/agents.json:2; for \
             example nancy_pelosi",
            "agents[0].name: must be a text that is not empty; found \" \", from config/agents.json:2; for example Nancy \
             Pelosi Agent",
            "agents[0].politicians: must be a list of names that is not empty; found an empty list, from \
             config/agents.json:2; for example [\"Nancy Pelosi\"]",
            "agents[1].parameters.match_threshold: must be a number above 0 and at most 1; found 1.5, from \
             config/agents.json:8; for example 0.85",
            "agents[1].politicians[1]: must be a name; found 7, from config/agents.json:5; for example [\"Nancy Pelosi\"]",
            "agents[2].description: must be a text; found 5, from config/agents.json:9; for example \"Follows Nancy Pelosi\"",
            "agents[2].id: must be unique, and agents[1] has the same; found \"b\", from config/agents.json:9; for example an \
             id of its own",
            "agents[2].parameters: must be an object; found an empty list, from config/agents.json:9; for example \
             {\"minimum_trade_value\": 50000}",
            "agents[3]: must be an object; found 17, from config/agents.json:10; for example {\"id\": \"nancy_pelosi\", …}",
            "agents[4].id: must be a text that is not empty; found nothing, from config/agents.json:11; for example nancy_pelosi",
            "agents[4].name: must be a text that is not empty; found nothing, from config/agents.json:11; for example Nancy \
             Pelosi Agent",
            "agents[4].politicians: must be a list of names that is not empty; found nothing, from config/agents.json:11; for \
             example [\"Nancy Pelosi\"]",
            "global_parameters: must be an object; found 3, from config/agents.json:13; for example {\"execution_time\": \
             \"21:30\"}",
        ],
    );
}

#[test]
fn a_file_without_agents_is_refused() {
    for (json, found) in [
        ("[]", "nothing"),
        ("{}", "nothing"),
        (r#"{"agents": []}"#, "an empty list"),
        (r#"{"agents": {}}"#, "an object"),
        ("null", "nothing"),
    ] {
        let expected = format!(
            "agents: must be a list of at least one agent; found {found}, from config/agents.json:1; for example \"agents\": \
             [{{\"id\": …}}]"
        );
        check(json, &[&expected]);
    }
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
fn what_is_there_twice_is_refused() {
    // The value is not shown: it may be somebody's own.
    bad(
        "\"parameters\": {\"token\": \"canary\",\n\"token\": \"canary\"}",
        "agents[0].parameters.token: must be there once, and line 2 has it; found a second one, from config/agents.json:3; remove one",
    );
    bad(
        "\"later\": [{\"x y\": 1,\n\"x y\": {}}]",
        "agents[0].later[0][\"x y\"]: must be there once, and line 2 has it; found a second one, from config/agents.json:3; remove one",
    );
    bad(
        "\"id\":\n\"b\"",
        "agents[0].id: must be there once, and line 1 has it; found a second one, from config/agents.json:3; remove one",
    );
    check(
        "{\"agents\": [{\"id\": \"a\", \"name\": \"A\", \"type\": \"technical\"}],\n\n\"agents\": 1}",
        &["agents: must be there once, and line 1 has it; found a second one, from config/agents.json:3; remove one"],
    );
    bad(
        "\"politicians\": [\"Nancy Pelosi\", \"X\",\n \"nancy PELOSI \"]",
        "agents[0].politicians[2]: must be there once, and politicians[0] is the same; found \"nancy PELOSI \", from \
         config/agents.json:3; remove one",
    );
}

#[test]
fn each_bound_of_a_parameter_is_kept() {
    for (name, rule, example, goods, bads) in [
        (
            "match_threshold",
            "must be a number above 0 and at most 1",
            "0.85",
            &["1", "0.0001", "5e-324"][..],
            &["0", "1.0001", "-1", "null", "\"0.5\""][..],
        ),
        ("minimum_trade_value", "must be a number from 0 up", "50000", &["0", "1e300"], &["-0.01", "\"1\"", "true"]),
        ("position_size_value", "must be a number above 0", "100", &["0.01", "1e9"], &["0", "-1", "null"]),
        (
            "position_size_type",
            "must be fixed or percentage",
            "\"fixed\"",
            &["\"fixed\"", "\"percentage\"", "\"Percent\""],
            &["\"\"", "\"big\"", "1"],
        ),
    ] {
        for value in goods {
            good(&format!("\"parameters\": {{\"{name}\": {value}}}"));
        }
        for value in bads {
            bad(
                &format!("\"parameters\": {{\"{name}\": {value}}}"),
                &format!(
                    "agents[0].parameters.{name}: {rule}; found {value}, from config/agents.json:2; for example {example}"
                ),
            );
        }
    }
    good(r#""parameters": {"position_size_type": "percentage", "position_size_value": 100}"#);
    bad(
        r#""parameters": {"position_size_type": "percentage", "position_size_value": 100.1}"#,
        "agents[0].parameters.position_size_value: must be at most 100 where it is a percentage; found 100.1, from \
         config/agents.json:2; for example 5",
    );
}

#[test]
fn each_bound_of_a_global_parameter_is_kept() {
    const AGENT: &str = r#"{"agents": [{"id": "a", "name": "A", "type": "technical"}], "global_parameters": "#;
    let count = "must be a whole number from 1 up";
    for (name, rule, example, good, bads) in [
        ("execution_time", "must be a time of day such as 21:30", "\"21:30\"", "\"23:59\"", &["\"24:00\"", "2130"][..]),
        ("timezone", "must be a time zone of the IANA list", "\"US/Eastern\"", "\"UTC\"", &["\"Eastern\"", "null"]),
        ("max_concurrent_trades", count, "10", "1", &["0", "1.5", "-1", "\"1\""]),
        ("trade_timeout_seconds", count, "300", "1", &["0"]),
        ("position_update_interval", count, "3600", "1", &["0"]),
        ("performance_calculation_interval", count, "86400", "1", &["0"]),
    ] {
        let folder = project(&[("config/agents.json", &format!("{AGENT}{{\"{name}\": {good}}}}}"))]);
        loader(folder.path(), &[]).load().expect("is good");
        for found in bads {
            let expected = format!(
                "global_parameters.{name}: {rule}; found {found}, from config/agents.json:1; for example {example}"
            );
            check(&format!("{AGENT}{{\"{name}\": {found}}}}}"), &[&expected]);
        }
    }
}

#[test]
fn a_technical_agent_needs_no_names() {
    good(r#""politicians": []"#);
    bad(
        r#""politicians": "P""#,
        "agents[0].politicians: must be a list of names; found \"P\", from config/agents.json:2; for example [\"Nancy Pelosi\"]",
    );
}

#[test]
fn slips_of_the_finger_are_faults_and_not_fields_of_their_own() {
    check(
        r#"{"agents": [{"id": "a", "name": "A", "type": "indvidual", "enabeld": false, "parmeters": {}, "later": 1,
            "parameters": {"match_treshold": 0.5, "own": true}}],
            "global_parameter": {}, "global_parameters": {"timezon": "canary"}}"#,
        &[
            "agents[0].enabeld: must be a known field; found an unknown one, from config/agents.json:1; did you mean enabled?",
            "agents[0].parameters.match_treshold: must be a known field; found an unknown one, from config/agents.json:2; did \
             you mean match_threshold?",
            "agents[0].parmeters: must be a known field; found an unknown one, from config/agents.json:1; did you mean \
             parameters?",
            "agents[0].type: must be one of committee, individual, technical, or a name of its own; found \"indvidual\", from \
             config/agents.json:1; for example individual",
            "global_parameter: must be a known field; found an unknown one, from config/agents.json:3; did you mean \
             global_parameters?",
            "global_parameters.timezon: must be a known field; found an unknown one, from config/agents.json:3; did you mean \
             timezone?",
        ],
    );
}

#[test]
fn the_faults_of_another_kind_of_file_are_bounded() {
    let lines = lines(&format!("{{\"agents\": [{}0]}}", "0,".repeat(1_999)));
    assert_eq!(lines.len(), 1_001);
    assert_eq!(
        lines[0],
        "agents: must be free of faults; found 1000 more than are told, from config/agents.json; correct the others first"
    );
}

#[test]
fn text_that_is_not_json_is_refused_with_the_line() {
    let deep = format!("\n{}", "[".repeat(100_000));
    for (json, line, reason) in [
        ("{\n\"agents\": [\n}", 3, "not JSON: expected value at line 3 column 1"),
        ("\u{feff}\n{,", 2, "not JSON: key must be a string at line 2 column 2"),
        ("", 1, "not JSON: EOF while parsing a value at line 1 column 0"),
        ("{}\n{}", 2, "not JSON: trailing characters at line 2 column 1"),
        ("\n[1e999]", 2, "not JSON: number out of range at line 2 column 6"),
        (deep.as_str(), 2, "not JSON: recursion limit exceeded at line 2 column 128"),
    ] {
        let folder = project(&[("config/agents.json", json)]);
        let Err(Error::Malformed { path, line: found, reason: text }) = loader(folder.path(), &[]).load() else {
            panic!("{json} was taken")
        };
        assert_eq!((path, found, text.as_str()), (folder.path().join("config/agents.json"), line, reason));
    }
}

#[test]
fn what_is_no_small_regular_text_file_is_refused() {
    #[track_caller]
    fn refused(folder: &tempfile::TempDir, path: &str, expected: &str) {
        let load = loader(folder.path(), &[("TRADING__AGENTS_PATH", path)]).load();
        let Err(Error::Read { path: found, source }) = load else { panic!("{path} was read") };
        assert_eq!((found, source.to_string().as_str()), (folder.path().join(path), expected));
    }
    let folder = project(&[("config/folder/file", ""), ("huge.json", &" ".repeat(1024 * 1024 + 1))]);
    fs::write(folder.path().join("latin1.json"), b"{\"agents\": \"\xe9\"}").expect("is written");
    refused(&folder, "config/folder", "not a regular file");
    refused(&folder, "/dev/zero", "not a regular file");
    refused(&folder, "huge.json", "larger than 1 MiB");
    refused(&folder, "latin1.json", "invalid utf-8 sequence of 1 bytes from index 12");
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(at in 0_usize..4_000, cut in 0_usize..40, new in "[\\[\\]{}\",:0-9a-z \n\\\\é-]{0,12}") {
        let mut json: Vec<char> = include_str!("fixtures/agents.json").chars().collect();
        let at = at.min(json.len());
        json.splice(at..(at + cut).min(json.len()), new.chars());
        let json: String = json.into_iter().collect();
        let folder = project(&[("config/agents.json", &json)]);
        if let Err(Error::Malformed { line, .. }) = loader(folder.path(), &[]).load() {
            prop_assert!((1..=json.lines().count() + 1).contains(&line));
        }
    }
}

#[test]
fn a_file_that_is_no_json_is_told_with_the_other_faults() {
    for (agents, expected) in [
        (
            Some("{\n\"agents\": [\n}"),
            "agents: must be JSON; found not JSON: expected value at line 3 column 1, from config/agents.json:3; correct that line",
        ),
        (
            None,
            "agents: must be a file that can be read; found not a regular file, from config/agents.json; check what it is, and who \
             may read it",
        ),
    ] {
        let folder = project(&[("config/development.toml", "")]);
        let path = folder.path().join("config/agents.json");
        match agents {
            Some(text) => fs::write(&path, text).expect("is written"),
            None => fs::create_dir(&path).expect("is made"),
        }
        let error = loader(folder.path(), &[("LOG_LEVEL", "LOUD")]).load().expect_err("is faulty").to_string();
        let lines: Vec<_> = error.lines().map(str::trim).collect();
        assert_eq!((lines.len(), lines[0], lines[1]), (3, "the configuration has 2 faults", expected));
        assert!(lines[2].starts_with("logging.level: "), "{error}");
    }
}

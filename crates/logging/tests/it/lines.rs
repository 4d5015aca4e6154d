//! The line of the files, whole.

use std::{fmt, io, num::NonZeroU8};

use log::{Level, Log, Record, kv::Value};
use serde_json::Value as Json;

use crate::stage::{Stage, line, say};

/// Logs these fields with the message `m`, and returns the line.
fn logged(message: &str, fields: &[(&str, Value<'_>)]) -> String {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let mut record = Record::builder();
    record.level(Level::Info).target("app").module_path(Some("stage::say")).file(Some("stage.rs")).line(Some(7));
    logger.log(&record.key_values(&fields).args(format_args!("{message}")).build());
    assert!(logging.flush());
    stage.read("trading_automation.log")
}

#[track_caller]
fn check(fields: &[(&str, Value<'_>)], expected: &str) {
    assert_eq!(logged("m", fields), line(Level::Info, "app", "m", expected));
}

#[test]
fn a_line_without_fields_is_the_eight_fixed_names() {
    check(&[], "");
}

#[test]
fn fields_follow_typed_and_in_the_order_they_came() {
    check(
        &[
            ("zeta", Value::from("text")),
            ("alpha", Value::from(true)),
            ("none", Value::null()),
            ("u", Value::from(u64::MAX)),
            ("i", Value::from(i64::MIN)),
            ("f", Value::from(0.1)),
            ("whole", Value::from(5.0)),
            ("tiny", Value::from(-1.5e-300)),
            ("c", Value::from('ß')),
            ("n", Value::from(NonZeroU8::MAX)),
            ("shown", Value::from_display(&format_args!("{}.{:02}", 12, 5))),
            ("listed", Value::from_debug(&["a", "b"])),
        ],
        concat!(
            r#","zeta":"text","alpha":true,"none":null,"u":18446744073709551615,"i":-9223372036854775808,"f":0.1"#,
            r#","whole":5.0,"tiny":-1.5e-300,"c":"ß","n":255,"shown":"12.05","listed":"[\"a\", \"b\"]""#,
        ),
    );
}

#[test]
fn numbers_that_json_readers_would_bend_are_text() {
    check(
        &[
            ("a", Value::from(u128::MAX)),
            ("b", Value::from(i128::MIN)),
            ("c", Value::from(7_u128)),
            ("d", Value::from(-7_i128)),
            ("e", Value::from(f64::NAN)),
            ("f", Value::from(f64::INFINITY)),
            ("g", Value::from(f64::NEG_INFINITY)),
        ],
        concat!(
            r#","a":"340282366920938463463374607431768211455","b":"-170141183460469231731687303715884105728","c":7"#,
            r#","d":-7,"e":"NaN","f":"Infinity","g":"-Infinity""#,
        ),
    );
}

#[test]
fn a_field_with_a_fixed_name_gets_a_prefix() {
    check(
        &[
            ("timestamp", Value::from(1)),
            ("level", Value::from(2)),
            ("logger", Value::from(3)),
            ("message", Value::from(4)),
            ("module", Value::from(5)),
            ("file", Value::from(6)),
            ("line", Value::from(7)),
            ("thread", Value::from(8)),
            ("fields_omitted", Value::from(9)),
            ("Message", Value::from(10)),
        ],
        concat!(
            r#","field_timestamp":1,"field_level":2,"field_logger":3,"field_message":4,"field_module":5,"field_file":6"#,
            r#","field_line":7,"field_thread":8,"field_fields_omitted":9,"Message":10"#,
        ),
    );
}

#[test]
fn no_name_stands_in_a_line_twice() {
    check(
        &[
            ("level", Value::from(1)),
            ("field_level", Value::from(2)),
            ("a", Value::from(3)),
            ("a", Value::from(4)),
            ("a", Value::from(5)),
            ("ab", Value::from(6)),
            ("field_a", Value::from(7)),
            ("field_9_a", Value::from(8)),
            ("a", Value::from(9)),
            ("api_key", Value::from("canary")),
            ("api_key", Value::from("canary")),
            ("q\"", Value::from(12)),
            ("q\"", Value::from(13)),
        ],
        concat!(
            r#","field_level":1,"field_field_level":2,"a":3,"field_a":4,"field_5_a":5,"ab":6,"field_field_a":7"#,
            r#","field_9_a":8,"field_10_a":9,"api_key":"[redacted]","field_api_key":"[redacted]","q\"":12,"field_q\"":13"#,
        ),
    );
    // Also where names are cut, or hidden.
    let (long, longer) = ("n".repeat(100_000), "n".repeat(100_001));
    let written = logged("m", &[(&long, Value::from(1)), (&longer, Value::from(2)), ("last", Value::from(3))]);
    let json: Json = serde_json::from_str(&written).unwrap();
    let cut = |name: &str| format!("{name}{}…[cut]", "n".repeat(16_384 - name.len()));
    assert_eq!((&json[cut("")], &json[cut("field_")], &json["last"]), (&1.into(), &2.into(), &3.into()));
}

#[test]
fn of_two_fields_named_component_the_first_decides() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let two = [("component", Value::from("api")), ("component", Value::from("trading"))];
    crate::stage::say_with(&*logger, Level::Info, "app", "m", &two);
    assert!(logging.flush());
    assert_eq!(
        stage.read("api.log"),
        line(Level::Info, "app", "m", r#","component":"api","field_component":"trading""#)
    );
    assert_eq!(stage.read("trading.log"), "");
}

#[test]
fn a_record_that_knows_no_place_says_null() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    logger.log(&Record::builder().level(Level::Warn).target("app").args(format_args!("m")).build());
    assert!(logging.flush());
    let expected = line(Level::Warn, "app", "m", "")
        .replace(r#""module":"stage::say","file":"stage.rs","line":7"#, r#""module":null,"file":null,"line":null"#);
    assert_eq!(stage.read("trading_automation.log"), expected);
}

#[test]
fn an_error_is_written_with_its_causes() {
    #[derive(Debug)]
    struct Outer(io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot place order")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = Outer(io::Error::other("connection reset"));
    check(&[("error", Value::from_dyn_error(&error))], r#","error":"cannot place order: connection reset""#);
}

#[test]
fn the_macros_of_log_bring_all_of_it() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let (agent_id, quantity) = ("pelosi", 5);
    log::info!(logger: &*logger, target: "trading", agent_id, quantity, price:% = "12.30"; "order {}", "filled");
    assert!(logging.flush());
    let written: Json = serde_json::from_str(&stage.read("trading.log")).unwrap();
    assert_eq!(written["message"], "order filled");
    assert_eq!(written["agent_id"], "pelosi");
    assert_eq!(written["quantity"], 5);
    assert_eq!(written["price"], "12.30");
    assert_eq!(written["module"], "it::lines");
    assert_eq!(written["file"], file!());
}

#[test]
fn whatever_the_text_a_line_is_one_json_object_that_gives_it_back() {
    for text in [
        "two\nlines",
        "a\r\nb",
        "nul\0",
        "\"quoted\" \\back\\",
        "\u{1b}[2J",
        "\u{202e}abc\u{2066}",
        "\u{85}\u{2028}\u{2029}",
        "{\"level\":\"FAKE\"}\n{\"level\":\"ERROR\"}",
        "😀 日本",
        "",
        "\u{feff}x",
    ] {
        let written = logged(text, &[(text, Value::from(text))]);
        assert_eq!(written.matches('\n').count(), 1, "{written}");
        assert!(
            !written.trim_end().contains(|char: char| char.is_control() || "\u{202e}\u{2066}\u{2028}".contains(char))
        );
        let json: Json = serde_json::from_str(&written).unwrap();
        assert_eq!(json["message"], text);
        assert_eq!(json[text], text);
    }
    // The control: not escaped, a text breaks out of its value.
    let forged = "a\",\"level\":\"ERROR";
    let naive: Json = serde_json::from_str(&format!(r#"{{"level":"INFO","message":"{forged}"}}"#)).unwrap();
    assert_eq!(naive["level"], "ERROR");
    let written: Json = serde_json::from_str(&logged(forged, &[])).unwrap();
    assert_eq!((&written["level"], &written["message"]), (&"INFO".into(), &forged.into()));
}

#[test]
fn a_line_up_to_64_kb_is_whole_and_a_longer_value_is_cut_on_a_character_and_marked() {
    let bare = line(Level::Info, "app", "", "").len();
    // The last 128 bytes are kept for what the end of a line may need.
    let longest = "é".repeat((65_536 - 128 - bare) / 2);
    assert_eq!(logged(&longest, &[]), line(Level::Info, "app", &longest, ""));

    let too_long = "é".repeat(5_000_000);
    let cut = format!("{}…[cut]", "é".repeat(16_384 / 2));
    assert_eq!(
        logged(&too_long, &[("agent_id", Value::from("pelosi"))]),
        line(Level::Info, "app", &cut, r#","agent_id":"pelosi""#)
    );
}

#[test]
fn values_are_cut_no_shorter_than_the_line_needs_and_small_ones_stay_whole() {
    let big = "x".repeat(1_000_000);
    let cut = format!("{}…[cut]", "x".repeat(4_096));
    let names: Vec<String> = (0..8).map(|index| format!("f{index}")).collect();
    let mut fields: Vec<(&str, Value<'_>)> = names.iter().map(|name| (name.as_str(), Value::from(&big))).collect();
    fields.push(("last", Value::from(1)));
    let expected: String = names.iter().map(|name| format!(r#","{name}":"{cut}""#)).collect();
    assert_eq!(logged("m", &fields), line(Level::Info, "app", "m", &(expected + r#","last":1"#)));
}

#[test]
fn fields_beyond_64_kb_are_left_out_and_counted() {
    let names: Vec<String> = (0..9_000).map(|index| format!("field{index:04}")).collect();
    let fields: Vec<(&str, Value<'_>)> = names.iter().map(|name| (name.as_str(), Value::from(1))).collect();
    let written = logged("m", &fields);
    assert!(written.len() <= 65_536, "{}", written.len());
    let json: Json = serde_json::from_str(&written).unwrap();
    let omitted = json["fields_omitted"].as_u64().unwrap();
    assert_eq!(json.as_object().unwrap().len() as u64, 8 + 9_000 - omitted + 1);
    assert!(written.len() > 65_000, "no more is left out than must be");
}

#[test]
fn a_display_that_logs_neither_hangs_nor_mixes_lines() {
    struct Chatty<'a>(&'a dyn Log);
    impl fmt::Display for Chatty<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            say(self.0, Level::Info, "app", "inner");
            f.write_str("outer")
        }
    }
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", &Chatty(&*logger).to_string());
    let chatty = Chatty(&*logger);
    logger.log(&Record::builder().level(Level::Info).args(format_args!("{chatty}")).build());
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["inner", "outer", "inner", "outer"]);
}

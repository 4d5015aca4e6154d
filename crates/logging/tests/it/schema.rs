//! The schema that is published is that of the lines.

use std::sync::LazyLock;

use jsonschema::Validator;
use log::{Level, LevelFilter, Log, Record, kv::Value};
use serde_json::{Value as Json, json};
use trading_logging::{ApiCall, Correlation, Options, PerformanceMetric, Timer};

use crate::stage::{Stage, say, say_with};

static SCHEMA: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../line.schema.json")).expect("is JSON"));

fn validator() -> Validator {
    jsonschema::validator_for(&SCHEMA).expect("is a schema")
}

/// Lines of every kind there is.
fn lines() -> Vec<Json> {
    let stage = Stage::new();
    let options = Options { level: LevelFilter::Trace, ..stage.options() };
    let (logging, logger) = stage.builder(options).secret("hunter22").build().expect("options that work");
    let logger: &dyn Log = &*logger;
    Level::iter().for_each(|level| say(logger, level, "app", "of each level\n"));
    logger.log(&Record::builder().args(format_args!("without a place")).build());
    let every_type = [
        ("text", Value::from("hunter22")),
        ("integer", Value::from(-1)),
        ("float", Value::from(f64::NAN)),
        ("truth", Value::from(true)),
        ("nothing", Value::null()),
        ("error", Value::from_dyn_error(&std::fmt::Error)),
        ("message", Value::from("a clash")),
        ("api_key", Value::from("redacted")),
    ];
    say_with(logger, Level::Info, "trading", "every type", &every_type);
    Correlation::new("run-7").scope(|| say(logger, Level::Info, "app", "in a scope"));
    let many = vec![("x", Value::from(1)); 20_000];
    say_with(logger, Level::Info, "app", "too long", &many);
    (0..50).for_each(|_| say(logger, Level::Info, "app", "again and again"));
    let took = std::time::Duration::from_millis(1);
    ApiCall { api: "alpaca", method: "GET", endpoint: "/v2/clock", status: None, took, error: None }.log_to(logger);
    PerformanceMetric { metric: "return", value: 1.5, unit: "percent", context: &[] }.log_to(logger);
    Timer::start_for(logger, "rebalance").success();
    assert!(logging.flush());
    stage.read("trading_automation.log").lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect()
}

#[test]
fn each_line_is_as_the_schema_says_and_each_name_in_it_occurs() {
    let (validator, lines) = (validator(), lines());
    for line in &lines {
        let faults: Vec<String> = validator.iter_errors(line).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, [""; 0], "{line}");
    }
    let names = SCHEMA["properties"].as_object().expect("an object").keys();
    for name in names {
        assert!(lines.iter().any(|line| line.get(name).is_some()), "no line has {name}");
    }
    for name in SCHEMA["required"].as_array().expect("a list") {
        assert!(lines.iter().all(|line| line.get(name.as_str().expect("a name")).is_some()), "{name}");
    }
}

#[test]
fn what_is_no_line_breaks_the_schema() {
    let (validator, line) = (validator(), lines().remove(0));
    for (name, wrong) in [
        ("timestamp", json!("2026-03-04T05:06:07Z")),
        ("timestamp", json!("2026-03-04 05:06:07.089012Z")),
        ("level", json!("WARNING")),
        ("logger", json!(null)),
        ("message", json!(1)),
        ("line", json!("7")),
        ("fields_omitted", json!(0)),
        ("repeated", json!(0)),
        ("of the caller", json!({"nested": 1})),
        ("of the caller", json!([1])),
    ] {
        let mut line = line.clone();
        line[name] = wrong;
        assert!(!validator.is_valid(&line), "{line}");
    }
    for name in SCHEMA["required"].as_array().expect("a list") {
        let mut line = line.clone();
        line.as_object_mut().expect("an object").remove(name.as_str().expect("a name"));
        assert!(!validator.is_valid(&line), "{line}");
    }
}

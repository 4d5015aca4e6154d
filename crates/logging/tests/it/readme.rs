//! What the README shows and lists is what there is.

use std::{fmt, num::NonZeroU32, thread};

use log::{Level, Log, Record, kv::Value};
use serde_json::Value as Json;
use trading_logging::{ApiCall, Console, Options, PerformanceMetric, Timer, TradeExecution};

use crate::stage::{Stage, gate, say, say_with};

const README: &str = include_str!("../../README.md");

#[track_caller]
fn check_shown(text: &str) {
    for line in text.lines() {
        assert!(README.contains(&format!("\n{line}\n")), "the README does not show {line}");
    }
}

#[test]
fn it_shows_a_line_of_the_files_and_one_of_the_console() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { console: Console::Text, ..stage.options() });
    let log = || {
        let price = ("price", Value::from_display(&"12.30"));
        let fields = [("agent_id", Value::from("pelosi")), ("quantity", Value::from(5)), price];
        let mut record = Record::builder();
        record.target("trading").module_path(Some("agents::copy")).file(Some("src/copy.rs")).line(Some(7));
        logger.log(&record.key_values(&fields).args(format_args!("order filled")).build());
    };
    thread::scope(|scope| {
        thread::Builder::new().name("main".into()).spawn_scoped(scope, log).expect("starts");
    });
    assert!(logging.flush());
    check_shown(&stage.read("trading_automation.log"));
    check_shown(&stage.console.text());
}

#[test]
fn it_shows_the_lines_of_logging_itself() {
    let stage = Stage::new();
    let (console, arrivals, open) = gate();
    let options =
        Options { console: Console::Text, queue_lines: 1, repeats_max: NonZeroU32::new(1), ..stage.options() };
    let (logging, logger) = stage.builder(options).console_writer(console).build().expect("options that work");
    (0..5).for_each(|_| say_with(&*logger, Level::Warn, "api", "no answer", &[("api", Value::from("quiver"))]));
    arrivals.recv().expect("the writer is busy");
    say(&*logger, Level::Info, "app", "queued");
    say(&*logger, Level::Info, "app", "dropped 1");
    say(&*logger, Level::Info, "app", "dropped 2");
    drop(open);
    assert!(logging.shutdown());
    let shown: String = arrivals.iter().collect();
    let own: Vec<&str> = shown.lines().filter(|line| !line.contains("queued")).collect();
    assert_eq!(own.len(), 2, "{shown}");
    check_shown(&own.join("\n"));
}

#[test]
fn it_lists_the_fields_of_the_helpers() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let logger: &dyn Log = &*logger;
    let amount: &dyn fmt::Display = &5;
    let (price, order_id) = (Some(amount), Some("o-1"));
    let (agent_id, ticker, side, status, error) = ("pelosi", "NVDA", "buy", "filled", None);
    TradeExecution { agent_id, ticker, side, quantity: amount, price, order_id, status, error }.log_to(logger);
    let took = std::time::Duration::ZERO;
    ApiCall { api: "alpaca", method: "GET", endpoint: "/", status: Some(200), took, error: None }.log_to(logger);
    PerformanceMetric { metric: "return", value: 1.5, unit: "percent", context: &[] }.log_to(logger);
    Timer::start_for(logger, "rebalance").success();
    assert!(logging.flush());
    let lines = stage.read("trading_automation.log");
    assert_eq!(lines.lines().count(), 4);
    for line in lines.lines() {
        let json: Json = serde_json::from_str(line).expect("is JSON");
        let names = json.as_object().expect("an object").keys();
        let mut own: Vec<&String> = names.filter(|name| !README.contains(&format!("\n| `{name}` |"))).collect();
        own.retain(|name| !["module", "file", "line"].contains(&name.as_str()));
        // In the order of the line, whatever that of the parser is.
        own.sort_by_key(|name| line.find(&format!("\"{name}\":")));
        let list: Vec<String> = own.iter().map(|name| format!("`{name}`")).collect();
        let row = format!("| `{}`, `INFO`", json["logger"].as_str().expect("text"));
        let listed = README.lines().any(|line| line.contains(&row) && line.contains(&list.join(", ")));
        assert!(listed, "the README does not list {row} with {list:?}");
    }
}

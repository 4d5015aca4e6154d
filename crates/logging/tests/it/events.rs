//! The lines with fixed names, and timings.

use std::{error::Error, fmt, time::Duration};

use log::{Level, Log, kv::Value};
use trading_logging::{ApiCall, PerformanceMetric, Timer, TradeExecution};

use crate::stage::{Stage, line};

/// The end of the one line in a file, with its level: what is behind the place and the thread.
#[track_caller]
fn check(log: impl FnOnce(&dyn Log) -> u32, file: &str, level: Level, message: &str, fields: &str) {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let place = log(&*logger);
    assert!(logging.flush());
    let target = file.trim_end_matches(".log");
    let here = format!(r#""module":null,"file":{},"line":{place}"#, serde_json::to_string(file!()).expect("is text"));
    let expected =
        line(level, target, message, fields).replace(r#""module":"stage::say","file":"stage.rs","line":7"#, &here);
    assert_eq!(stage.read(file), expected);
    assert_eq!(stage.read("trading_automation.log"), expected);
}

const TRADE: TradeExecution<'_> = TradeExecution {
    agent_id: "pelosi",
    ticker: "NVDA",
    side: "buy",
    quantity: &"0.50",
    price: Some(&"912.30"),
    order_id: Some("o-1"),
    status: "filled",
    error: None,
};

#[test]
fn a_trade_has_its_names() {
    check(
        |logger| {
            TRADE.log_to(logger);
            line!() - 1
        },
        "trading.log",
        Level::Info,
        "trade executed",
        r#","agent_id":"pelosi","ticker":"NVDA","side":"buy","quantity":"0.50","price":"912.30","order_id":"o-1","status":"filled","error":null"#,
    );
    let failed = TradeExecution { price: None, order_id: None, status: "rejected", error: Some(&fmt::Error), ..TRADE };
    check(
        |logger| {
            failed.log_to(logger);
            line!() - 1
        },
        "trading.log",
        Level::Error,
        "trade failed",
        &format!(
            r#","agent_id":"pelosi","ticker":"NVDA","side":"buy","quantity":"0.50","price":null,"order_id":null,"status":"rejected","error":"{}""#,
            fmt::Error
        ),
    );
}

#[test]
fn a_call_has_its_names() {
    let call = ApiCall {
        api: "alpaca",
        method: "GET",
        endpoint: "/v2/clock",
        status: Some(399),
        took: Duration::from_micros(120_500),
        error: None,
    };
    let fields = |status: &str, error: &str| {
        format!(
            r#","api":"alpaca","method":"GET","endpoint":"/v2/clock","status":{status},"duration_ms":120.5,"error":{error}"#
        )
    };
    let of = |call: ApiCall<'static>| {
        move |logger: &dyn Log| {
            call.log_to(logger);
            line!() - 1
        }
    };
    check(of(call), "api.log", Level::Info, "api call", &fields("399", "null"));
    check(of(ApiCall { status: Some(400), ..call }), "api.log", Level::Warn, "api call failed", &fields("400", "null"));
    check(of(ApiCall { status: None, ..call }), "api.log", Level::Warn, "api call failed", &fields("null", "null"));
    let failed = ApiCall { error: Some(&fmt::Error), ..call };
    let error = format!("\"{}\"", fmt::Error);
    check(of(failed), "api.log", Level::Warn, "api call failed", &fields("399", &error));
}

#[test]
fn a_metric_has_its_names_and_its_context() {
    let context = [("agent_id", Value::from("pelosi")), ("days", Value::from(3))];
    check(
        |logger| {
            PerformanceMetric { metric: "return", value: 1.5, unit: "percent", context: &context }.log_to(logger);
            line!() - 1
        },
        "performance.log",
        Level::Info,
        "performance metric",
        r#","metric":"return","value":1.5,"unit":"percent","agent_id":"pelosi","days":3"#,
    );
}

/// What a timer told, without its duration.
#[track_caller]
fn check_timer(run: impl FnOnce(&dyn Log), level: &str, outcome: &str, error: Option<&dyn Error>) {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    run(&*logger);
    assert!(logging.flush());
    let line: serde_json::Value = serde_json::from_str(&stage.read("performance.log")).expect("JSON");
    let field = |name: &str| line.get(name).cloned().unwrap_or_default();
    assert_eq!((field("level"), field("message")), (level.into(), "operation timed".into()));
    assert_eq!((field("operation"), field("outcome")), ("rebalance".into(), outcome.into()));
    assert_eq!(field("error").as_str(), error.map(ToString::to_string).as_deref());
    assert!(field("duration_ms").as_f64().is_some_and(|took| took >= 0.0), "{line}");
    assert_eq!(field("file"), file!());
}

#[test]
fn a_timer_tells_how_it_went() {
    check_timer(|logger| Timer::start_for(logger, "rebalance").success(), "INFO", "success", None);
    let error = fmt::Error;
    check_timer(|logger| Timer::start_for(logger, "rebalance").error(&error), "WARN", "error", Some(&error));
    check_timer(|logger| drop(Timer::start_for(logger, "rebalance")), "WARN", "abandoned", None);
    check_timer(
        |logger| {
            let timer = Timer::start_for(logger, "rebalance");
            assert_eq!(timer.end(Ok::<_, fmt::Error>(5)), Ok(5));
        },
        "INFO",
        "success",
        None,
    );
    check_timer(
        |logger| {
            let timer = Timer::start_for(logger, "rebalance");
            assert_eq!(timer.end(Err::<u32, _>(fmt::Error)), Err(fmt::Error));
        },
        "WARN",
        "error",
        Some(&error),
    );
}

#[test]
fn a_panic_is_an_outcome() {
    check_timer(
        |logger| {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _timer = Timer::start_for(logger, "rebalance");
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(caught.is_err());
        },
        "WARN",
        "panic",
        None,
    );
}

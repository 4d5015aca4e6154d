//! Errors that tell more than their text.

use std::{error::Error, fmt};

use log::{Level, Log, kv::Value};
use trading_logging::{Console, ErrorFields, Logging, Options};

use crate::stage::{Stage, line, say_with};

#[derive(Debug)]
struct RateLimited;

impl fmt::Display for RateLimited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many calls")
    }
}

impl Error for RateLimited {}

#[derive(Debug)]
struct Wrapped(RateLimited);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no quote")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Code and context, as the errors of a program have them.
struct Fields;

impl ErrorFields for Fields {
    fn fields(&self, error: &(dyn Error + 'static), field: &mut dyn FnMut(&str, Value<'_>)) {
        if error.is::<RateLimited>() {
            field("code", Value::from("API_RATE_LIMITED"));
            field("retry_after_s", Value::from(30));
            field("api_key", Value::from("canary"));
        }
    }
}

fn start(stage: &Stage) -> (Logging, Box<dyn Log>) {
    stage.builder(stage.options()).error_fields(Fields).build().expect("options that work")
}

#[track_caller]
fn check(fields: &[(&str, Value<'_>)], expected: &str) {
    let stage = Stage::new();
    let (logging, logger) = start(&stage);
    say_with(&*logger, Level::Warn, "app", "m", fields);
    assert!(logging.flush());
    assert_eq!(stage.read("trading_automation.log"), line(Level::Warn, "app", "m", expected));
}

#[test]
fn an_error_keeps_its_code_and_context_as_fields_of_their_own() {
    let told = r#""error_code":"API_RATE_LIMITED","error_retry_after_s":30,"error_api_key":"[redacted]""#;
    check(
        &[("error", Value::from_dyn_error(&RateLimited)), ("last", Value::from(1))],
        &format!(r#","error":"too many calls",{told},"last":1"#),
    );
    check(
        &[("error", Value::from_dyn_error(&Wrapped(RateLimited)))],
        &format!(r#","error":"no quote: too many calls",{told}"#),
    );
}

#[test]
fn what_is_no_such_error_is_as_ever() {
    check(&[("error", Value::from_dyn_error(&fmt::Error))], &format!(r#","error":"{}""#, fmt::Error));
    check(&[("error", Value::from("text")), ("n", Value::from(1))], r#","error":"text","n":1"#);
}

/// As the errors of HTTP clients do.
#[derive(Debug)]
struct TellsItsAddress;

impl fmt::Display for TellsItsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer from https://q/?apikey=canary&day=1 with {\"token\":\"canary\"}")
    }
}

impl Error for TellsItsAddress {}

#[derive(Debug)]
struct Caused(TellsItsAddress);

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no quote")
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn what_an_error_or_its_cause_tells_of_secrets_is_hidden() {
    let stage = Stage::new();
    let options = Options { console: Console::Text, ..stage.options() };
    let (logging, logger) = stage.builder(options).build().expect("options that work");
    say_with(&*logger, Level::Warn, "app", "m", &[("error", Value::from_dyn_error(&Caused(TellsItsAddress)))]);
    assert!(logging.flush());
    let told = "no quote: no answer from https://q/?apikey=[redacted]&day=1 with {\\\"token\\\":\\\"[redacted]\\\"}";
    let expected = format!(",\"error\":\"{told}\"");
    assert_eq!(stage.read("trading_automation.log"), line(Level::Warn, "app", "m", &expected));
    assert_eq!(stage.console.text(), format!("05:06:07.089Z WARN  app  m  error=\"{told}\"\n"));
}

#[test]
fn the_macros_of_log_lead_there() {
    let stage = Stage::new();
    let (logging, logger) = start(&stage);
    let error = Wrapped(RateLimited);
    log::warn!(logger: &*logger, error:err; "m");
    assert!(logging.flush());
    assert!(stage.read("trading_automation.log").contains(r#","error_code":"API_RATE_LIMITED","#));
}

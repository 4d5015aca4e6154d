//! Which line stands in which file, and which options are refused.

use std::sync::{Arc, Mutex};

use log::{Level, LevelFilter, Log, Metadata, Record, kv::Value};
use trading_logging::{Error, Options};

use crate::stage::{Stage, say, say_with};

const FILES: [&str; 5] = ["agents.log", "api.log", "performance.log", "trading.log", "trading_automation.log"];

/// Logs one line, and expects it in this component's file and in the main one, and nowhere else.
#[track_caller]
fn check(target: &str, fields: &[(&str, Value<'_>)], component: Option<&str>) {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    logger.log(&Record::builder().target(target).key_values(&fields).args(format_args!("m")).build());
    assert!(logging.flush());
    assert_eq!(stage.files(), FILES);
    let expected: Vec<String> = component.iter().map(|name| format!("{name}.log")).collect();
    let found: Vec<&str> = FILES.into_iter().take(4).filter(|file| !stage.read(file).is_empty()).collect();
    assert_eq!(found, expected, "{target}");
    assert_eq!(stage.messages("trading_automation.log"), ["m"]);
    for file in found {
        assert_eq!(stage.read(file), stage.read("trading_automation.log"));
    }
}

#[test]
fn a_target_names_the_component() {
    check("trading", &[], Some("trading"));
    check("trading::orders::fill", &[], Some("trading"));
    check("agents", &[], Some("agents"));
    check("api::alpaca", &[], Some("api"));
    check("performance", &[], Some("performance"));
}

#[test]
fn a_target_that_only_starts_alike_does_not() {
    for target in ["trading_app", "trading_app::wiring", "trading_storage", "trading:x", "app::trading", "Trading", ""]
    {
        check(target, &[], None);
    }
}

#[test]
fn the_field_component_names_it_too_and_wins() {
    check("trading_app", &[("component", Value::from("api"))], Some("api"));
    check("trading", &[("component", Value::from("performance"))], Some("performance"));
    check("trading", &[("component", Value::from("unheard of"))], Some("trading"));
    check("app", &[("component", Value::from_display(&"agents"))], Some("agents"));
    check("app", &[("component", Value::from(1))], None);
}

#[test]
fn only_levels_up_to_the_chosen_one_are_logged() {
    for (level, expected) in [
        (LevelFilter::Off, vec![]),
        (LevelFilter::Error, vec!["ERROR"]),
        (LevelFilter::Info, vec!["ERROR", "WARN", "INFO"]),
        (LevelFilter::Trace, vec!["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]),
    ] {
        let stage = Stage::new();
        let (logging, logger) = stage.start(Options { level, ..stage.options() });
        for level in Level::iter() {
            say(&*logger, level, "app", level.as_str());
        }
        assert!(logging.flush());
        assert_eq!(stage.messages("trading_automation.log"), expected, "{level}");
    }
}

#[test]
fn the_defaults_are_as_documented() {
    let options = Options::at("logs");
    assert_eq!(options.components, ["agents", "api", "trading", "performance"]);
    assert_eq!((options.level, options.retention_days), (LevelFilter::Info, 30));
    assert_eq!((options.queue_lines, options.queue_bytes), (8_192, 8 << 20));
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut Options), expected: &str) {
    let stage = Stage::new();
    let mut options = stage.options();
    change(&mut options);
    let error = stage.builder(options).build().map(drop).expect_err("refused");
    assert!(matches!(error, Error::Option { .. }));
    assert_eq!(error.to_string(), expected);
    assert!(!stage.path("").exists());
}

#[test]
fn an_option_that_cannot_work_is_refused_before_anything_is_made() {
    check_refused(|options| options.queue_lines = 0, "logging option `queue_lines` is 0: at least 1");
    check_refused(
        |options| options.queue_bytes = 65_535,
        "logging option `queue_bytes` is 65535: at least 65536, the longest line",
    );
    let long = "x".repeat(65);
    for name in ["../escape", "a/b", "", ".", "naïve", "nul\0", "a.b", &long] {
        check_refused(
            |options| options.components.push(name.to_owned()),
            &format!("logging option `components` is {name:?}: a name is 1 to 64 ASCII letters, digits, `_` or `-`"),
        );
    }
    for name in ["trading", "API", "trading_automation"] {
        check_refused(
            |options| options.components.push(name.to_owned()),
            &format!(
                "logging option `components` is {name:?}: each name can be used once, and `trading_automation` is the \
                 main file's"
            ),
        );
    }
}

#[test]
fn the_smallest_options_work() {
    let stage = Stage::new();
    let components = vec!["x".repeat(64)];
    let (logging, logger) = stage.start(Options { queue_lines: 1, queue_bytes: 65_536, components, ..stage.options() });
    for _ in 0..10 {
        say(&*logger, Level::Warn, "app", "m");
    }
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.log").len(), 10);
}

#[test]
fn a_route_of_fern_gets_the_same_records_with_their_fields() {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);
    impl Log for Kept {
        fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &Record<'_>) {
            let ticker = record.key_values().get("ticker".into()).map(|value| value.to_string());
            self.0.lock().expect("no panic").push(format!("{} {ticker:?}", record.args()));
        }
        fn flush(&self) {}
    }
    let (stage, kept) = (Stage::new(), Kept::default());
    let of_trading = trading_logging::fern::Dispatch::new()
        .filter(|metadata| metadata.target() == "trading")
        .chain(Box::new(kept.clone()) as Box<dyn Log>);
    let (logging, logger) = stage.builder(stage.options()).also(of_trading).build().unwrap();
    say_with(&*logger, Level::Info, "trading", "filled", &[("ticker", Value::from("NVDA"))]);
    say(&*logger, Level::Debug, "trading", "below the level");
    say(&*logger, Level::Info, "app", "of no interest");
    assert!(logging.flush());
    assert_eq!(*kept.0.lock().unwrap(), [r#"filled Some("NVDA")"#]);
    assert_eq!(stage.messages("trading_automation.log"), ["filled", "of no interest"]);
}

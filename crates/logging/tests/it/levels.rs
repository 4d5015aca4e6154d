//! How much is logged of which component, from the start and while running.

use std::{sync::Barrier, thread};

use log::{Level, LevelFilter, Log, Metadata, kv::Value};
use trading_logging::{Error, Options};

use crate::stage::{Stage, say, say_with};

/// Logs at each level for some targets, and returns what was written.
fn written(stage: &Stage, logger: &dyn Log) -> Vec<String> {
    for level in Level::iter() {
        for target in ["app", "api", "api::alpaca", "trading"] {
            say(logger, level, target, &format!("{target} {level}"));
        }
    }
    logger.flush();
    let messages = stage.messages("trading_automation.log");
    messages.into_iter().filter(|message| !message.ends_with("ERROR") && !message.ends_with("WARN")).collect()
}

#[test]
fn a_component_has_a_level_of_its_own() {
    let stage = Stage::new();
    let levels = vec![("api".into(), LevelFilter::Debug), ("trading_automation".into(), LevelFilter::Warn)];
    let (logging, logger) = stage.start(Options { levels, ..stage.options() });
    assert_eq!(
        written(&stage, &*logger),
        ["api INFO", "api::alpaca INFO", "trading INFO", "api DEBUG", "api::alpaca DEBUG"]
    );
    assert_eq!(logging.max_level(), LevelFilter::Debug);
    let expected = [
        ("agents", LevelFilter::Info),
        ("api", LevelFilter::Debug),
        ("trading", LevelFilter::Info),
        ("performance", LevelFilter::Info),
        ("trading_automation", LevelFilter::Warn),
    ];
    assert_eq!(logging.levels(), expected.map(|(name, level)| (name.to_owned(), level)));
}

#[test]
fn a_level_can_be_changed_while_running_and_back() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    logging.set_level("api", LevelFilter::Trace).unwrap();
    logging.set_level("trading", LevelFilter::Off).unwrap();
    let all_of_api = ["api DEBUG", "api::alpaca DEBUG", "api TRACE", "api::alpaca TRACE"];
    let first = [["app INFO", "api INFO", "api::alpaca INFO"].as_slice(), &all_of_api].concat();
    assert_eq!(written(&stage, &*logger), first);
    assert_eq!(logging.max_level(), LevelFilter::Trace);

    logging.set_level("api", LevelFilter::Info).unwrap();
    logging.set_level("trading", LevelFilter::Info).unwrap();
    let again = ["app INFO", "api INFO", "api::alpaca INFO", "trading INFO"];
    assert_eq!(written(&stage, &*logger), [first.as_slice(), &again].concat());
    assert_eq!(logging.max_level(), LevelFilter::Info);
}

#[test]
fn the_field_component_decides_about_the_level_too() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    logging.set_level("api", LevelFilter::Debug).unwrap();
    let named = |name| [("n", Value::from(1)), ("component", Value::from(name))];
    say_with(&*logger, Level::Debug, "app", "raised", &named("api"));
    say_with(&*logger, Level::Debug, "api", "lowered", &named("trading"));
    say_with(&*logger, Level::Debug, "api", "of no component", &named("unheard of"));
    say_with(&*logger, Level::Debug, "app", "text of a number", &[("component", Value::from_display(&"api"))]);
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["raised", "of no component", "text of a number"]);
}

#[test]
fn who_asks_beforehand_is_answered_by_the_target() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    logging.set_level("api", LevelFilter::Debug).unwrap();
    let enabled = |level, target| logger.enabled(&Metadata::builder().level(level).target(target).build());
    assert!(enabled(Level::Info, "app"));
    assert!(!enabled(Level::Debug, "app"));
    assert!(enabled(Level::Debug, "api"));
    assert!(!enabled(Level::Trace, "api"));
}

#[test]
fn whatever_the_levels_each_target_has_that_of_its_component() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let names = ["agents", "api", "trading", "performance", "trading_automation"];
    let of_none = "trading_automation";
    let targets = [
        ("agents", "agents"),
        ("agents::copy", "agents"),
        ("agent", of_none),
        ("agentsx", of_none),
        ("api", "api"),
        ("a", of_none),
        ("trading::", "trading"),
        ("trading:x", of_none),
        ("trading_automation", of_none),
        ("zebra", of_none),
        ("", of_none),
        ("\0", of_none),
        ("ñ", of_none),
    ];
    for _ in 0..200 {
        let name = names[random.usize(..names.len())];
        logging.set_level(name, LevelFilter::iter().nth(random.usize(..6)).unwrap()).unwrap();
        let levels = logging.levels();
        for ((target, component), level) in targets.iter().flat_map(|of| Level::iter().map(move |level| (of, level))) {
            let limit = levels.iter().find(|(name, _)| name == component).unwrap().1;
            let metadata = Metadata::builder().level(level).target(target).build();
            assert_eq!(logger.enabled(&metadata), level <= limit, "{target:?} at {level} with {levels:?}");
        }
    }
}

#[test]
fn a_later_group_brings_its_own_component() {
    let stage = Stage::new();
    let mut options = stage.options();
    options.components.push("quiver".into());
    options.levels.push(("quiver".into(), LevelFilter::Debug));
    let (logging, logger) = stage.start(options);
    say(&*logger, Level::Debug, "quiver::client", "fetched");
    say(&*logger, Level::Debug, "app", "filtered");
    assert!(logging.flush());
    assert_eq!(stage.messages("quiver.log"), ["fetched"]);
    assert_eq!(stage.messages("trading_automation.log"), ["fetched"]);
}

#[test]
fn a_component_that_is_not_there_is_an_error_and_changes_nothing() {
    let stage = Stage::new();
    let (logging, _logger) = stage.start(stage.options());
    let before = logging.levels();
    let error = logging.set_level("quiver", LevelFilter::Debug).unwrap_err();
    assert!(matches!(error, Error::UnknownComponent { .. }));
    let text = r#"no log component is called "quiver"; those of the options are known, and `trading_automation`"#;
    assert_eq!(error.to_string(), text);
    assert_eq!(logging.levels(), before);

    let stage = Stage::new();
    let options = Options { levels: vec![("quiver".into(), LevelFilter::Debug)], ..stage.options() };
    let error = stage.builder(options).build().map(drop).unwrap_err();
    assert_eq!(error.to_string(), text);
    assert!(!stage.path("").exists());
}

#[test]
fn levels_that_two_threads_set_at_once_leave_the_most_detailed_of_both() {
    const ROUNDS: u32 = 20_000;
    let stage = Stage::new();
    let (logging, _logger) = stage.start(stage.options());
    let together = Barrier::new(2);
    let set = |component: &str, before: LevelFilter, level: LevelFilter| {
        let mut wrong = 0;
        for _ in 0..ROUNDS {
            logging.set_level(component, before).unwrap();
            together.wait();
            logging.set_level(component, level).unwrap();
            together.wait();
            wrong += u32::from(logging.max_level() != LevelFilter::Trace);
            together.wait();
        }
        wrong
    };
    let wrong = thread::scope(|scope| {
        let other = scope.spawn(|| set("agents", LevelFilter::Debug, LevelFilter::Warn));
        set("api", LevelFilter::Info, LevelFilter::Trace) + other.join().unwrap()
    });
    assert_eq!(wrong, 0);
}

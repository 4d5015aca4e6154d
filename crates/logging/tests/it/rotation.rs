//! Days that end, and files that grow old.

use log::Level;
use trading_logging::Options;

use crate::stage::{Stage, say};

/// An old line, as an earlier process would have left it.
fn old(day: &str, message: &str) -> String {
    format!("{{\"timestamp\":\"{day}T01:02:03.000000Z\",\"message\":\"{message}\"}}\n")
}

#[test]
fn the_first_line_of_a_new_day_sets_the_old_file_aside() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "trading", "monday");
    stage.set("2026-03-04T23:59:59.999999Z");
    say(&*logger, Level::Info, "app", "last");
    stage.set("2026-03-05T00:00:00Z");
    say(&*logger, Level::Info, "app", "tuesday");
    // A thread that was overtaken at midnight.
    stage.set("2026-03-04T23:59:59.999999Z");
    say(&*logger, Level::Info, "app", "overtaken");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.2026-03-04.log"), ["monday", "last"]);
    assert_eq!(stage.messages("trading_automation.log"), ["tuesday", "overtaken"]);
    // Its own day ends with its own next line.
    assert_eq!(stage.messages("trading.log"), ["monday"]);

    stage.set("2026-03-09T12:00:00Z");
    say(&*logger, Level::Info, "trading", "next week");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading.2026-03-04.log"), ["monday"]);
    assert_eq!(stage.messages("trading.log"), ["next week"]);
    assert_eq!(stage.messages("trading_automation.2026-03-05.log"), ["tuesday", "overtaken"]);
    assert_eq!(
        stage.files(),
        [
            "agents.log",
            "api.log",
            "performance.log",
            "trading.2026-03-04.log",
            "trading.log",
            "trading_automation.2026-03-04.log",
            "trading_automation.2026-03-05.log",
            "trading_automation.log",
        ]
    );
    assert_eq!(logging.statistics().lines_written, 5);
}

#[test]
fn one_batch_may_span_days() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    for day in 4..8 {
        stage.set(&format!("2026-03-0{day}T12:00:00Z"));
        say(&*logger, Level::Info, "app", &format!("day {day}"));
    }
    assert!(logging.shutdown());
    for day in 4..7 {
        assert_eq!(stage.messages(&format!("trading_automation.2026-03-0{day}.log")), [format!("day {day}")]);
    }
    assert_eq!(stage.messages("trading_automation.log"), ["day 7"]);
}

#[test]
fn a_restart_goes_on_with_the_file_of_the_same_day() {
    let stage = Stage::new();
    for message in ["one", "two"] {
        let (logging, logger) = stage.start(stage.options());
        say(&*logger, Level::Info, "app", message);
        assert!(logging.shutdown());
    }
    assert_eq!(stage.messages("trading_automation.log"), ["one", "two"]);
    assert_eq!(stage.files().len(), 5);
}

#[test]
fn after_a_restart_an_old_file_is_dated_with_the_day_of_its_content() {
    let stage = Stage::new();
    stage.put("trading_automation.log", &(old("2026-02-27", "a") + &old("2026-02-28", "b")));
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "now");
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.2026-02-27.log"), ["a", "b"]);
    assert_eq!(stage.messages("trading_automation.log"), ["now"]);
}

#[test]
fn setting_aside_never_overwrites() {
    let stage = Stage::new();
    stage.put("trading_automation.2026-03-03.log", "precious");
    stage.put("trading_automation.2026-03-03.1.log", "");
    stage.put("trading_automation.log", &old("2026-03-03", "a"));
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "now");
    assert!(logging.shutdown());
    assert_eq!(stage.read("trading_automation.2026-03-03.log"), "precious");
    assert_eq!(stage.read("trading_automation.2026-03-03.1.log"), "");
    assert_eq!(stage.messages("trading_automation.2026-03-03.2.log"), ["a"]);
    assert_eq!(stage.messages("trading_automation.log"), ["now"]);
}

#[test]
fn a_clock_that_comes_back_from_the_future_does_not_hold_the_files_there() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    for time in ["2027-03-04T12:00:00Z", "2026-03-04T12:00:00Z", "2026-03-04T11:00:00Z"] {
        stage.set(time);
        say(&*logger, Level::Info, "app", time);
    }
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.2027-03-04.log"), ["2027-03-04T12:00:00Z"]);
    assert_eq!(stage.messages("trading_automation.log"), ["2026-03-04T12:00:00Z", "2026-03-04T11:00:00Z"]);
}

#[test]
fn retention_takes_only_what_is_its_own_and_too_old() {
    let stage = Stage::new();
    let too_old = [
        "trading.2026-02-01.log",
        "trading.2026-02-01.log.gz",
        "trading_automation.2026-02-01.3.log",
        "api.1999-12-31.log",
    ];
    let stays = [
        // The bound, and what is younger.
        "trading.2026-02-02.log",
        "trading_automation.2026-03-03.log",
        // Strangers, however alike.
        "backtest.2020-01-01.log",
        "trading.2020-01-01.log.gz.part",
        "trading.2020-01-01.txt",
        "trading_other.2020-01-01.log",
        "trading.2020-02-30.log",
        "my trading.2020-01-01.log",
        "2020-01-01.log",
    ];
    for file in too_old.iter().chain(&stays) {
        stage.put(file, "x");
    }
    std::fs::create_dir(stage.path("agents.2020-01-01.log")).unwrap();
    // The active file may be older than any limit.
    stage.put("performance.log", &old("2020-01-01", "a"));
    let (logging, _logger) = stage.start(stage.options());
    assert!(logging.flush());
    let mut expected: Vec<&str> = stays.to_vec();
    expected.extend(["agents.2020-01-01.log", "agents.log", "api.log", "performance.log", "trading.log"]);
    expected.push("trading_automation.log");
    expected.sort_unstable();
    assert_eq!(stage.files(), expected);
    assert_eq!(stage.messages("performance.log"), ["a"]);
    assert_eq!(logging.statistics().write_errors, 0);
}

#[test]
fn retention_also_follows_the_days_while_running() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { retention_days: 2, ..stage.options() });
    for day in 1..=5 {
        stage.set(&format!("2026-03-0{day}T12:00:00Z"));
        say(&*logger, Level::Info, "app", &format!("day {day}"));
        assert!(logging.flush());
    }
    let dated: Vec<String> = stage.files().into_iter().filter(|file| file.contains("2026")).collect();
    assert_eq!(dated, ["trading_automation.2026-03-03.log", "trading_automation.2026-03-04.log"]);
}

#[test]
fn a_retention_of_no_days_leaves_the_active_files() {
    let stage = Stage::new();
    stage.put("trading.2026-03-03.log", "x");
    let (logging, _logger) = stage.start(Options { retention_days: 0, ..stage.options() });
    assert!(logging.shutdown());
    assert_eq!(stage.files(), ["agents.log", "api.log", "performance.log", "trading.log", "trading_automation.log"]);
}

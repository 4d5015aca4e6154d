//! Identical lines that come too often.

use std::num::NonZeroU32;

use log::{Level, kv::Value};
use trading_logging::{Console, Options};

use crate::stage::{Stage, line, say, say_with};

fn options(stage: &Stage, max: u32) -> Options {
    Options { repeats_max: NonZeroU32::new(max), ..stage.options() }
}

#[test]
fn lines_beyond_the_rate_are_folded_into_one_that_says_how_many() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { console: Console::Text, ..options(&stage, 3) });
    for _ in 0..10 {
        say_with(&*logger, Level::Warn, "app", "no answer", &[("api", Value::from("quiver"))]);
    }
    assert!(logging.flush());
    let plain = line(Level::Warn, "app", "no answer", r#","api":"quiver""#);
    let folded = line(Level::Warn, "app", "repeated 7 times: no answer", r#","api":"quiver","repeated":7"#);
    assert_eq!(stage.read("trading_automation.log"), [plain.as_str(), &plain, &plain, &folded].concat());
    let text = "05:06:07.089Z WARN  app  no answer  api=quiver\n";
    let said = "05:06:07.089Z WARN  app  repeated 7 times: no answer  api=quiver\n";
    assert_eq!(stage.console.text(), [text, text, text, said].concat());
    let statistics = logging.statistics();
    assert_eq!((statistics.lines_written, statistics.lines_folded, statistics.lines_dropped), (4, 7, 0));
}

#[test]
fn the_rate_holds_for_a_second_and_then_begins_anew() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(options(&stage, 1));
    for time in
        ["2026-03-04T05:06:07Z", "2026-03-04T05:06:07.999999Z", "2026-03-04T05:06:08Z", "2026-03-04T05:06:08.5Z"]
    {
        stage.set(time);
        say(&*logger, Level::Info, "app", "m");
    }
    assert!(logging.flush());
    // What was folded is told when it is known, with the time of the last of them.
    let said = stage.messages("trading_automation.log");
    assert_eq!(said, ["m", "m", "repeated 1 times: m", "repeated 1 times: m"]);
    let times: Vec<String> = stage.read("trading_automation.log").lines().map(|line| line[14..41].to_owned()).collect();
    let expected = ["07.000000Z", "08.000000Z", "07.999999Z", "08.500000Z"];
    assert_eq!(times, expected.map(|second| format!("2026-03-04T05:06:{second}")));
}

#[test]
fn a_clock_that_goes_back_begins_anew() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(options(&stage, 1));
    for time in ["2026-03-04T05:06:07Z", "2026-03-04T05:06:06Z", "2026-03-04T05:06:05Z"] {
        stage.set(time);
        say(&*logger, Level::Info, "app", "m");
    }
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.log"), ["m", "m", "m"]);
}

#[test]
fn lines_that_differ_in_anything_are_not_folded() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(options(&stage, 1));
    say(&*logger, Level::Info, "app", "m");
    say(&*logger, Level::Warn, "app", "m");
    say(&*logger, Level::Info, "api", "m");
    say(&*logger, Level::Info, "app", "n");
    for number in 0..100 {
        say_with(&*logger, Level::Info, "app", "m", &[("n", Value::from(number))]);
    }
    assert!(logging.shutdown());
    assert_eq!(lines_of(&stage), 104);
}

fn lines_of(stage: &Stage) -> usize {
    stage.messages("trading_automation.log").len()
}

#[test]
fn lines_of_trading_are_never_folded_and_nothing_is_when_it_is_off() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(options(&stage, 1));
    for _ in 0..50 {
        say(&*logger, Level::Info, "trading::orders", "m");
        say_with(&*logger, Level::Info, "app", "m", &[("component", Value::from("trading"))]);
    }
    assert!(logging.shutdown());
    assert_eq!(lines_of(&stage), 100);

    // The control: without the protection, all of a flood is written.
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { repeats_max: None, ..stage.options() });
    (0..50).for_each(|_| say(&*logger, Level::Info, "app", "m"));
    assert!(logging.shutdown());
    assert_eq!(lines_of(&stage), 50);
}

#[test]
fn a_flood_takes_no_room_in_the_queue() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { queue_lines: 64, ..stage.options() });
    (0..100_000).for_each(|_| say(&*logger, Level::Info, "app", "m"));
    assert!(logging.shutdown());
    let said = stage.messages("trading_automation.log");
    assert_eq!(said.len(), 11);
    assert_eq!(said[10], "repeated 99990 times: m");
}

#[test]
fn many_different_floods_at_once_lose_no_line() {
    const FLOODS: u64 = 1_000;
    let stage = Stage::new();
    let (logging, logger) = stage.start(options(&stage, 2));
    for flood in 0..FLOODS {
        (0..5).for_each(|_| say(&*logger, Level::Warn, "app", &format!("flood {flood}")));
    }
    assert!(logging.flush());
    let mut seen = 0;
    for line in stage.read("trading_automation.log").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        seen += line.get("repeated").map_or(1, |repeated| repeated.as_u64().unwrap());
    }
    assert_eq!(seen, 5 * FLOODS, "each is there, or is counted");
}

#[test]
fn the_longest_line_still_fits_when_it_says_that_it_was_repeated() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(options(&stage, 1));
    let bare = line(Level::Info, "app", "", "").len();
    let longest = "x".repeat(65_536 - 128 - bare);
    (0..100).for_each(|_| say(&*logger, Level::Info, "app", &longest));
    assert!(logging.flush());
    let last = stage.read("trading_automation.log").lines().last().unwrap().to_owned();
    assert!(last.len() < 65_536, "{}", last.len());
    assert!(last.ends_with(r#","repeated":99}"#));
}

#[test]
fn what_is_folded_takes_no_more_memory_than_the_options_allow() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { queue_bytes: 65_536, ..options(&stage, 1) });
    for flood in 0..3 {
        let message = format!("{flood}{}", "x".repeat(30_000));
        (0..3).for_each(|_| say(&*logger, Level::Warn, "app", &message));
    }
    assert!(logging.flush());
    // The third would not have fitted beside the others.
    assert_eq!(logging.statistics().lines_folded, 4);
    assert_eq!(lines_of(&stage), 1 + 1 + 3 + 2);
    // What was told makes room again.
    (0..3).for_each(|_| say(&*logger, Level::Warn, "app", &"y".repeat(60_000)));
    assert!(logging.flush());
    assert_eq!(logging.statistics().lines_folded, 6);
}

#[test]
fn ordinary_traffic_lets_no_flood_through() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(options(&stage, 10));
    for number in 0..10_000 {
        say(&*logger, Level::Info, "app", "flood");
        say_with(&*logger, Level::Warn, "app", "ordinary", &[("number", Value::from(number))]);
    }
    assert!(logging.flush());
    let said = stage.messages("trading_automation.log");
    assert_eq!(said.iter().filter(|message| *message == "ordinary").count(), 10_000);
    let floods = said.iter().filter(|message| *message == "flood").count();
    // A few more than ten and what tells of the rest, where the first ones gave way.
    assert!(floods < 100, "{floods}");
    assert!(logging.statistics().lines_folded > 9_900);
}

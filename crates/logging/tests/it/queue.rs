//! What happens between a call and the files: order, limits, urgency and the end.

use std::{thread, time::Duration};

use log::{Level, LevelFilter, kv::Value};
use trading_logging::{Console, Options};

use crate::stage::{NEVER, Stage, gate, messages, say, say_with};

#[test]
fn a_full_queue_drops_and_counts_what_it_may_and_keeps_the_rest() {
    let stage = Stage::new();
    let (console, arrivals, open) = gate();
    let options = Options {
        console: Console::Json,
        queue_lines: 2,
        level: LevelFilter::Debug,
        queue_wait: NEVER,
        ..stage.options()
    };
    let (logging, logger) = stage.builder(options).console_writer(console).build().unwrap();
    say(&*logger, Level::Error, "app", "first");
    // From here on the writer is busy.
    assert_eq!(messages(&arrivals.recv().unwrap()), ["first"]);
    say(&*logger, Level::Info, "app", "queued 1");
    say(&*logger, Level::Debug, "app", "queued 2");
    say(&*logger, Level::Info, "app", "dropped 1");
    say(&*logger, Level::Debug, "api", "dropped 2");
    assert_eq!(logging.statistics().lines_dropped, 2);

    let kept: Vec<String> = (0..20).map(|index| format!("kept {index}")).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for pair in kept.chunks(2) {
                say(&*logger, Level::Debug, "trading", &pair[0]);
                say(&*logger, Level::Warn, "app", &pair[1]);
            }
        });
        drop(open);
    });
    assert!(logging.flush());

    let notice = "lines were dropped: the queue was full, or the files could not be written";
    let mut expected = vec!["first", "queued 1", "queued 2", notice];
    expected.extend(kept.iter().map(String::as_str));
    assert_eq!(stage.messages("trading_automation.log"), expected);
    let notice = stage.read("trading_automation.log").lines().nth(3).unwrap().to_owned();
    assert!(notice.contains(r#""level":"WARN","logger":"trading_logging""#), "{notice}");
    assert!(notice.ends_with(r#","thread":"log-writer","dropped":2}"#), "{notice}");
    let statistics = logging.statistics();
    assert_eq!((statistics.lines_written, statistics.lines_dropped, statistics.write_errors), (24, 2, 0));
}

#[test]
fn a_line_that_has_waited_long_enough_goes_to_standard_error() {
    let stage = Stage::new();
    let (console, arrivals, open) = gate();
    let options =
        Options { console: Console::Json, queue_lines: 1, queue_wait: Duration::from_millis(1), ..stage.options() };
    let (logging, logger) = stage.builder(options).console_writer(console).build().unwrap();
    say(&*logger, Level::Info, "app", "first");
    arrivals.recv().unwrap();
    say(&*logger, Level::Info, "app", "queued");
    say(&*logger, Level::Info, "trading", "waited");
    assert_eq!(messages(&stage.complaints.text()), ["waited"]);
    assert_eq!(logging.statistics().lines_dropped, 1);
    drop(open);
    assert!(logging.shutdown());
}

#[test]
fn an_error_is_written_at_once_and_with_it_all_before() {
    let stage = Stage::new();
    let (console, arrivals, open) = gate();
    drop(open);
    let options = Options { console: Console::Json, flush_every: NEVER, ..stage.options() };
    let (_logging, logger) = stage.builder(options).console_writer(console).build().unwrap();
    say(&*logger, Level::Warn, "app", "waits");
    say(&*logger, Level::Error, "app", "urgent");
    assert_eq!(messages(&arrivals.recv().unwrap()), ["waits", "urgent"]);
    assert_eq!(stage.messages("trading_automation.log"), ["waits", "urgent"]);
}

#[test]
fn a_line_is_written_in_time_though_nobody_asks() {
    let stage = Stage::new();
    let (console, arrivals, open) = gate();
    drop(open);
    let options = Options { console: Console::Json, flush_every: Duration::from_millis(1), ..stage.options() };
    let (_logging, logger) = stage.builder(options).console_writer(console).build().unwrap();
    say(&*logger, Level::Info, "app", "one");
    assert_eq!(messages(&arrivals.recv().unwrap()), ["one"]);
    assert_eq!(Options::at("logs").flush_every, Duration::from_millis(100));
}

#[test]
fn flush_and_the_flush_of_the_facade_write_what_waits() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { flush_every: NEVER, ..stage.options() });
    say(&*logger, Level::Info, "app", "one");
    logger.flush();
    assert_eq!(stage.messages("trading_automation.log"), ["one"]);
    say(&*logger, Level::Info, "app", "two");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["one", "two"]);
    assert!(logging.flush(), "nothing to do is done");
}

#[test]
fn dropping_the_handle_writes_what_waits() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { flush_every: NEVER, ..stage.options() });
    say(&*logger, Level::Info, "app", "one");
    drop(logging);
    assert_eq!(stage.messages("trading_automation.log"), ["one"]);
}

#[test]
fn after_the_end_what_matters_goes_to_standard_error() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    assert!(logging.shutdown());
    say(&*logger, Level::Info, "app", "gone");
    say(&*logger, Level::Warn, "app", "late warning");
    say(&*logger, Level::Info, "trading", "late trade");
    logger.flush();
    assert_eq!(messages(&stage.complaints.text()), ["late warning", "late trade"]);
    assert_eq!(stage.read("trading_automation.log"), "");
}

#[test]
fn a_writer_that_hangs_holds_the_end_up_for_a_bounded_time() {
    let stage = Stage::new();
    let (console, arrivals, open) = gate();
    let options = Options { console: Console::Json, drain: Duration::from_millis(1), ..stage.options() };
    let (logging, logger) = stage.builder(options).console_writer(console).build().unwrap();
    say(&*logger, Level::Error, "app", "one");
    arrivals.recv().unwrap();
    assert!(!logging.flush());
    assert!(!logging.shutdown());
    assert_eq!(stage.complaints.text(), "logging: the writer did not end in 1ms: lines may be lost\n");
    drop(open);
}

#[test]
fn a_million_lines_of_four_threads_are_each_there_once_and_valid() {
    const LINES: usize = 250_000;
    let stage = Stage::new();
    // So small a queue that the threads wait for the writer all the time; and lines that would break if they were not escaped.
    let (logging, logger) = stage.start(Options { queue_lines: 64, ..stage.options() });
    thread::scope(|scope| {
        for thread in 0..4 {
            let logger = &logger;
            scope.spawn(move || {
                for number in thread * LINES..(thread + 1) * LINES {
                    say_with(&**logger, Level::Info, "trading", "m\n", &[("number", Value::from(number))]);
                }
            });
        }
    });
    assert!(logging.shutdown());
    for file in ["trading_automation.log", "trading.log"] {
        let text = stage.read(file);
        let mut seen = vec![false; 4 * LINES];
        for (index, line) in text.lines().enumerate() {
            // Each line is compared whole, and one of a thousand is read by a parser too: that takes ten times as long.
            let (thread, number) = split(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(thread.trim_end_matches(|digit: char| digit.is_ascii_digit()), "");
            assert!(!std::mem::replace(&mut seen[number], true), "twice: {number}");
            if index % 1_000 == 0 {
                let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(json["message"], "m\n");
            }
        }
        assert!(seen.iter().all(|seen| *seen), "{file}");
    }
    assert_eq!(stage.complaints.text(), "");
}

/// What differs between these lines: the thread and the number.
fn split(line: &str) -> Option<(&str, usize)> {
    const BEFORE: &str = r#"{"timestamp":"2026-03-04T05:06:07.089012Z","level":"INFO","logger":"trading","message":"m\n","module":"stage::say","file":"stage.rs","line":7,"thread":"ThreadId("#;
    let (thread, number) = line.strip_prefix(BEFORE)?.strip_suffix('}')?.split_once(r#")","number":"#)?;
    Some((thread, number.parse().ok()?))
}

#[test]
fn what_waits_for_a_slow_disk_is_bounded_and_without_the_bound_would_not_be() {
    let flood = |queue_bytes: usize| {
        let stage = Stage::new();
        let (console, arrivals, open) = gate();
        let options = Options { console: Console::Json, queue_bytes, ..stage.options() };
        let (logging, logger) = stage.builder(options).console_writer(console).build().expect("options that work");
        say(&*logger, Level::Error, "app", "first");
        arrivals.recv().expect("the writer is busy");
        for number in 0..1_000 {
            say(&*logger, Level::Info, "app", &format!("{number} {}", "x".repeat(10_000)));
        }
        let dropped = logging.statistics().lines_dropped;
        drop(open);
        assert!(logging.shutdown());
        dropped
    };
    let dropped = flood(1 << 20);
    assert!((1_000 - 104..1_000 - 95).contains(&dropped), "a mebibyte is about 103 lines: {dropped}");
    // The control.
    assert_eq!(flood(64 << 20), 0);
}

//! What people and collectors see while the program runs.

use std::{
    io::{self, Write},
    num::NonZeroU32,
    time::{Duration, Instant},
};

use log::{Level, Record, kv::Value};
use trading_logging::{Console, Options};

use crate::stage::{Stage, gate, say};

#[track_caller]
fn check(level: Level, colour: bool, fields: &[(&str, Value<'_>)], expected: &str) {
    let stage = Stage::new();
    let options = Options { console: Console::Text, colour, level: log::LevelFilter::Trace, ..stage.options() };
    let (logging, logger) = stage.start(options);
    logger.log(
        &Record::builder()
            .level(level)
            .target("trading")
            .key_values(&fields)
            .args(format_args!("order \"filled\"\n\u{1b}[2Jnow"))
            .build(),
    );
    assert!(logging.flush());
    assert_eq!(stage.console.text(), expected);
}

#[test]
fn text_is_one_readable_line() {
    let message = "order \"filled\"\\n\\u001b[2Jnow";
    check(Level::Info, false, &[], &format!("05:06:07.089Z INFO  trading  {message}\n"));
    check(Level::Error, false, &[], &format!("05:06:07.089Z ERROR trading  {message}\n"));
    check(
        Level::Warn,
        false,
        &[
            ("agent_id", Value::from("pelosi")),
            ("quantity", Value::from(5)),
            ("price", Value::from(12.5)),
            ("paper", Value::from(true)),
            ("note", Value::from("two words")),
            ("empty", Value::from("")),
            ("pair", Value::from("a=b")),
            ("quote", Value::from("\"")),
            ("none", Value::null()),
            ("backtrace", Value::from("is for the files")),
        ],
        &format!(
            "05:06:07.089Z WARN  trading  {message}  agent_id=pelosi quantity=5 price=12.5 paper=true \
             note=\"two words\" empty=\"\" pair=\"a=b\" quote=\"\\\"\" none=null\n"
        ),
    );
}

#[test]
fn text_is_coloured_only_when_asked() {
    check(
        Level::Error,
        true,
        &[("a", Value::from(1))],
        "\x1b[2m05:06:07.089Z\x1b[0m \x1b[1;31mERROR\x1b[0m trading  order \"filled\"\\n\\u001b[2Jnow  \x1b[2ma=\x1b[0m1\n",
    );
}

#[test]
fn text_has_an_end_too() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { console: Console::Text, ..stage.options() });
    let big = "x".repeat(100_000);
    let fields: Vec<(&str, Value<'_>)> = (0..100).map(|_| ("f", Value::from(&big))).collect();
    logger.log(&Record::builder().level(Level::Info).key_values(&fields).args(format_args!("{big}")).build());
    assert!(logging.flush());
    assert!(stage.console.text().len() <= 65_536, "{}", stage.console.text().len());
    assert!(stage.console.text().ends_with("…[cut]\n"));
}

#[test]
fn json_on_the_console_is_the_main_file() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { console: Console::Json, ..stage.options() });
    say(&*logger, Level::Info, "app", "one");
    say(&*logger, Level::Error, "trading", "two");
    assert!(logging.shutdown());
    assert_eq!(stage.console.text(), stage.read("trading_automation.log"));
    assert_eq!(stage.messages("trading_automation.log"), ["one", "two"]);
}

#[test]
fn each_line_says_its_priority_where_that_is_asked_for_and_those_of_the_files_do_not() {
    const ALL: [(Level, &str); 5] = [
        (Level::Error, "<3>"),
        (Level::Warn, "<4>"),
        (Level::Info, "<6>"),
        (Level::Debug, "<7>"),
        (Level::Trace, "<7>"),
    ];
    for console in [Console::Text, Console::Json] {
        let stage = Stage::new();
        let level = log::LevelFilter::Trace;
        let options =
            Options { console, level, console_priority: true, repeats_max: NonZeroU32::new(1), ..stage.options() };
        let (logging, logger) = stage.start(options);
        ALL.iter().for_each(|(level, _)| say(&*logger, *level, "app", "first\nsecond"));
        // Those that are folded are told by one line.
        (0..3).for_each(|_| say(&*logger, Level::Error, "app", "first\nsecond"));
        assert!(logging.shutdown());
        let shown = stage.console.text();
        let expected: Vec<_> = ALL.iter().map(|(_, priority)| *priority).chain(["<3>"]).collect();
        assert_eq!(shown.lines().map(|line| line.split_inclusive('>').next().unwrap()).collect::<Vec<_>>(), expected);
        let file = stage.read("trading_automation.log");
        assert_eq!((file.lines().count(), file.contains("<3>")), (expected.len(), false), "{file}");
        if console == Console::Json {
            let bare: Vec<_> = shown.lines().map(|line| &line[3..]).collect();
            assert_eq!(bare, file.lines().collect::<Vec<_>>());
        }
    }
}

#[test]
fn by_default_the_console_is_left_alone() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Error, "app", "one");
    assert!(logging.shutdown());
    assert_eq!((stage.console.text(), stage.complaints.text()), (String::new(), String::new()));
}

#[test]
fn a_console_that_stands_still_holds_up_neither_the_files_nor_who_logs() {
    assert_eq!(Options::at("logs").console_wait, Duration::from_secs(1));
    let stage = Stage::new();
    let (console, arrivals, open) = gate();
    let options = Options {
        console: Console::Text,
        console_wait: Duration::from_millis(1),
        queue_lines: 2,
        repeats_max: None,
        ..stage.options()
    };
    let (logging, logger) = stage.builder(options).console_writer(console).build().unwrap();
    say(&*logger, Level::Error, "app", "in hand");
    arrivals.recv().unwrap();
    // More than the queue holds, and none of them may be dropped. The control: tests of the queue, which wait for the console.
    (0..10).for_each(|number| say(&*logger, Level::Warn, "trading", &format!("trade {number}")));
    assert!(logging.flush());
    assert_eq!(stage.messages("trading.log").len(), 10);
    let statistics = logging.statistics();
    assert_eq!((statistics.lines_not_shown, statistics.lines_dropped, statistics.write_errors), (10, 0, 0));

    drop(open);
    let given_up = Instant::now() + Duration::from_secs(60);
    let notice = "WARN  trading_logging  the console stood still: lines are in the files only  not_shown=";
    let mut shown = String::new();
    while !shown.contains(notice) {
        assert!(Instant::now() < given_up, "{shown}");
        say(&*logger, Level::Warn, "app", "again");
        assert!(logging.flush());
        shown.extend(arrivals.try_iter());
    }
    assert!(shown.contains("app  again\n") && !shown.contains("trade 9"), "{shown}");
    assert!(stage.read("trading_automation.log").contains(r#","not_shown":"#));
}

#[test]
fn a_console_whose_reader_has_gone_costs_nothing_but_itself() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let stage = Stage::new();
    let options = Options { console: Console::Json, ..stage.options() };
    let (logging, logger) = stage.builder(options).console_writer(Closed).build().unwrap();
    for message in ["one", "two"] {
        say(&*logger, Level::Info, "app", message);
        assert!(logging.flush());
    }
    assert_eq!(logging.statistics().write_errors, 1);
    assert_eq!(stage.messages("trading_automation.log"), ["one", "two"]);
}

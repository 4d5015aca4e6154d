//! Days that end, files that grow too long, and the deaths and clocks in between.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use log::Level;
use trading_logging::Options;

use crate::stage::{Stage, line, old, say};

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
fn a_day_is_one_of_the_chosen_zone() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { zone: Tz::America__New_York, ..stage.options() });
    // Midnight in New York is five o'clock in UTC.
    for time in ["2026-03-05T00:00:00Z", "2026-03-05T04:59:59.999999Z", "2026-03-05T05:00:00Z"] {
        stage.set(time);
        say(&*logger, Level::Info, "app", time);
    }
    assert!(logging.shutdown());
    let first = ["2026-03-05T00:00:00Z", "2026-03-05T04:59:59.999999Z"];
    assert_eq!(stage.messages("trading_automation.2026-03-04.log"), first);
    assert_eq!(stage.messages("trading_automation.log"), ["2026-03-05T05:00:00Z"]);

    // A process that starts later sees the same day in the same file.
    stage.set("2026-03-06T04:59:00Z");
    let (logging, logger) = stage.start(Options { zone: Tz::America__New_York, ..stage.options() });
    say(&*logger, Level::Info, "app", "same day");
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.log"), ["2026-03-05T05:00:00Z", "same day"]);
}

/// Logs at these times, and expects each day's file with so many of them.
#[track_caller]
fn check_days(zone: Tz, times: &[&str], expected: &[(&str, usize)]) {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { zone, ..stage.options() });
    for time in times {
        stage.set(time);
        say(&*logger, Level::Info, "app", time);
    }
    assert!(logging.shutdown());
    let files = stage.files().into_iter().filter(|file| file.starts_with("trading_automation."));
    let found: Vec<_> = files.map(|file| (file.clone(), stage.messages(&file).len())).collect();
    let expected: Vec<_> =
        expected.iter().map(|(day, lines)| (format!("trading_automation{day}.log"), *lines)).collect();
    assert_eq!(found, expected);
}

#[test]
fn days_of_23_and_of_25_hours_are_one_file_each() {
    let new_york = Tz::America__New_York;
    // From 05:00 to 04:00 the next day, UTC.
    check_days(
        new_york,
        &[
            "2026-03-08T04:59:59Z",
            "2026-03-08T05:00:00Z",
            "2026-03-08T07:00:00Z",
            "2026-03-09T03:59:59Z",
            "2026-03-09T04:00:00Z",
        ],
        &[(".2026-03-07", 1), (".2026-03-08", 3), ("", 1)],
    );
    // The control: by an offset that stays the same, the day would have an hour more.
    check_days(
        Tz::Etc__GMTPlus5,
        &["2026-03-08T04:59:59Z", "2026-03-08T05:00:00Z", "2026-03-09T03:59:59Z", "2026-03-09T04:00:00Z"],
        &[(".2026-03-07", 1), ("", 3)],
    );
    // From 04:00 to 05:00 the next day; the hour from one to two comes twice.
    check_days(
        new_york,
        &[
            "2026-11-01T03:59:59Z",
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:30:00Z",
            "2026-11-02T04:59:59Z",
            "2026-11-02T05:00:00Z",
        ],
        &[(".2026-10-31", 1), (".2026-11-01", 3), ("", 1)],
    );
    // Where midnight itself does not exist, and where it comes twice.
    check_days(Tz::America__Havana, &["2026-03-08T04:59:59Z", "2026-03-08T05:00:00Z"], &[(".2026-03-07", 1), ("", 1)]);
    check_days(
        Tz::America__Havana,
        &["2026-11-01T03:59:59Z", "2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z"],
        &[(".2026-10-31", 1), ("", 2)],
    );
}

#[test]
fn a_file_that_would_get_too_long_is_set_aside() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { rotate_bytes: Some(65_536), ..stage.options() });
    let filler = "x".repeat(40_000);
    for index in 0..4 {
        say(&*logger, Level::Info, "trading", &format!("{index} {filler}"));
    }
    say(&*logger, Level::Info, "app", "short");
    assert!(logging.flush());
    for (number, file) in ["2026-03-04.log", "2026-03-04.1.log", "2026-03-04.2.log"].iter().enumerate() {
        for name in ["trading", "trading_automation"] {
            assert_eq!(stage.messages(&format!("{name}.{file}")), [format!("{number} {filler}")]);
        }
    }
    assert_eq!(stage.messages("trading_automation.log"), [format!("3 {filler}"), "short".into()]);
    assert_eq!(logging.statistics().lines_written, 5);
}

#[test]
fn the_limit_of_a_file_is_a_limit() {
    let stage = Stage::new();
    let bare = line(Level::Info, "app", "", "").len();
    let half = "x".repeat(32_768 - bare);
    stage.put("trading_automation.log", &line(Level::Info, "app", &half, ""));
    let (logging, logger) = stage.start(Options { rotate_bytes: Some(65_536), ..stage.options() });
    say(&*logger, Level::Info, "app", &half);
    assert!(logging.flush());
    assert_eq!(stage.read("trading_automation.log").len(), 65_536, "as much as it may");
    say(&*logger, Level::Info, "app", "");
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.2026-03-04.log").len(), 2);
    assert_eq!(stage.messages("trading_automation.log"), [""]);
}

#[test]
fn a_file_that_somebody_emptied_is_as_long_as_it_is() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { rotate_bytes: Some(65_536), ..stage.options() });
    let filler = "x".repeat(40_000);
    let empty =
        || fs::File::options().write(true).open(stage.path("trading_automation.log")).unwrap().set_len(0).unwrap();
    say(&*logger, Level::Info, "app", &filler);
    assert!(logging.flush());
    empty();
    assert!(logging.reopen());
    for message in ["short", filler.as_str()] {
        say(&*logger, Level::Info, "app", message);
        assert!(logging.flush());
    }
    assert_eq!(stage.messages("trading_automation.log"), ["short", &filler]);
    assert_eq!(stage.files().len(), 5, "nothing is set aside");
    // And nothing of no day, either.
    empty();
    assert!(logging.reopen());
    stage.set("2026-03-05T00:00:00Z");
    say(&*logger, Level::Info, "app", "tuesday");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["tuesday"]);
    assert_eq!(stage.files().len(), 5);
}

#[test]
fn a_number_is_not_used_again_for_a_later_file() {
    let stage = Stage::new();
    // The first of the day is gone, the second was compressed.
    stage.put("trading_automation.2026-03-03.1.log.gz", "");
    stage.put("trading_automation.log", &old("2026-03-03", "a"));
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "now");
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.2026-03-03.2.log"), ["a"]);
}

#[test]
fn a_death_at_any_step_of_the_rotation_loses_nothing_and_repeats_nothing() {
    // Before it; after the name was taken; after the rename.
    for (name, active, taken) in [("before", true, false), ("taken", true, true), ("renamed", false, false)] {
        let stage = Stage::new();
        if active {
            stage.put("trading_automation.log", &old("2026-03-03", "yesterday"));
        } else {
            stage.put("trading_automation.2026-03-03.log", &old("2026-03-03", "yesterday"));
        }
        if taken {
            stage.put("trading_automation.2026-03-03.log", "");
        }
        let (logging, logger) = stage.start(stage.options());
        say(&*logger, Level::Info, "app", "today");
        assert!(logging.shutdown());
        let mut lines: Vec<String> = stage.files().iter().flat_map(|file| stage.messages(file)).collect();
        lines.sort();
        assert_eq!(lines, ["today", "yesterday"], "{name}");
        assert_eq!(stage.messages("trading_automation.log"), ["today"], "{name}");
    }
}

#[test]
fn without_looking_at_the_content_a_restart_would_mix_days() {
    // The control of the restarts above: a file is not known by its time, which a copy or a touch changes.
    let stage = Stage::new();
    stage.put("trading_automation.log", &old("2026-03-03", "yesterday"));
    let file = fs::File::options().append(true).open(stage.path("trading_automation.log")).unwrap();
    let today: SystemTime = crate::stage::START.parse::<DateTime<Utc>>().unwrap().into();
    file.set_modified(today).unwrap();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "today");
    assert!(logging.shutdown());
    assert_eq!(stage.messages("trading_automation.2026-03-03.log"), ["yesterday"]);

    // One whose content says nothing is of the day of its time.
    let stage = Stage::new();
    stage.put("trading_automation.log", "stranger\n");
    let file = fs::File::options().append(true).open(stage.path("trading_automation.log")).unwrap();
    file.set_modified(today - Duration::from_secs(86_400)).unwrap();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "today");
    assert!(logging.shutdown());
    assert_eq!(stage.read("trading_automation.2026-03-03.log"), "stranger\n");
}

//! Folders and files that fail, before the start and while running.

use std::{
    error::Error as _,
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

use log::Level;
use trading_logging::{Error, Options};

use crate::stage::{Stage, messages, say};

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_the_way_out() {
    let stage = Stage::new();
    stage.put("occupied", "");
    let folder = stage.path("occupied").join("logs");
    let error = stage.builder(Options::at(&folder)).build().map(drop).unwrap_err();
    assert!(matches!(&error, Error::CreateFolder { path, .. } if *path == folder), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot create the log folder {}; create it for this user, or choose another log folder",
            folder.display()
        )
    );
    assert!(error.source().is_some());
    assert!(matches!(stage.builder(Options::at("")).build().map(drop), Err(Error::CreateFolder { .. })));
}

#[test]
fn options_can_be_tried_out_and_leave_nothing() {
    let stage = Stage::new();
    stage.put("occupied", "");
    Options::at(stage.path("new/deep")).check().unwrap();
    assert_eq!(stage.files(), ["occupied"]);
    let refused = Options::at(stage.path("occupied/logs")).check();
    assert!(matches!(refused, Err(Error::CreateFolder { .. })), "{refused:?}");
    let refused = Options { queue_lines: 0, ..Options::at(stage.path("new")) }.check();
    assert!(matches!(refused, Err(Error::Option { .. })), "{refused:?}");
    for queue_bytes in [65_535, (1 << 30) + 1, usize::MAX] {
        let refused = Options { queue_bytes, ..Options::at(stage.path("new")) }.check();
        assert!(matches!(refused, Err(Error::Option { option: "queue_bytes", .. })), "{refused:?}");
    }
    let refused = Options { look_every: Duration::ZERO, ..Options::at(stage.path("new")) }.check();
    assert!(matches!(refused, Err(Error::Option { option: "look_every", .. })), "{refused:?}");
    assert_eq!(stage.files(), ["occupied"]);
}

#[test]
fn a_start_that_fails_half_way_takes_back_the_folders_it_made() {
    let stage = Stage::new();
    stage.put("there", "");
    let too_long = "x".repeat(300);
    let error = stage.builder(Options::at(stage.path("made").join(too_long))).build().map(drop).unwrap_err();
    assert!(matches!(error, Error::CreateFolder { .. }), "{error:?}");
    assert_eq!(stage.files(), ["there"]);
}

#[test]
fn a_log_file_that_cannot_be_written_is_an_error_with_the_way_out() {
    let stage = Stage::new();
    let file = stage.path("api.log");
    fs::create_dir_all(&file).unwrap();
    let error = stage.builder(stage.options()).build().map(drop).unwrap_err();
    assert!(matches!(&error, Error::Write { path, .. } if *path == file), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("cannot write {}; give this user the right to write it, or choose another log folder", file.display())
    );
    assert_eq!(error.source().unwrap().to_string(), "not a regular file");
    assert_eq!(stage.files(), ["api.log"], "nothing was added");
}

#[test]
fn the_folder_is_made_with_all_above_it() {
    let stage = Stage::new();
    let (logging, _logger) = stage.start(Options::at(stage.path("a/b")));
    assert!(logging.flush());
    assert!(stage.path("a/b/trading.log").is_file());
}

#[test]
fn a_file_that_was_renamed_is_made_anew() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "one");
    assert!(logging.flush());
    fs::rename(stage.path("trading_automation.log"), stage.path("moved")).unwrap();
    say(&*logger, Level::Info, "app", "two");
    assert!(logging.flush());
    assert_eq!(stage.messages("moved"), ["one"]);
    assert_eq!(stage.messages("trading_automation.log"), ["two"]);
}

#[test]
fn a_file_or_the_whole_folder_that_was_deleted_is_made_anew() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "trading", "one");
    assert!(logging.flush());
    fs::remove_file(stage.path("trading.log")).unwrap();
    say(&*logger, Level::Info, "trading", "two");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading.log"), ["two"]);
    assert_eq!(stage.messages("trading_automation.log"), ["one", "two"]);

    fs::remove_dir_all(stage.path("")).unwrap();
    say(&*logger, Level::Info, "trading", "three");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading.log"), ["three"]);
    assert_eq!(stage.messages("trading_automation.log"), ["three"]);
    assert_eq!((logging.statistics().write_errors, stage.complaints.text()), (0, String::new()));
}

#[test]
fn reopen_makes_files_anew_without_a_line() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "one");
    assert!(logging.reopen());
    assert_eq!(stage.messages("trading_automation.log"), ["one"]);
    fs::rename(stage.path("trading_automation.log"), stage.path("moved")).unwrap();
    assert!(logging.reopen());
    assert_eq!(stage.messages("moved"), ["one"]);
    assert_eq!(stage.read("trading_automation.log"), "");
}

#[test]
fn a_file_is_made_anew_within_the_second_though_nobody_asks() {
    assert_eq!(Options::at("logs").look_every, Duration::from_secs(1));
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { look_every: Duration::from_millis(1), ..stage.options() });
    say(&*logger, Level::Info, "api", "one");
    assert!(logging.flush());
    fs::rename(stage.path("api.log"), stage.path("moved")).unwrap();
    fs::remove_file(stage.path("trading_automation.log")).unwrap();
    let given_up = Instant::now() + Duration::from_secs(60);
    while !stage.path("api.log").exists() || !stage.path("trading_automation.log").exists() {
        assert!(Instant::now() < given_up, "{:?}", stage.files());
        std::thread::yield_now();
    }
    say(&*logger, Level::Info, "api", "two");
    assert!(logging.flush());
    assert_eq!((stage.messages("moved"), stage.messages("api.log")), (vec!["one".into()], vec!["two".into()]));

    // The control: without looking, a file that was opened once goes on under its new name.
    let mut control = fs::File::create(stage.path("control")).unwrap();
    fs::rename(stage.path("control"), stage.path("control.moved")).unwrap();
    control.write_all(b"two").unwrap();
    assert!(!stage.path("control").exists());
    assert_eq!(stage.read("control.moved"), "two");
}

#[test]
fn a_line_torn_by_a_death_is_ended_before_the_next() {
    let stage = Stage::new();
    stage.put("trading_automation.log", "{\"timestamp\":\"2026-03-04T01:00:00.000000Z\",\"mess");
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "app", "one");
    assert!(logging.shutdown());
    let content = stage.read("trading_automation.log");
    let (torn, rest) = content.split_once('\n').unwrap();
    assert_eq!(torn, "{\"timestamp\":\"2026-03-04T01:00:00.000000Z\",\"mess");
    assert_eq!(messages(rest), ["one"]);
}

#[test]
fn a_folder_that_fails_is_said_once_and_nothing_is_lost_when_it_is_back() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    say(&*logger, Level::Info, "trading", "before");
    assert!(logging.flush());
    stage.break_folder();
    for index in 0..3 {
        say(&*logger, Level::Info, "trading", &format!("during {index}"));
        assert!(!logging.flush(), "the lines are not in the files");
    }
    assert!(logging.statistics().write_errors >= 3);
    let complaint = stage.complaints.text();
    let start = format!("logging: cannot write {}: ", stage.path("trading_automation.log").display());
    assert!(complaint.starts_with(&start), "{complaint}");
    assert!(complaint.ends_with("; lines are held in memory and tried again\n"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "said once");

    stage.mend_folder();
    say(&*logger, Level::Info, "trading", "after");
    assert!(logging.flush());
    let expected = ["during 0", "during 1", "during 2", "after"];
    assert_eq!(stage.messages("trading_automation.log"), expected);
    assert_eq!(stage.messages("trading.log"), expected);
    let statistics = logging.statistics();
    assert_eq!((statistics.lines_written, statistics.lines_dropped), (5, 0));
}

#[test]
fn what_waits_for_a_failed_folder_at_the_end_goes_to_standard_error() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    assert!(logging.flush());
    stage.break_folder();
    say(&*logger, Level::Info, "app", "one");
    say(&*logger, Level::Info, "trading", "two");
    assert!(!logging.shutdown());
    let complaints = stage.complaints.text();
    let (_said, lines) = complaints.split_once('\n').unwrap();
    assert_eq!(messages(lines), ["one", "two"]);
}

#[test]
fn a_folder_that_is_back_takes_what_was_held_before_what_is_new() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { queue_bytes: 65_536, ..stage.options() });
    assert!(logging.flush());
    stage.break_folder();
    let filler = "x".repeat(60_000);
    say(&*logger, Level::Info, "app", &filler);
    assert!(!logging.flush());
    stage.mend_folder();
    say(&*logger, Level::Info, "app", &filler);
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), [filler.as_str(), &filler]);
    assert_eq!(logging.statistics().lines_dropped, 0);
}

#[test]
fn what_memory_cannot_hold_meanwhile_is_counted_and_what_matters_goes_to_standard_error() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { queue_bytes: 65_536, ..stage.options() });
    assert!(logging.flush());
    stage.break_folder();
    let filler = "x".repeat(60_000);
    for message in [filler.as_str(), &filler] {
        say(&*logger, Level::Info, "app", message);
        assert!(!logging.flush());
    }
    say(&*logger, Level::Info, "trading", &format!("trade {filler}"));
    assert!(!logging.flush());
    assert_eq!(logging.statistics().lines_dropped, 2);
    let complaints = stage.complaints.text();
    let (_said, trade) = complaints.split_once('\n').unwrap();
    assert_eq!(messages(trade), [format!("trade {filler}")]);

    stage.mend_folder();
    assert!(logging.flush());
    let notice = "lines were dropped: the queue was full, or the files could not be written";
    assert_eq!(stage.messages("trading_automation.log"), [filler.as_str(), notice]);
    assert!(stage.read("trading_automation.log").ends_with(",\"dropped\":2}\n"));
}

//! How long files are kept, and how small.

use std::{fs, io::Read as _};

use log::Level;
use trading_logging::Options;

use crate::stage::{Stage, messages, old, say};

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
        "trading.2020-01-01.log.part",
        "backtest.2020-01-01.log.gz.part",
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
fn retention_is_applied_when_the_handle_is_asked() {
    let stage = Stage::new();
    let (logging, _logger) = stage.start(Options { retention_days: 2, ..stage.options() });
    assert!(logging.flush());
    for file in ["api.2026-03-01.log", "api.2026-03-02.log", "api.2026-03-03.log"] {
        stage.put(file, "x");
    }
    logging.apply_retention().expect("all of it goes");
    let dated: Vec<String> = stage.files().into_iter().filter(|file| file.contains("2026")).collect();
    assert_eq!(dated, ["api.2026-03-02.log", "api.2026-03-03.log"]);
    fs::rename(stage.path(""), stage.path("").with_extension("gone")).unwrap();
    fs::write(stage.path("").to_str().unwrap().trim_end_matches('/'), "a file where the folder was").unwrap();
    let error = logging.apply_retention().expect_err("there is nothing to look through");
    assert!(error.to_string().starts_with("cannot delete the old log "), "{error}");
}

#[test]
fn a_retention_of_no_days_leaves_the_active_files() {
    let stage = Stage::new();
    stage.put("trading.2026-03-03.log", "x");
    let (logging, _logger) = stage.start(Options { retention_days: 0, ..stage.options() });
    assert!(logging.shutdown());
    assert_eq!(stage.files(), ["agents.log", "api.log", "performance.log", "trading.log", "trading_automation.log"]);
}

#[test]
fn retention_follows_the_days_of_the_others_though_nothing_is_logged_of_it() {
    let stage = Stage::new();
    stage.put("api.2026-03-03.log", "x");
    let (logging, logger) = stage.start(Options { retention_days: 2, ..stage.options() });
    assert!(logging.flush());
    for day in 4..=6 {
        assert!(stage.path("api.2026-03-03.log").exists());
        stage.set(&format!("2026-03-0{day}T12:00:00Z"));
        say(&*logger, Level::Info, "app", "m");
        assert!(logging.flush());
    }
    assert!(!stage.path("api.2026-03-03.log").exists());
}

#[test]
fn a_clock_that_is_far_ahead_for_a_moment_lets_the_files_stay() {
    for is_logged in [false, true] {
        let stage = Stage::new();
        let (logging, logger) = stage.start(Options { retention_days: 3, ..stage.options() });
        let day = |time: &str, says: bool| {
            stage.set(time);
            if says {
                say(&*logger, Level::Info, "app", time);
            }
            assert!(logging.flush());
            stage.files().into_iter().filter(|file| file.contains(".20")).collect::<Vec<_>>()
        };
        for time in ["2026-03-04T12:00:00Z", "2026-03-05T12:00:00Z", "2026-03-06T12:00:00Z"] {
            day(time, true);
        }
        let before = ["trading_automation.2026-03-04.log", "trading_automation.2026-03-05.log"];
        let ahead = day("2036-03-06T12:00:01Z", is_logged);
        assert!(before.iter().all(|file| ahead.contains(&(*file).to_owned())), "{ahead:?}");
        let after = day("2026-03-06T12:00:02Z", true);
        assert!(before.iter().all(|file| after.contains(&(*file).to_owned())), "{after:?}");
        // And then the days go on as ever.
        day("2026-03-07T12:00:00Z", true);
        let later = day("2026-03-08T12:00:00Z", true);
        assert!(!later.contains(&before[0].to_owned()) && later.contains(&before[1].to_owned()), "{later:?}");
    }
}

#[test]
fn beyond_the_total_size_the_oldest_go_and_never_an_active_file() {
    let stage = Stage::new();
    for (file, bytes) in [
        ("trading.2026-03-01.log", 100),
        ("api.2026-03-02.log", 100),
        ("api.2026-03-02.1.log", 100),
        ("api.2026-03-02.10.log.gz", 100),
        ("trading.2026-03-03.log", 100),
        ("stranger.2026-01-01.log", 1_000),
    ] {
        stage.put(file, &"x".repeat(bytes));
    }
    stage.put("api.log", &old("2026-03-04", &"x".repeat(100)));
    let active = fs::metadata(stage.path("api.log")).unwrap().len();
    // One byte too few for three dated ones.
    let options = Options { retention_bytes: Some(active + 299), ..stage.options() };
    let (logging, _logger) = stage.start(options.clone());
    assert!(logging.shutdown());
    let dated =
        |stage: &Stage| -> Vec<String> { stage.files().into_iter().filter(|file| file.contains("2026")).collect() };
    assert_eq!(dated(&stage), ["api.2026-03-02.10.log.gz", "stranger.2026-01-01.log", "trading.2026-03-03.log"]);
    let (logging, _logger) = stage.start(Options { retention_bytes: Some(0), ..options });
    assert!(logging.shutdown());
    assert_eq!(dated(&stage), ["stranger.2026-01-01.log"]);
    assert_eq!(fs::metadata(stage.path("api.log")).unwrap().len(), active);
}

#[test]
fn the_total_size_also_holds_while_running() {
    let stage = Stage::new();
    let limits = Options { rotate_bytes: Some(65_536), retention_bytes: Some(200_000), ..stage.options() };
    let (logging, logger) = stage.start(limits);
    let filler = "x".repeat(60_000);
    for index in 0..20 {
        say(&*logger, Level::Info, "app", &format!("{index:02} {filler}"));
        assert!(logging.flush());
    }
    let total: u64 = stage.files().iter().map(|file| fs::metadata(stage.path(file)).unwrap().len()).sum();
    assert!(total <= 200_000, "{total}");
    assert_eq!(stage.messages("trading_automation.2026-03-04.18.log"), [format!("18 {filler}")]);
}

#[test]
fn by_names_that_only_start_alike_strangers_would_be_taken() {
    // The control of the strangers above: what a rule by the start of the name would have deleted.
    let strangers = ["trading_other.2020-01-01.log", "trading.2020-01-01.txt", "trading.2020-02-30.log"];
    assert!(strangers.iter().all(|file| file.starts_with("trading")));
    let stage = Stage::new();
    strangers.iter().for_each(|file| stage.put(file, "x"));
    let (logging, _logger) =
        stage.start(Options { retention_days: 0, retention_bytes: Some(0), gzip: true, ..stage.options() });
    assert!(logging.shutdown());
    assert!(strangers.iter().all(|file| stage.path(file).exists()), "{:?}", stage.files());
}

fn unzipped(stage: &Stage, file: &str) -> String {
    let mut text = String::new();
    let file = fs::File::open(stage.path(file)).expect("is there");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("is whole");
    text
}

#[test]
fn dated_files_are_compressed_when_asked() {
    let stage = Stage::new();
    stage.put("api.2026-03-03.log", &old("2026-03-03", "left by the process before"));
    let (logging, logger) = stage.start(Options { gzip: true, ..stage.options() });
    say(&*logger, Level::Info, "trading", "monday");
    stage.set("2026-03-05T12:00:00Z");
    say(&*logger, Level::Info, "trading", "tuesday");
    assert!(logging.shutdown());
    // What was set aside while the first were compressed waits for the next start at the latest.
    let (logging, _logger) = stage.start(Options { gzip: true, ..stage.options() });
    assert!(logging.shutdown());
    let dated: Vec<String> = stage.files().into_iter().filter(|file| file.contains("2026")).collect();
    let expected = ["api.2026-03-03.log.gz", "trading.2026-03-04.log.gz", "trading_automation.2026-03-04.log.gz"];
    assert_eq!(dated, expected);
    assert_eq!(messages(&unzipped(&stage, "api.2026-03-03.log.gz")), ["left by the process before"]);
    assert_eq!(messages(&unzipped(&stage, "trading.2026-03-04.log.gz")), ["monday"]);
    assert_eq!(stage.messages("trading_automation.log"), ["tuesday"]);
}

#[test]
fn a_name_that_was_taken_for_a_file_is_neither_compressed_nor_deleted_before_its_time() {
    // The writer takes a name by an empty file and then renames to it: what compresses or deletes by that name could take the whole.
    let stage = Stage::new();
    stage.put("api.2026-03-03.log", "");
    stage.put("api.2026-01-03.log", "");
    stage.put("trading.2026-03-03.log", "x");
    let options = Options { gzip: true, retention_bytes: Some(0), ..stage.options() };
    let (logging, _logger) = stage.start(options);
    assert!(logging.shutdown());
    let dated: Vec<String> = stage.files().into_iter().filter(|file| file.contains("2026")).collect();
    assert_eq!(dated, ["api.2026-03-03.log"]);
}

#[test]
fn a_death_at_any_step_of_the_compression_loses_nothing_and_repeats_nothing() {
    let content = old("2026-03-03", "a");
    let whole = {
        let stage = Stage::new();
        stage.put("api.2026-03-03.log", &content);
        let (logging, _logger) = stage.start(Options { gzip: true, ..stage.options() });
        assert!(logging.shutdown());
        fs::read(stage.path("api.2026-03-03.log.gz")).unwrap()
    };
    // A half-written one; a complete one, not yet renamed; both, renamed and not yet removed.
    for (part, compressed) in [(&whole[..9], None), (&whole[..], None), (&[][..], Some(&whole))] {
        let stage = Stage::new();
        stage.put("api.2026-03-03.log", &content);
        fs::write(stage.path("api.2026-03-03.log.gz.part"), part).unwrap();
        if let Some(compressed) = compressed {
            fs::remove_file(stage.path("api.2026-03-03.log.gz.part")).unwrap();
            fs::write(stage.path("api.2026-03-03.log.gz"), compressed).unwrap();
        }
        let (logging, _logger) = stage.start(Options { gzip: true, ..stage.options() });
        assert!(logging.shutdown());
        let dated: Vec<String> = stage.files().into_iter().filter(|file| file.contains("2026")).collect();
        assert_eq!(dated, ["api.2026-03-03.log.gz"]);
        assert_eq!(unzipped(&stage, "api.2026-03-03.log.gz"), content);
    }
}

#[test]
fn what_a_death_left_of_a_compression_goes_with_the_compressing_on_or_off() {
    for gzip in [true, false] {
        let stage = Stage::new();
        // One whose file is there, and one whose file is gone.
        stage.put("api.2026-03-03.log", "a\n");
        stage.put("api.2026-03-03.log.gz.part", "half");
        stage.put("trading.2026-03-03.1.log.gz.part", "half");
        let (logging, _logger) = stage.start(Options { gzip, ..stage.options() });
        assert!(logging.shutdown());
        let dated: Vec<String> = stage.files().into_iter().filter(|file| file.contains("2026")).collect();
        assert_eq!(dated, [if gzip { "api.2026-03-03.log.gz" } else { "api.2026-03-03.log" }]);
    }
}

#[test]
fn a_compressed_file_that_holds_something_else_is_left_with_the_other() {
    let stage = Stage::new();
    stage.put("api.2026-03-03.log", "mine\n");
    stage.put("api.2026-03-03.log.gz", "somebody else's");
    let (logging, _logger) = stage.start(Options { gzip: true, ..stage.options() });
    assert!(logging.shutdown());
    assert_eq!(stage.read("api.2026-03-03.log"), "mine\n");
    assert_eq!(stage.read("api.2026-03-03.log.gz"), "somebody else's");
}

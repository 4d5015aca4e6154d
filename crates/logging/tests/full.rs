//! A disk that fills up, played by the limit on the size of files: a process of its own, because the limit is one of the process.

#![cfg(target_os = "linux")]

use std::{
    fs::File,
    io::Write as _,
    sync::{Arc, atomic::AtomicBool},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use trading_logging::{Logging, Options};

const LIMIT: u64 = 10_000;
const LINES: usize = 200;
/// The signal of a file that gets too long.
const SIGXFSZ: i32 = 25;

fn limit(bytes: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum }).expect("a limit within the maximum");
}

#[test]
fn a_full_disk_holds_the_lines_up_and_each_is_there_once_when_there_is_room_again() {
    #[expect(clippy::disallowed_methods, reason = "without a handler, the signal ends the test")]
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let folder = tempfile::tempdir().unwrap();
    let (said, complaints) = std::io::pipe().unwrap();
    let options = Options { repeats_max: None, ..Options::at(folder.path()) };
    let (logging, logger) = Logging::builder(options).complaint_writer(complaints).build().unwrap();
    assert!(logging.flush());
    // The control: a file without protection.
    let mut control = File::create(folder.path().join("control")).unwrap();

    limit(Some(LIMIT));
    for number in 0..LINES {
        log::info!(logger: &*logger, target: "trading", number; "a trade of some length, so that the file gets full");
        logging.flush();
        writeln!(control, "a line of some length, so that the control gets full as well, {number}").unwrap_or_default();
    }
    assert!(!logging.flush(), "the lines are not in the file");
    let statistics = logging.statistics();
    assert!(statistics.write_errors > 0 && statistics.lines_written < 100, "the fault fired: {statistics:?}");
    limit(None);
    assert!(logging.flush());

    for file in ["trading_automation.log", "trading.log"] {
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        let numbers =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64());
        assert!(numbers.eq((0..LINES).map(|number| u64::try_from(number).ok())), "{file}");
    }
    let control = std::fs::read_to_string(folder.path().join("control")).unwrap();
    assert!(control.lines().count() < LINES, "without protection, lines are lost");
    let statistics = logging.statistics();
    assert_eq!((statistics.lines_written, statistics.lines_dropped), (200, 0));
    drop((logging, logger));
    let said = std::io::read_to_string(said).unwrap();
    let start = format!("logging: cannot write {}/trading_automation.log: File too large", folder.path().display());
    assert!(said.starts_with(&start), "{said}");
}

//! The process that faults happen to: it logs numbers through days that end, and says which of them are in the files.
//!
//! `log_subject FOLDER FIRST flush` says each number once a flush has said that it is written; with `trust` in the place of
//! `flush` it says it at once.

#![expect(clippy::print_stdout, reason = "it says what the test may rely on")]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use trading_logging::{Logging, Options};

/// A day ends after every second number, so that most steps of a run are those of a rotation.
const NUMBERS: u64 = 8;
const STEP: Duration = Duration::from_secs(12 * 3_600);
/// 2026-03-04.
const START: Duration = Duration::from_secs(1_772_582_400);

fn main() -> Result<(), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "the test says what it wants by the command line")]
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("FOLDER FIRST flush|trust");
    let (folder, first, trusts) = (argument()?, argument()?.parse::<u64>()?, argument()? == "trust");
    log::set_max_level(log::LevelFilter::Info);

    let now = Arc::new(AtomicU64::new(first));
    let clock = Arc::clone(&now);
    let options = Options { gzip: true, ..Options::at(folder) };
    let (logging, logger) = Logging::builder(options)
        .clock(move || {
            let steps = u32::try_from(clock.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
            SystemTime::UNIX_EPOCH + START + STEP * steps
        })
        .build()?;
    for number in first..first + NUMBERS {
        now.store(number, Ordering::Relaxed);
        log::info!(logger: &*logger, target: "trading", number; "a trade");
        if trusts || logging.flush() {
            println!("{number}");
        }
    }
    if logging.shutdown() {
        println!("all");
    }
    Ok(())
}

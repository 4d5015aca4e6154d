//! What must hold when things go wrong: processes are killed, disks lie, files are damaged.
//!
//! A fault counts when it really fired. Each test prints its seed, how many trials it made, how many faults fired, and how
//! many acknowledgements were made and found again; and it makes a control, in which the protection is taken away and the
//! judge must find the loss. What this machine cannot do is said to be skipped, with the reason.

mod backups;
mod callers;
mod chain;
mod clock;
mod damage;
mod damage_while_open;
mod disk;
mod judge;
mod killing;
mod locks;
mod orders;
mod permissions;
mod power;
mod racing;
mod reopening;
#[path = "../../examples/fault_subject/scenario.rs"]
mod scenario;
mod space;
mod steps;
mod subject;
mod syncs;
mod trace;

use std::{fmt, io::Write as _, path::Path};

use tempfile::TempDir;

/// A number here repeats the run that printed it.
const SEED: Option<u64> = None;

/// How many of the points where a fault can strike are tried, of each kind; the choice is the seed's. `usize::MAX` tries all,
/// which takes minutes.
const POINTS_MAX: usize = 40;

pub(crate) fn seeded() -> (u64, fastrand::Rng) {
    let seed = SEED.unwrap_or_else(|| fastrand::u64(..));
    (seed, fastrand::Rng::with_seed(seed))
}

/// Some of `points`, in their order.
fn some_of<T>(points: Vec<T>, at_most: usize, chance: &mut fastrand::Rng) -> Vec<T> {
    let mut chosen: Vec<(usize, T)> = points.into_iter().enumerate().collect();
    chance.shuffle(&mut chosen);
    chosen.truncate(at_most);
    chosen.sort_by_key(|(index, _)| *index);
    chosen.into_iter().map(|(_, point)| point).collect()
}

/// A folder for files that need no real disk.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a temporary folder")
}

/// Says a line of a row of the matrix, also where the test passes and its output is kept back.
#[expect(clippy::disallowed_methods, reason = "what print! says is kept back when a test passes")]
pub(crate) fn say(row: &str, text: impl fmt::Display) {
    writeln!(std::io::stdout(), "{row} {text}").expect("standard output");
}

pub(crate) fn skip(row: &str, reason: impl fmt::Display) {
    say(row, format_args!("skipped: {reason}"));
}

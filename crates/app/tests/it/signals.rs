//! Signals that come when nobody can heed them in order: while it starts, and while what should end does not.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};

use crate::{project, run, trading};

/// Kills it in the end, so that a failing test leaves nothing behind.
struct Started(Child);

impl Started {
    fn new(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts"))
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        // It was not waited for, so that the number is still its own.
        kill_process(pid, signal).expect("it is there");
    }

    /// If it has a handler of this signal already, by what the system says of it.
    fn catches(&self, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("is said").trim();
        u64::from_str_radix(mask, 16).expect("a mask") & (1 << (signal.as_raw() - 1)) != 0
    }

    fn code(&mut self) -> Option<i32> {
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts it while somebody else has the record, for longer than the test takes; returns when it catches signals.
fn held_up(root: &Path) -> (impl Drop, Started) {
    assert_eq!(run(root, &[], &["init-db"]).status.code(), Some(0));
    let holder = exclusive(&root.join("data/trading_automation.db"));
    let started = Started::new(trading(root, &[("MONITORING__PORT", "0"), ("DATABASE__BUSY_TIMEOUT", "5m")]));
    while !(started.catches(Signal::TERM) && started.catches(Signal::INT)) {
        std::thread::yield_now();
    }
    (holder, started)
}

#[expect(clippy::disallowed_methods, reason = "somebody else's program")]
fn exclusive(path: &Path) -> impl Drop + use<> {
    let connection = trading_storage::sqlite::rusqlite::Connection::open(path).expect("opens");
    connection.execute_batch("BEGIN EXCLUSIVE").expect("is held");
    connection
}

#[test]
fn a_start_that_is_held_up_ends_by_a_signal() {
    let folder = project();
    let (holder, mut started) = held_up(folder.path());
    let began = Instant::now();
    started.signal(Signal::TERM);
    assert_eq!(started.code(), Some(128 + 15));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(holder);
    assert_eq!(run(folder.path(), &[], &["verify"]).status.code(), Some(0), "the record is whole");
}

#[test]
fn a_start_that_is_held_up_ends_at_once_by_a_second_signal() {
    let folder = project();
    let (_holder, mut started) = held_up(folder.path());
    let began = Instant::now();
    started.signal(Signal::INT);
    started.signal(Signal::TERM);
    // Which of the two was heard second is the system's choice.
    let code = started.code();
    assert!(code == Some(130) || code == Some(143), "{code:?}");
    // Less than what one signal leaves.
    assert!(began.elapsed() < Duration::from_millis(1900), "{:?}", began.elapsed());
}

#[test]
fn a_signal_in_a_start_that_is_soon_through_ends_it_in_order() {
    let folder = project();
    // All signals are heard from here on; the record is not made yet.
    let mut started = Started::new(trading(folder.path(), &[("MONITORING__PORT", "0"), ("ENVIRONMENT", "test")]));
    while !started.catches(Signal::TERM) {
        std::thread::yield_now();
    }
    started.signal(Signal::TERM);
    assert_eq!(started.code(), Some(0));
    assert!(!folder.path().join("data/trading_automation.db-wal").exists(), "the record was closed in order");
}

#[test]
fn what_does_not_end_is_ended_by_a_second_signal() {
    let folder = project();
    let mut started = Started::new(crate::faults::recorder(folder.path(), "stuck"));
    let mut line = String::new();
    let mut stdout = BufReader::new(started.0.stdout.take().expect("is piped"));
    stdout.read_line(&mut line).expect("is read");
    assert_eq!(line, "recorded 0\n");
    started.signal(Signal::TERM);
    started.signal(Signal::INT);
    let code = started.code();
    assert!(code == Some(130) || code == Some(143), "{code:?}");
}

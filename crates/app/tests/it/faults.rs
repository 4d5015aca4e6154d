//! What may happen to the process, and what must then be seen; each with a control, which is the same without what protects.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use trading_storage::{ClientOrderId, Database, Options};

use crate::{Running, project, run, text, write};

/// How often a fault is tried that strikes somewhere in a burst.
const TRIALS: u64 = 8;

/// The example `recorder`, which `cargo test` builds beside the tests.
pub(crate) fn recorder(root: &Path, mode: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_trading")).with_file_name("examples").join("recorder");
    assert!(program.is_file(), "{} is not built", program.display());
    let mut command = Command::new(program);
    command.arg(root).arg(mode).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id")
}

/// How a recorder ended that got a signal after it had said so many trades.
struct Ended {
    code: Option<i32>,
    signal: Option<i32>,
    said: Vec<u64>,
    complaint: String,
}

fn struck(root: &Path, mode: &str, signal: Option<Signal>, after: u64) -> Ended {
    let mut child = recorder(root, mode).spawn().expect("starts");
    let stdout = BufReader::new(child.stdout.take().expect("is piped"));
    let mut said = Vec::new();
    for line in stdout.lines() {
        let line = line.expect("is read");
        said.push(line.strip_prefix("recorded ").and_then(|number| number.parse().ok()).expect("a number"));
        if said.len() as u64 == after
            && let Some(signal) = signal
        {
            kill_process(pid(&child), signal).expect("it runs");
        }
    }
    let output = child.wait_with_output().expect("ends");
    Ended { code: output.status.code(), signal: output.status.signal(), said, complaint: text(&output.stderr) }
}

fn database(root: &Path) -> PathBuf {
    root.join("data/trading_automation.db")
}

/// How many of what was said to be recorded is not; the record itself must be whole.
pub(crate) fn missing(root: &Path, said: &[u64]) -> usize {
    let database = Database::open(&Options::at(database(root))).expect("opens");
    database.verify(|_, _| {}).expect("is whole");
    let is_missing = |number: &&u64| {
        let id = ClientOrderId::new(format!("recorder-{number}")).expect("an id");
        database.read(|r| r.trade_by_client_order_id(&id)).expect("is read").is_none()
    };
    said.iter().filter(is_missing).count()
}

fn wal_is_left(root: &Path) -> bool {
    fs::metadata(database(root).with_extension("db-wal")).is_ok_and(|wal| wal.len() > 0)
}

#[test]
fn a_signal_to_stop_in_a_burst_of_writes_loses_nothing_and_ends_in_order() {
    let folder = project();
    let (mut trades, mut after) = (0, 1);
    for trial in 0..TRIALS {
        let signal = if trial % 2 == 0 { Signal::TERM } else { Signal::INT };
        let ended = struck(folder.path(), "orderly", Some(signal), after);
        assert_eq!((ended.code, ended.complaint.as_str()), (Some(0), ""), "trial {trial}");
        assert!(!wal_is_left(folder.path()), "the record was closed in order");
        assert_eq!(missing(folder.path(), &ended.said), 0, "trial {trial}");
        trades += ended.said.len();
        after = after * 2 + trial;
    }
    eprintln!("P1: {TRIALS} signals fired, {trades} trades were acknowledged and are there");
}

#[test]
fn control_what_is_said_before_it_is_acknowledged_is_lost() {
    let folder = project();
    let lost: usize = (0..TRIALS)
        .map(|trial| {
            let ended = struck(folder.path(), "hasty", Some(Signal::TERM), 230 + trial);
            missing(folder.path(), &ended.said)
        })
        .sum();
    assert!(lost > 0, "the judge finds what is not there");
}

#[test]
fn control_without_anybody_who_listens_signals_end_it_at_once() {
    let folder = project();
    for signal in [Signal::TERM, Signal::HUP] {
        let ended = struck(folder.path(), "deaf", Some(signal), 20);
        assert_eq!(ended.signal, Some(signal.as_raw()));
        assert!(wal_is_left(folder.path()), "the record was not closed");
        // What was acknowledged is there all the same.
        assert_eq!(missing(folder.path(), &ended.said), 0);
    }
}

#[test]
fn one_that_cannot_go_on_stops_in_order_and_fails() {
    let folder = project();
    let ended = struck(folder.path(), "doomed", None, 0);
    let expected = "error: it could not go on: ten trades are enough\n  way out: check the disk, and start it again: a start looks at \
                    everything anew\n";
    assert_eq!((ended.code, ended.complaint.as_str(), ended.said.len()), (Some(1), expected, 10));
    assert!(!wal_is_left(folder.path()) && missing(folder.path(), &ended.said) == 0);
    let log = fs::read_to_string(folder.path().join("logs/recorder.log")).expect("its own component has its own file");
    assert!(log.contains("\"recording\""), "{log}");
}

/// A tracer that has a process's syncs of the write-ahead log fail, from now until it is dropped.
struct FailingDisk {
    strace: Child,
    _said: BufReader<ChildStderr>,
}

impl FailingDisk {
    /// `None` where processes cannot be traced.
    fn of(running: &Running, root: &Path, when: &str) -> Option<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &running.child.id().to_string(), "-o", "/dev/null", "-P"]);
        command.arg(database(root).with_extension("db-wal")).arg("-e");
        command.arg(format!("inject=fsync,fdatasync:error=EIO{when}"));
        let mut strace = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
        let mut said = BufReader::new(strace.stderr.take().expect("is piped"));
        let mut line = String::new();
        while !line.contains(" attached") {
            line.clear();
            if said.read_line(&mut line).expect("is read") == 0 {
                drop(strace.wait());
                return None;
            }
        }
        Some(Self { strace, _said: said })
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        // It lets go of what it traces.
        kill_process(pid(&self.strace), Signal::INT).expect("it was not waited for");
        drop(self.strace.wait());
    }
}

/// Has the running program write: its agents are other ones from now on.
fn change_agents(root: &Path, running: &Running, id: &str) {
    let agents = format!(r#"{{"agents": [{{"id": "{id}", "name": "A", "type": "technical"}}]}}"#);
    write(root, "config/agents.json", &agents);
    running.signal(Signal::HUP);
}

/// Asks until it is so, which a failing test should not do for ever.
#[track_caller]
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never is");
        std::thread::yield_now();
    }
}

fn log(root: &Path) -> String {
    fs::read_to_string(root.join("logs/trading_automation.log")).expect("is read")
}

#[test]
fn a_commit_that_the_disk_does_not_confirm_is_told_and_resolved() {
    let folder = project();
    let root = folder.path();
    let running = Running::start(root, &[]);
    let Some(disk) = FailingDisk::of(&running, root, ":when=1") else {
        eprintln!("S4 is skipped: strace is missing, or may not trace here");
        return;
    };
    change_agents(root, &running, "another_one");
    until(|| log(root).contains("the agents are other ones now"));
    // The task says so when it has ended, and the check sees it when it looks again.
    until(|| log(root).contains("a task that had failed is well again") && running.get("/ready").0 == 200);
    drop(disk);
    let transitions = running.json("/transitions")["transitions"].to_string();
    assert!(transitions.contains("no more writes are taken, since a commit was not confirmed"), "{transitions}");
    let log = log(root);
    for line in [
        "nothing is written before the record is opened anew",
        "the record was opened anew: what it has now is what happened",
        "\"logger\":\"trading_app::task\",\"message\":\"a task that had failed is well again\"",
    ] {
        assert!(log.contains(line), "{line} in {log}");
    }
    assert!(running.get("/metrics").2.contains("\ndatabase_reopened_total{success=\"true\"} 1\n"));
    assert_eq!(running.json("/ready")["ready"], true);
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    let output = run(root, &[], &["verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_disk_that_goes_on_failing_ends_the_process() {
    let folder = project();
    let root = folder.path();
    let running = Running::start(root, &[]);
    let Some(disk) = FailingDisk::of(&running, root, "") else {
        eprintln!("S4 is skipped: strace is missing, or may not trace here");
        return;
    };
    change_agents(root, &running, "another_one");
    let mut ready = running.get("/ready");
    until(|| {
        ready = running.get("/ready");
        ready.0 == 503
    });
    assert!(ready.2.contains("database_writes"), "{ready:?}");
    let (code, _, stderr) = running.end();
    drop(disk);
    assert_eq!(code, Some(1));
    let last = stderr.lines().last().expect("it says why");
    assert!(
        last.starts_with("error: it could not go on: a commit was not confirmed, and the record cannot be"),
        "{last}"
    );
    // The start after it is the way out.
    let running = Running::start(root, &[]);
    assert_eq!(running.json("/ready")["ready"], true);
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
}

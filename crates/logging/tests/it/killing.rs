//! L1, with real processes: death at each step of a rotation, and a disk that refuses.
//!
//! A fault counts when it really fired. Each test says how many did; what this machine cannot do is said to be skipped.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value as Json;
use tempfile::TempDir;

/// How many of the steps of each kind are tried. The longest run has fewer.
const STEPS_MAX: u32 = 60;

/// The first number after a restart: days later, and within the retention.
const RESTART: u64 = 20;

/// The subject's executable, which `cargo test` builds next to the tests; `Err` is why there is none, or none that can be traced.
fn executable() -> Result<PathBuf, &'static str> {
    let tests = std::env::current_exe().expect("it runs");
    let target = tests.ancestors().nth(2).expect("it lies in the target folder");
    let executable = target.join("examples/log_subject");
    if !executable.is_file() {
        return Err("the example log_subject is not built");
    }
    let quiet = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if quiet.is_ok_and(|status| status.success()) { Ok(executable) } else { Err("strace is missing, or may not trace") }
}

/// Runs the subject under strace, with these arguments for it, to the end, however that comes.
fn run(executable: &Path, strace: &[&str], folder: &Path, first: u64, way: &str) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]).args(strace).arg(executable).arg(folder);
    command.arg(first.to_string()).arg(way).stdin(Stdio::null()).output().expect("strace starts")
}

/// The numbers that a subject said are written.
fn said(output: &Output) -> Vec<u64> {
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect()
}

/// Which numbers are in the files of a name, each how often. `Err` if a file holds what no death explains.
fn found(folder: &Path, name: &str) -> Result<BTreeMap<u64, usize>, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").display().to_string();
        if !file.starts_with(&format!("{name}.")) || file.ends_with(".part") {
            continue;
        }
        let mut text = String::new();
        match file.strip_suffix(".gz") {
            None => text = fs::read_to_string(&path).expect("is text"),
            Some(_) => {
                let packed = fs::File::open(&path).expect("opens");
                flate2::read::GzDecoder::new(packed)
                    .read_to_string(&mut text)
                    .map_err(|error| format!("{file}: {error}"))?;
            }
        }
        // Both stand there from the death after the rename until the next compression; they are one file then.
        let before = files.insert(file.trim_end_matches(".gz").to_owned(), text.clone());
        if before.is_some_and(|before| before != text) {
            return Err(format!("{file} differs from what it was made of"));
        }
    }
    let mut numbers = BTreeMap::new();
    for (file, text) in files {
        for line in text.lines() {
            match serde_json::from_str::<Json>(line).map(|line| line.get("number").and_then(Json::as_u64)) {
                Ok(Some(number)) => *numbers.entry(number).or_default() += 1,
                Ok(None) => return Err(format!("{file}: {line}")),
                // A line that was torn by a death was said by nobody.
                Err(_) => {}
            }
        }
    }
    Ok(numbers)
}

/// What was said must be there, in both files, and nothing may be there twice.
fn judge(folder: &Path, said: &[u64]) -> Result<(), String> {
    for name in ["trading_automation", "trading"] {
        let numbers = found(folder, name)?;
        if let Some((number, times)) = numbers.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{name}: {number} is there {times} times"));
        }
        if let Some(number) = said.iter().find(|number| !numbers.contains_key(number)) {
            return Err(format!("{name}: {number} is lost"));
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "what print! says is kept back when a test passes")]
fn say(text: impl fmt::Display) {
    writeln!(std::io::stdout(), "L1 {text}").expect("standard output");
}

/// Kills the subject at its first, second, … call of this name, until one lives to its end. After each death it is started
/// again. Returns how many died, and the losses.
fn kill_at_each(executable: &Path, call: &str, way: &str) -> (u32, Vec<String>) {
    let (mut deaths, mut losses) = (0, Vec::new());
    for step in 1..=STEPS_MAX {
        let folder = TempDir::new().expect("a folder");
        let inject = format!("inject={call}:signal=KILL:when={step}");
        let output = run(executable, &["-e", &format!("trace={call}"), "-e", &inject], folder.path(), 0, way);
        if output.status.success() {
            break;
        }
        deaths += 1;
        let mut all = said(&output);
        let restarted = run(executable, &["-e", "trace=none"], folder.path(), RESTART, "flush");
        assert!(restarted.status.success(), "it starts again by itself: {restarted:?}");
        all.extend(said(&restarted));
        assert!(said(&restarted).len() == 8, "{restarted:?}");
        losses.extend(judge(folder.path(), &all).err().map(|loss| format!("{call} {step}: {loss}")));
    }
    (deaths, losses)
}

#[test]
fn a_death_at_any_call_loses_nothing_that_was_flushed_and_repeats_nothing() {
    let executable = match executable() {
        Ok(executable) => executable,
        Err(reason) => return say(format_args!("skipped: {reason}")),
    };
    for call in ["write", "openat", "rename", "unlink", "fsync"] {
        let (deaths, losses) = kill_at_each(&executable, call, "flush");
        say(format_args!("killed at {call}: {deaths} deaths, {} losses", losses.len()));
        assert!(deaths > 0, "no death at {call}: the fault never fired");
        assert_eq!(losses, [""; 0]);
    }
    // The control: what was not flushed is lost, and the judge sees it.
    let (deaths, losses) = kill_at_each(&executable, "rename", "trust");
    say(format_args!("control without flush: {deaths} deaths, {} losses", losses.len()));
    assert!(!losses.is_empty(), "the judge must find what is lost");
}

#[test]
fn a_disk_that_refuses_for_a_while_costs_nothing() {
    let executable = match executable() {
        Ok(executable) => executable,
        Err(reason) => return say(format_args!("skipped: {reason}")),
    };
    for (call, error, complaint) in [
        ("write", "ENOSPC", "No space left on device"),
        ("write", "EIO", "Input/output error"),
        ("openat", "EACCES", "Permission denied"),
        ("rename", "EROFS", "Read-only file system"),
    ] {
        let folder = TempDir::new().expect("a folder");
        let active = folder.path().join("trading_automation.log");
        // Once it is open, a file is opened again only for the next day.
        let inject = format!("inject={call}:error={error}:when=3..5");
        let active = active.to_str().expect("is text");
        let output = run(&executable, &["-P", active, "-e", &inject], folder.path(), 0, "flush");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(complaint), "{call} {error}: the fault never fired: {errors}");
        assert!(output.status.success() && output.stdout.ends_with(b"all\n"), "{output:?}");
        let all: Vec<u64> = (0..8).collect();
        assert_eq!(judge(folder.path(), &all), Ok(()), "{call} {error}");
        say(format_args!("{call} refused with {error}: {} of 8 said before the end", said(&output).len()));
    }
}

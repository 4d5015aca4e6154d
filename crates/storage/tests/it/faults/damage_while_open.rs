//! S7: the files are damaged under the running process. What it cannot keep it must not acknowledge.

use std::{fs, path::Path};

use super::{
    judge::Expected,
    say, scratch, skip,
    subject::{Running, executable, subject},
};

/// Does `damage` under a process with ten trades, has it record one more, and returns what it said of that, and what the judge
/// says when it is gone.
fn while_open(damage: impl FnOnce(&Path)) -> (Vec<String>, Result<u64, String>) {
    let folder = scratch();
    let mut process = Running::start(&mut subject(folder.path(), &["open"]));
    process.hear_until("opened");
    for number in 0..10 {
        process.tell(&(3 * number + 1).to_string());
        process.hear_until("present");
    }
    let before = process.heard.len();
    damage(folder.path());
    process.tell("100");
    // One line for the writing, one for the reading.
    process.hear();
    process.hear();
    let mut heard = process.kill();
    let mut expected = Expected::new(1);
    expected.hear(heard.iter().map(String::as_str));
    let judged = expected.judge(&folder.path().join("record.db")).map(|found| found.acknowledgements);
    (heard.split_off(before), judged)
}

fn acknowledged(heard: &[String]) -> bool {
    heard.iter().any(|line| line.starts_with("ack"))
}

#[track_caller]
fn check(name: &str, damage: impl FnOnce(&Path)) {
    let (heard, judged) = while_open(damage);
    assert!(!heard.is_empty(), "{name}: it still runs");
    assert!(!acknowledged(&heard), "{name}: it acknowledged what is lost: {heard:?}, then {judged:?}");
    say("S7", format_args!("{name} under the process: not acknowledged ({})", heard.join("; ")));
}

/// Why it cannot be done here, if so.
fn missing() -> bool {
    executable().inspect_err(|reason| skip("S7", reason)).is_err()
}

#[test]
fn s7_control_nothing_is_done_to_the_files() {
    if missing() {
        return;
    }
    let (heard, judged) = while_open(|_| {});
    assert_eq!(heard, ["ack 100 new", "present 100"]);
    assert_eq!(judged, Ok(11));
}

#[test]
fn s7_the_database_is_deleted_under_the_process() {
    if !missing() {
        check("deleted", |folder| fs::remove_file(folder.join("record.db")).expect("is deleted"));
    }
}

#[test]
fn s7_the_database_is_replaced_under_the_process() {
    if !missing() {
        check("replaced", |folder| {
            fs::copy(folder.join("record.db"), folder.join("other")).expect("is copied");
            fs::rename(folder.join("other"), folder.join("record.db")).expect("is replaced");
        });
    }
}

#[test]
fn s7_the_database_is_cut_under_the_process() {
    if !missing() {
        check("cut", |folder| cut(&folder.join("record.db"), 8192));
    }
}

#[test]
fn s7_the_database_is_emptied_under_the_process() {
    if !missing() {
        check("emptied", |folder| cut(&folder.join("record.db"), 0));
    }
}

#[test]
fn s7_the_log_is_deleted_under_the_process() {
    if !missing() {
        check("log deleted", |folder| fs::remove_file(folder.join("record.db-wal")).expect("is deleted"));
    }
}

#[test]
fn s7_the_log_is_cut_under_the_process() {
    if !missing() {
        check("log cut", |folder| cut(&folder.join("record.db-wal"), 4096));
    }
}

#[test]
fn s7_the_log_is_emptied_under_the_process() {
    if !missing() {
        check("log emptied", |folder| cut(&folder.join("record.db-wal"), 0));
    }
}

fn cut(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).and_then(|file| file.set_len(length)).expect("is cut");
}

//! Killed at each system call that changes names or brings bytes to the disk: what is there then is whole.
//!
//! The work runs in a process of its own, which `strace` kills at the N-th such call, for each N until there is none. It is
//! this test binary, told by a file in its working directory that it is to work.

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use trading_storage::{Backup, BackupOptions, Database, Options, RestoreOptions};

use super::{add_trades, backup, names, trades, with_trades};
use crate::{
    faults::{say, skip},
    options,
};

/// What changes names, lengths or contents, or brings them to the disk. Each is counted by itself.
const CALLS: [&str; 12] = [
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "rmdir",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "ftruncate",
    "pwrite64",
    "write",
];

/// Works, if it is the process that was started for it; in a run of all tests there is nothing to do.
#[test]
fn works_when_told_to() {
    let Ok(work) = fs::read_to_string("work.txt") else { return };
    match work.as_str() {
        "backup" => {
            let db = Database::open(&Options::at("record.db")).expect("opens");
            db.backup(&BackupOptions { compress: true, ..BackupOptions::to("backups") }, |_| {}).expect("is made");
        }
        "restore" => {
            let backup = Backup::list("backups").expect("is listed").pop().expect("there is one");
            let options = RestoreOptions { allow_loss: true, ..RestoreOptions::to("record.db") };
            backup.restore(&options, |_| {}).expect("is restored");
        }
        other => panic!("{other} is no work"),
    }
    fs::write("done.txt", "").expect("is written");
}

/// Lets the work be done in `folder`, and killed at the `n`-th such call.
fn killed_at(call: &str, n: u32, folder: &Path, work: &str) -> Output {
    fs::write(folder.join("work.txt"), work).expect("is written");
    Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject=?{call}:signal=KILL:when={n}")])
        .arg(std::env::current_exe().expect("is known"))
        .args(["--exact", "backup::killing::works_when_told_to"])
        .current_dir(folder)
        .output()
        .expect("strace was there")
}

fn can_trace(row: &str) -> bool {
    let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let reason = match traced {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    skip(row, format_args!("nothing can be traced here: {reason}"));
    false
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() { copy(&from, &to) } else { assert!(fs::copy(from, to).is_ok()) }
    }
}

/// Kills the work at each call, in a fresh copy of `template`, and has `judge` look at what is left. Returns how often.
fn at_each_call(template: &Path, work: &str, judge: impl Fn(&Path, &str)) -> u32 {
    let mut kills = 0;
    for call in CALLS {
        for n in 1.. {
            let folder = TempDir::new().expect("a folder");
            copy(template, folder.path());
            let output = killed_at(call, n, folder.path(), work);
            if output.status.success() {
                assert!(folder.path().join("done.txt").exists(), "the work was done");
                break;
            }
            assert!(output.status.signal() == Some(9) || output.status.code() == Some(137), "{call} {n}: {output:?}");
            judge(folder.path(), &format!("{call} {n}"));
            kills += 1;
        }
    }
    kills
}

#[test]
fn a_backup_that_is_killed_is_complete_or_not_there() {
    if !can_trace("B1") {
        return;
    }
    let (template, db) = with_trades(3);
    backup(&db, &template.path().join("backups"));
    add_trades(&db, 3, 5);
    drop(db);
    // The control: what was begun, and would be taken for a backup if it were not made under another name.
    let begun = std::cell::Cell::new(0);
    let kills = at_each_call(template.path(), "backup", |folder, n| {
        let place = folder.join("backups");
        let listed = Backup::list(&place).expect("is listed");
        begun.set(begun.get() + u32::from(names(&place).len() > listed.len()));
        assert!((1..=2).contains(&listed.len()), "{n}: {listed:?}");
        for backup in &listed {
            backup.verify(None, |_| {}).unwrap_or_else(|error| panic!("{n}: {error}"));
        }
        let db = Database::open(&Options::at(folder.join("record.db"))).expect("opens");
        assert_eq!(trades(&db), 5, "{n}: the source is as it was");
        db.verify(|_, _| {}).expect("is good");
        backup(&db, &place);
        assert_eq!(names(&place).len(), listed.len() + 1, "{n}: the next run removes what the killed one left");
    });
    assert!(kills > 30 && begun.get() > 0, "{kills}, {begun:?}");
    let begun = begun.get();
    say(
        "B1",
        format_args!(
            "killed at each of {kills} writes, syncs and moves: 0 wrong; control (no other name): {begun} in part"
        ),
    );
}

#[test]
fn a_restore_that_is_killed_gives_the_old_files_or_the_new_ones() {
    if !can_trace("B3") {
        return;
    }
    let (template, db) = with_trades(3);
    backup(&db, &template.path().join("backups"));
    add_trades(&db, 3, 5);
    // With a write-ahead log, as after a crash: what it has must not come back.
    let crashed = TempDir::new().expect("a folder");
    copy(template.path(), crashed.path());
    assert!(crashed.path().join("record.db-wal").metadata().expect("is there").len() > 0);
    let (old, new) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    // The control: files of which some were moved, and which nobody would set right without the journal.
    let midway = std::cell::Cell::new(0);
    let kills = at_each_call(crashed.path(), "restore", |folder, n| {
        midway.set(midway.get() + u32::from(folder.join("record.db.restoring").exists()));
        let db = Database::open(&Options::at(folder.join("record.db"))).unwrap_or_else(|error| panic!("{n}: {error}"));
        db.verify(|_, _| {}).unwrap_or_else(|error| panic!("{n}: {error}"));
        match trades(&db) {
            5 => old.set(old.get() + 1),
            3 => new.set(new.get() + 1),
            other => panic!("{n}: {other} trades"),
        }
        let went_back = trades(&db) == 3;
        drop(db);
        assert!(!folder.join("record.db.restoring").exists(), "{n}: it is finished");
        let aside: Vec<_> = names(folder).into_iter().filter(|name| name.contains(".replaced-")).collect();
        assert_eq!(aside.len(), usize::from(went_back), "{n}: {aside:?}");
        if let Some(aside) = aside.first() {
            let aside = Database::open(&Options::at(folder.join(aside).join("record.db"))).expect("opens");
            assert_eq!(trades(&aside), 5, "{n}: the old set is whole");
        }
        // And once more, to the end.
        let listed = Backup::list(folder.join("backups")).expect("is listed");
        let options = RestoreOptions { allow_loss: true, ..RestoreOptions::to(folder.join("record.db")) };
        listed[0].restore(&options, |_| {}).unwrap_or_else(|error| panic!("{n}: {error}"));
        let unfinished = names(folder).into_iter().find(|name| name.starts_with(".unfinished"));
        assert_eq!(unfinished, None, "{n}: what was left is removed");
    });
    let (old, new, midway) = (old.get(), new.get(), midway.get());
    assert!(old > 15 && new > 10 && old + new == kills && midway > 0);
    say(
        "B3",
        format_args!(
            "killed at each of {kills} writes, syncs and moves: the old set {old} times, the new one {new}; control (no journal): \
             {midway} in between"
        ),
    );
    drop(db);
    assert_eq!(trades(&Database::open(&options(&template)).expect("opens")), 5);
}

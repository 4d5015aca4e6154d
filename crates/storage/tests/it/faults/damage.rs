//! S7: the files of a closed or crashed record are damaged. It is refused or found out, the evidence stays as it is, and
//! nothing panics.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use tempfile::TempDir;
use trading_resilience::{Class, Classify as _};
use trading_storage::{Database, Error, Options, sqlite::rusqlite};

use super::{
    judge::Expected,
    say, scratch, seeded, skip,
    subject::{Running, executable, run, subject},
};

const FLIPS: usize = 200;
const CUTS: usize = 25;

fn options(folder: &TempDir) -> Options {
    Options::at(folder.path().join("record.db"))
}

/// A closed record, and what was acknowledged.
fn closed() -> (TempDir, Expected) {
    let (folder, mut expected) = (scratch(), Expected::new(0));
    let heard = run(&mut subject(folder.path(), &["script", "0", "60"]));
    expected.hear(heard.iter().map(String::as_str));
    (folder, expected)
}

/// A record as a kill left it: its last ten trades are in the write-ahead log, and the head file knows of the first five.
fn crashed() -> (TempDir, Expected) {
    let (folder, mut expected) = closed();
    let mut process = Running::start(&mut subject(folder.path(), &["open"]));
    process.hear_until("opened");
    for number in 60..70 {
        if number == 65 {
            process.tell("anchor");
            process.hear_until("anchored 87");
        }
        process.tell(&number.to_string());
        process.hear_until("present");
    }
    expected.hear(process.kill().iter().map(String::as_str));
    (folder, expected)
}

fn copied(from: &TempDir) -> TempDir {
    let to = scratch();
    for entry in fs::read_dir(from.path()).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.path().join(entry.file_name())).expect("is copied");
    }
    to
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        // The index of the log is memory, the lock says who was last, and an empty log says nothing.
        .filter(|path| !path.to_string_lossy().ends_with("-shm") && !path.to_string_lossy().ends_with(".lock"))
        .filter(|path| !path.to_string_lossy().ends_with("-wal") || fs::metadata(path).is_ok_and(|log| log.len() > 0))
        .map(|path| {
            (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("is read"))
        })
        .collect();
    files.sort();
    files
}

fn damage(folder: &TempDir, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.path().join(file);
    let mut content = fs::read(&path).expect("is there");
    change(&mut content);
    fs::write(path, content).expect("is damaged");
}

/// Refused, with all files as they were, and a way out.
#[track_caller]
fn refused(folder: &TempDir, expected: &str) {
    let before = files(folder.path());
    let error = Database::open(&options(folder)).expect_err("is refused");
    assert_eq!(error.to_string().replace(&folder.path().display().to_string(), "…"), expected);
    assert_eq!(error.class(), Class::Permanent);
    assert!(error.way_out().is_some(), "{error}");
    assert!(files(folder.path()) == before, "the evidence is kept: {expected}");
}

#[test]
fn s7_a_file_that_was_zeroed_cut_emptied_or_deleted_is_refused_and_kept() {
    if let Err(reason) = executable() {
        return skip("S7", reason);
    }
    for (name, (record, _)) in [("closed", closed()), ("crashed", crashed())] {
        let zeroed = copied(&record);
        damage(&zeroed, "record.db", |content| content.iter_mut().take(100).for_each(|byte| *byte = 0));
        refused(&zeroed, "…/record.db is not a database");

        let emptied = copied(&record);
        damage(&emptied, "record.db", Vec::clear);
        refused(&emptied, "the database …/record.db was emptied");

        let deleted = copied(&record);
        fs::remove_file(deleted.path().join("record.db")).expect("is deleted");
        let left = if name == "closed" { "record.db.head" } else { "record.db-wal" };
        refused(&deleted, &format!("there is no database at …/record.db, but …/{left} is left of one"));
        for lost in [emptied, deleted] {
            assert!(integrity_is_ok(&lost.path().join("record.db")), "the control: an empty database is a sound one");
        }

        // Of a crashed one, the log may hold what was cut off: it is refused, or nothing is missing.
        for pages in [1, 2, 10] {
            let cut = copied(&record);
            damage(&cut, "record.db", |content| content.truncate(pages * 4096 + 17));
            let before = files(cut.path());
            let error = Database::open(&options(&cut)).and_then(|db| db.verify(|_, _| {})).expect_err("is refused");
            assert!(matches!(error, Error::Damaged { .. } | Error::NotADatabase { .. }), "{name}, {pages}: {error:?}");
            assert!(error.way_out().is_some());
            assert!(name == "crashed" || files(cut.path()) == before, "the evidence is kept");
        }
    }
    say(
        "S7",
        "zeroed, emptied, deleted, cut to 1, 2 and 10 pages: refused, nothing touched; control (opened as SQLite does): the \
         emptied and the deleted one are sound, and empty",
    );
}

/// What SQLite's own check says.
#[expect(clippy::disallowed_methods, reason = "plays another program")]
fn integrity_is_ok(path: &Path) -> bool {
    let checked = rusqlite::Connection::open(path)
        .and_then(|connection| connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
    checked.is_ok_and(|found| found == "ok")
}

#[test]
fn s7_a_flipped_bit_is_found_or_harmless() {
    if let Err(reason) = executable() {
        return skip("S7", reason);
    }
    let (seed, mut chance) = seeded();
    let (record, expected) = closed();
    let size = fs::metadata(record.path().join("record.db")).expect("is there").len();
    let (mut at_opening, mut by_verify, mut harmless, mut unseen_by_sqlite) = (0, 0, 0, 0);
    for _ in 0..FLIPS {
        let folder = copied(&record);
        let (at, bit) = (usize::try_from(chance.u64(..size)).expect("fits"), chance.u8(..8));
        damage(&folder, "record.db", |content| *content.get_mut(at).expect("within") ^= 1 << bit);
        let path = folder.path().join("record.db");
        let sqlite_sees_nothing = integrity_is_ok(&path);
        let verified = catch_unwind(AssertUnwindSafe(|| match Database::open(&options(&folder)) {
            Err(_) => None,
            Ok(db) => {
                // Read all the same: an error is fine, a panic is not.
                drop(db.read(|r| Ok((r.counts()?, r.open_orders()?, r.summaries()?))));
                Some(db.verify(|_, _| {}).is_ok())
            }
        }));
        match verified.unwrap_or_else(|_| panic!("seed {seed}: it panicked at byte {at}, bit {bit}")) {
            None => at_opening += 1,
            Some(false) => {
                by_verify += 1;
                unseen_by_sqlite += u32::from(sqlite_sees_nothing);
            }
            Some(true) => {
                harmless += 1;
                expected.look(&path).unwrap_or_else(|wrong| panic!("seed {seed}, byte {at}, bit {bit}: {wrong}"));
            }
        }
    }
    say(
        "S7",
        format_args!(
            "seed {seed}: {FLIPS} bits flipped, {at_opening} refused at the start, {by_verify} found by verify, {harmless} \
             harmless with all acknowledgements found; control: integrity_check missed {unseen_by_sqlite} of those found"
        ),
    );
    assert!(by_verify > 0 && unseen_by_sqlite > 0, "the faults were felt, and the control misses some");
}

#[test]
fn s7_a_log_that_was_cut_or_deleted_after_a_crash_is_caught_up_to_the_head() {
    if let Err(reason) = executable() {
        return skip("S7", reason);
    }
    let (seed, mut chance) = seeded();
    let (record, expected) = crashed();
    let length = fs::metadata(record.path().join("record.db-wal")).expect("is there").len();
    let (mut refusals, mut unseen) = (0, 0);
    let mut lengths: Vec<u64> = (0..CUTS).map(|_| chance.u64(..length)).collect();
    lengths.extend([0, 31, 32]);
    for cut in lengths {
        let folder = copied(&record);
        damage(&folder, "record.db-wal", |content| content.truncate(usize::try_from(cut).expect("fits")));
        match Database::open(&options(&folder)) {
            Err(error) => {
                assert!(matches!(error, Error::HeadMismatch { .. }), "seed {seed}, cut to {cut}: {error:?}");
                refusals += 1;
            }
            // What came after the head may go unseen; what is there is whole.
            Ok(db) => {
                db.verify(|_, _| {}).unwrap_or_else(|error| panic!("seed {seed}, cut to {cut}: {error}"));
                unseen += 1;
            }
        }
    }
    let deleted = copied(&record);
    fs::remove_file(deleted.path().join("record.db-wal")).expect("is deleted");
    refused(
        &deleted,
        "the database …/record.db is not the one that was here before: event 87 and what followed is gone",
    );
    // The control: without the head file a log that is gone is not missed.
    fs::remove_file(deleted.path().join("record.db.head")).expect("is deleted");
    let control = expected.judge(&deleted.path().join("record.db")).expect_err("ten trades are gone");
    say(
        "S7",
        format_args!(
            "seed {seed}: logs cut: {refusals} refused, {unseen} behind the head; deleted: refused; control (no head file): {control}"
        ),
    );
    assert!(refusals > 0, "the faults were felt");
}

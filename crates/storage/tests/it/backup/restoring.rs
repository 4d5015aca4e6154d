//! A restore gives the old set of files or the new one, and says what it would lose.

use std::{
    fs,
    os::unix::fs::{FileExt as _, symlink},
    path::Path,
};

use tempfile::TempDir;
use trading_resilience::{Class, Classify as _};
use trading_storage::{Backup, BackupOptions, Database, Error, Options, ReadOnlyDatabase, RestoreOptions};

use super::{add_trades, backup, database_file, names, text, trades, with_trades};
use crate::{
    faults::{say, seeded},
    options,
};

fn restore(backup: &Backup, folder: &TempDir) -> Result<trading_storage::Restored, Error> {
    backup.restore(&RestoreOptions::to(options(folder).path), |_| {})
}

fn restore_anyway(backup: &Backup, folder: &TempDir) -> trading_storage::Restored {
    let options = RestoreOptions { allow_loss: true, ..RestoreOptions::to(options(folder).path) };
    backup.restore(&options, |_| {}).expect("is restored")
}

/// Every file below a folder with its content, but the lock.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for name in names(folder).into_iter().filter(|name| name != "record.db.lock") {
        let path = folder.join(&name);
        match path.is_dir() {
            true => files.extend(self::files(&path).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes))),
            false => files.push((name, fs::read(&path).expect("is read"))),
        }
    }
    files
}

#[track_caller]
fn refused(backup: &Backup, folder: &TempDir, expected: &str) -> Error {
    let before = files(folder.path());
    let error = restore(backup, folder).expect_err("is refused");
    assert_eq!(text(&error, folder.path()), expected);
    assert_eq!(error.class(), Class::Permanent);
    assert!(error.way_out().is_some(), "there is a way out");
    let after = files(folder.path());
    assert!(after == before, "nothing was changed");
    error
}

#[test]
fn a_backup_is_restored_where_there_is_nothing() {
    let (folder, db) = with_trades(3);
    for compress in [false, true] {
        let options = BackupOptions { compress, ..BackupOptions::to(folder.path().join("backups")) };
        let made = db.backup(&options, |_| {}).expect("is made");
        let elsewhere = TempDir::new().expect("a folder");
        let path = elsewhere.path().join("new/folder/record.db");
        let restored = made.restore(&RestoreOptions::to(&path), |_| {}).expect("is restored");
        assert_eq!((restored.head, restored.replaced, restored.lost), (Some(db.head()), None, None));
        let names = names(path.parent().expect("a folder"));
        assert_eq!(names, ["record.db", "record.db.head", "record.db.lock"], "nothing else is left");
        let copy = Database::open(&Options::at(&path)).expect("opens");
        assert_eq!((trades(&copy), copy.instance_id()), (3, db.instance_id()));
        copy.verify(|_, _| {}).expect("is good");
    }
}

#[test]
fn a_running_instance_is_not_restored_over() {
    let (folder, db) = with_trades(3);
    let made = backup(&db, &folder.path().join("backups"));
    let expected = format!("the database …/record.db is in use by process {}", std::process::id());
    let error = restore(&made, &folder).expect_err("is in use");
    assert_eq!(text(&error, folder.path()), expected);
    assert_eq!(trades(&db), 3);
    db.verify(|_, _| {}).expect("is good");
}

#[test]
fn a_dashboard_beside_it_reads_what_was_restored() {
    let (folder, db) = with_trades(1);
    let made = backup(&db, &folder.path().join("backups"));
    add_trades(&db, 1, 3);
    let dashboard = ReadOnlyDatabase::open(&options(&folder)).expect("opens");
    let trades = || dashboard.read(|r| r.counts()).map(|counts| counts.trades);
    assert_eq!(trades().expect("is read"), 3);
    drop(db);
    restore_anyway(&made, &folder);
    assert_eq!(trades().expect("is read"), 1);
    std::fs::remove_file(folder.path().join("record.db")).expect("is removed");
    let error = trades().expect_err("is gone");
    assert!(matches!(error, Error::Leftover { .. }), "{error}");
}

#[test]
fn the_old_files_are_moved_aside_together_as_they_were() {
    let (folder, db) = with_trades(3);
    let made = backup(&db, &folder.path().join("backups"));
    drop(db);
    // As after a crash: a write-ahead log with what the file has not.
    let path = options(&folder).path;
    let open = Database::open(&options(&folder)).expect("opens");
    add_trades(&open, 3, 5);
    let crashed = TempDir::new().expect("a folder");
    for file in ["record.db", "record.db-wal", "record.db.head"] {
        fs::copy(folder.path().join(file), crashed.path().join(file)).expect("is copied");
    }
    drop(open);
    for file in ["record.db", "record.db-wal", "record.db.head"] {
        fs::copy(crashed.path().join(file), folder.path().join(file)).expect("is copied back");
    }
    fs::write(folder.path().join("record.db-journal"), "hot").expect("is written");

    let restored = restore_anyway(&made, &folder);
    assert_eq!(restored.lost.as_deref(), Some("event 5 and what followed is gone"));
    let aside = restored.replaced.expect("there were files");
    assert!(aside.file_name().is_some_and(|name| name.to_string_lossy().starts_with("record.db.replaced-2")));
    let kept = names(&aside);
    assert_eq!(kept, ["record.db", "record.db-journal", "record.db-wal", "record.db.head"]);
    for file in ["record.db", "record.db-wal", "record.db.head"] {
        assert!(fs::read(aside.join(file)).ok() == fs::read(crashed.path().join(file)).ok(), "{file} is as it was");
    }
    let now: Vec<_> = names(folder.path()).into_iter().filter(|name| !name.contains(".replaced-")).collect();
    assert_eq!(now, ["backups", "record.db", "record.db.head", "record.db.lock"]);
    let db = Database::open(&options(&folder)).expect("opens");
    assert_eq!(trades(&db), 3, "no row of the old log came back");
    db.verify(|_, _| {}).expect("is good");
    drop(db);
    // And the old set can be brought back.
    fs::remove_file(aside.join("record.db-journal")).expect("is removed");
    assert_eq!(trades(&Database::open(&Options::at(aside.join("record.db"))).expect("opens")), 5);
    assert_eq!(path, options(&folder).path);
}

#[test]
fn a_copy_over_an_old_log_brings_its_rows_back_which_a_restore_does_not() {
    let (folder, db) = with_trades(3);
    let made = backup(&db, &folder.path().join("backups"));
    add_trades(&db, 3, 5);
    // As after a crash.
    let [copied, restored] = [(); 2].map(|()| {
        let crashed = TempDir::new().expect("a folder");
        for file in ["record.db", "record.db-wal", "record.db.head"] {
            fs::copy(folder.path().join(file), crashed.path().join(file)).expect("is copied");
        }
        crashed
    });
    fs::copy(database_file(&made), options(&copied).path).expect("is copied");
    let control = Database::open(&options(&copied)).expect("opens");
    assert_eq!(trades(&control), 5, "the control: the log was another database's");
    restore_anyway(&made, &restored);
    assert_eq!(trades(&Database::open(&options(&restored)).expect("opens")), 3);
}

#[test]
fn going_back_must_be_meant_and_is_said() {
    let (folder, db) = with_trades(3);
    let made = backup(&db, &folder.path().join("backups"));
    drop(db);
    assert_eq!(restore(&made, &folder).expect("nothing is lost").lost, None);

    let db = Database::open(&options(&folder)).expect("opens");
    add_trades(&db, 3, 4);
    drop(db);
    let lost =
        "the backup …/backups/record-TIME does not have all that …/record.db has: event 4 and what followed is gone";
    refused(&made, &folder, lost);
    // The head file tells it also where the database itself is destroyed, ...
    let (path, head) = (folder.path().join("record.db"), folder.path().join("record.db.head"));
    let (whole, good_head) = (fs::read(&path).expect("is read"), fs::read(&head).expect("is read"));
    fs::write(&path, "garbage").expect("is destroyed");
    refused(&made, &folder, lost);
    // ... and the database where the head file is.
    fs::write(&path, whole).expect("is back");
    fs::remove_file(&head).expect("is removed");
    refused(&made, &folder, lost);
    fs::write(&head, good_head).expect("is back");
    assert_eq!(restore_anyway(&made, &folder).lost.as_deref(), Some("event 4 and what followed is gone"));
    assert_eq!(trades(&Database::open(&options(&folder)).expect("opens with the backup's head")), 3);
}

#[test]
fn the_backup_of_another_instance_or_history_is_not_taken_for_ours() {
    let (folder, db) = with_trades(3);
    let (other_folder, other) = with_trades(9);
    let foreign = backup(&other, &other_folder.path().join("backups"));
    let id = db.instance_id().to_owned();
    drop(db);
    let error = restore(&foreign, &folder).expect_err("is refused").to_string();
    assert!(
        error.ends_with(&format!("has: its instance is {id}, and the backup is of {}", other.instance_id())),
        "{error}"
    );

    // The same instance, gone another way since its first backup.
    let db = Database::open(&options(&folder)).expect("opens");
    let first = backup(&db, &folder.path().join("backups"));
    add_trades(&db, 3, 5);
    let second = backup(&db, &folder.path().join("backups"));
    drop(db);
    restore_anyway(&first, &folder);
    let db = Database::open(&options(&folder)).expect("opens");
    add_trades(&db, 7, 8);
    drop(db);
    let error = restore(&second, &folder).expect_err("is refused").to_string();
    assert!(error.contains(" has: event 4 is another one ("), "{error}");
}

/// What SQLite's own check says of a copy of the file.
#[expect(clippy::disallowed_methods, reason = "plays another program")]
fn integrity_is_ok(path: &Path) -> bool {
    let folder = TempDir::new().expect("a folder");
    let copy = folder.path().join("copy.db");
    fs::copy(path, &copy).expect("is copied");
    rusqlite::Connection::open(copy)
        .and_then(|connection| connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)))
        .is_ok_and(|found| found == "ok")
}

#[test]
fn a_backup_that_was_changed_is_refused() {
    let (folder, db) = with_trades(50);
    let place = folder.path().join("backups");
    let (seed, mut random) = seeded();
    let mut unseen = Vec::new();
    for compress in [false, true] {
        let make = || db.backup(&BackupOptions { compress, ..BackupOptions::to(&place) }, |_| {}).expect("is made");
        let made = make();
        let path = database_file(&made);
        let elsewhere = TempDir::new().expect("a folder");
        let file = || fs::File::options().read(true).write(true).open(&path).expect("opens");
        let length = file().metadata().expect("is there").len();
        let name = "the backup …/backups/record-TIME is not good:";
        let told = |expected: &str| {
            let errors = [
                made.verify(None, |_| {}).expect_err("is refused"),
                restore(&made, &elsewhere).expect_err("is refused"),
            ];
            for error in errors {
                assert_eq!(text(&error, folder.path()), format!("{name} {expected}"));
            }
            assert_eq!(names(elsewhere.path()), Vec::<String>::new(), "nothing was put there");
        };
        let other = "its file is not the one that the manifest describes";
        let mut unseen_by_sqlite = 0;
        for _ in 0..16 {
            let (at, bit) = (random.u64(..length), 1 << random.u8(..8));
            let mut byte = [0];
            file().read_exact_at(&mut byte, at).expect("is read");
            file().write_all_at(&[byte[0] ^ bit], at).expect("is flipped");
            told(other);
            unseen_by_sqlite += u32::from(integrity_is_ok(&path));
            file().write_all_at(&byte, at).expect("is flipped back");
        }
        // The control: without the hash most of them would pass.
        assert!(compress || unseen_by_sqlite > 0, "seed {seed}");
        unseen.push(unseen_by_sqlite);
        made.verify(None, |_| {}).expect("is good again");

        let whole = fs::read(&path).expect("is read");
        file().set_len(length - 1).expect("is cut");
        told(other);
        fs::write(&path, &whole).expect("is back");
        // Two backups of which each has the other's file.
        add_trades(&db, 50 + 2 * u32::from(compress), 52 + 2 * u32::from(compress));
        let second = make();
        fs::copy(database_file(&second), &path).expect("is swapped");
        told(other);
        let manifest = made.path.join("manifest.json");
        fs::copy(second.path.join("manifest.json"), &manifest).expect("and its manifest");
        Backup::open(&made.path).expect("is the second then").verify(None, |_| {}).expect("is good");
    }
    let [plain, _] = unseen[..] else { panic!("two forms") };
    say(
        "B2",
        format_args!(
            "seed {seed}: 32 backups with a bit flipped, 2 cut, 2 swapped, each refused; control (SQLite's own check instead of \
             the hash): {plain} of 16 pass"
        ),
    );
}

#[test]
fn a_newer_backup_is_refused() {
    let (folder, db) = with_trades(1);
    let made = backup(&db, &folder.path().join("backups"));
    drop(db);
    let manifest = made.path.join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("is read").replace("\"core\": 1", "\"core\": 9");
    fs::write(&manifest, text).expect("is written");
    let newer = Backup::open(&made.path).expect("is there");
    refused(&newer, &folder, "the database …/record.db has version 9 of the schema core, and this program knows 1");
}

#[test]
fn a_database_that_is_a_link_is_not_replaced() {
    let (folder, db) = with_trades(1);
    let made = backup(&db, &folder.path().join("backups"));
    let elsewhere = TempDir::new().expect("a folder");
    symlink(folder.path().join("record.db"), elsewhere.path().join("record.db")).expect("a link");
    let error = restore(&made, &elsewhere).expect_err("is refused");
    assert_eq!(text(&error, elsewhere.path()), "cannot replace …/record.db");
    assert_eq!(trades(&db), 1);
}

#[test]
fn an_interrupted_restore_is_finished_by_whoever_comes_next() {
    let (folder, db) = with_trades(3);
    let made = backup(&db, &folder.path().join("backups"));
    add_trades(&db, 3, 5);
    drop(db);
    // What a killed restore leaves just after the point of no return.
    let journal = folder.path().join("record.db.restoring");
    fs::create_dir_all(journal.join("new")).expect("a folder");
    fs::create_dir(journal.join("old")).expect("a folder");
    fs::copy(database_file(&made), journal.join("new/database")).expect("is copied");

    let read_only = ReadOnlyDatabase::open(&options(&folder)).expect_err("is refused");
    let expected = "a restore of …/record.db was interrupted, as …/record.db.restoring shows";
    assert_eq!(text(&read_only, folder.path()), expected);
    let created = Database::create(&options(&folder)).expect_err("there is one then");
    assert!(matches!(created, Error::Exists { .. }), "{created}");
    assert_eq!(trades(&Database::open(&options(&folder)).expect("opens")), 3);
    assert!(!journal.exists());
    let aside: Vec<_> = names(folder.path()).into_iter().filter(|name| name.contains(".replaced-")).collect();
    let [aside] = aside.as_slice() else { panic!("{aside:?}") };
    assert_eq!(trades(&Database::open(&Options::at(folder.path().join(aside).join("record.db"))).expect("opens")), 5);
}

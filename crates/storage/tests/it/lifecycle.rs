//! Creating, opening, and what is refused.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;
use trading_resilience::{Class, Classify as _};
use trading_storage::{Database, Error, Options, Origin};

use crate::{agent, database, options, order, tamper, with_a_trade};

/// Every file of the folder with its content.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("is a folder")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().into_string().expect("Unicode"), fs::read(entry.path()).expect("is read")))
        .collect();
    files.sort();
    files
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).into_iter().map(|(name, _)| name).collect()
}

#[track_caller]
fn refused(folder: &TempDir, expected: &str) -> Error {
    let before = files(folder.path());
    let error = Database::open(&options(folder)).expect_err("is refused");
    assert_eq!(error.to_string().replace(&folder.path().display().to_string(), "…"), expected);
    assert_eq!(error.class(), Class::Permanent);
    assert!(error.way_out().is_some(), "there is a way out");
    assert_eq!(files(folder.path()), before, "nothing was changed");
    error
}

#[test]
fn a_database_is_created_once_and_opened_ever_after() {
    let (folder, db) = database();
    assert_eq!(db.origin(), Origin::Created { version: 1 });
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))
    })
    .expect("is recorded");
    let error = Database::create(&options(&folder)).expect_err("is there");
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    drop(db);

    let db = Database::open(&options(&folder)).expect("opens");
    assert_eq!(db.origin(), Origin::Current { version: 1 });
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 1);
    drop(db);
    assert_eq!(names(folder.path()), ["record.db", "record.db.head", "record.db.lock"], "nothing else is left");
}

#[test]
fn closing_leaves_one_file_however_early_it_comes() {
    let (folder, db) = database();
    drop(db);
    for _ in 0..100 {
        let db = Database::open(&options(&folder)).expect("opens");
        db.read(|r| r.counts()).expect("is read");
        drop(db);
        assert_eq!(names(folder.path()), ["record.db", "record.db.head", "record.db.lock"]);
    }
}

#[test]
fn files_and_folders_are_the_owners_alone() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("deep/er/record.db");
    let db = Database::create(&Options::at(&path)).expect("creates with its folders");
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("writes");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o7777;
    assert_eq!(mode(&folder.path().join("deep/er")), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
}

#[test]
fn folders_that_cannot_be_made_are_named() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("file"), "").expect("written");
    let error = Database::create(&Options::at(folder.path().join("file/record.db"))).expect_err("a file is no folder");
    let Error::Create { path, .. } = &error else { panic!("{error}") };
    assert_eq!(path, &folder.path().join("file/record.db"));
    assert!(error.way_out().is_some());
}

#[test]
fn a_missing_database_is_not_created_anew() {
    let folder = TempDir::new().expect("a folder");
    refused(&folder, "there is no database at …/record.db");
}

#[test]
fn files_that_are_no_database_of_ours_are_refused_and_left_as_they_are() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("record.db");
    fs::write(&path, "not a database, but long enough to be one ".repeat(100)).expect("written");
    refused(&folder, "…/record.db is not a database");
    fs::write(&path, "SQLite format 3\0, cut").expect("written");
    refused(&folder, "…/record.db is not a database");
    fs::remove_file(&path).expect("removed");
    tamper(&path, "CREATE TABLE accounts (id INTEGER PRIMARY KEY); PRAGMA application_id = 7");
    refused(&folder, "…/record.db is a database of another program (its application id is 0x7)");
    fs::remove_file(&path).expect("removed");
    tamper(&path, "CREATE TABLE trades (id); CREATE TABLE agent_positions (id); CREATE TABLE daily_performance (id)");
    refused(&folder, "…/record.db is a database of the earlier Python system");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a folder");
    let error = Database::open(&options(&folder)).expect_err("a folder is no database");
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
}

/// Leaves the files as a process does that is killed: with what is in the write-ahead log, and nowhere else.
fn killed(folder: &TempDir) {
    let db = Database::open(&options(folder)).expect("opens");
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))
    })
    .expect("is recorded");
    let copies: Vec<_> = files(folder.path());
    drop(db);
    for (name, content) in copies {
        fs::write(folder.path().join(name), content).expect("as it was");
    }
}

#[test]
fn an_emptied_database_keeps_its_write_ahead_log() {
    let (folder, db) = database();
    drop(db);
    killed(&folder);
    fs::write(folder.path().join("record.db"), "").expect("emptied");
    refused(&folder, "the database …/record.db was emptied");
    assert!(fs::metadata(folder.path().join("record.db-wal")).expect("is there").len() > 0);
}

#[test]
fn what_is_left_of_a_lost_database_never_gets_into_a_new_one() {
    let (folder, db) = database();
    drop(db);
    killed(&folder);
    fs::remove_file(folder.path().join("record.db")).expect("lost");
    let expected = "there is no database at …/record.db, but …/record.db-wal is left of one";
    refused(&folder, expected);
    let before = files(folder.path());
    let error = Database::create(&options(&folder)).expect_err("is refused");
    assert_eq!(error.to_string().replace(&folder.path().display().to_string(), "…"), expected);
    assert!(matches!(Database::open_or_create(&options(&folder)), Err(Error::Leftover { .. })));
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_head_without_its_database_tells_of_a_lost_one() {
    let (folder, db) = database();
    drop(db);
    fs::remove_file(folder.path().join("record.db")).expect("lost");
    let expected = "there is no database at …/record.db, but …/record.db.head is left of one";
    refused(&folder, expected);
    assert!(matches!(Database::open_or_create(&options(&folder)), Err(Error::Leftover { .. })));
}

#[test]
fn a_killed_process_leaves_what_the_next_one_takes_up() {
    let (folder, db) = database();
    drop(db);
    killed(&folder);
    let db = Database::open(&options(&folder)).expect("opens");
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 1);
}

#[test]
fn a_database_that_this_user_may_only_read_is_refused() {
    let (folder, db) = database();
    drop(db);
    let path = folder.path().join("record.db");
    let mut only_reading = fs::metadata(&path).expect("is there").permissions();
    only_reading.set_mode(0o444);
    fs::set_permissions(&path, only_reading).expect("is set");
    match Database::open(&options(&folder)) {
        // To root, permissions refuse nothing.
        Ok(db) => drop(db),
        Err(error) => assert!(matches!(error, Error::ReadOnly { .. }), "{error}"),
    }
}

#[test]
fn a_creation_that_fails_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let long = "n".repeat(252);
    for path in [folder.path().join("new/deep").join(&long), folder.path().join(&long)] {
        Database::create(&Options::at(path)).expect_err("is too long with its endings");
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn a_database_of_another_name_is_never_taken_for_the_one_that_was_opened() {
    let (folder, db, _) = with_a_trade();
    let (_other_folder, other, _) = with_a_trade();
    other.transaction(|tx| tx.insert_trade(&order("2"))).expect("is recorded");
    let other_path = other.path().to_owned();
    drop(other);
    let path = folder.path().join("record.db");
    let head = |ending: &str| std::path::PathBuf::from(format!("{ending}.head"));
    fs::rename(&path, folder.path().join("aside")).expect("moved");
    fs::rename(&other_path, &path).expect("moved");
    fs::copy(head(&other_path.display().to_string()), head(&path.display().to_string())).expect("copied");
    let of_the_other = fs::read(head(&path.display().to_string())).expect("is there");
    assert!(matches!(db.read(|r| r.counts()), Err(Error::Replaced { .. })));
    assert!(matches!(db.verify(|_, _| {}), Err(Error::Replaced { .. })));
    assert!(matches!(db.anchor(), Err(Error::Replaced { .. })));
    drop(db);
    assert_eq!(
        fs::read(head(&path.display().to_string())).expect("is there"),
        of_the_other,
        "it has its own head still"
    );
    fs::remove_file(&path).expect("is removed");
}

#[test]
fn reading_what_was_deleted_says_so_at_once() {
    let (folder, db, _) = with_a_trade();
    fs::remove_file(folder.path().join("record.db")).expect("is removed");
    let error = db.read(|r| r.counts()).expect_err("it is gone");
    assert!(matches!(error, Error::Replaced { .. }), "{error}");
}

#[test]
fn a_second_name_of_the_file_is_no_way_past_the_lock() {
    let (folder, db, _) = with_a_trade();
    drop(db);
    let second = folder.path().join("second.db");
    fs::hard_link(folder.path().join("record.db"), &second).expect("is linked");
    for path in [&second, &folder.path().join("record.db")] {
        let error = Database::open(&Options::at(path)).expect_err("has two names");
        assert!(matches!(error, Error::Linked { names: 2, .. }), "{error}");
    }
    fs::remove_file(second).expect("is removed");
    Database::open(&options(&folder)).expect("the control: it has one again");
}

#[test]
fn events_that_went_while_it_was_open_are_missed() {
    let (folder, db, _) = with_a_trade();
    db.transaction(|tx| tx.insert_trade(&order("2"))).expect("is recorded");
    db.verify(|_, _| {}).expect("the control: is whole");
    tamper(
        &folder.path().join("record.db"),
        "PRAGMA foreign_keys = OFF; DROP TRIGGER trade_events_are_kept; DROP TRIGGER trades_are_kept;
         DELETE FROM trade_events WHERE sequence = 2; DELETE FROM trades WHERE id = 2;",
    );
    let error = db.verify(|_, _| {}).expect_err("what was acknowledged is gone");
    assert!(matches!(error, Error::HeadMismatch { .. }), "{error}");
}

#[test]
fn without_its_lock_file_a_database_refuses_to_write_beside_who_came_in_and_goes_on_after() {
    let (folder, first, _) = with_a_trade();
    fs::remove_file(folder.path().join("record.db.lock")).expect("is removed");
    let second = Database::open(&options(&folder)).expect("nobody refuses it");
    second.transaction(|tx| tx.insert_trade(&order("2"))).expect("is recorded");
    let error = first.transaction(|tx| tx.insert_trade(&order("3"))).expect_err("is in use");
    assert!(matches!(error, Error::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert_eq!(first.read(|r| r.counts()).expect("is read").trades, 2, "nothing came of it");
    second.anchor().expect("is written");
    let newer = fs::read(folder.path().join("record.db.head")).expect("is there");
    for _ in 0..2 {
        let error = first.anchor().expect_err("its head is an older one");
        assert!(matches!(error, Error::Lock { .. }), "{error}");
        assert_eq!(error.way_out(), Some("start this process again"));
    }
    drop(second);
    assert_eq!(fs::read(folder.path().join("record.db.head")).expect("is there"), newer);
    first.transaction(|tx| tx.insert_trade(&order("3"))).expect("it has ended");
    assert_eq!(first.verify(|_, _| {}).expect("is whole").events, 3);
}

#[test]
fn events_that_another_program_wrote_while_it_was_open_are_seen() {
    let (folder, db, _) = with_a_trade();
    let path = folder.path().join("record.db");
    tamper(&path, "UPDATE agents SET name = 'B'");
    db.transaction(|tx| tx.insert_trade(&order("2"))).expect("no event was written");
    tamper(
        &path,
        "INSERT INTO trade_events
         SELECT 99, trade_id, sequence, order_status, executed_price, alpaca_order_id, execution_date, recorded_at, hash
         FROM trade_events LIMIT 1",
    );
    for _ in 0..2 {
        let error = db.transaction(|tx| tx.insert_trade(&order("3"))).expect_err("is not the chain that was left");
        assert!(error.to_string().ends_with("another program wrote events, up to 99"), "{error}");
        assert!(error.is_damage());
    }
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 2);
}

#[test]
fn a_database_that_is_replaced_while_it_is_open_is_seen() {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is recorded");
    db.sizes().expect("is there");
    let path = folder.path().join("record.db");
    fs::rename(&path, folder.path().join("other")).expect("moved");
    fs::copy(folder.path().join("other"), &path).expect("copied");
    let expected =
        format!("the database {0} is not the file that was opened: {0} was replaced while it was open", path.display());
    assert_eq!(db.sizes().expect_err("is another file").to_string(), expected);
    assert_eq!(db.transaction(|tx| tx.insert_trade(&order("1"))).expect_err("is another file").to_string(), expected);
}

#[test]
fn a_database_that_is_replaced_during_a_transaction_acknowledges_nothing() {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is recorded");
    let path = folder.path().join("record.db");
    let replaced = db.transaction(|tx| {
        fs::rename(&path, folder.path().join("other")).expect("moved");
        fs::copy(folder.path().join("other"), &path).expect("copied");
        tx.insert_trade(&order("1"))
    });
    let error = replaced.expect_err("is not acknowledged");
    assert!(matches!(error, Error::CommitUnknown { .. }), "{error}");
    assert_eq!(error.class(), Class::Unknown);
    assert!(db.is_stopped());
    let error = db.transaction(|tx| tx.insert_trade(&order("2"))).expect_err("nothing more is written");
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
}

#[test]
fn a_second_instance_is_refused_with_the_process_of_the_first() {
    let (folder, db) = database();
    let error = Database::open(&options(&folder)).expect_err("is in use").to_string();
    assert!(error.ends_with(&format!("is in use by process {}", std::process::id())), "{error}");
    drop(db);
    Database::open(&options(&folder)).expect("is free again");
}

#[test]
fn a_link_to_the_file_is_no_way_past_the_lock() {
    let (folder, db) = database();
    let links = tempfile::tempdir().expect("a folder");
    let link = links.path().join("link.db");
    std::os::unix::fs::symlink(db.path(), &link).expect("is made");
    let error = Database::open(&Options::at(&link)).expect_err("is in use");
    assert!(matches!(error, Error::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    let error = Database::check_unused(&link).expect_err("is in use");
    assert!(matches!(error, Error::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    drop(db);
    Database::check_unused(&link).expect("nobody has it");
    // What belongs to the database stands beside it, whatever it was called.
    let db = Database::open(&Options::at(&link)).expect("opens");
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))
    })
    .expect("is recorded");
    assert!(db.sizes().expect("are there").wal_bytes > 0);
    drop(db);
    assert_eq!(names(links.path()), ["link.db"]);
    assert!(folder.path().join("record.db.head").exists());
}

#[test]
fn any_time_to_wait_will_do() {
    for busy_timeout in [std::time::Duration::ZERO, std::time::Duration::MAX] {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Database::create(&Options { busy_timeout, ..options(&folder) }).expect("creates");
        db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is written");
        match db.read(|r| r.counts()) {
            // The first connection has to be opened, and who does not wait may not get it.
            Err(Error::PoolTimeout { .. }) if busy_timeout.is_zero() => {}
            counts => assert_eq!(counts.expect("is read").agents, 1),
        }
    }
}

#[test]
fn a_newer_and_an_edited_database_are_refused() {
    let (folder, db) = database();
    drop(db);
    let path = folder.path().join("record.db");
    tamper(&path, "UPDATE schema_migrations SET version = 9");
    refused(&folder, "the database …/record.db has version 9 of the schema core, and this program knows 1");
    tamper(&path, "UPDATE schema_migrations SET version = 1, checksum = 'other'");
    refused(
        &folder,
        "step 1 (core) of the schema core of the database …/record.db is not the one that this program knows",
    );
}

#[test]
fn a_database_that_lost_its_marks_is_refused() {
    let (folder, db) = database();
    drop(db);
    let path = folder.path().join("record.db");
    for version in [0, 2] {
        tamper(&path, &format!("PRAGMA user_version = {version}"));
        refused(
            &folder,
            &format!(
                "the database …/record.db is damaged: its user_version is {version}, and by the history of its schema it is 1"
            ),
        );
    }
    tamper(&path, "PRAGMA user_version = 1; PRAGMA application_id = 7");
    refused(&folder, "…/record.db is a database of another program (its application id is 0x7)");
}

#[test]
fn a_database_that_lost_its_write_ahead_log_mode_is_refused() {
    let (folder, db) = database();
    drop(db);
    tamper(&folder.path().join("record.db"), "PRAGMA journal_mode = DELETE");
    let error = Database::open(&options(&folder)).expect_err("is refused").to_string();
    assert!(error.ends_with("has journal_mode = delete, and wal is needed"), "{error}");
}

#[test]
fn a_lock_of_another_program_is_waited_for_to_the_limit() {
    let (folder, db) = database();
    drop(db);
    let options = Options { busy_timeout: std::time::Duration::from_millis(1), ..options(&folder) };
    let db = Database::open(&options).expect("opens");
    #[expect(clippy::disallowed_methods, reason = "plays another program")]
    let other = rusqlite::Connection::open(&options.path).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let error = db.transaction(|tx| tx.register_agent(&agent("a"))).expect_err("is locked");
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert_eq!(error.class(), Class::Transient);
    other.execute_batch("ROLLBACK").expect("unlocks");
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is free again");
}

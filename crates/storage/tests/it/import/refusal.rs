//! What is imported from where, what is refused, and that the source stays as it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, config::DbConfig};
use tempfile::TempDir;
use trading_resilience::{Class, Classify as _};
use trading_storage::{Database, Error, ImportOptions, Options};

use super::{Earlier, ROWS, TABLES, counts, import, open, trades};
use crate::database;

/// Every file of the folder with its content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("is a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), if path.is_file() { fs::read(path).expect("is read") } else { Vec::new() }))
        .collect();
    files.sort();
    files
}

fn names(folder: &Path) -> Vec<String> {
    let name = |(path, _): (PathBuf, _)| path.file_name().expect("a name").to_string_lossy().into_owned();
    files(folder).into_iter().map(name).collect()
}

/// Imports and compares the source's folder before and after.
fn unchanged(earlier: &Earlier) -> Vec<String> {
    let (folder, db) = database();
    db.anchor().expect("is written");
    let (before, beside) = (files(earlier.folder.path()), names(folder.path()));
    let report = import(&db, earlier);
    assert!(files(earlier.folder.path()) == before, "the source is as it was");
    assert_eq!(names(folder.path()), beside, "and its copy is gone");
    let added = report.trades.added;
    assert_eq!(report.trades, counts(added, added, 0));
    trades(&db).into_iter().map(|trade| trade.order.quantity.to_string()).collect()
}

/// Leaves the write-ahead log where it is, as a process that was killed does.
fn crash(connection: Connection) {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).expect("is set");
    connection.close().expect("closes");
}

#[test]
fn reading_changes_nothing_of_the_source() {
    assert_eq!(unchanged(&Earlier::of(&[TABLES, ROWS])), ["0.2103", "3", "0.1"]);
    let earlier = Earlier::of(&["PRAGMA journal_mode = WAL;", TABLES, ROWS]);
    assert_eq!(names(earlier.folder.path()), ["trading_automation.db"]);
    assert_eq!(unchanged(&earlier), ["0.2103", "3", "0.1"]);
}

#[test]
fn rows_that_are_in_the_write_ahead_log_alone_are_read() {
    let earlier = Earlier::of(&["PRAGMA journal_mode = WAL;", TABLES]);
    let connection = open(&earlier.path);
    connection.execute_batch(ROWS).expect("is written");
    crash(connection);
    let log = earlier.folder.path().join("trading_automation.db-wal");
    assert!(fs::metadata(&log).expect("is there").len() > 0, "the log holds them");
    assert_eq!(unchanged(&earlier), ["0.2103", "3", "0.1"]);

    // A copy without the log's index, behind a link.
    fs::remove_file(earlier.folder.path().join("trading_automation.db-shm")).expect("was there");
    assert_eq!(unchanged(&earlier), ["0.2103", "3", "0.1"]);
    let elsewhere = TempDir::new().expect("a folder");
    let link = elsewhere.path().join("link.db");
    std::os::unix::fs::symlink(&earlier.path, &link).expect("is linked");
    assert_eq!(unchanged(&Earlier { folder: elsewhere, path: link }), ["0.2103", "3", "0.1"]);
}

#[test]
fn even_tables_that_are_in_the_write_ahead_log_alone_are_read() {
    let earlier = Earlier::of(&[]);
    let connection = open(&earlier.path);
    connection.execute_batch("PRAGMA journal_mode = WAL;").expect("is set");
    connection.execute_batch(TABLES).expect("is written");
    connection.execute_batch(ROWS).expect("is written");
    crash(connection);
    assert_eq!(unchanged(&earlier), ["0.2103", "3", "0.1"]);
}

#[test]
fn what_a_crash_left_half_written_is_not_read() {
    let whole = Earlier::of(&[TABLES, ROWS]);
    let connection = open(&whole.path);
    // With a cache of one page SQLite writes others before the end of the transaction.
    let half = "PRAGMA cache_size = 1; BEGIN; UPDATE trades SET quantity = 9;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO agent_positions (agent_id, ticker, quantity) SELECT 'a', i, zeroblob(1000) FROM n;";
    connection.execute_batch(half).expect("is half done");
    let crashed = Earlier::of(&[]);
    for ending in ["", "-journal"] {
        let name = format!("trading_automation.db{ending}");
        fs::copy(whole.folder.path().join(&name), crashed.folder.path().join(&name)).expect("is copied");
    }
    assert_eq!(unchanged(&crashed), ["0.2103", "3", "0.1"]);
    fs::remove_file(crashed.folder.path().join("trading_automation.db-journal")).expect("was there");
    let (_folder, db) = database();
    let torn = db.import(&crashed.options(), |_, _| {});
    assert!(torn.is_err() || trades(&db)[0].order.quantity == 9.into(), "without the journal it shows: {torn:?}");
}

#[track_caller]
fn refused(path: &Path, expected: &str) -> Error {
    let (folder, db) = database();
    let before = names(folder.path());
    let error = db.import(&ImportOptions::of(path), |_, _| {}).expect_err("is refused");
    let parent = path.parent().expect("a folder").display().to_string();
    assert_eq!(error.to_string().replace(&parent, "…"), expected);
    assert_eq!(error.class(), Class::Permanent);
    assert!(error.way_out().is_some(), "there is a way out");
    assert_eq!(names(folder.path()), before, "no copy is left");
    error
}

#[test]
fn a_source_that_is_none_is_refused_with_the_reason() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("old.db");
    refused(&path, "there is no database at …/old.db");
    fs::write(&path, "").expect("written");
    refused(&path, "the database …/old.db was emptied");
    fs::write(&path, "not a database, but long enough to be one ".repeat(100)).expect("written");
    refused(&path, "…/old.db is not a database");
    fs::remove_file(&path).expect("was there");
    fs::create_dir(&path).expect("a folder");
    refused(&path, "…/old.db is not a file");
}

#[test]
fn another_system_is_refused_with_what_it_lacks() {
    let earlier = Earlier::of(&["CREATE TABLE notes (text);"]);
    refused(
        &earlier.path,
        "…/trading_automation.db is no database of the earlier Python system: it has no trades, no agent_positions, \
         no daily_performance",
    );
    earlier.run(TABLES);
    earlier.run(
        "DROP TABLE agent_positions; ALTER TABLE trades DROP COLUMN ticker; ALTER TABLE trades DROP COLUMN quantity;",
    );
    let error = refused(
        &earlier.path,
        "…/trading_automation.db is no database of the earlier Python system: it has no agent_positions, \
         no trades.ticker, no trades.quantity",
    );
    let Error::NotEarlier { missing, .. } = error else { panic!("{error}") };
    assert_eq!(missing, ["agent_positions", "trades.ticker", "trades.quantity"]);
}

#[test]
fn a_record_of_ours_is_refused() {
    let (folder, db) = database();
    let path = folder.path().join("record.db");
    let expected = "…/record.db is a record of this program, and no database of the earlier Python system";
    refused(&path, expected);
    let error = db.import(&ImportOptions::of(&path), |_, _| {}).expect_err("is the record itself");
    assert!(matches!(error, Error::Ours { .. }), "{error}");
    drop(db);
    let before = files(folder.path());
    refused(&path, expected);
    assert_eq!(files(folder.path()), before, "and left as it is");
}

#[test]
fn a_damaged_source_is_refused() {
    // In a table that is read, and in one that is not.
    for name in ["trades", "notes"] {
        let earlier = Earlier::of(&[TABLES, ROWS, "CREATE TABLE notes (text);"]);
        let root = open(&earlier.path)
            .query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [name], |row| row.get::<_, usize>(0))
            .expect("is there");
        let mut bytes = fs::read(&earlier.path).expect("is read");
        bytes[(root - 1) * 4096..root * 4096].fill(0xff);
        fs::write(&earlier.path, bytes).expect("written");
        let (_folder, db) = database();
        let error = db.import(&earlier.options(), |_, _| {}).expect_err("is refused");
        let Error::Damaged { path, .. } = &error else { panic!("{error}") };
        assert_eq!(path, &earlier.path);
    }
}

#[test]
fn a_rule_of_the_source_that_its_rows_break_is_no_damage() {
    let earlier = Earlier::of(&[TABLES, ROWS]);
    earlier.run(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_master SET sql = replace(replace(replace(sql, 'ticker TEXT NOT NULL', 'ticker TEXT CHECK (ticker = 1)'),
             'price DECIMAL(10,2)', 'price DECIMAL(10,2) NOT NULL'), 'quantity DECIMAL(10,4)', 'quantity TEXT')
         WHERE name = 'trades'",
    );
    let (_folder, db) = database();
    assert_eq!(import(&db, &earlier).trades, counts(3, 3, 0));
}

#[test]
fn a_source_that_cannot_be_copied_is_named() {
    let folder = TempDir::new().expect("a folder");
    let db = Database::create(&Options::at(folder.path().join("deep/record.db"))).expect("creates");
    let earlier = Earlier::of(&[TABLES, ROWS]);
    // A log that is a folder cannot be copied, whoever tries.
    fs::create_dir(earlier.folder.path().join("trading_automation.db-wal")).expect("a folder");
    let error = db.import(&earlier.options(), |_, _| {}).expect_err("cannot be copied");
    assert_eq!(error.to_string(), format!("cannot copy {} for the import", earlier.path.display()));
    assert!(std::error::Error::source(&error).is_some() && error.way_out().is_some());
    assert_eq!(names(&folder.path().join("deep")).iter().filter(|name| name.starts_with(".import")).count(), 0);
}

//! Reading: beside a writer, without writing, not for ever, and on connections that work.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use trading_resilience::{Class, Classify as _};
use trading_storage::{
    Backup, BackupOptions, Database, Error, Migration, MigrationSet, Options, ReadOnlyDatabase, Reader, TradeFilter,
    sqlite::{self, rusqlite},
};

use crate::{agent, database, options, order};

/// Counts without end.
const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

fn with_trade() -> (tempfile::TempDir, Database) {
    let (folder, db) = database();
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))
    })
    .expect("is recorded");
    (folder, db)
}

#[test]
fn a_reader_beside_the_writer_sees_what_was_committed() {
    let (folder, db) = with_trade();
    let reader = ReadOnlyDatabase::open(&options(&folder)).expect("opens beside it");
    assert_eq!(reader.path(), db.path());
    let trades = |reader: &ReadOnlyDatabase| reader.read(|r| r.counts()).expect("is read").trades;
    assert_eq!(trades(&reader), 1);
    db.transaction(|tx| {
        tx.insert_trade(&order("2"))?;
        assert_eq!(trades(&reader), 1, "not before it is committed");
        Ok(())
    })
    .expect("is recorded");
    assert_eq!(trades(&reader), 2);
    reader
        .clone()
        .read(|r| {
            let before = r.counts()?;
            db.transaction(|tx| tx.insert_trade(&order("3")))?;
            assert_eq!(r.counts()?, before, "a reading is of one moment");
            Ok(())
        })
        .expect("is read");
    drop(db);
    assert_eq!(trades(&reader), 3, "also when the writer has gone");
    let page = reader.read(|r| r.trades(&TradeFilter::All, None, 10)).expect("is read");
    assert_eq!(page.trades.len(), 3);
}

#[test]
fn a_record_knows_when_it_was_made() {
    let (folder, db) = database();
    let made = db.read(|r| r.created_at()).expect("is read");
    assert!((chrono::Utc::now() - made).abs() < chrono::TimeDelta::minutes(1), "{made}");
    drop(db);
    let again = Database::open(&options(&folder)).expect("opens");
    assert_eq!(again.read(|r| r.created_at()).expect("is read"), made);
}

#[test]
fn a_reader_proves_and_backs_up_the_record_beside_its_writer() {
    let (folder, db) = with_trade();
    let reader = ReadOnlyDatabase::open(&options(&folder)).expect("opens beside it");
    let to = BackupOptions::to(folder.path().join("backups"));
    let made = db
        .transaction(|tx| {
            tx.insert_trade(&order("2"))?;
            assert_eq!(reader.verify(|_, _| {})?.trades, 1, "not what is not committed");
            reader.backup(&to, |_| {})
        })
        .expect("is made within a transaction of another");
    assert!(made.is_proven());
    assert_eq!(made.manifest.expect("is there").contents.rows["trades"], 1);
    let proven = reader.verify(|_, _| {}).expect("is whole");
    assert_eq!((proven.trades, proven.head), (2, db.head()));

    let head = folder.path().join("record.db.head");
    std::fs::write(&head, format!("{} 9 {}\n", db.instance_id(), "0".repeat(64))).expect("is written");
    let error = reader.verify(|_, _| {}).expect_err("has lost events");
    assert!(matches!(error, Error::HeadMismatch { .. }), "{error}");
    let error = reader.backup(&to, |_| {}).expect_err("has lost events");
    assert!(matches!(error, Error::HeadMismatch { .. }), "{error}");
    assert_eq!(Backup::list(&to.folder).expect("is listed").len(), 1);
}

#[test]
fn no_reader_can_write() {
    let (folder, db) = with_trade();
    let reader = ReadOnlyDatabase::open(&options(&folder)).expect("opens");
    for sql in [
        "DELETE FROM agents",
        "UPDATE trades SET price = 1",
        "INSERT INTO agents VALUES ('x', 'X', 'x', 1, 0, 0)",
        "CREATE TABLE more (a)",
        "PRAGMA query_only = OFF; UPDATE trades SET price = 1",
    ] {
        let write = |r: &Reader<'_>| {
            let error = sqlite::connection(r).execute_batch(sql).expect_err("is refused");
            assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly), "{sql}: {error}");
            Ok(())
        };
        db.read(write).expect("is refused");
        reader.read(write).expect("is refused");
    }
    assert_eq!(db.read(|r| r.open_orders()).expect("is read")[0].order, order("1"));
}

#[test]
fn a_database_that_is_not_ready_is_not_read() {
    const SET: MigrationSet = MigrationSet {
        component: "quiver",
        migrations: &[Migration { version: 1, name: "runs", sql: "CREATE TABLE quiver_runs (a) STRICT;" }],
    };
    let folder = tempfile::TempDir::new().expect("a folder");
    let error = ReadOnlyDatabase::open(&options(&folder)).expect_err("there is none");
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("is read").count(), 0, "and nothing was made");
    let (folder, db) = database();
    let options = Options { migrations: vec![SET], ..options(&folder) };
    let error = ReadOnlyDatabase::open(&options).expect_err("has not the tables yet");
    assert!(matches!(error, Error::Older { .. }), "{error}");
    assert_eq!(error.way_out(), Some("open it for writing once"));
    assert_eq!(db.schema_version("quiver").expect("is read"), None, "reading migrates nothing");
}

#[test]
fn a_read_that_takes_too_long_is_ended_and_the_next_one_works() {
    let (folder, db) = with_trade();
    drop(db);
    let limit = Duration::from_millis(5);
    let options = Options { read_age_max: limit, readers: 1, ..options(&folder) };
    let db = Database::open(&options).expect("opens");
    let reader = ReadOnlyDatabase::open(&options).expect("opens");
    let count = |r: &Reader<'_>| {
        sqlite::connection(r).query_row(ENDLESS, [], |row| row.get::<_, i64>(0)).map_err(Error::aborted)
    };
    for error in [db.read(count), reader.read(count), db.read(count)] {
        let error = error.expect_err("is ended");
        assert!(matches!(error, Error::ReadTooLong { limit: told } if told == limit), "{error:?}");
        assert_eq!(error.to_string(), "the read took longer than 5ms, and old readers let the write-ahead log grow");
        assert_eq!(error.class(), Class::Transient);
    }
    // Each read has the whole time, on the same connection.
    let short = |r: &Reader<'_>| r.trades(&TradeFilter::All, None, 1);
    assert_eq!(db.read(short).expect("works").trades.len(), 1);
    assert_eq!(reader.read(short).expect("works").trades.len(), 1);
}

#[test]
fn a_transaction_has_no_such_limit() {
    let (folder, db) = with_trade();
    drop(db);
    let db = Database::open(&Options { read_age_max: Duration::ZERO, ..options(&folder) }).expect("opens");
    let counted = db.transaction(|tx| {
        let sql = format!("{ENDLESS} LIMIT 1").replace("FROM n)", "FROM n LIMIT 200000)");
        sqlite::connection(tx).query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(Error::aborted)
    });
    assert_eq!(counted.expect("is counted"), 200_000);
}

/// Marks the connection, and then does `work` on it.
fn marked<T>(db: &Database, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    db.read(|r| {
        sqlite::connection(r).pragma_update(None, "cache_size", -777).map_err(Error::aborted)?;
        work()
    })
}

fn is_marked(db: &Database) -> bool {
    let size = db.read(|r| {
        let size = sqlite::connection(r).pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0));
        size.map_err(Error::aborted)
    });
    size.expect("is read") == -777
}

#[test]
fn a_connection_that_broke_is_not_lent_again() {
    use rusqlite::ffi::{SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR_READ, SQLITE_NOTADB};
    let (folder, db) = with_trade();
    drop(db);
    let db = Database::open(&Options { readers: 1, ..options(&folder) }).expect("opens");
    marked(&db, || Ok(())).expect("is read");
    assert!(is_marked(&db), "there is one connection, and it stays");
    for (code, stays) in [
        (SQLITE_BUSY, true),
        (SQLITE_IOERR_READ, false),
        (SQLITE_CORRUPT, false),
        (SQLITE_NOTADB, false),
        (SQLITE_FULL, false),
    ] {
        let failure = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        marked(&db, || Err::<(), _>(Error::aborted(failure))).expect_err("fails");
        assert_eq!(is_marked(&db), stays, "after {code}");
    }
}

#[test]
fn a_checkpoint_leaves_a_long_read_and_the_writers_alone() {
    let (folder, db) = with_trade();
    drop(db);
    // Whoever waits for the read within the read waits for ever.
    let db = Database::open(&Options { busy_timeout: Duration::MAX, ..options(&folder) }).expect("opens");
    let sizes = db.read(|r| {
        r.counts()?;
        db.transaction(|tx| tx.insert_trade(&order("2")))?;
        db.checkpoint()
    });
    assert!(sizes.expect("goes on").wal_bytes > 0, "the read still needs it");
    assert_eq!(db.checkpoint().expect("goes on").wal_bytes, 0);
    let waits = db.transaction(|tx| {
        let waits = sqlite::connection(tx).pragma_query_value(None, "busy_timeout", |row| row.get::<_, i32>(0));
        waits.map_err(Error::aborted)
    });
    assert_eq!(waits.expect("is asked"), i32::MAX, "for other programs it waits as before");
}

#[test]
fn a_read_that_panics_costs_no_connection() {
    let (folder, db) = with_trade();
    drop(db);
    let options = Options { readers: 1, busy_timeout: Duration::from_secs(60), ..options(&folder) };
    let db = Database::open(&options).expect("opens");
    for _ in 0..3 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.read(|r| -> Result<(), Error> {
                r.counts()?;
                panic!("in the middle")
            })
        }));
        assert!(panicked.is_err());
        db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is written");
        assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 1);
    }
    db.checkpoint().expect("no reading is left behind");
    assert_eq!(db.sizes().expect("is there").wal_bytes, 0);
}

#[test]
fn a_pool_that_is_used_up_is_waited_for_to_the_limit() {
    let (folder, db) = database();
    drop(db);
    let options = Options { readers: 1, busy_timeout: Duration::from_millis(1), ..options(&folder) };
    let db = Database::open(&options).expect("opens");
    let error = db.read(|_| db.read(|r| r.counts())).expect_err("there is but one");
    assert_eq!(error.to_string(), "none of 1 connections became free within 1ms");
    assert_eq!(error.class(), Class::Transient);
}

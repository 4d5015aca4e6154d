//! Opening SQLite: the one place where it happens, with the settings that the record depends on.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, config::DbConfig, types::Value};

use crate::{Error, Head, Options, error::Cause, event::hex, lock::beside, transaction::now};

/// Marks a database as ours: "TrAu" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x5472_4175;

/// The oldest SQLite that does not lose commits when connections write and checkpoint at once: 3.51.3.
const LIBRARY_MIN: i32 = 3_051_003;

/// Refuses a SQLite that loses commits. Ours is compiled in; another could be linked.
pub(crate) fn check_library() -> Result<(), Error> {
    check_version(rusqlite::version_number(), rusqlite::version())
}

fn check_version(number: i32, found: &'static str) -> Result<(), Error> {
    if number < LIBRARY_MIN { Err(Error::Library { found, needed: "3.51.3" }) } else { Ok(()) }
}

/// The longest and the shortest that SQLite and the pool can wait: the one counts milliseconds in 32 bits, the other takes no
/// time for a mistake.
const WAITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(i32::MAX.unsigned_abs() as u64));

/// How long they are to wait.
pub(crate) fn waits(wanted: Duration) -> Duration {
    wanted.clamp(WAITS.0, WAITS.1)
}

/// The file itself, where the path is a link to it: lock, head and log stand beside the file. By two names of one file, two
/// processes would each take a lock of their own.
pub(crate) fn unlinked(path: &Path) -> PathBuf {
    let path = plain(path);
    let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
    is_link.then(|| fs::canonicalize(&path).ok()).flatten().unwrap_or(path)
}

/// A path that SQLite takes for nothing else: `:memory:` and `file:…` are names of files too.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let name = path.as_os_str().as_bytes();
    if name.starts_with(b":") || name.starts_with(b"file:") { Path::new(".").join(path) } else { path.to_owned() }
}

/// Refuses a file that stands at another path too: by each, a process would take a lock and write a log of its own.
pub(crate) fn refuse_second_name(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(found) if found.nlink() > 1 => Err(Error::Linked { path: path.to_owned(), names: found.nlink() }),
        _ => Ok(()),
    }
}

/// That there is a database of ours, found out without changing anything: neither a write-ahead log nor an index of it is
/// opened, since a foreign or emptied file would lose them to SQLite's tidying.
pub(crate) fn probe(path: &Path) -> Result<(), Error> {
    let owned = || path.to_owned();
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(Error::NotAFile { path: owned() }),
        Ok(metadata) if metadata.len() == 0 => return Err(Error::Emptied { path: owned() }),
        // SQLite's smallest page. What is shorter it would take for a new database.
        Ok(metadata) if metadata.len() < 512 => return Err(Error::NotADatabase { path: owned() }),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            refuse_leftovers(path)?;
            return Err(Error::Missing { path: owned() });
        }
        // Of another error SQLite's answer has the reason.
        Ok(_) | Err(_) => {}
    }
    let connection = open_settled(path)?;
    // Only the first page is looked at: the rest is whole together with the log, which was left aside. Without this, SQLite
    // would compare the file's length with what the page says.
    connection.execute_batch("PRAGMA writable_schema = ON").map_err(|source| opening(path, source))?;
    let application_id: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(|e| opening(path, e))?;
    if application_id == APPLICATION_ID {
        return Ok(());
    }
    let has = |table| connection.table_exists(None, table).unwrap_or(false);
    // One with a chain is ours, which lost its mark.
    if ["trades", "agent_positions", "daily_performance"].into_iter().all(has) && !has("trade_events") {
        return Err(Error::Earlier { path: owned() });
    }
    Err(Error::Foreign { path: owned(), application_id })
}

/// Opens a file that nobody writes, for reading only: no lock is taken, no log beside it is looked at, and none is left there.
pub(crate) fn open_settled(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[expect(clippy::disallowed_methods, reason = "one of the places where SQLite is opened")]
    let connection = Connection::open_with_flags(immutable_uri(path), flags).map_err(|source| opening(path, source))?;
    set_up_reader(&connection).map_err(|source| opening(path, source))?;
    Ok(connection)
}

/// Opens an empty file that is to become a copy of a database. It is worth nothing before the copy is complete, so nothing is
/// done for it to survive until then.
pub(crate) fn open_target(path: &Path) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::ZERO)?;
    connection
        .execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
        .map_err(|source| opening(path, source))?;
    Ok(connection)
}

/// Refuses a place where files of a database that is gone are left: SQLite would replay them into a new one.
pub(crate) fn refuse_leftovers(path: &Path) -> Result<(), Error> {
    // The head tells of a database that was here, also where nothing else is left of it.
    let head = beside(path, "head");
    for leftover in ["wal", "shm", "journal"].map(|ending| with_ending(path, ending)).into_iter().chain([head]) {
        if fs::symlink_metadata(&leftover).is_ok() {
            return Err(Error::Leftover { path: path.to_owned(), leftover });
        }
    }
    Ok(())
}

/// Not followed by any lock or log: the file is read as if nobody else had it.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

/// Opens an existing file for writing, after a [`probe`] of it.
pub(crate) fn open_writer(options: &Options) -> Result<Connection, Error> {
    let connection = open(&options.path, OpenFlags::SQLITE_OPEN_READ_WRITE, options.busy_timeout)?;
    // SQLite opens for reading what this user may not write, and would leave files of this user's beside it.
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(|source| opening(&options.path, source))? {
        return Err(Error::ReadOnly { path: options.path.clone() });
    }
    set_up_writer(&connection, &options.path)?;
    Ok(connection)
}

/// Whether closing this connection, as the last one, folds the write-ahead log into the file.
pub(crate) fn tidy_on_close(connection: &Connection, tidy: bool) -> Result<(), Error> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !tidy)
        .map(drop)
        .map_err(Error::query("say what closing does"))
}

/// Opens an existing file for reading only, after a [`probe`] of it.
pub(crate) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy_timeout)?;
    set_up_reader(&connection).map_err(|source| opening(path, source))?;
    Ok(connection)
}

/// Opens an empty file and makes it a database of ours, without tables yet.
pub(crate) fn open_new(path: &Path, busy_timeout: Duration) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, busy_timeout)?;
    connection
        .execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION_ID};"))
        .map_err(|source| opening(path, source))?;
    set_up_writer(&connection, path)?;
    Ok(connection)
}

/// An empty database that is nowhere.
pub(crate) fn in_memory() -> Result<Connection, Error> {
    #[expect(clippy::disallowed_methods, reason = "one of the places where SQLite is opened")]
    Connection::open_in_memory().map_err(|source| opening(Path::new(":memory:"), source))
}

#[expect(clippy::disallowed_methods, reason = "one of the places where SQLite is opened")]
pub(crate) fn open(path: &Path, flags: OpenFlags, busy_timeout: Duration) -> Result<Connection, Error> {
    // NOFOLLOW is left out: operators put the data folder on another disk with a link.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|source| opening(path, source))?;
    connection.busy_timeout(waits(busy_timeout)).map_err(|source| opening(path, source))?;
    Ok(connection)
}

/// What SQLite's answer to the opening of a file means.
pub(crate) fn opening(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotADatabase { path },
        Some(ErrorCode::DatabaseCorrupt) => Error::Damaged { path, what: source.to_string() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked { path },
        _ => Error::Open { path, source: Cause::of_sqlite(source) },
    }
}

fn set_up_writer(connection: &Connection, path: &Path) -> Result<(), Error> {
    // FULL, because with NORMAL a power cut takes acknowledged commits along. Recursive triggers, because without them a row
    // that REPLACE deletes is not seen by the trigger that keeps it. The cache is 64 MiB at the most, because
    // the default of 2 halves the speed of bulk writes. The log is folded in at 16 MiB instead of 4: folding takes two syncs and
    // writes each page once, however often it changed, and a commit that many callers share changes more than a hundred.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA recursive_triggers = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA cache_size = -65536;
             PRAGMA wal_autocheckpoint = 4096;",
        )
        .map_err(|source| opening(path, source))?;
    connection.set_prepared_statement_cache_capacity(64);
    for (pragma, expected) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("recursive_triggers", "1"),
        ("trusted_schema", "0"),
    ] {
        let found: Value =
            connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|source| opening(path, source))?;
        let found = match found {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        if found != expected {
            return Err(Error::Pragma { path: path.to_owned(), pragma, expected, found });
        }
    }
    Ok(())
}

pub(crate) fn set_up_reader(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")
}

/// Gives a new database its name.
pub(crate) fn name_instance(connection: &Connection) -> Result<(), Error> {
    let instance_id = format!("{:032x}", fastrand::u128(..));
    connection
        .execute(
            "INSERT INTO record (id, instance_id, created_at) VALUES (1, ?1, ?2)",
            (instance_id, now().timestamp_micros()),
        )
        .map(drop)
        .map_err(Error::query("name the database"))
}

pub(crate) fn instance_id(connection: &Connection) -> Result<String, Error> {
    connection
        .query_row("SELECT instance_id FROM record", [], |row| row.get(0))
        .map_err(Error::query("read the database's name"))
}

/// The end of the chain.
pub(crate) fn head(connection: &Connection, instance_id: &str) -> Result<Head, Error> {
    let last = connection
        .query_row("SELECT sequence, hash FROM trade_events ORDER BY sequence DESC LIMIT 1", [], |row| {
            Ok(Head { sequence: row.get(0)?, hash: row.get(1)? })
        })
        .optional()
        .map_err(Error::query("read the chain"))?;
    Ok(last.unwrap_or_else(|| Head::of_instance(instance_id)))
}

/// Another number after each commit of another connection.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Error> {
    connection
        .prepare_cached("PRAGMA data_version")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(Error::query("look for other writers"))
}

/// That the chain leads through `head`.
pub(crate) fn check_passes(connection: &Connection, path: &Path, head: &Head) -> Result<(), Error> {
    if head.sequence == 0 {
        return Ok(());
    }
    let sequence = head.sequence;
    let found: Option<[u8; 32]> = connection
        .query_row("SELECT hash FROM trade_events WHERE sequence = ?1", [sequence], |row| row.get(0))
        .optional()
        .map_err(Error::query("read the chain"))?;
    let what = match found {
        Some(found) if found == head.hash => return Ok(()),
        Some(found) => format!("event {sequence} is another one ({})", hex(&found)),
        None => format!("event {sequence} and what followed is gone"),
    };
    Err(Error::HeadMismatch { path: path.to_owned(), what })
}

/// How long folding waits for readers. Arbitrary: for one that is about to end, and not for a backup, since writers wait meanwhile.
const FOLDING_WAITS: Duration = Duration::from_millis(50);

/// Folds the write-ahead log into the file, and cuts it where no reader needs it any more. Says if all of it was.
pub(crate) fn checkpoint(connection: &Connection) -> Result<bool, Error> {
    let failed = || Error::query("fold the write-ahead log");
    let waits: u64 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0)).map_err(failed())?;
    connection.busy_timeout(FOLDING_WAITS).map_err(failed())?;
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0).map(|busy: bool| !busy));
    connection.busy_timeout(Duration::from_millis(waits)).map_err(failed())?;
    folded.map_err(failed())
}

/// Brings to the disk what was recovered from the log: a process that was killed, or a sync that failed, leaves frames that
/// are seen and in memory only. Before anything is built on them, or acknowledged because it is there, they are made to stay.
pub(crate) fn settle(connection: &Connection) -> Result<(), Error> {
    if !checkpoint(connection)? {
        // A reader holds on to a part of the log. A commit syncs all of it.
        connection
            .execute("UPDATE record SET instance_id = instance_id", [])
            .map_err(Error::query("sync the write-ahead log"))?;
    }
    Ok(())
}

/// The path of a database's write-ahead log.
pub(crate) fn wal(path: &Path) -> PathBuf {
    with_ending(path, "wal")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-");
    name.push(ending);
    name.into()
}

/// What is said of a SQLite that gave a transaction up by itself, on a full disk for example.
pub(crate) fn given_up() -> Cause {
    Cause::text("SQLite gave the transaction up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_would_take_for_something_else_is_a_name_of_a_file() {
        for (name, expected) in [(":memory:", "./:memory:"), ("file:x?mode=memory", "./file:x?mode=memory"), ("x", "x")]
        {
            assert_eq!(plain(Path::new(name)), Path::new(expected));
            assert_eq!(unlinked(Path::new(name)), Path::new(expected));
        }
    }

    #[test]
    fn a_library_that_loses_commits_is_refused() {
        check_version(3_051_003, "3.51.3").expect("is the oldest that will do");
        let error = check_version(3_051_002, "3.51.2").expect_err("is refused");
        assert_eq!(error.to_string(), "this is SQLite 3.51.2, and 3.51.3 is the oldest that loses no commits");
        check_library().expect("ours will do");
    }
}

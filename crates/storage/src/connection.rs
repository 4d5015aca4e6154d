//! Opening SQLite: the one place where it happens, with the settings that the record depends on.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{Error, Options};

/// Marks a database as ours: "TrAu" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x5472_4175;

/// Opens an existing file for writing and checks that it is ours.
pub(crate) fn open_writer(options: &Options) -> Result<Connection, Error> {
    let connection = open(&options.path, OpenFlags::SQLITE_OPEN_READ_WRITE, options.busy_timeout)?;
    check_application_id(&connection, &options.path)?;
    set_up_writer(&connection, &options.path)?;
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

#[expect(clippy::disallowed_methods, reason = "the one place where SQLite is opened")]
fn open(path: &Path, flags: OpenFlags, busy_timeout: Duration) -> Result<Connection, Error> {
    // NOFOLLOW is left out: operators put the data folder on another disk with a link.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|source| opening(path, source))?;
    connection.busy_timeout(busy_timeout).map_err(|source| opening(path, source))?;
    Ok(connection)
}

fn opening(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotADatabase { path },
        _ => Error::Open { path, source: source.into() },
    }
}

fn check_application_id(connection: &Connection, path: &Path) -> Result<(), Error> {
    let application_id =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(|e| opening(path, e))?;
    if application_id == APPLICATION_ID {
        Ok(())
    } else {
        // An emptied file ends here too: SQLite takes it for a new database, and we do not.
        Err(Error::Foreign { path: path.to_owned(), application_id })
    }
}

fn set_up_writer(connection: &Connection, path: &Path) -> Result<(), Error> {
    // FULL, because with NORMAL a power cut takes acknowledged commits along.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;",
        )
        .map_err(|source| opening(path, source))?;
    for (pragma, expected) in
        [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1"), ("trusted_schema", "0")]
    {
        let found: rusqlite::types::Value =
            connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|source| opening(path, source))?;
        let found = match found {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        if found != expected {
            return Err(Error::Pragma { path: path.to_owned(), pragma, expected, found });
        }
    }
    Ok(())
}

//! The versions of the schema, and how a database gets from one to the next.
//!
//! Each step is one transaction together with its line in `schema_migrations`, so it is there whole or not at all.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use crate::{Error, transaction::now};

struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

/// In order, from 1, without gaps. A step that was released is never edited: a later one corrects it.
const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, name: "core", sql: include_str!("../migrations/0001_core.sql") }];

impl Migration {
    /// A checksum of what the step does: line ends, indentation and comments do not count.
    fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for line in self.sql.lines() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with("--") {
                hash.update(line);
                hash.update("\n");
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The newest version that this program knows.
pub(crate) fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// Brings the database to the newest version, and returns the one that it had.
///
/// Two processes may do this at once: each step is decided under the write lock.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<u32, Error> {
    let before = check(connection, path)?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > before) {
        let failed = |source: rusqlite::Error| Error::Migration {
            version: migration.version,
            name: migration.name,
            source: source.into(),
        };
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        if check(&tx, path)? >= migration.version {
            continue;
        }
        tx.execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 version    INTEGER PRIMARY KEY,
                 name       TEXT    NOT NULL,
                 checksum   TEXT    NOT NULL,
                 applied_at INTEGER NOT NULL
             ) STRICT",
        )
        .map_err(failed)?;
        tx.execute_batch(migration.sql).map_err(failed)?;
        tx.execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            params![migration.version, migration.name, migration.checksum(), now().timestamp_micros()],
        )
        .map_err(failed)?;
        tx.pragma_update(None, "user_version", migration.version).map_err(failed)?;
        tx.commit().map_err(failed)?;
    }
    Ok(before)
}

/// The version of the database, after a comparison of its history with ours.
fn check(connection: &Connection, path: &Path) -> Result<u32, Error> {
    let failed = |source: rusqlite::Error| Error::Open { path: path.to_owned(), source: source.into() };
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let known = newest();
    if found > known {
        return Err(Error::Newer { path: path.to_owned(), found, known });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= found) {
        let (name, checksum): (String, String) = connection
            .query_row("SELECT name, checksum FROM schema_migrations WHERE version = ?1", [migration.version], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(failed)?
            .unwrap_or_default();
        if checksum != migration.checksum() {
            return Err(Error::MigrationEdited { path: path.to_owned(), version: migration.version, name });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_begin_at_one_and_have_no_gaps() {
        for (expected, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, expected, "{}", migration.name);
        }
    }

    #[test]
    fn only_what_a_step_does_counts_for_its_checksum() {
        let checksum = |sql| Migration { version: 1, name: "test", sql }.checksum();
        let same = checksum("CREATE TABLE a (b);\nDROP TABLE c;");
        assert_eq!(same, checksum("-- Why.\r\n  CREATE TABLE a (b);\r\n\r\nDROP TABLE c;\r\n"));
        assert_ne!(same, checksum("CREATE TABLE a (b);\nDROP TABLE d;"));
        assert_ne!(same, checksum("CREATE TABLE a (b);"));
    }
}

//! SQLite itself, for tables of your own ([`MigrationSet`](crate::MigrationSet)).
//!
//! The one place where the engine shows. What is written here shares the transaction, the durability and the backups of the
//! record; it knows nothing of its rules. Leave our tables to their methods: a trade that is changed past them breaks the
//! chain, and [`Database::verify`](crate::Database::verify) says so. Do not begin, commit or roll back.
//!
//! ```
//! use trading_storage::{Database, Error, Migration, MigrationSet, Options, sqlite};
//!
//! # const SQL: &str = "CREATE TABLE quiver_runs (day TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;";
//! # const QUIVER: MigrationSet = MigrationSet {
//! #     component: "quiver", migrations: &[Migration { version: 1, name: "runs", sql: SQL }] };
//! # let folder = tempfile::tempdir()?;
//! # let options = Options { migrations: vec![QUIVER], ..Options::at(folder.path().join("record.db")) };
//! let db = Database::create(&options)?;
//! db.transaction(|tx| {
//!     let insert = sqlite::connection(tx).execute("INSERT INTO quiver_runs (day) VALUES (?1)", ["2026-11-20"]);
//!     insert.map_err(Error::aborted)
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use rusqlite;

use crate::Reader;

/// The connection behind a reader, or behind a transaction (which is one too).
#[must_use]
pub fn connection<'c>(reader: &Reader<'c>) -> &'c rusqlite::Connection {
    reader.connection()
}

/// The version of SQLite, such as `3.53.0`. It is compiled in.
#[must_use]
pub fn version() -> &'static str {
    rusqlite::version()
}

//! What can go wrong with the record.
//!
//! A variant is the operation that failed and on what. [`Error::class`](trading_resilience::Classify::class) says what to do about it;
//! [`Error::CommitUnknown`] is the one that must not be taken for a failure: the transaction may be there.

mod advice;
mod cause;

use std::{io, path::PathBuf, time::Duration};

pub use cause::Cause;

use crate::{AgentId, ClientOrderId, Order, StatusUpdate, TradeId};

/// Why the record did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no database at the path. Opening never creates one: an empty database would hide the loss of the old.
    #[error("there is no database at {}", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// There is something at the path already, so that no database can be created there.
    #[error("there is a file at {} already", path.display())]
    Exists {
        /// Where the new one should be.
        path: PathBuf,
    },
    /// There is no database at the path, and files of one that was there: they may hold its last transactions.
    #[error("there is no database at {}, but {} is left of one", path.display(), leftover.display())]
    Leftover {
        /// Where the database should be.
        path: PathBuf,
        /// What is left.
        leftover: PathBuf,
    },
    /// The folder or the file of a new database could not be made.
    #[error("cannot create the database {}", path.display())]
    Create {
        /// Where it should be.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file could not be opened as a database.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Cause,
    },
    /// What stands at the path is no file.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// Where the database should be.
        path: PathBuf,
    },
    /// The file is empty. A database never is: it was emptied.
    #[error("the database {} was emptied", path.display())]
    Emptied {
        /// The file.
        path: PathBuf,
    },
    /// The file is no SQLite database.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of the earlier Python system.
    #[error("{} is a database of the earlier Python system", path.display())]
    Earlier {
        /// The file.
        path: PathBuf,
    },
    /// This user may read the file, and not write it.
    #[error("this user may not write the database {}", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another program has the file locked.
    #[error("the database {} is locked by another program", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file was deleted or replaced while it was open.
    #[error("the database {} is not the file that was opened: {what}", path.display())]
    Replaced {
        /// Where it was.
        path: PathBuf,
        /// What is different.
        what: Cause,
    },
    /// The file is a SQLite database of another program.
    #[error("{} is a database of another program (its application id is {application_id:#x})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What stands where ours has its mark.
        application_id: i32,
    },
    /// The database was written by a newer version of this program.
    #[error("the database {} has version {found} of the schema {component}, and this program knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Whose tables.
        component: &'static str,
        /// The version of the database.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The database has an older schema, and is open for reading only.
    #[error("the database {} has an older schema than this program reads", path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// A migration that was applied is not the one that this program has under its number.
    #[error(
        "step {version} ({name}) of the schema {component} of the database {} is not the one that this program knows",
        path.display()
    )]
    MigrationEdited {
        /// The file.
        path: PathBuf,
        /// Whose tables.
        component: &'static str,
        /// The number of the migration.
        version: u32,
        /// Its name: in the database, or in this program if it is missing there.
        name: String,
    },
    /// A set of migrations breaks a rule.
    #[error("the migrations of {component} are refused: {rule}")]
    MigrationSet {
        /// Whose tables.
        component: &'static str,
        /// The rule.
        rule: &'static str,
    },
    /// A migration failed; nothing of it is in the database.
    #[error("step {version} ({name}) of the schema {component} failed")]
    Migration {
        /// Whose tables.
        component: &'static str,
        /// The number of the migration.
        version: u32,
        /// Its name.
        name: &'static str,
        /// What SQLite said.
        source: Cause,
    },
    /// The SQLite that was linked loses commits.
    #[error("this is SQLite {found}, and {needed} is the oldest that loses no commits")]
    Library {
        /// Its version.
        found: &'static str,
        /// The oldest that will do.
        needed: &'static str,
    },
    /// SQLite did not take a setting that the record depends on.
    #[error("the database {} has {pragma} = {found}, and {expected} is needed", path.display())]
    Pragma {
        /// The file.
        path: PathBuf,
        /// The setting.
        pragma: &'static str,
        /// The value that is needed.
        expected: &'static str,
        /// The value that it has.
        found: String,
    },
    /// No connection became free in time.
    #[error("none of {size_max} connections became free within {waited:?}")]
    PoolTimeout {
        /// How long the call waited.
        waited: Duration,
        /// How many connections there are.
        size_max: u32,
        /// Why the last one that was tried could not be opened, if one was.
        source: Cause,
    },
    /// Those before in the queue, or another program with SQLite's lock, took too long.
    #[error("no turn to write came within {waited:?}")]
    Busy {
        /// How long the call waited.
        waited: Duration,
    },
    /// The commit was not confirmed: the transaction may be in the database or not. Look its keys up before going on.
    #[error("the commit was not confirmed, so the transaction may have happened or not")]
    CommitUnknown {
        /// What SQLite said.
        source: Cause,
    },
    /// SQLite gave the whole transaction up, because of another caller's trouble that shared its commit or of the disk; nothing of it
    /// is in the database.
    #[error("the transaction was rolled back")]
    RolledBack {
        /// What SQLite said.
        source: Cause,
    },
    /// Nothing is written any more, since a commit was not confirmed: [`Database::reopen`](crate::Database::reopen) first.
    #[error("the record takes no more writes until it is opened anew")]
    Stopped {
        /// Why.
        source: Cause,
    },
    /// A transaction was asked for within a transaction of the same thread. Use
    /// [`Transaction::nested`](crate::Transaction::nested).
    #[error("a transaction was begun within a transaction of the same thread: use its `nested`")]
    Nested,
    /// The file has another name besides: by each of them a process could write it, with a lock and a log of its own.
    #[error("the database {} has {names} names (hard links)", path.display())]
    Linked {
        /// The file.
        path: PathBuf,
        /// How many.
        names: u64,
    },
    /// Another process has the database open for writing.
    #[error("the database {} is in use by process {}", path.display(), pid.map_or("?".to_owned(), |pid| pid.to_string()))]
    InUse {
        /// The file.
        path: PathBuf,
        /// The other process, if it could be told.
        pid: Option<u32>,
    },
    /// The lock file beside the database could not be made or locked.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file beside the database that has the head of its chain could not be read or written.
    #[error("cannot keep the head of the chain in {}", path.display())]
    HeadFile {
        /// The head file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The database is not the one that the head file beside it tells of, or has lost events since.
    #[error("the database {} is not the one that was here before: {what}", path.display())]
    HeadMismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// The chain of events is broken: somebody changed the record past this program, or the disk did.
    #[error("the record is damaged at event {sequence}: {what}")]
    ChainBroken {
        /// The first event that is wrong.
        sequence: u64,
        /// What is wrong with it.
        what: String,
    },
    /// SQLite found the file damaged.
    #[error("the database {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that SQLite found.
        what: String,
    },
    /// A file or folder of a backup, or of a restore, could not be read, written or moved.
    #[error("cannot {operation} {}", path.display())]
    BackupFile {
        /// What was to be done with it.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The disk has no room for a backup, or for what is in one. Nothing was begun.
    #[error("{} has {available_bytes} bytes free, and {needed_bytes} are needed", path.display())]
    DiskSpace {
        /// The folder.
        path: PathBuf,
        /// How much is needed.
        needed_bytes: u64,
        /// How much there is for this user.
        available_bytes: u64,
    },
    /// What is there is not the backup that was made, or none was.
    #[error("the backup {} is not good: {what}", path.display())]
    BackupDamaged {
        /// The backup.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The backup is encrypted, and what was given does not open it.
    #[error("the backup {} cannot be decrypted: {what}", path.display())]
    BackupKey {
        /// The backup.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// A key for backups could not be understood. The error does not show it.
    #[error("the key is refused: {rule}")]
    Key {
        /// The rule.
        rule: &'static str,
    },
    /// The database that a backup was to replace has what the backup does not have.
    #[error("the backup {} does not have all that {} has: {what}", backup.display(), database.display())]
    RestoreLoses {
        /// The backup.
        backup: PathBuf,
        /// The database.
        database: PathBuf,
        /// What would be lost.
        what: String,
    },
    /// A restore was interrupted while it exchanged the files.
    #[error("a restore of {} was interrupted, as {} shows", database.display(), journal.display())]
    RestoreUnfinished {
        /// The database.
        database: PathBuf,
        /// The folder with what is left to be done.
        journal: PathBuf,
    },
    /// A read took longer than [`Options::read_age_max`](crate::Options::read_age_max).
    #[error("the read took longer than {limit:?}, and old readers let the write-ahead log grow")]
    ReadTooLong {
        /// The limit.
        limit: Duration,
    },
    /// There is no trade with this number.
    #[error("there is no trade {id}")]
    UnknownTrade {
        /// The number.
        id: TradeId,
    },
    /// A status that cannot follow the one that the trade has, or that changes what is settled.
    #[error("trade {id} is {}, and cannot become {update}", StatusUpdate::of(before))]
    StatusChange {
        /// The trade.
        id: TradeId,
        /// What it is.
        before: Box<Order>,
        /// What it was to be.
        update: Box<StatusUpdate>,
    },
    /// The agent was not registered.
    #[error("there is no agent {agent}")]
    UnknownAgent {
        /// The agent.
        agent: AgentId,
    },
    /// An order with this id is recorded, and it is not the same.
    #[error("order {client_order_id} is recorded with {}", recorded.differences(given))]
    OrderConflict {
        /// The id of both.
        client_order_id: ClientOrderId,
        /// The one in the record.
        recorded: Box<Order>,
        /// The one that was to be recorded.
        given: Box<Order>,
    },
    /// An amount that the record cannot hold exactly, or that the field cannot have.
    #[error("{field} {value} does not fit: it takes {rule}")]
    Amount {
        /// The field.
        field: &'static str,
        /// The amount.
        value: String,
        /// What fits.
        rule: String,
    },
    /// A name that breaks its rule.
    #[error("{found:?} is not {rule}")]
    Name {
        /// The rule: "an agent id (1 to 64 of …)".
        rule: &'static str,
        /// What was given.
        found: String,
    },
    /// A row of the database holds what should never have got there.
    #[error("{column} of a stored row holds {found:?}")]
    Stored {
        /// The column.
        column: &'static str,
        /// What it holds.
        found: String,
    },
    /// A statement failed.
    #[error("cannot {operation}")]
    Query {
        /// What was tried.
        operation: &'static str,
        /// What SQLite said.
        source: Cause,
    },
    /// What was to be imported is a record of this program.
    #[error("{} is a record of this program, and no database of the earlier Python system", path.display())]
    Ours {
        /// The file.
        path: PathBuf,
    },
    /// Real trades were to be imported into a record of made-up ones.
    #[error("the trades of {} are made up, and real ones are not mixed with them", path.display())]
    MadeUp {
        /// The record.
        path: PathBuf,
    },
    /// What was to be imported lacks what every database of the earlier system has.
    #[error("{} is no database of the earlier Python system: it has no {}", path.display(), missing.join(", no "))]
    NotEarlier {
        /// The file.
        path: PathBuf,
        /// The tables, and as `table.column` the columns, that are missing.
        missing: Vec<String>,
    },
    /// What was to be imported changed whenever it was copied.
    #[error("the database {} was being written for more than {waited:?}", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
        /// How long the call waited.
        waited: Duration,
    },
    /// What was to be imported could not be copied.
    #[error("cannot copy {} for the import", path.display())]
    ImportCopy {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What an import wrote is not what it had read; nothing of it is in the database.
    #[error("what was read and what was recorded differ in {what}: {read} and {recorded}")]
    ImportMismatch {
        /// Which sum.
        what: &'static str,
        /// The sum of what was read.
        read: String,
        /// The sum of what was recorded.
        recorded: String,
    },
    /// The caller gave the transaction up, with an error of its own.
    #[error("the transaction was given up")]
    Aborted {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Gives a transaction up for a reason that is not the record's: return it from the closure.
    #[must_use]
    pub fn aborted(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Aborted { source: source.into() }
    }

    pub(crate) fn query(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Query { operation, source: Cause::of_sqlite(source) }
    }
}

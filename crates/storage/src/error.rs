//! What can go wrong with the record.
//!
//! A variant is the operation that failed and on what. [`Error::class`](Classify::class) says what to do about it;
//! [`Error::CommitUnknown`] is the one that must not be taken for a failure: the transaction may be there.

use std::{fmt, io, path::PathBuf, time::Duration};

use trading_resilience::{Class, Classify};

use crate::{AgentId, ClientOrderId, Order};

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
    /// The file is no SQLite database.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
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
    #[error("the database {} has schema version {found}, and this program knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of the database.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A migration that was applied is not the one that this program has under its number.
    #[error("migration {version} ({name}) of the database {} is not the one that this program knows", path.display())]
    MigrationEdited {
        /// The file.
        path: PathBuf,
        /// The number of the migration.
        version: u32,
        /// Its name in the database.
        name: String,
    },
    /// A migration failed; nothing of it is in the database.
    #[error("migration {version} ({name}) failed")]
    Migration {
        /// The number of the migration.
        version: u32,
        /// Its name.
        name: &'static str,
        /// What SQLite said.
        source: Cause,
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
    /// Another process held the lock for too long.
    #[error("the database was locked by another process for more than {waited:?}")]
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
    /// The agent was not registered.
    #[error("there is no agent {agent}")]
    UnknownAgent {
        /// The agent.
        agent: AgentId,
    },
    /// An order with this id is recorded, and it is not the same.
    #[error("order {client_order_id} is recorded as {recorded:?}, and this one is {given:?}")]
    OrderConflict {
        /// The id of both.
        client_order_id: ClientOrderId,
        /// The one in the record.
        recorded: Box<Order>,
        /// The one that was to be recorded.
        given: Box<Order>,
    },
    /// An amount that the record cannot hold exactly.
    #[error("{field} {value} does not fit: it takes {decimals} decimals at the most, and less than {limit}")]
    Amount {
        /// The field.
        field: &'static str,
        /// The amount.
        value: String,
        /// How many decimals the field has.
        decimals: u32,
        /// The first amount that is too large.
        limit: String,
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

    /// What an operator can do about it, as a sentence without its end; `None` where only a developer can.
    #[must_use]
    pub fn way_out(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing { .. } => "create it with `trading init-db`, or set DATABASE_PATH to where it is",
            Self::Exists { .. } => "choose another path, or open the one that is there",
            Self::Create { .. } => "let this user write to the folder, or set DATABASE_PATH to another",
            Self::Open { .. } => {
                "check that this user may write to the file and its folder, or set DATABASE_PATH to another"
            }
            Self::NotADatabase { .. } => "move the file aside and restore a backup, or set DATABASE_PATH to another",
            Self::Foreign { .. } => "set DATABASE_PATH to another path, and leave this file as it is",
            Self::Newer { .. } => "run the newer version of this program, or restore a backup of before its migration",
            Self::MigrationEdited { .. } => "run the version of this program that made the database",
            Self::Busy { .. } => "end the other process that uses the database",
            Self::PoolTimeout { .. } => "raise DATABASE__READERS or DATABASE__BUSY_TIMEOUT",
            Self::Migration { .. }
            | Self::Pragma { .. }
            | Self::CommitUnknown { .. }
            | Self::UnknownAgent { .. }
            | Self::OrderConflict { .. }
            | Self::Amount { .. }
            | Self::Name { .. }
            | Self::Stored { .. }
            | Self::Query { .. }
            | Self::Aborted { .. } => return None,
        })
    }

    pub(crate) fn query(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Query { operation, source: source.into() }
    }
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Self::CommitUnknown { .. } => Class::Unknown,
            Self::PoolTimeout { .. } | Self::Busy { .. } => Class::Transient,
            Self::Missing { .. }
            | Self::Exists { .. }
            | Self::Create { .. }
            | Self::Open { .. }
            | Self::NotADatabase { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::MigrationEdited { .. }
            | Self::Migration { .. }
            | Self::Pragma { .. }
            | Self::UnknownAgent { .. }
            | Self::OrderConflict { .. }
            | Self::Amount { .. }
            | Self::Name { .. }
            | Self::Stored { .. }
            | Self::Query { .. }
            | Self::Aborted { .. } => Class::Permanent,
        }
    }
}

/// What the engine behind the record said. Opaque, so that another engine can stand there.
#[derive(Debug)]
pub struct Cause(Engine);

#[derive(Debug)]
enum Engine {
    Sqlite(rusqlite::Error),
    Pool(r2d2::Error),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Engine::Sqlite(error) => error.fmt(f),
            Engine::Pool(error) => error.fmt(f),
        }
    }
}

/// Without a source: SQLite's own is its number and the same text again.
impl std::error::Error for Cause {}

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        Self(Engine::Sqlite(error))
    }
}

impl From<r2d2::Error> for Cause {
    fn from(error: r2d2::Error) -> Self {
        Self(Engine::Pool(error))
    }
}

impl Cause {
    pub(crate) fn sqlite(&self) -> Option<&rusqlite::Error> {
        match &self.0 {
            Engine::Sqlite(error) => Some(error),
            Engine::Pool(_) => None,
        }
    }
}

//! What the engine said, without its types.

use std::{fmt, sync::Arc};

use rusqlite::ErrorCode;

/// What the engine behind the record said. Opaque, so that another engine can stand there.
#[derive(Debug, Clone)]
pub struct Cause(Arc<Engine>);

#[derive(Debug)]
enum Engine {
    Sqlite(rusqlite::Error),
    Pool(r2d2::Error),
    Text(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Engine::Sqlite(error) => error.fmt(f),
            Engine::Pool(error) => error.fmt(f),
            Engine::Text(text) => f.write_str(text),
        }
    }
}

/// Without a source: SQLite's own is its number and the same text again.
impl std::error::Error for Cause {}

// No `From`: that would show the engine.
impl Cause {
    pub(crate) fn of_sqlite(error: rusqlite::Error) -> Self {
        Self(Arc::new(Engine::Sqlite(error)))
    }

    pub(crate) fn of_pool(error: r2d2::Error) -> Self {
        Self(Arc::new(Engine::Pool(error)))
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self(Arc::new(Engine::Text(text.into())))
    }

    /// If it is that the file is not what was written to it.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// If the disk is full, or fails.
    pub(super) fn is_of_the_disk(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
    }

    /// What an operator can do about it, as a clause.
    pub(super) fn way_out(&self) -> Option<&'static str> {
        match self.code()? {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(super::advice::RESTORE),
            ErrorCode::DiskFull => Some("make room on its disk"),
            ErrorCode::SystemIoFailure => Some("check its disk, and what this process may write (`ulimit -f`)"),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
                Some("let this user write to the file and its folder")
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some("end the other process that uses it"),
            _ => None,
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        self.as_sqlite()?.sqlite_error_code()
    }

    pub(crate) fn as_sqlite(&self) -> Option<&rusqlite::Error> {
        match &*self.0 {
            Engine::Sqlite(error) => Some(error),
            Engine::Pool(_) | Engine::Text(_) => None,
        }
    }
}

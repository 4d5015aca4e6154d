//! The connections that reads borrow. They cannot write, and are opened when first needed.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use r2d2::ManageConnection;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{Cause, Error, Options, Reader, connection};

/// How long closing waits for connections that the pool's own threads still hold. Far longer than a thread holds one.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The pool. When it is dropped, its connections are closed before the drop returns.
pub(crate) struct Pool {
    // First: its drop lets the connections go, and that of `_closed` waits for the last of them.
    connections: r2d2::Pool<Manager>,
    _closed: Closed,
    waits: Duration,
    age_max: Duration,
}

impl Pool {
    pub(crate) fn new(options: &Options) -> Self {
        let waits = connection::waits(options.busy_timeout);
        #[expect(clippy::disallowed_methods, reason = "one of the places where SQLite is opened")]
        let manager = SqliteConnectionManager::file(&options.path)
            .with_flags(OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .with_init(move |connection| {
                connection.busy_timeout(waits)?;
                connection::set_up_reader(connection)
            });
        let (open, closed) = mpsc::channel();
        let connections = r2d2::Pool::builder()
            .max_size(options.readers.max(1))
            .min_idle(Some(0))
            // It costs a statement on each loan and proves nothing about the next.
            .test_on_check_out(false)
            .connection_timeout(waits)
            .build_unchecked(Manager { manager, open });
        Self { connections, _closed: Closed(Mutex::new(closed)), waits, age_max: options.read_age_max }
    }

    /// Reads with `work`, all of it at one moment.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.lend(|connection| {
            // A transaction, because single statements would each see a moment of their own.
            let tx = connection.transaction().map_err(Error::query("begin to read"))?;
            work(&Reader::new(&tx))
        })
    }

    /// Lends a connection to `work`. One that turns out to be broken is not lent again.
    fn lend<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut reader = self.connections.get().map_err(|source| Error::PoolTimeout {
            waited: self.waits,
            size_max: self.connections.max_size(),
            source: Cause::of_pool(source),
        })?;
        let (start, limit) = (Instant::now(), self.age_max);
        // Asked every so many steps of SQLite's machine: often beside any limit, and seldom beside the steps.
        let watched = reader.connection.progress_handler(1_000, Some(move || start.elapsed() > limit));
        watched.map_err(Error::query("watch a read"))?;
        let done = work(&mut reader).map_err(|error| match code(&error) {
            Some(ErrorCode::OperationInterrupted) => Error::ReadTooLong { limit },
            _ => error,
        });
        reader.broken = done.as_ref().is_err_and(breaks);
        done
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("connections", &self.connections.state()).finish_non_exhaustive()
    }
}

/// If what failed makes the connection itself doubtful.
fn breaks(error: &Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::DiskFull)
    )
}

/// What SQLite said, to us or to a caller that has statements of its own.
fn code(error: &Error) -> Option<ErrorCode> {
    let said = match error {
        Error::Query { source, .. } => source.as_sqlite(),
        Error::Aborted { source } => source.downcast_ref(),
        _ => None,
    };
    said.and_then(rusqlite::Error::sqlite_error_code)
}

struct Manager {
    manager: SqliteConnectionManager,
    open: mpsc::Sender<()>,
}

/// A connection of the pool. The sender after it goes when it is closed.
struct Lent {
    connection: Connection,
    broken: bool,
    _open: mpsc::Sender<()>,
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl ManageConnection for Manager {
    type Connection = Lent;
    type Error = rusqlite::Error;

    fn connect(&self) -> Result<Lent, rusqlite::Error> {
        Ok(Lent { connection: self.manager.connect()?, broken: false, _open: self.open.clone() })
    }

    fn is_valid(&self, lent: &mut Lent) -> Result<(), rusqlite::Error> {
        self.manager.is_valid(&mut lent.connection)
    }

    fn has_broken(&self, lent: &mut Lent) -> bool {
        lent.broken || !lent.connection.is_autocommit()
    }
}

/// Ends when all senders are gone: r2d2's threads may hold the last connection a moment longer than the pool's owner, and
/// the writer must be the last to close, since only it can fold the write-ahead log into the file.
struct Closed(Mutex<mpsc::Receiver<()>>);

impl Drop for Closed {
    fn drop(&mut self) {
        let closed = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: the end is that all senders are gone, or that it took too long, which is only untidy.
        while closed.recv_timeout(CLOSE_LIMIT).is_ok() {}
    }
}

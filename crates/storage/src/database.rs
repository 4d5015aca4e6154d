//! The handle: how a database is made, opened, read and written.

use std::{
    fmt, fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::{Error, Options, Reader, Transaction, connection, migration, pool::Pool};

/// The record: one SQLite file, one writer, several readers.
///
/// Clones share it; it may be used from any thread. There is no other way in than [`read`](Self::read) and
/// [`transaction`](Self::transaction). The last clone that is dropped closes the file.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    busy_timeout: Duration,
    origin: Origin,
    // Before the writer, so that the writer is closed last and tidies the write-ahead log away.
    readers: Pool,
    writer: Mutex<Connection>,
}

/// How a database came to be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was created just now, with this schema version.
    Created {
        /// The newest.
        version: u32,
    },
    /// It was there, and its schema was brought up to date.
    Migrated {
        /// The version before.
        from: u32,
        /// The newest.
        to: u32,
    },
    /// It was there, up to date.
    Current {
        /// The newest.
        version: u32,
    },
}

impl Database {
    /// Creates a database, and its folder (0700) where that is missing, and opens it. Blocks on the disk.
    ///
    /// The new file (0600) appears at its path complete, or not at all.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is anything at the path, [`Error::Create`] if folder or file cannot be made.
    pub fn create(options: &Options) -> Result<Self, Error> {
        let path = options.path.as_path();
        let exists = || Error::Exists { path: path.to_owned() };
        let failed = |source| Error::Create { path: path.to_owned(), source };
        if fs::symlink_metadata(path).is_ok() {
            return Err(exists());
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        // Made under another name: whatever stands at the path was finished once, so an empty file there is a loss.
        let unfinished =
            tempfile::Builder::new().prefix(".new-database-").tempfile_in(folder).map_err(failed)?.into_temp_path();
        let mut writer = connection::open_new(&unfinished, options.busy_timeout)?;
        migration::migrate(&mut writer, path)?;
        // Closing the only connection moves the write-ahead log into the file and removes it.
        writer.close().map_err(|(_, source)| Error::Open { path: path.to_owned(), source: source.into() })?;
        unfinished.persist_noclobber(path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => failed(error.error),
        })?;
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;

        let writer = connection::open_writer(options)?;
        Ok(Self::new(options, writer, Origin::Created { version: migration::newest() }))
    }

    /// Opens an existing database and brings its schema up to date. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotADatabase`], [`Error::Foreign`], [`Error::Newer`], [`Error::MigrationEdited`],
    /// [`Error::Migration`], [`Error::Pragma`] or [`Error::Open`]. But for a migration that failed half-way through
    /// several, the file is as it was.
    pub fn open(options: &Options) -> Result<Self, Error> {
        match fs::metadata(&options.path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(Error::NotADatabase { path: options.path.clone() }),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(Error::Missing { path: options.path.clone() });
            }
            // SQLite's answer has the reason.
            Err(_) => {}
        }
        let mut writer = connection::open_writer(options)?;
        let from = migration::migrate(&mut writer, &options.path)?;
        let to = migration::newest();
        let origin = if from == to { Origin::Current { version: to } } else { Origin::Migrated { from, to } };
        Ok(Self::new(options, writer, origin))
    }

    fn new(options: &Options, writer: Connection, origin: Origin) -> Self {
        let readers = Pool::new(options);
        let Options { path, busy_timeout, .. } = options.clone();
        Self { inner: Arc::new(Inner { path, busy_timeout, origin, readers, writer: Mutex::new(writer) }) }
    }

    /// How it came to be open.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.inner.origin
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Reads on a connection of the pool that cannot write. Everything that `work` reads is of one moment.
    ///
    /// Blocks until a connection is free, [`Options::busy_timeout`] at the longest.
    ///
    /// # Errors
    /// [`Error::PoolTimeout`], or what `work` returns.
    pub fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.inner.readers.lend(|connection| {
            // A transaction, because single statements would each see a moment of their own.
            let tx = connection.transaction().map_err(Error::query("begin to read"))?;
            work(&Reader::new(&tx))
        })
    }

    /// Writes, whole or not at all: what `work` did is on the disk when this returns `Ok`, and undone when `work` returns
    /// an error or panics.
    ///
    /// Transactions run one after another; the call blocks until it is its turn. It must not be called from within
    /// `work`, which would wait for itself.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Busy`] if another process held the lock for longer than [`Options::busy_timeout`];
    /// [`Error::CommitUnknown`] if the disk did not confirm the commit: the transaction may have happened.
    pub fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        // Poison tells of a panic in `work`; its transaction was rolled back while the lock was still held.
        let mut writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // IMMEDIATE, because a reading transaction that turns to writing fails at once, whatever the time-out.
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|source| {
            match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy) => Error::Busy { waited: self.inner.busy_timeout },
                _ => Error::query("begin to write")(source),
            }
        })?;
        let value = work(&Transaction::new(&tx))?;
        tx.commit().map_err(|source| Error::CommitUnknown { source: source.into() })?;
        Ok(value)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { path, origin, .. } = &*self.inner;
        f.debug_struct("Database").field("path", path).field("origin", origin).finish_non_exhaustive()
    }
}

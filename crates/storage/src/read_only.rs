//! A database of another process, for reading.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    Backup, BackupOptions, Error, Options, Progress, Reader, Verification, backup, connection, head_file::HeadFile,
    migration, pool::Pool, verification,
};

/// A database that another process may be writing: for a dashboard beside it, or a backup by hand. Clones share the connections.
#[derive(Debug, Clone)]
pub struct ReadOnlyDatabase {
    pool: Arc<Pool>,
    path: Arc<Path>,
    busy_timeout: Duration,
}

impl ReadOnlyDatabase {
    /// Opens an existing database for reading alone. Takes no lock and migrates nothing.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotADatabase`], [`Error::Foreign`], [`Error::Newer`], [`Error::MigrationEdited`],
    /// [`Error::MigrationSet`], [`Error::Open`]; [`Error::Older`] if its schema is not up to date;
    /// [`Error::RestoreUnfinished`].
    pub fn open(options: &Options) -> Result<Self, Error> {
        connection::check_library()?;
        backup::refuse_interrupted(&options.path)?;
        connection::probe(&options.path)?;
        let connection = connection::open_reader(&options.path, options.busy_timeout)?;
        if migration::check(&connection, &options.path, &options.migrations)? {
            return Err(Error::Older { path: options.path.clone() });
        }
        let pool = Arc::new(Pool::new(options));
        Ok(Self { pool, path: options.path.as_path().into(), busy_timeout: options.busy_timeout })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads, as [`Database::read`](crate::Database::read) does.
    ///
    /// # Errors
    /// As there.
    pub fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.pool.read(work)
    }
    /// Proves the record whole beside whoever writes it, as [`Database::verify`](crate::Database::verify) does.
    ///
    /// # Errors
    /// As there.
    pub fn verify(&self, progress: impl FnMut(u64, u64)) -> Result<Verification, Error> {
        let head_file = self.head_file(&connection::open_reader(&self.path, self.busy_timeout)?)?;
        verification::whole(&self.path, self.busy_timeout, &head_file, progress)
    }

    /// Makes a backup beside whoever writes the record, as [`Database::backup`](crate::Database::backup) does. What other processes
    /// have acknowledged before the call is in it.
    ///
    /// # Errors
    /// As there; [`Error::HeadMismatch`] also if the record has lost what the head beside it says was there.
    pub fn backup(&self, options: &BackupOptions, mut progress: impl FnMut(Progress)) -> Result<Backup, Error> {
        let source = connection::open_reader(&self.path, self.busy_timeout)?;
        let head_file = self.head_file(&source)?;
        head_file.check(&source)?;
        let head = connection::head(&source, head_file.instance_id())?;
        backup::make(&source, &self.path, options, Some((head_file.instance_id(), &head)), &mut progress)
    }

    fn head_file(&self, connection: &rusqlite::Connection) -> Result<HeadFile, Error> {
        Ok(HeadFile::of(&self.path, connection::instance_id(connection)?))
    }
}

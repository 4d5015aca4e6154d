//! A database of another process, for reading.

use std::{path::Path, sync::Arc};

use crate::{Error, Options, Reader, backup, connection, migration, pool::Pool};

/// A database that another process may be writing: for a dashboard beside it. Clones share the connections.
#[derive(Debug, Clone)]
pub struct ReadOnlyDatabase {
    pool: Arc<Pool>,
    path: Arc<Path>,
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
        Ok(Self { pool: Arc::new(Pool::new(options)), path: options.path.as_path().into() })
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
}

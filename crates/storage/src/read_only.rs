//! A database of another process, for reading.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Backup, BackupOptions, Error, Options, Progress, Reader, Verification, backup, connection, head_file::HeadFile,
    identity, migration, pool::Pool, verification,
};

/// A database that another process may be writing: for a dashboard beside it, or a backup by hand. Clones share the connections.
#[derive(Debug, Clone)]
pub struct ReadOnlyDatabase {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    opened: Mutex<Opened>,
}

#[derive(Debug)]
struct Opened {
    /// Which file it is.
    file: (u64, u64),
    pool: Arc<Pool>,
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
        let options = Options { path: connection::unlinked(&options.path), ..options.clone() };
        let opened = Mutex::new(Opened::new(&options)?);
        Ok(Self { inner: Arc::new(Inner { options, opened }) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.options.path
    }

    /// The name that the database was given when it was created, as [`Database::instance_id`](crate::Database::instance_id); another
    /// one if another file stands at the path now.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn instance_id(&self) -> Result<String, Error> {
        self.read(|r| connection::instance_id(r.connection()))
    }

    /// Reads, as [`Database::read`](crate::Database::read) does. If another file stands at the path now, as after a restore, that one
    /// is opened and read.
    ///
    /// # Errors
    /// As there, and as [`open`](Self::open) where the file is another one or gone.
    pub fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let pool = self.inner.pool()?;
        pool.read(work)
    }

    /// Proves the record whole beside whoever writes it, as [`Database::verify`](crate::Database::verify) does.
    ///
    /// # Errors
    /// As there.
    pub fn verify(&self, progress: impl FnMut(u64, u64)) -> Result<Verification, Error> {
        let connection = self.connection()?;
        verification::whole(&connection, self.path(), &self.head_file(&connection)?, progress)
    }

    /// Makes a backup beside whoever writes the record, as [`Database::backup`](crate::Database::backup) does. What other processes
    /// have acknowledged before the call is in it.
    ///
    /// # Errors
    /// As there; [`Error::HeadMismatch`] also if the record has lost what the head beside it says was there.
    pub fn backup(&self, options: &BackupOptions, mut progress: impl FnMut(Progress)) -> Result<Backup, Error> {
        let source = self.connection()?;
        let head_file = self.head_file(&source)?;
        head_file.check(&source)?;
        let head = connection::head(&source, head_file.instance_id())?;
        backup::make(&source, self.path(), options, Some((head_file.instance_id(), &head)), &mut progress)
    }

    fn head_file(&self, connection: &rusqlite::Connection) -> Result<HeadFile, Error> {
        Ok(HeadFile::of(self.path(), connection::instance_id(connection)?))
    }

    fn connection(&self) -> Result<rusqlite::Connection, Error> {
        connection::open_reader(self.path(), self.inner.options.busy_timeout)
    }
}

impl Inner {
    fn pool(&self) -> Result<Arc<Pool>, Error> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if identity::file_at(&self.options.path).ok() != Some(opened.file) {
            // The old file goes on to exist as long as a connection holds it, and would be read for ever.
            *opened = Opened::new(&self.options)?;
        }
        Ok(Arc::clone(&opened.pool))
    }
}

impl Opened {
    fn new(options: &Options) -> Result<Self, Error> {
        let path = &options.path;
        backup::refuse_interrupted(path)?;
        connection::probe(path)?;
        // Before the connection: if the file is exchanged in between, the next read sees another one.
        let file = identity::file_at(path).map_err(|_gone| Error::Missing { path: path.clone() })?;
        let connection = connection::open_reader(path, options.busy_timeout)?;
        if migration::check(&connection, path, &options.migrations)? {
            return Err(Error::Older { path: path.clone() });
        }
        Ok(Self { file, pool: Arc::new(Pool::new(options)) })
    }
}

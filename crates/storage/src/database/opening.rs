//! How a database comes to be open: created, or opened as it is.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{Database, Origin, folder};
use crate::{Cause, Error, Options, backup, connection, head_file::HeadFile, lock::InstanceLock, migration};

impl Database {
    /// Creates a database, and its folder (0700) where that is missing, and opens it. Blocks on the disk.
    ///
    /// The new file (0600) appears at its path complete, or not at all.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is anything at the path, [`Error::Leftover`] if files of a database that is gone are left
    /// there, [`Error::Create`] if folder or file cannot be made, [`Error::InUse`] and [`Error::Lock`] if another process is
    /// at it, [`Error::MigrationSet`], [`Error::Migration`]. Nothing is left behind then.
    pub fn create(options: &Options) -> Result<Self, Error> {
        connection::check_library()?;
        let options = &Options { path: connection::plain(&options.path), ..options.clone() };
        let path = options.path.as_path();
        backup::finish_interrupted(path)?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        connection::refuse_leftovers(path)?;
        let folder = NewFolder::make(folder(path)).map_err(|source| Error::Create { path: path.to_owned(), source })?;
        let lock = InstanceLock::take(path)?;
        match Self::create_locked(options) {
            Ok(writer) => {
                folder.keep();
                Self::new(options, writer, lock, Origin::Created { version: migration::newest() })
            }
            Err(error) => {
                lock.undo();
                Err(error)
            }
        }
    }

    fn create_locked(options: &Options) -> Result<Connection, Error> {
        let path = options.path.as_path();
        let failed = |source| Error::Create { path: path.to_owned(), source };
        // Made elsewhere: whatever stands at the path was finished once, so an empty file there is a loss. In a folder of its
        // own, so that a failure leaves nothing of it, and beside the path, so that it can be moved there.
        let workshop = tempfile::Builder::new().prefix(".new-database-").tempdir_in(folder(path)).map_err(failed)?;
        let unfinished = workshop.path().join("new");
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
        drop(file.map_err(failed)?);
        let mut writer = connection::open_new(&unfinished, options.busy_timeout)?;
        migration::migrate(&mut writer, path, &options.migrations)?;
        connection::name_instance(&writer)?;
        // Here, because closing would keep a failure to itself, and only the file is moved.
        connection::checkpoint(&writer)?;
        writer
            .close()
            .map_err(|(_, source)| Error::Open { path: path.to_owned(), source: Cause::of_sqlite(source) })?;
        let unfinished = tempfile::TempPath::try_from_path(unfinished).map_err(failed)?;
        unfinished.persist_noclobber(path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
            _ => failed(error.error),
        })?;
        fs::File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(failed)?;
        connection::open_writer(options)
    }

    /// Opens an existing database and brings its schema up to date, after a backup of it into
    /// [`Options::backups`] where there is anything to do. A restore that was interrupted is finished first. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Leftover`], [`Error::NotAFile`], [`Error::Emptied`], [`Error::NotADatabase`],
    /// [`Error::Earlier`], [`Error::Foreign`], [`Error::Linked`], [`Error::ReadOnly`], [`Error::InUse`], [`Error::Newer`],
    /// [`Error::MigrationEdited`], [`Error::MigrationSet`], [`Error::HeadMismatch`], [`Error::Pragma`], [`Error::Locked`],
    /// [`Error::Damaged`], [`Error::Open`], or what [`backup`](Self::backup) returns, after which the files are as they were;
    /// [`Error::Migration`], after which the steps before the one that failed are there.
    pub fn open(options: &Options) -> Result<Self, Error> {
        connection::check_library()?;
        let options = &Options { path: connection::unlinked(&options.path), ..options.clone() };
        backup::finish_interrupted(&options.path)?;
        connection::probe(&options.path)?;
        let lock = InstanceLock::take(&options.path)?;
        // After it: while a file is being made, it has two names for a moment on some file systems.
        match connection::refuse_second_name(&options.path).and_then(|()| Self::open_locked(options)) {
            Ok((writer, origin)) => Self::new(options, writer, lock, origin),
            Err(error) => {
                lock.undo();
                Err(error)
            }
        }
    }

    /// [`open`](Self::open), or [`create`](Self::create) if there is none.
    ///
    /// # Errors
    /// As those.
    pub fn open_or_create(options: &Options) -> Result<Self, Error> {
        match Self::open(options) {
            Err(Error::Missing { .. }) => match Self::create(options) {
                // Another process was faster, between the two calls.
                Err(Error::Exists { .. }) => Self::open(options),
                created => created,
            },
            opened => opened,
        }
    }

    /// Finds out, without opening it or changing anything, that another process has a database open for writing.
    ///
    /// # Errors
    /// [`Error::InUse`] then, with the process.
    pub fn check_unused(path: &Path) -> Result<(), Error> {
        InstanceLock::look(&connection::unlinked(path))
    }

    fn open_locked(options: &Options) -> Result<(Connection, Origin), Error> {
        let path = &options.path;
        let has_log = fs::metadata(connection::wal(path)).is_ok();
        let mut writer = connection::open_writer(options)?;
        // Until all is accepted, what is refused stays as it is: also its write-ahead log.
        connection::tidy_on_close(&writer, !has_log)?;
        let pending = migration::check(&writer, path, &options.migrations)?;
        HeadFile::of(path, connection::instance_id(&writer)?).check(&writer)?;
        connection::tidy_on_close(&writer, true)?;
        connection::settle(&writer)?;
        if pending && let Some(folder) = &options.backups {
            backup::before_migration(&writer, path, folder)?;
        }
        let from = migration::migrate(&mut writer, path, &options.migrations)?;
        let to = migration::newest();
        let origin = if from == to { Origin::Current { version: to } } else { Origin::Migrated { from, to } };
        Ok((writer, origin))
    }
}

/// A folder that is made for a database, and removed again if that comes to nothing.
struct NewFolder {
    /// The outermost that was missing.
    first: Option<PathBuf>,
    folder: PathBuf,
}

impl NewFolder {
    fn make(folder: &Path) -> io::Result<Self> {
        let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let new = Self { first: missing.last().map(Path::to_owned), folder: folder.to_owned() };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if let Some(first) = &new.first {
            // Each name is in the folder above it, and on the disk when that is synced.
            for made in folder.ancestors() {
                fs::File::open(super::folder(made)).and_then(|above| above.sync_all())?;
                if made == first {
                    break;
                }
            }
        }
        Ok(new)
    }

    fn keep(mut self) {
        self.first = None;
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        let Some(first) = &self.first else { return };
        for folder in self.folder.ancestors() {
            // Fails for one that somebody else has put something into meanwhile, and rightly so.
            if fs::remove_dir(folder).is_err() || folder == first {
                break;
            }
        }
    }
}

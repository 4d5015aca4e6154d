//! The way back: a backup takes the place of a database, whole, or not at all.
//!
//! Several files cannot be exchanged in one step, so a restore has a journal: the folder `record.db.restoring` beside the
//! database. Before it has that name, nothing was changed. From then on everything needed is in it, proven and on the disk, and
//! whoever comes next finishes the restore before looking at the database: the next restore, or the next opening.

mod exchange;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Backup, Decryption, OnProgress, Progress, Scratch, folder};
use crate::{Error, Head, Reader, connection, database, head_file::HeadFile, lock::InstanceLock};
use exchange::{NEW, OLD, RESTORED};

/// How long the old database is waited for, which nobody else should have open.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);

/// What a restore does.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The database that the backup takes the place of. It need not be there.
    pub database: PathBuf,
    /// What decrypts the backup. Default nothing.
    pub key: Option<Decryption>,
    /// Go on although the database that is there has what the backup does not: it is newer, or another one. Default no.
    pub allow_loss: bool,
}

impl RestoreOptions {
    /// The defaults, for the database at `path`.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self { database: path.into(), key: None, allow_loss: false }
    }
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The end of the chain now.
    pub head: Option<Head>,
    /// The folder that the files of the old database are in now; `None` if there were none.
    pub replaced: Option<PathBuf>,
    /// What the old database had and the new one has not, as a clause; `None` if nothing could be found.
    pub lost: Option<String>,
}

impl Backup {
    /// Puts the backup in the place of a database, after a proof of it.
    ///
    /// The files of the old database are moved aside together, into a folder beside it, and never removed. Killed at any
    /// moment, the old database is there, or the new one: an interrupted exchange is finished by the next restore, or by
    /// the next [`Database::open`](crate::Database::open).
    ///
    /// # Errors
    /// [`Error::InUse`] if a process has the database open; [`Error::RestoreLoses`] if it has what the backup has not, and
    /// [`RestoreOptions::allow_loss`] does not say to go on; [`Error::Newer`] if this program is too old for the backup; as
    /// [`verify`](Self::verify). The database is as it was then. [`Error::BackupFile`] also if the exchange was interrupted.
    pub fn restore(&self, options: &RestoreOptions, mut progress: impl FnMut(Progress)) -> Result<Restored, Error> {
        connection::check_library()?;
        let options = &RestoreOptions { database: connection::plain(&options.database), ..options.clone() };
        let path = options.database.as_path();
        self.check_version(path)?;
        folder::make(database::folder(path))?;
        let lock = InstanceLock::take(path)?;
        let restored = self.restore_locked(options, &mut progress);
        if restored.is_err() && !exchange::is_interrupted(path) {
            lock.undo();
        }
        restored
    }

    fn restore_locked(&self, options: &RestoreOptions, progress: OnProgress<'_>) -> Result<Restored, Error> {
        let path = options.database.as_path();
        let place = database::folder(path);
        exchange::finish(path)?;
        if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
            let source = std::io::Error::other("it is a link");
            return Err(folder::failed("replace", path)(source));
        }
        folder::check_space(place, self.proven()?.database.bytes)?;

        let scratch = Scratch::new(place)?;
        let new = scratch.path().join(NEW);
        folder::make(&new)?;
        folder::make(&scratch.path().join(OLD))?;
        let restored = new.join(RESTORED);
        let manifest = self.unpack(&restored, options.key.as_ref(), progress)?;
        let instance_id = &manifest.contents.instance_id;
        let lost = missing(&restored, path, instance_id)?;
        if let Some(what) = &lost
            && !options.allow_loss
        {
            let (backup, database) = (self.path.clone(), path.to_owned());
            return Err(Error::RestoreLoses { backup, database, what: what.clone() });
        }
        if let Some(head) = &manifest.contents.head {
            HeadFile::of(&restored, instance_id.clone()).write(head)?;
        }
        folder::sync(&new)?;
        scratch.keep(&exchange::journal(path))?;
        let replaced = exchange::finish(path)?;
        Ok(Restored { head: manifest.contents.head, replaced, lost })
    }

    fn check_version(&self, path: &Path) -> Result<(), Error> {
        let known = crate::migration::newest();
        match self.proven()?.contents.schema_versions.get("core") {
            Some(&found) if found > known => {
                Err(Error::Newer { path: path.to_owned(), component: "core", found, known })
            }
            _ => Ok(()),
        }
    }
}

/// What the database at `path` had, by its head file and by itself, that the restored one does not have.
fn missing(restored: &Path, path: &Path, instance_id: &str) -> Result<Option<String>, Error> {
    let restored = connection::open_settled(restored)?;
    let lost = |checked| match checked {
        Ok(()) => Ok(None),
        Err(Error::HeadMismatch { what, .. }) => Ok(Some(what)),
        Err(error) => Err(error),
    };
    // The database first: its head file may be older than it.
    if let Some((found, head)) = present(path) {
        if found != instance_id {
            return Ok(Some(format!("its instance is {found}, and the backup is of {instance_id}")));
        }
        if let Some(what) = lost(connection::check_passes(&restored, path, &head))? {
            return Ok(Some(what));
        }
    }
    lost(HeadFile::of(path, instance_id.to_owned()).check(&restored))
}

/// Instance and head of the database that is to be replaced. A restore is for one that is damaged: what cannot be read says
/// nothing.
fn present(path: &Path) -> Option<(String, Head)> {
    connection::probe(path).ok()?;
    // It is evidence, which nothing may be added to: without a log it is read as it lies there, and a log must be read along.
    // A connection for reading does not fold it.
    let connection = if fs::exists(connection::wal(path)).ok()? {
        connection::open_reader(path, BUSY_TIMEOUT).ok()?
    } else {
        connection::open_settled(path).ok()?
    };
    let instance_id = connection::instance_id(&connection).ok()?;
    let head = connection::head(&connection, &instance_id).ok()?;
    Some((instance_id, head))
}

impl Backup {
    /// The instance whose backups are those of the database at `path`: its own; or, where it cannot be read or is gone, that of the head
    /// which was kept beside it. `None` where neither says it, or they disagree. Takes no lock, and writes nothing.
    #[must_use]
    pub fn instance_at(path: impl AsRef<Path>) -> Option<String> {
        let path = connection::unlinked(path.as_ref());
        match (present(&path).map(|(instance_id, _)| instance_id), HeadFile::instance_at(&path)) {
            (Some(own), Some(kept)) => (own == kept).then_some(own),
            (own, kept) => own.or(kept),
        }
    }

    /// That the record which `reader` reads still leads through the head that this backup has: nothing was cut off or made anew
    /// since. Whoever keeps a backup keeps a proof.
    ///
    /// # Errors
    /// [`Error::HeadMismatch`]; [`Error::BackupDamaged`] if its manifest is not good; [`Error::Query`].
    pub fn check_past_of(&self, reader: &Reader<'_>) -> Result<(), Error> {
        let Some(head) = self.proven()?.contents.head else { return Ok(()) };
        let connection = reader.connection();
        let path = connection.path().map(Path::new).unwrap_or(Path::new("-"));
        connection::check_passes(connection, path, &head).map_err(|error| match error {
            Error::HeadMismatch { path, what } => {
                let what = format!("{what}, and the backup {} has it", self.path.display());
                Error::HeadMismatch { path, what }
            }
            other => other,
        })
    }

    /// Whether it says that it is of this instance; `None` if its manifest is not good.
    #[must_use]
    pub fn is_of(&self, instance_id: &str) -> Option<bool> {
        self.manifest.as_ref().ok().map(|manifest| manifest.contents.instance_id == instance_id)
    }
}

/// Finishes a restore that was interrupted, before the database is opened for writing.
pub(crate) fn finish_interrupted(database: &Path) -> Result<(), Error> {
    if !exchange::is_interrupted(database) {
        return Ok(());
    }
    let _lock = InstanceLock::take(database)?;
    exchange::finish(database).map(drop)
}

/// Refuses a database whose restore was interrupted, where nothing may be written.
pub(crate) fn refuse_interrupted(database: &Path) -> Result<(), Error> {
    match exchange::is_interrupted(database) {
        true => Err(Error::RestoreUnfinished { database: database.to_owned(), journal: exchange::journal(database) }),
        false => Ok(()),
    }
}

//! The backups of a folder: what there is, what it is worth, and what may go.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::manifest::{DATABASE, MANIFEST};
use super::{Backup, Decryption, Manifest, OnProgress, Progress, Scratch, copy, folder, packing};
use crate::Error;

/// How the name of a backup ends: its time in UTC, so that names sort by it.
const TIME: &str = "-%Y%m%dT%H%M%S%.6fZ";

/// The length of such an ending.
const TIME_LENGTH: usize = "-20261122T204501.123456Z".len();

/// How many proven backups are kept however old they are: the newest could be of a fault that nobody saw yet, and so could
/// the one before.
const KEPT: usize = 3;

impl Backup {
    /// Reads the manifest of the backup in the folder `path` and looks for its file. [`verify`](Self::verify) reads that too.
    ///
    /// # Errors
    /// [`Error::BackupDamaged`] if there is no backup, or the manifest is not good.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match inspect(&path) {
            Ok(manifest) => Ok(Self::described(path, manifest)),
            Err(what) => Err(Error::BackupDamaged { path, what }),
        }
    }

    /// The backups in a folder, of all databases, newest first; none if there is no such folder. Cheap: no backup is read,
    /// only its manifest is.
    ///
    /// # Errors
    /// [`Error::BackupFile`] if the folder cannot be read.
    pub fn list(folder: impl AsRef<Path>) -> Result<Vec<Self>, Error> {
        let folder = folder.as_ref();
        let failed = || folder::failed("list the backups in", folder);
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed()(error)),
        };
        let mut backups = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed())?;
            let Some(created_at) = entry.file_name().to_str().and_then(time_of) else { continue };
            if !entry.file_type().map_err(failed())?.is_dir() {
                continue;
            }
            let path = entry.path();
            backups.push(match inspect(&path) {
                Ok(manifest) => Self::described(path, manifest),
                Err(what) => Self { size_bytes: size(&path), path, created_at, manifest: Err(what) },
            });
        }
        backups.sort_by(|a, b| (b.created_at, &b.path).cmp(&(a.created_at, &a.path)));
        Ok(backups)
    }

    fn described(path: PathBuf, manifest: Manifest) -> Self {
        Self { created_at: manifest.created_at, size_bytes: size(&path), path, manifest: Ok(manifest) }
    }

    /// Whether it was proven when it was made, its chain included, and is whole as far as can be seen without reading it.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.manifest.as_ref().is_ok_and(|manifest| manifest.chain_verified)
    }

    /// The newest proven backup of this instance in a folder, which may hold those of others too; `None` if there is none.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn newest_proven(folder: impl AsRef<Path>, instance_id: &str) -> Result<Option<Self>, Error> {
        let counts = |backup: &Self| backup.is_proven() && backup.is_of(instance_id) == Some(true);
        Ok(Self::list(folder)?.into_iter().find(counts))
    }

    /// How old it is at `now`; zero if its time is yet to come.
    #[must_use]
    pub fn age(&self, now: DateTime<Utc>) -> Duration {
        (now - self.created_at).to_std().unwrap_or_default()
    }

    /// Proves it anew, from the first byte to the last: the hash of its file, decrypted and decompressed, that of the
    /// database, SQLite's own checks, the chain, and what it has of each table. Takes as long as a backup, and as much space
    /// beside it where it is compressed or encrypted.
    ///
    /// `key` is asked for where it is encrypted.
    ///
    /// # Errors
    /// [`Error::BackupDamaged`], [`Error::BackupKey`], [`Error::Damaged`], [`Error::ChainBroken`]; [`Error::DiskSpace`],
    /// [`Error::BackupFile`], [`Error::Query`].
    pub fn verify(&self, key: Option<&Decryption>, mut progress: impl FnMut(Progress)) -> Result<(), Error> {
        let manifest = self.proven()?;
        if manifest.compressed || manifest.encrypted {
            let place = crate::database::folder(&self.path);
            folder::check_space(place, manifest.database.bytes)?;
            let scratch = Scratch::new(place)?;
            let database = scratch.path().join(DATABASE);
            return self.unpack(&database, key, &mut progress).map(drop);
        }
        // In place, so that a backup on a disk that cannot be written can be proven too.
        packing::restore(&self.path, manifest, key, &mut io::sink(), &mut progress)?;
        copy::prove(&self.path.join(DATABASE), &self.path, &manifest.contents, &mut progress).map(drop)
    }

    /// Writes the database into the new file `to`, proven and on the disk.
    pub(super) fn unpack(
        &self,
        to: &Path,
        key: Option<&Decryption>,
        progress: OnProgress<'_>,
    ) -> Result<&Manifest, Error> {
        let manifest = self.proven()?;
        let mut file = folder::new_file(to)?;
        packing::restore(&self.path, manifest, key, &mut file, progress)?;
        file.sync_all().map_err(folder::failed("sync", to))?;
        // SQLite must not have the file open when this handle goes: its locks would go along.
        drop(file);
        copy::prove(to, &self.path, &manifest.contents, progress)?;
        Ok(manifest)
    }

    pub(super) fn proven(&self) -> Result<&Manifest, Error> {
        let damaged = |what: &String| Error::BackupDamaged { path: self.path.clone(), what: what.clone() };
        self.manifest.as_ref().map_err(damaged)
    }

    /// Removes the backups of one database that are older than so many days at `now`, and returns where they were.
    ///
    /// The newest three proven ones stay, however old, and are read to see that they are as they were made; those that are not
    /// count for none, and stay too. So does whatever is not surely a backup of this database:
    /// other files, backups of other instances, those whose manifest is not good, and those with files of somebody else in them.
    ///
    /// # Errors
    /// [`Error::BackupFile`].
    pub fn prune(
        folder: impl AsRef<Path>,
        instance_id: &str,
        keep_days: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<PathBuf>, Error> {
        let folder = folder.as_ref();
        let limit = TimeDelta::days(i64::from(keep_days));
        let ours = |backup: &Self| backup.is_of(instance_id) == Some(true);
        let is_old = |backup: &Self| now - backup.created_at > limit && backup.has_no_other_files();
        let backups: Vec<_> = Self::list(folder)?.into_iter().filter(ours).collect();
        let (mut intact, mut removed) = (0, Vec::new());
        let mut proven = 0;
        let mut may_go = |backup: &Self| {
            proven += usize::from(backup.is_proven());
            !(backup.is_proven() && proven <= KEPT) && is_old(backup)
        };
        if !backups.iter().any(&mut may_go) {
            // So that nothing is read for nothing.
            return Ok(removed);
        }
        for backup in backups {
            if backup.is_proven() && intact < KEPT {
                intact += usize::from(backup.is_intact());
                continue;
            }
            if !is_old(&backup) {
                continue;
            }
            let scratch = Scratch::new(folder)?;
            // Moved first: a backup that is removed in part would look like one.
            folder::rename(&backup.path, &scratch.path().join("removed"))?;
            removed.push(backup.path);
        }
        if !removed.is_empty() {
            folder::sync(folder)?;
        }
        Ok(removed)
    }

    /// If its file is byte for byte the one that was proven. One that cannot be read is not.
    fn is_intact(&self) -> bool {
        let is = |manifest: &Manifest| {
            packing::hashed(&self.path.join(manifest.file_name())).is_ok_and(|found| found == manifest.file)
        };
        self.manifest.as_ref().is_ok_and(is)
    }

    fn has_no_other_files(&self) -> bool {
        let Ok(manifest) = &self.manifest else { return false };
        let Ok(mut entries) = fs::read_dir(&self.path) else { return false };
        let file_name = manifest.file_name();
        entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == MANIFEST || *entry.file_name() == *file_name))
    }
}

/// The name of a backup's folder.
pub(super) fn name(database: &Path, created_at: DateTime<Utc>) -> String {
    let stem = database.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}{}", created_at.format(TIME))
}

fn time_of(name: &str) -> Option<DateTime<Utc>> {
    let time = name.get(name.len().checked_sub(TIME_LENGTH)?..)?;
    NaiveDateTime::parse_from_str(time, TIME).ok().map(|time| time.and_utc())
}

/// The manifest of a backup whose file is there and as long as it should be; or why not, as a clause.
fn inspect(path: &Path) -> Result<Manifest, String> {
    let manifest = Manifest::read(path)?;
    match fs::symlink_metadata(path.join(manifest.file_name())) {
        Ok(file) if !file.is_file() => Err(format!("its {} is not a file", manifest.file_name())),
        Ok(file) if file.len() != manifest.file.bytes => {
            Err(format!("its file has {} bytes, and {} were written", file.len(), manifest.file.bytes))
        }
        Ok(_) => Ok(manifest),
        Err(error) => Err(format!("its {} is not there ({error})", manifest.file_name())),
    }
}

/// How much the files of a folder take, as far as they can be seen.
fn size(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

//! Backups: copies of the record that were proven, and the way back from one.
//!
//! A backup is a folder that is named after its time, with the database as it was at one moment and a manifest that says
//! what is in it. It is made under another name, proven, and then moved into place: what has such a name is complete.

mod catalog;
mod contents;
mod copy;
mod encryption;
mod folder;
mod manifest;
mod packing;
mod restore;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::Connection;

pub(crate) use restore::{finish_interrupted, refuse_interrupted};
pub use {
    contents::Contents,
    encryption::{Decryption, Encryption},
    manifest::{Fingerprint, Manifest},
    restore::{RestoreOptions, Restored},
};

use crate::{Error, Head, transaction::now};
pub(crate) use folder::Scratch;

/// How to make a backup.
///
/// ```
/// use trading_storage::BackupOptions;
///
/// let options = BackupOptions { compress: true, ..BackupOptions::to("data/backups") };
/// assert!(options.encryption.is_none());
/// ```
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Where backups are kept, each in a folder of its own. It is made (0700) where it is missing.
    pub folder: PathBuf,
    /// Whether it is compressed, as `zstd` does at its level 3. Default no: what is not can be looked at with `sqlite3`.
    pub compress: bool,
    /// Who can read it. Default everybody who may read the file, which is its owner.
    pub encryption: Option<Encryption>,
}

impl BackupOptions {
    /// The defaults, for backups in `folder`.
    #[must_use]
    pub fn to(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), compress: false, encryption: None }
    }
}

/// A backup as it lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Its folder.
    pub path: PathBuf,
    /// The moment that it is of.
    pub created_at: DateTime<Utc>,
    /// How many bytes its files take.
    pub size_bytes: u64,
    /// What was proven of it when it was made; or why it does not count as proven, as a clause.
    pub manifest: Result<Manifest, String>,
}

/// How far a backup or a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done, in the unit of the stage.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// The parts of a backup or a restore, which can take long each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Copying the database, in bytes.
    Copy,
    /// Walking the chain of the copy, in events.
    Check,
    /// Hashing, compressing and encrypting the copy, in bytes of the database.
    Pack,
    /// Hashing the backup's file and reading it back, in bytes of the database.
    Unpack,
}

/// What is told how far it is.
type OnProgress<'p> = &'p mut dyn FnMut(Progress);

/// Copies what `source` has at one moment, proves the copy, and moves it into place.
///
/// `passes` is an event that the copy must have, so that another file, put at the path meanwhile, is not taken for it.
pub(crate) fn make(
    source: &Connection,
    database: &Path,
    options: &BackupOptions,
    passes: Option<(&str, &Head)>,
    progress: OnProgress<'_>,
) -> Result<Backup, Error> {
    folder::make(&options.folder)?;
    let scratch = Scratch::new(&options.folder)?;
    let created_at = now();
    let copied = scratch.path().join(manifest::DATABASE);
    let packs = if options.compress || options.encryption.is_some() { 2 } else { 1 };
    let contents = copy::copy(source, database, &copied, passes, packs, progress)?;
    let chain_verified = copy::prove(&copied, database, &contents, progress)?;
    let packed = packing::pack(&copied, options, progress)?;
    let manifest = Manifest::new(created_at, contents, chain_verified, options, packed);
    manifest.write(scratch.path())?;
    let path = options.folder.join(catalog::name(database, created_at));
    scratch.keep(&path)?;
    Backup::open(&path)
}

/// The backup before the first step of a migration, which the program that makes it may be too new to walk the chain of.
pub(crate) fn before_migration(source: &Connection, database: &Path, folder: &Path) -> Result<Backup, Error> {
    make(source, database, &BackupOptions::to(folder), None, &mut |_| {})
}

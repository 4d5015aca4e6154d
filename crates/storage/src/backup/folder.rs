//! Folders and files, of backups and on the way to them: the owner's alone, never by way of a link, on the disk before they count.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;
use tempfile::TempDir;

use crate::{Error, database::folder};

/// How the folders of unfinished work begin. What is begun so and is not locked was left by a process that died.
const UNFINISHED: &str = ".unfinished-";

/// What a backup needs beside its database: the manifest, and blocks that are not full.
const SPACE_SLACK: u64 = 1024 * 1024;

/// A folder (0700) for work that is not finished. Removed with all that is in it unless it is kept; if the process is killed, by the
/// next one that works in the same place.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    // After the folder: nobody else may take it for left over before it is gone.
    _lock: File,
}

impl Scratch {
    /// Makes one within `place`, and removes those that were left there.
    pub(crate) fn new(place: &Path) -> Result<Self, Error> {
        sweep(place);
        loop {
            let folder = tempfile::Builder::new()
                .prefix(UNFINISHED)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(place)
                .map_err(failed("make a folder in", place))?;
            let Some(lock) = lock(folder.path()) else {
                // Another process took it for left over, between the making and the locking.
                continue;
            };
            return Ok(Self { folder, _lock: lock });
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the folder to where it belongs, when all in it is on the disk.
    pub(super) fn keep(self, path: &Path) -> Result<(), Error> {
        sync(self.path())?;
        rename(self.path(), path)?;
        // There is nothing at the old name any more that could be removed.
        drop(self.folder.keep());
        sync(folder(path))
    }
}

/// Locks a folder, unless somebody else has, or it is gone.
fn lock(path: &Path) -> Option<File> {
    let folder = open(path, OFlags::DIRECTORY).ok()?;
    folder.try_lock().ok()?;
    let (locked, found) = (folder.metadata().ok()?, fs::symlink_metadata(path).ok()?);
    ((locked.dev(), locked.ino()) == (found.dev(), found.ino())).then_some(folder)
}

/// Removes what dead processes left. What cannot be removed stays: it is untidy, and no reason to go without a backup.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(UNFINISHED));
        if ours && let Some(_lock) = lock(&entry.path()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Makes a folder (0700) with those above it, where it is missing.
pub(super) fn make(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make the folder", path))
}

/// Makes a file (0600) that was not there, for writing.
pub(super) fn new_file(path: &Path) -> Result<File, Error> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed("make the file", path))
}

/// Opens a file for reading, and no link to one.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    // Not blocking, because a pipe of that name would be waited for.
    let file = open(path, OFlags::NONBLOCK)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = (flags | OFlags::NOFOLLOW).bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

/// Brings the names in a folder to the disk.
pub(super) fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder", folder))
}

/// Moves a file or folder on the same disk; a link is moved itself.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(failed("move a file to", to))
}

/// Refuses a disk that has no room for so many bytes and a little more.
pub(super) fn check_space(place: &Path, bytes: u64) -> Result<(), Error> {
    let found = rustix::fs::statvfs(place).map_err(|error| failed("ask for the free space of", place)(error.into()))?;
    let (needed_bytes, available_bytes) =
        (bytes.saturating_add(SPACE_SLACK), found.f_bavail.saturating_mul(found.f_frsize));
    if needed_bytes > available_bytes {
        return Err(Error::DiskSpace { path: place.to_owned(), needed_bytes, available_bytes });
    }
    Ok(())
}

pub(super) fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::BackupFile { operation, path: path.to_owned(), source }
}

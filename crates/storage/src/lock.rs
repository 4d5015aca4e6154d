//! One writing process a database: a lock on a file beside it.
//!
//! Not on the database itself: closing any handle of that file would drop the locks that SQLite has on it.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
};

use crate::{Error, identity};

/// How often a lock that was just taken is looked at for the process that took it: it writes that at once.
const LOOKS: u32 = 1_000;

/// Held as long as the database is open for writing; the system lets it go when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    path: PathBuf,
    file: File,
    /// If the file was not there before.
    new: bool,
}

impl InstanceLock {
    /// Takes the lock, and leaves our process id in the file.
    pub(crate) fn take(database: &Path) -> Result<Self, Error> {
        let path = beside(database, "lock");
        let failed = |source| Error::Lock { path: path.clone(), source };
        loop {
            let new = match fs::symlink_metadata(&path) {
                // Whoever planted it chose what is written to.
                Ok(metadata) if !metadata.is_file() => return Err(failed(io::Error::other("not a regular file"))),
                found => found.is_err(),
            };
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut file = options.open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let pid = (0..LOOKS).find_map(|_| holder(&mut file));
                    return Err(Error::InUse { path: database.to_owned(), pid });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Another process may have removed the file between our opening and our locking.
            let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
            let ours = file.metadata().map(inode).map_err(failed)?;
            if fs::metadata(&path).map(inode).ok() != Some(ours) {
                continue;
            }
            // On a full disk it is held without a name in it: the record can be read and proven there.
            drop(file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())));
            return Ok(Self { path, file, new });
        }
    }

    /// Refuses a database whose lock another process has. Takes nothing and makes nothing.
    pub(crate) fn look(database: &Path) -> Result<(), Error> {
        let path = beside(database, "lock");
        // Without a file, or without a right to it, nobody is known to have it. Others are waited for when they are opened.
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        let Some(mut file) = is_file.then(|| File::open(&path).ok()).flatten() else { return Ok(()) };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: database.to_owned(), pid: holder(&mut file) }),
            _ => Ok(()),
        }
    }

    /// Refuses to go on if the lock file was taken away, so that another process could come in.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let ours = self.file.metadata().map(|file| (file.dev(), file.ino()));
        if ours.is_ok_and(|ours| identity::file_at(&self.path).is_ok_and(|found| found == ours)) {
            return Ok(());
        }
        let source = io::Error::new(io::ErrorKind::NotFound, "it was taken away while it was held");
        Err(Error::Lock { path: self.path.clone(), source })
    }

    /// Refuses a database that another process came to, where the lock file was taken away, as long as that one runs.
    pub(crate) fn look_for_another(&self, database: &Path) -> Result<(), Error> {
        if self.check().is_ok() { Ok(()) } else { Self::look(database) }
    }

    /// Lets the lock go, and removes the file if it was not there before: for what came to nothing.
    pub(crate) fn undo(self) {
        if self.new {
            // While it is still held. A file that stays does no harm.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        // So that the next one is never taken for this one, by who looks before it has written its own.
        drop(self.file.set_len(0));
        // Closing does not do: a process that another thread is just starting has the file open too, until it runs its own
        // program. If this fails, that one is waited for, which is the same as closing.
        drop(self.file.unlock());
    }
}

/// The process that has the lock, once it has said so.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.take(32).read_to_string(&mut text)).ok()?;
    // Cut off in the middle it would be another one.
    let pid = text.strip_suffix('\n').and_then(|text| text.parse().ok());
    if pid.is_none() {
        thread::yield_now();
    }
    pid
}

/// The path of a file that belongs to a database: `record.db` and `lock` make `record.db.lock`.
pub(crate) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

//! Which files a database is in: so that a commit into a file that was deleted or replaced meanwhile is not acknowledged.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{Error, connection, error::Cause};

/// Device, inode and length of the database and of its write-ahead log, as far as that is there.
///
/// Neither ever gets shorter, but for the log when we fold it: a shorter one was cut by somebody else.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    wal_path: PathBuf,
    database: Stamp,
    wal: Option<Stamp>,
}

#[derive(Debug, Clone, Copy)]
struct Stamp {
    inode: (u64, u64),
    length: u64,
}

impl Identity {
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        let database = stamp(path).map_err(|_source| Error::Missing { path: path.to_owned() })?;
        let wal_path = connection::wal(path);
        Ok(Self { path: path.to_owned(), database, wal: stamp(&wal_path).ok(), wal_path })
    }

    /// Compares with what stands at the paths now, and takes over what has grown. Two calls of `stat`, next to the sync of a
    /// commit.
    pub(crate) fn check(&mut self) -> Result<(), Cause> {
        self.database = compare(&self.path, self.database)?;
        self.wal = match self.wal {
            Some(wal) => Some(compare(&self.wal_path, wal)?),
            // SQLite makes it with the first commit, and keeps it until the last connection goes.
            None => stamp(&self.wal_path).ok(),
        };
        Ok(())
    }

    /// The database alone: what is read is of the file that was opened.
    pub(crate) fn check_database(&self) -> Result<(), Cause> {
        compare(&self.path, self.database).map(drop)
    }

    /// Takes over the log as it is after the writer folded it.
    pub(crate) fn folded(&mut self) {
        self.wal = stamp(&self.wal_path).ok();
    }
}

fn compare(path: &Path, known: Stamp) -> Result<Stamp, Cause> {
    let path_is = |what: String| Cause::text(format!("{} {what} while it was open", path.display()));
    match stamp(path) {
        Ok(found) if found.inode != known.inode => Err(path_is("was replaced".to_owned())),
        Ok(found) if found.length < known.length => {
            Err(path_is(format!("was cut from {} bytes to {}", known.length, found.length)))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(path_is(format!("went away ({error})"))),
    }
}

/// Which file stands at the path: its device and inode.
pub(crate) fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    stamp(path).map(|stamp| stamp.inode)
}

/// Device, inode and length, and no time: a file whose times were asked for gets a new one with its next write, and a sync has
/// that to write too (since Linux 6.13), which made a commit on a fast disk a quarter slower.
#[cfg(target_os = "linux")]
fn stamp(path: &Path) -> io::Result<Stamp> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::INO | StatxFlags::SIZE)?;
    let device = rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor);
    Ok(Stamp { inode: (device, found.stx_ino), length: found.stx_size })
}

#[cfg(not(target_os = "linux"))]
fn stamp(path: &Path) -> io::Result<Stamp> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = std::fs::metadata(path)?;
    Ok(Stamp { inode: (metadata.dev(), metadata.ino()), length: metadata.len() })
}

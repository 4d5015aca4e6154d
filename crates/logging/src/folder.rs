//! The folder of the logs, tried before anything depends on it.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    process, thread,
};

use crate::Error;

/// A folder that can be written, and what had to be made for it.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// The innermost first.
    made: Vec<PathBuf>,
}

impl Folder {
    /// Makes the folder if it is missing, and makes sure that files in it can be made, and those of the log written.
    ///
    /// No log file is made here: an install that is refused must leave nothing behind.
    pub(crate) fn prepare<'a>(path: &Path, names: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        // The process may change its working folder later; the logs stay where they were.
        let path = std::path::absolute(path).map_err(|source| Error::CreateFolder { path: path.to_owned(), source })?;
        let made = path.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        let folder = Self { path, made };
        match folder.try_out(names) {
            Ok(()) => Ok(folder),
            Err(error) => {
                folder.undo();
                Err(error)
            }
        }
    }

    fn try_out<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        fs::create_dir_all(&self.path).map_err(|source| Error::CreateFolder { path: self.path.clone(), source })?;
        let probe = self.path.join(format!(".logging-{}-{:?}.probe", process::id(), thread::current().id()));
        match OpenOptions::new().write(true).create_new(true).open(&probe) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(&self.path)(error)),
            // One that was left by a death in this very place is as good: removing it proves the same.
            _ => fs::remove_file(&probe).map_err(refused(&self.path))?,
        }
        for name in names {
            let file = self.path.join(format!("{name}.log"));
            match open_existing(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(&file)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes back what was made, unless somebody has put something into it since.
    pub(crate) fn undo(&self) {
        for folder in &self.made {
            // One that was never reached, or is in use by now, is left as it is.
            fs::remove_dir(folder).unwrap_or_default();
        }
    }
}

fn open_existing(file: &Path) -> io::Result<()> {
    regular(&fs::metadata(file)?)?;
    OpenOptions::new().read(true).append(true).open(file).map(drop)
}

/// Refuses what is not a file: opening a pipe would block the writer, and a device cannot be renamed at midnight.
pub(crate) fn regular(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

//! The head of the chain, kept outside the database: a chain that was cut or made anew does not lead to it.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{Error, connection, database::folder, event::Head, lock::beside};

/// The head file of a database: `record.db.head`, with instance id, number and hash of the last event that it knows of.
#[derive(Debug)]
pub(crate) struct HeadFile {
    path: PathBuf,
    database: PathBuf,
    instance_id: String,
}

impl HeadFile {
    pub(crate) fn of(database: &Path, instance_id: String) -> Self {
        Self { path: beside(database, "head"), database: database.to_owned(), instance_id }
    }

    /// The name of the database that it belongs to.
    pub(crate) fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// The instance that the file beside a database names, if it is there and can be understood.
    pub(crate) fn instance_at(database: &Path) -> Option<String> {
        let text = fs::read_to_string(beside(database, "head")).ok()?;
        text.split_ascii_whitespace().next().map(str::to_owned)
    }

    /// Writes the head: the file is the old one or the new one, whatever happens in between.
    pub(crate) fn write(&self, head: &Head) -> Result<(), Error> {
        let failed = |source| Error::HeadFile { path: self.path.clone(), source };
        let folder = folder(&self.path);
        let mut file = tempfile::Builder::new().prefix(".new-head-").tempfile_in(folder).map_err(failed)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        writeln!(file, "{} {} {}", self.instance_id, head.sequence, head.hash_hex()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Compares the database with the file: it must be the same instance, and its chain must still lead through the head
    /// that was written. Without a file there is nothing to compare.
    pub(crate) fn check(&self, connection: &Connection) -> Result<(), Error> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(Error::HeadFile { path: self.path.clone(), source }),
        };
        let mismatch = |what: String| Error::HeadMismatch { path: self.database.clone(), what };
        let mut words = text.split_ascii_whitespace();
        let (Some(instance_id), Some(sequence), Some(hash), None) =
            (words.next(), words.next().and_then(|word| word.parse().ok()), words.next().and_then(unhex), words.next())
        else {
            return Err(mismatch(format!("{} cannot be understood", self.path.display())));
        };
        if instance_id != self.instance_id {
            return Err(mismatch(format!("its instance is {}, and that one was {instance_id}", self.instance_id)));
        }
        connection::check_passes(connection, &self.database, &Head { sequence, hash })
    }
}

pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

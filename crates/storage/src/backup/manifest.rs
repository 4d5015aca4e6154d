//! The manifest of a backup: what it has, and how its file can be told from any other.

use std::{
    io::{Read as _, Write as _},
    path::Path,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BackupOptions, Contents, folder};
use crate::Error;

/// The file of the database within a backup; `.zst` and `.age` follow where it is compressed or encrypted.
pub(super) const DATABASE: &str = "database.db";

/// The file of the manifest.
pub(super) const MANIFEST: &str = "manifest.json";

/// The newest form of manifest that this program knows.
const FORMAT: u32 = 1;

/// A manifest has a line a table; this is room for ten thousand.
const SIZE_MAX: u64 = 1024 * 1024;

/// What was proven of a backup when it was made. Stands beside it as `manifest.json`, with the fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The form of the manifest: 1.
    pub format: u32,
    /// The moment that the backup is of; RFC 3339 in UTC.
    #[serde(serialize_with = "with_microseconds")]
    pub created_at: DateTime<Utc>,
    /// What the database has.
    pub contents: Contents,
    /// Whether the whole chain was walked. Not where the backup was made before a migration, by a program that no longer
    /// knows the older tables: SQLite's own checks and the comparison of rows must do then.
    pub chain_verified: bool,
    /// Whether it is compressed.
    pub compressed: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The file of the backup.
    pub file: Fingerprint,
    /// The database in it, before it was compressed and encrypted.
    pub database: Fingerprint,
    /// The version of this crate that made it.
    pub program: String,
    /// The version of SQLite that made it.
    pub sqlite: String,
}

/// What a file has, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 as 64 hexadecimal digits: what `sha256sum` prints.
    pub sha256: String,
}

/// The two fingerprints of a backup: of the database in it, and of its file.
pub(super) struct Packed {
    pub(super) database: Fingerprint,
    pub(super) file: Fingerprint,
}

impl Manifest {
    pub(super) fn new(
        created_at: DateTime<Utc>,
        contents: Contents,
        chain_verified: bool,
        options: &BackupOptions,
        packed: Packed,
    ) -> Self {
        Self {
            format: FORMAT,
            created_at,
            contents,
            chain_verified,
            compressed: options.compress,
            encrypted: options.encryption.is_some(),
            file: packed.file,
            database: packed.database,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            sqlite: rusqlite::version().to_owned(),
        }
    }

    /// The name of the backup's file. Made, and not read from the manifest, which could name any.
    #[must_use]
    pub fn file_name(&self) -> String {
        file_name(self.compressed, self.encrypted)
    }

    pub(super) fn write(&self, backup: &Path) -> Result<(), Error> {
        let path = backup.join(MANIFEST);
        let text = serde_json::to_string_pretty(self).expect("it has texts and numbers only");
        let mut file = folder::new_file(&path)?;
        let written = writeln!(file, "{text}").and_then(|()| file.sync_all());
        written.map_err(folder::failed("write", &path))
    }

    /// Reads it, or says why it cannot be: as a clause.
    pub(super) fn read(backup: &Path) -> Result<Self, String> {
        let path = backup.join(MANIFEST);
        let mut text = String::new();
        let file = folder::open_file(&path).map_err(|error| format!("its manifest cannot be opened ({error})"))?;
        let read = file.take(SIZE_MAX).read_to_string(&mut text);
        read.map_err(|error| format!("its manifest cannot be read ({error})"))?;
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| format!("its manifest cannot be understood ({error})"))?;
        if manifest.format != FORMAT {
            return Err(format!("its manifest has the form {}, and this program knows {FORMAT}", manifest.format));
        }
        Ok(manifest)
    }
}

pub(super) fn file_name(compressed: bool, encrypted: bool) -> String {
    let compressed = if compressed { ".zst" } else { "" };
    let encrypted = if encrypted { ".age" } else { "" };
    format!("{DATABASE}{compressed}{encrypted}")
}

/// Always with six decimals: serde's own form drops them where they are zeros, and times would not sort as text.
fn with_microseconds<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

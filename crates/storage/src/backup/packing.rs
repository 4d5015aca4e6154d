//! From a database to the file of a backup and back: compressed, encrypted, and hashed at both ends.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::manifest::{Packed, file_name};
use super::{BackupOptions, Decryption, Fingerprint, Manifest, OnProgress, Progress, Stage, folder};
use crate::{Error, event::hex};

/// What `zstd` does unless it is told otherwise.
const COMPRESSION_LEVEL: i32 = 3;

/// How much is read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Turns the proven copy of a database into the backup's file beside it, which is on the disk then, and reads that back.
/// The copy is removed unless it is that file.
pub(super) fn pack(copy: &Path, options: &BackupOptions, progress: OnProgress<'_>) -> Result<Packed, Error> {
    let mut from = folder::open_file(copy).map_err(folder::failed("open", copy))?;
    let total = from.metadata().map_err(folder::failed("measure", copy))?.len();
    let mut report = |done| progress(Progress { stage: Stage::Pack, done, total });
    if !options.compress && options.encryption.is_none() {
        let database = transfer(&mut from, &mut io::sink(), &mut report).map_err(|f| f.reading("read", copy))?;
        from.sync_all().map_err(folder::failed("sync", copy))?;
        return Ok(Packed { file: database.clone(), database });
    }
    let path = copy.with_file_name(file_name(options.compress, options.encryption.is_some()));
    let mut to = Hashing::new(folder::new_file(&path)?);
    let mut database = None;
    let mut write = |to: &mut dyn Write| {
        database = Some(compress(&mut from, to, options.compress, &mut report)?);
        Ok(())
    };
    let written = match &options.encryption {
        Some(encryption) => encryption.encrypt(&mut to, write).map(Some),
        None => write(&mut to).map(|()| None),
    };
    let key = written.and_then(|key| to.inner.sync_all().map(|()| key)).map_err(folder::failed("write", &path))?;
    let database = database.expect("all was written");
    let file = to.fingerprint();

    let back = folder::open_file(&path).map_err(folder::failed("open", &path))?;
    let mut sink = io::sink();
    let read = unpack(&back, options.compress, key.as_ref(), total, &mut sink, &mut |_| {});
    if read.map_err(|fault| fault.of(&path))? != database {
        return Err(Error::BackupDamaged { path, what: "it is not what was written".to_owned() });
    }
    std::fs::remove_file(copy).map_err(folder::failed("remove", copy))?;
    Ok(Packed { database, file })
}

/// Checks the file of a backup against its manifest, and writes the database in it to `to`.
///
/// The whole file is hashed first, so that what nobody vouches for is never decrypted or decompressed.
pub(super) fn restore(
    backup: &Path,
    manifest: &Manifest,
    key: Option<&Decryption>,
    to: &mut dyn Write,
    progress: OnProgress<'_>,
) -> Result<(), Error> {
    let damaged = |what: &str| Error::BackupDamaged { path: backup.to_owned(), what: what.to_owned() };
    let total = manifest.database.bytes;
    let mut report = |done: u64| progress(Progress { stage: Stage::Unpack, done: done.min(total), total });
    let path = backup.join(manifest.file_name());
    if hashed(&path)? != manifest.file {
        return Err(damaged("its file is not the one that the manifest describes"));
    }
    let file = folder::open_file(&path).map_err(folder::failed("open", &path))?;
    let refused = |what: &str| Error::BackupKey { path: backup.to_owned(), what: what.to_owned() };
    let key = match (manifest.encrypted, key) {
        (false, _) => None,
        (true, Some(key)) => Some(key),
        (true, None) if cfg!(feature = "encryption") => return Err(refused("no key was given")),
        (true, None) => return Err(refused("this program was built without encryption")),
    };
    let unpacked = unpack(&file, manifest.compressed, key, total, to, &mut report).map_err(|fault| fault.of(backup))?;
    if unpacked != manifest.database {
        return Err(damaged("the database in it is not the one that the manifest describes"));
    }
    Ok(())
}

/// The size and the hash of a file.
pub(super) fn hashed(path: &Path) -> Result<Fingerprint, Error> {
    let mut file = folder::open_file(path).map_err(folder::failed("open", path))?;
    transfer(&mut file, &mut io::sink(), &mut |_| {}).map_err(|fault| fault.reading("read", path))
}

fn compress(
    from: &mut File,
    to: &mut dyn Write,
    compress: bool,
    report: &mut dyn FnMut(u64),
) -> io::Result<Fingerprint> {
    if !compress {
        return transfer(from, to, report).map_err(Fault::into_io);
    }
    let mut encoder = zstd::Encoder::new(to, COMPRESSION_LEVEL)?;
    encoder.include_checksum(true)?;
    let read = transfer(from, &mut encoder, report).map_err(Fault::into_io)?;
    encoder.finish()?;
    Ok(read)
}

/// Reads at most one byte more than `bytes_max`: a few bytes can unpack to any number.
fn unpack(
    file: &File,
    compressed: bool,
    key: Option<&Decryption>,
    bytes_max: u64,
    to: &mut dyn Write,
    report: &mut dyn FnMut(u64),
) -> Result<Fingerprint, Fault> {
    let plain: Box<dyn Read + '_> = match key {
        Some(key) => key.decrypt(file).map_err(Fault::Key)?,
        None => Box::new(file),
    };
    let unpacked: Box<dyn Read + '_> =
        if compressed { Box::new(zstd::Decoder::new(plain).map_err(Fault::Read)?) } else { plain };
    transfer(&mut unpacked.take(bytes_max.saturating_add(1)), to, report)
}

/// Copies all there is, telling how many bytes it was so far.
fn transfer(from: &mut dyn Read, to: &mut dyn Write, report: &mut dyn FnMut(u64)) -> Result<Fingerprint, Fault> {
    let mut to = Hashing::new(to);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(to.fingerprint()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::Read(error)),
        };
        to.write_all(buffer.get(..read).unwrap_or_default()).map_err(Fault::Write)?;
        report(to.bytes);
    }
}

/// Why bytes did not get from one place to the other.
enum Fault {
    Read(io::Error),
    Write(io::Error),
    Key(String),
}

impl Fault {
    /// Where what is read is a backup: a hash was right, so it was made wrong.
    fn of(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Read(source) => Error::BackupDamaged { path, what: format!("it cannot be unpacked ({source})") },
            Self::Write(source) => Error::BackupFile { operation: "unpack", path, source },
            Self::Key(what) => Error::BackupKey { path, what },
        }
    }

    fn reading(self, operation: &'static str, path: &Path) -> Error {
        Error::BackupFile { operation, path: path.to_owned(), source: self.into_io() }
    }

    fn into_io(self) -> io::Error {
        match self {
            Self::Read(error) | Self::Write(error) => error,
            Self::Key(what) => io::Error::other(what),
        }
    }
}

/// Counts and hashes what is written through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn fingerprint(self) -> Fingerprint {
        Fingerprint { bytes: self.bytes, sha256: hex(&self.hash.finalize()) }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

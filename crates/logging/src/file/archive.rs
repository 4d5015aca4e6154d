//! The dated files of days gone by: `NAME.YYYY-MM-DD.log`, and `NAME.YYYY-MM-DD.1.log` and so on if the day has one already;
//! with `.gz` behind when they are compressed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use chrono::{Days, NaiveDate};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::options::Options;

/// The files that one day can have of one name. Arbitrary; it ends a search.
const FILES_A_DAY_MAX: u32 = 1_000_000;

/// What is read at once of a file that is compressed.
const PIECE_BYTES: usize = 65_536;

/// What failed, and how.
pub(crate) type Failure = (PathBuf, io::Error);

/// The dated files of a folder with these names, and how long they stay.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    folder: PathBuf,
    names: Vec<String>,
    days: u32,
    bytes: Option<u64>,
}

/// A dated file, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Dated {
    day: NaiveDate,
    /// The how many-th of the day, from 0.
    number: u32,
    is_compressed: bool,
}

/// Renames the active file to a dated one that did not exist, with the next number of its day.
pub(super) fn set_aside(folder: &Path, name: &str, active: &Path, day: NaiveDate) -> io::Result<()> {
    let mut first = 0;
    for entry in fs::read_dir(folder)? {
        let of_day = dated(&entry?.file_name().to_string_lossy(), name).filter(|dated| dated.day == day);
        first = first.max(of_day.map_or(0, |dated| dated.number.saturating_add(1)));
    }
    for number in first..FILES_A_DAY_MAX {
        let ending = if number == 0 { String::new() } else { format!(".{number}") };
        let dated = folder.join(format!("{name}.{day}{ending}.log"));
        // The name is taken before the rename, which would silently replace a file of another process.
        match OpenOptions::new().write(true).create_new(true).open(&dated) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(_reserved) => {
                return fs::rename(active, &dated).or_else(|error| {
                    fs::remove_file(&dated)?;
                    // Somebody else took the file away: there is nothing left to set aside.
                    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
                });
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

impl Archive {
    pub(crate) fn new(folder: PathBuf, names: Vec<String>, options: &Options) -> Self {
        Self { folder, names, days: options.retention_days, bytes: options.retention_bytes }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Deletes what is too old, by the date in the name, and then the oldest until all files of these names take no more than
    /// they may. What cannot be deleted is told, and does not keep the others.
    ///
    /// The age is counted from the day after the newest dated file's at most: a clock that is far ahead for a moment would let
    /// nothing stay.
    pub(crate) fn prune(&self, today: NaiveDate) -> Vec<Failure> {
        let Self { folder, names, days, bytes } = self;
        let mut failures = Vec::new();
        let mut files = list(folder, names, "", &mut failures);
        // Those of the same age by name, so that the same ones go each time.
        files.sort();
        let next = files.last().and_then(|(newest, ..)| newest.day.succ_opt());
        let oldest = next.map_or(today, |next| today.min(next)).checked_sub_days(Days::new((*days).into()));
        let active = names.iter().filter_map(|name| fs::metadata(folder.join(format!("{name}.log"))).ok());
        let active: u64 = active.map(|metadata| metadata.len()).sum();
        let mut total = files.iter().map(|(.., size)| size).sum::<u64>().saturating_add(active);
        for (dated, path, size) in files {
            let is_old = oldest.is_some_and(|oldest| dated.day < oldest);
            if is_old || (size > 0 && bytes.is_some_and(|max| total > max)) {
                match remove(&path) {
                    Ok(()) => total = total.saturating_sub(size),
                    Err(error) => failures.push((path, error)),
                }
            }
        }
        failures
    }

    /// Deletes what a death left of a compression. Not while one is under way here.
    pub(crate) fn sweep(&self) -> Vec<Failure> {
        let mut failures = Vec::new();
        let parts = list(&self.folder, &self.names, ".part", &mut failures);
        for (_, path, _) in parts.into_iter().filter(|(dated, ..)| dated.is_compressed) {
            if let Err(error) = remove(&path) {
                failures.push((path, error));
            }
        }
        failures
    }

    /// Compresses what is not yet, until it is told to stop.
    pub(crate) fn compress(&self, stop: &AtomicBool) -> Vec<Failure> {
        let mut failures = Vec::new();
        let files = list(&self.folder, &self.names, "", &mut failures);
        // An empty one is a name that the writer has just taken: what it renames to it now must not be deleted here.
        for (_, path, _) in files.into_iter().filter(|(dated, _, bytes)| !dated.is_compressed && *bytes > 0) {
            if stop.load(Relaxed) {
                break;
            }
            match compress_one(&path, stop) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => failures.push((path, error)),
                Ok(()) => {}
            }
        }
        failures
    }
}

/// The compressed file appears under its name when it is complete, and only then does the other go. So a death at any
/// place leaves one of both at least, and the next attempt finishes what is left.
fn compress_one(path: &Path, stop: &AtomicBool) -> io::Result<()> {
    let with = |ending: &str| PathBuf::from(format!("{}{ending}", path.display()));
    let (compressed, part) = (with(".gz"), with(".gz.part"));
    if compressed.exists() {
        // A death came between the rename and the removal, unless it is somebody else's.
        return if holds_the_same(&compressed, path)? { fs::remove_file(path) } else { Ok(()) };
    }
    let mut source = File::open(path)?;
    let mut encoder = GzEncoder::new(File::create(&part)?, Compression::default());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = source.read(&mut piece)?;
        if stop.load(Relaxed) {
            return fs::remove_file(&part);
        }
        if bytes == 0 {
            break;
        }
        encoder.write_all(piece.get(..bytes).unwrap_or_default())?;
    }
    let file = encoder.finish()?;
    file.set_permissions(source.metadata()?.permissions())?;
    // The one that goes is perhaps on the disk already; so must be the one that stays.
    file.sync_all()?;
    fs::rename(&part, &compressed)?;
    fs::remove_file(path)
}

fn holds_the_same(compressed: &Path, path: &Path) -> io::Result<bool> {
    let mut decoder = GzDecoder::new(File::open(compressed)?);
    let mut file = File::open(path)?;
    let (mut ours, mut theirs) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        let bytes = file.read(&mut ours)?;
        let (Some(ours), Some(theirs)) = (ours.get(..bytes), theirs.get_mut(..bytes)) else { return Ok(false) };
        if bytes == 0 {
            return Ok(decoder.read(&mut [0])? == 0);
        }
        // One that is broken or too short is not the same.
        if decoder.read_exact(theirs).is_err() || theirs != ours {
            return Ok(false);
        }
    }
}

/// Deletes a file. Another process or thread with the same folder may have been faster.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// The dated files whose names have this behind.
fn list(folder: &Path, names: &[String], ending: &str, failures: &mut Vec<Failure>) -> Vec<(Dated, PathBuf, u64)> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            failures.push((folder.to_owned(), error));
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for entry in entries {
        match entry {
            Err(error) => failures.push((folder.to_owned(), error)),
            Ok(entry) => {
                let file_name = entry.file_name();
                let file = file_name.to_str().and_then(|file| file.strip_suffix(ending));
                let dated = file.and_then(|file| names.iter().find_map(|name| dated(file, name)));
                // Not through a link: what it leads to is not ours.
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file);
                files.extend(dated.zip(metadata).map(|(dated, metadata)| (dated, entry.path(), metadata.len())));
            }
        }
    }
    files
}

/// What a file's name says, if it is a dated one of this very name.
fn dated(file: &str, name: &str) -> Option<Dated> {
    let rest = file.strip_prefix(name)?.strip_prefix('.')?;
    let (rest, is_compressed) = rest.strip_suffix(".gz").map_or((rest, false), |rest| (rest, true));
    let rest = rest.strip_suffix(".log")?;
    let (day, number) = rest.split_once('.').map_or((rest, "0"), |(day, number)| (day, number));
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| digits)?;
    Some(Dated { day: read_day(day)?, number, is_compressed })
}

/// Reads `2026-11-22`, in this very form.
fn read_day(text: &str) -> Option<NaiveDate> {
    text.parse::<NaiveDate>().ok().filter(|day| day.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, expected: Option<(&str, u32, bool)>) {
        let dated = dated(file, "trading").map(|dated| (dated.day.to_string(), dated.number, dated.is_compressed));
        assert_eq!(dated.as_ref().map(|(day, number, gz)| (day.as_str(), *number, *gz)), expected, "{file}");
    }

    #[test]
    fn only_dated_files_of_the_very_name_are_known() {
        check("trading.2026-11-22.log", Some(("2026-11-22", 0, false)));
        check("trading.2026-11-22.7.log", Some(("2026-11-22", 7, false)));
        check("trading.2026-11-22.log.gz", Some(("2026-11-22", 0, true)));
        check("trading.2026-11-22.12.log.gz", Some(("2026-11-22", 12, true)));
        for stranger in [
            "trading.log",
            "trading.log.gz",
            "trading_automation.2026-11-22.log",
            "trading.2026-11-22.log.gz.part",
            "trading.2026-11-22.gz",
            "trading.2026-11-22.old.log",
            "trading.2026-11-22..log",
            "trading.2026-13-22.log",
            "trading.2026-1-2.log",
            "trading.20261122.log",
            "my-trading.2026-11-22.log",
            "trading2026-11-22.log",
            "trading..log",
            "trading.2026-11-22.-1.log",
            "trading.2026-11-22.+1.log",
            "trading.2026-11-22.4294967296.log",
        ] {
            check(stranger, None);
        }
    }
}

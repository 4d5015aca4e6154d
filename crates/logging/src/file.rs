//! One active log file: appended to, watched for being deleted or renamed, and set aside when a new day begins.

pub(crate) mod archive;

use std::{
    borrow::Cow,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    mem,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::{folder, line::Time, options::Options};

/// The days of a zone. Asked in the order of time it costs next to nothing.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    zone: Tz,
    /// A quarter of an hour, in which no day ends: no zone is off by less.
    last: Option<(u64, NaiveDate)>,
}

impl Calendar {
    pub(crate) fn new(zone: Tz) -> Self {
        Self { zone, last: None }
    }

    pub(crate) fn day(&mut self, at: Time) -> NaiveDate {
        let quarter = at.seconds / (15 * 60);
        match self.last {
            Some((last, day)) if last == quarter => day,
            _ => {
                let day = self.day_of(at.utc());
                self.last = Some((quarter, day));
                day
            }
        }
    }

    fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }
}

/// A file of whole lines. What cannot be written stays in memory, up to a limit, and is tried again.
#[derive(Debug)]
pub(crate) struct LogFile {
    folder: PathBuf,
    name: String,
    path: PathBuf,
    file: Option<File>,
    /// Which file was opened last, by its device and inode where the system has them.
    identity: Option<(u64, u64)>,
    /// The day of the content; `None` while there is none.
    day: Option<NaiveDate>,
    pending: Vec<u8>,
    /// How much of `pending` is in the file already: less than its first line, and only after a failure.
    written: usize,
    /// The lines in `pending`.
    pending_lines: u64,
    pending_max: usize,
    /// How long the file is, without what is pending.
    bytes: u64,
    bytes_max: u64,
    calendar: Calendar,
    /// The lines that were completed since this was last asked, and their bytes.
    done: (u64, u64),
    /// Whether a file was set aside since this was last asked.
    was_set_aside: bool,
    /// Whether setting the file aside has failed since the last attempt to write.
    is_stuck: bool,
    failure: Option<io::Error>,
}

impl LogFile {
    pub(crate) fn new(folder: &Path, name: &str, options: &Options) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            path: folder.join(format!("{name}.log")),
            file: None,
            identity: None,
            day: None,
            pending: Vec::new(),
            written: 0,
            pending_lines: 0,
            pending_max: options.queue_bytes,
            bytes: 0,
            bytes_max: options.rotate_bytes.unwrap_or(u64::MAX),
            calendar: Calendar::new(options.zone),
            done: (0, 0),
            was_set_aside: false,
            is_stuck: false,
            failure: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines the file got since this was last asked, and their bytes.
    pub(crate) fn take_done(&mut self) -> (u64, u64) {
        mem::take(&mut self.done)
    }

    /// Whether a file was set aside since this was last asked.
    pub(crate) fn take_set_aside(&mut self) -> bool {
        mem::take(&mut self.was_set_aside)
    }

    /// What went wrong since this was last asked.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// The lines that are not wholly in the file.
    pub(crate) fn unwritten(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.pending)
    }

    /// Whether everything that was appended is in the file.
    pub(crate) fn is_clean(&self) -> bool {
        self.pending.is_empty()
    }

    /// Appends a line of this day, after setting aside the lines of another day, or a file that it would make too long.
    /// `false` if there is no room for it, because the file could not be written for too long.
    ///
    /// A line of the day before is let in: two threads may log across midnight in either order, and a clock may be
    /// set back a little.
    pub(crate) fn append(&mut self, day: NaiveDate, line: &str) -> bool {
        let is_other = |current: NaiveDate| {
            day != current && (day > current || current.checked_sub_days(Days::new(1)) > Some(day))
        };
        let is_long = self.bytes_with(0) > 0 && self.bytes_with(line.len()) > self.bytes_max;
        if let Some(current) = self.day.filter(|current| (is_long || is_other(*current)) && !self.is_stuck) {
            self.set_aside(current);
        }
        if self.pending.len() + line.len() > self.pending_max && !self.pending.is_empty() {
            return false;
        }
        self.pending.extend_from_slice(line.as_bytes());
        self.pending_lines += 1;
        self.day.get_or_insert(day);
        true
    }

    /// How long the file will be with what is pending and `more`.
    fn bytes_with(&self, more: usize) -> u64 {
        let pending = self.pending.len() - self.written + more;
        self.bytes.saturating_add(u64::try_from(pending).unwrap_or(u64::MAX))
    }

    /// Opens the file if it is not, and writes what is pending, in one piece if the system takes it.
    pub(crate) fn write_out(&mut self) {
        self.is_stuck = false;
        if let Err(error) = self.try_write_out() {
            self.failure = Some(error);
        }
    }

    fn try_write_out(&mut self) -> io::Result<()> {
        let result = self.ensure_open().and_then(|()| self.write_pending());
        self.forget_written();
        result
    }

    fn write_pending(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    self.written += bytes;
                    self.bytes += u64::try_from(bytes).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the lines that are wholly in the file from `pending`. One that is there in part stays whole, so that it
    /// can be written again if the file is another one by then.
    fn forget_written(&mut self) {
        let done = self.pending.get(..self.written).unwrap_or_default();
        let (complete, lines) = if self.written == self.pending.len() {
            (self.written, self.pending_lines)
        } else {
            let complete = done.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            let lines = done.iter().take(complete).filter(|byte| **byte == b'\n').count();
            (complete, u64::try_from(lines).unwrap_or_default())
        };
        self.pending.drain(..complete);
        self.written -= complete;
        self.pending_lines -= lines;
        self.done.0 += lines;
        self.done.1 += u64::try_from(complete).unwrap_or_default();
    }

    fn set_aside(&mut self, day: NaiveDate) {
        let result = self.try_write_out().and_then(|()| {
            self.file = None;
            archive::set_aside(&self.folder, &self.name, &self.path, day)
        });
        match result {
            Ok(()) => (self.day, self.bytes, self.was_set_aside) = (None, 0, true),
            Err(error) => (self.is_stuck, self.failure) = (true, Some(error)),
        }
    }

    /// Opens the file, unless the one that is open still stands under its name.
    fn ensure_open(&mut self) -> io::Result<()> {
        if self.file.is_some() && self.stands() {
            return Ok(());
        }
        self.file = None;
        let mut file = match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder)?;
                self.open()?
            }
            result => result?,
        };
        let metadata = file.metadata()?;
        self.bytes = metadata.len();
        if self.identity != identity(&metadata) || self.identity.is_none() {
            self.written = 0;
        }
        if metadata.len() > 0 {
            self.day = Some(day_of(&mut file, &metadata, &self.calendar)?);
            if self.written == 0 && end_last_line(&mut file)? {
                self.bytes += 1;
            }
        }
        self.identity = identity(&metadata);
        self.file = Some(file);
        Ok(())
    }

    fn open(&self) -> io::Result<File> {
        match fs::metadata(&self.path) {
            Ok(metadata) => folder::regular(&metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        OpenOptions::new().read(true).append(true).create(true).open(&self.path)
    }

    /// Whether the open file still stands under its name; if that cannot be told, it is good enough. Its length is looked at
    /// again, because others may have emptied it.
    fn stands(&mut self) -> bool {
        match fs::metadata(&self.path) {
            Ok(metadata) if identity(&metadata) == self.identity => {
                self.bytes = metadata.len();
                if self.bytes == 0 && self.pending.is_empty() {
                    self.day = None;
                }
                true
            }
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }
}

/// The day of a file's first line, which is that of all others; if it cannot be read, the day it was last written.
fn day_of(file: &mut File, metadata: &Metadata, calendar: &Calendar) -> io::Result<NaiveDate> {
    const BEFORE: &str = "{\"timestamp\":\"";
    const TIME_BYTES: usize = "2026-11-22T20:02:39.123456Z".len();
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(64).read_to_end(&mut start)?;
    let start = String::from_utf8_lossy(&start);
    let first = start.strip_prefix(BEFORE).and_then(|rest| rest.get(..TIME_BYTES)?.parse::<DateTime<Utc>>().ok());
    let at = first.map_or_else(|| metadata.modified().map(DateTime::<Utc>::from), Ok)?;
    Ok(calendar.day_of(at))
}

/// Ends the line in which the process before died, so that the next one stands alone, and tells whether it had to.
fn end_last_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(false);
    }
    file.write_all(b"\n")?;
    Ok(true)
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: NaiveDate = NaiveDate::MIN;

    /// A file that took one and a half lines of three, as a disk does that fills up.
    fn half_written(folder: &Path) -> LogFile {
        let mut file = LogFile::new(folder, "a", &Options { queue_bytes: 1_000, ..Options::at(folder) });
        for line in ["one\n", "two\n", "three\n"] {
            assert!(file.append(DAY, line));
        }
        file.ensure_open().unwrap();
        file.file.as_mut().unwrap().write_all(b"one\ntw").unwrap();
        file.written = 6;
        file.forget_written();
        assert_eq!((file.take_done(), file.unwritten()), ((1, 4), "two\nthree\n".into()));
        file
    }

    #[test]
    fn a_line_that_is_there_in_part_is_completed() {
        for is_reopened in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut file = half_written(folder.path());
            file.file = file.file.filter(|_| !is_reopened);
            file.write_out();
            assert_eq!(fs::read_to_string(file.path()).unwrap(), "one\ntwo\nthree\n");
            assert_eq!((file.take_done(), file.is_clean()), ((2, 10), true));
        }
    }

    #[test]
    fn a_line_that_is_there_in_part_is_written_whole_to_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = half_written(folder.path());
        fs::rename(file.path(), folder.path().join("moved")).unwrap();
        file.write_out();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "two\nthree\n");
        assert_eq!((file.take_done(), file.is_clean()), ((2, 10), true));
    }

    #[test]
    fn a_line_that_is_there_in_part_is_completed_before_the_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = half_written(folder.path());
        let next = DAY.succ_opt().unwrap();
        assert!(file.append(next, "four\n"));
        file.write_out();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "four\n");
        let dated = folder.path().join(format!("a.{DAY}.log"));
        assert_eq!(fs::read_to_string(dated).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(file.take_done(), (3, 15));
    }
}

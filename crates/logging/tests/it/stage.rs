//! Where the tests play: a folder, a clock that stands still, and consoles that remember.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use log::{Level, Log, Record, kv::Value};
use tempfile::TempDir;
use trading_logging::{Builder, Logging, Options};

/// The time at which every stage starts.
pub(crate) const START: &str = "2026-03-04T05:06:07.089012Z";

/// Longer than any test takes: what needs this long does not happen.
pub(crate) const NEVER: Duration = Duration::from_secs(3_600);

pub(crate) struct Stage {
    folder: TempDir,
    time: Arc<Mutex<SystemTime>>,
    pub(crate) console: Captured,
    pub(crate) complaints: Captured,
}

impl Stage {
    pub(crate) fn new() -> Self {
        // The macros of `log` ask for it; each logger still has its own level.
        log::set_max_level(log::LevelFilter::Trace);
        let stage = Self {
            folder: tempfile::tempdir().expect("a folder"),
            time: Arc::new(Mutex::new(SystemTime::UNIX_EPOCH)),
            console: Captured::default(),
            complaints: Captured::default(),
        };
        stage.set(START);
        stage
    }

    pub(crate) fn set(&self, time: &str) {
        *self.time.lock().expect("no panic") = time.parse::<DateTime<Utc>>().expect("RFC 3339").into();
    }

    pub(crate) fn options(&self) -> Options {
        // A console that stands still holds the writer up: that is how the tests do it.
        Options { console_wait: NEVER, ..Options::at(self.folder.path().join("logs")) }
    }

    pub(crate) fn builder(&self, options: Options) -> Builder {
        let time = Arc::clone(&self.time);
        Logging::builder(options)
            .clock(move || *time.lock().expect("no panic"))
            .console_writer(self.console.clone())
            .complaint_writer(self.complaints.clone())
    }

    pub(crate) fn start(&self, options: Options) -> (Logging, Box<dyn Log>) {
        self.builder(options).build().expect("options that work")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the file is there")
    }

    /// The messages in a file, in order.
    pub(crate) fn messages(&self, name: &str) -> Vec<String> {
        messages(&self.read(name))
    }

    /// Puts a file there before the logging starts.
    pub(crate) fn put(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path("")).expect("the folder is made");
        fs::write(self.path(name), content).expect("the file is made");
    }

    /// Puts a file in the place of the folder: not even an administrator can write into that.
    pub(crate) fn break_folder(&self) {
        let folder = self.options().folder;
        fs::rename(&folder, self.folder.path().join("aside")).expect("the folder is there");
        fs::write(folder, "").expect("its name is free");
    }

    /// Takes that file away again.
    pub(crate) fn mend_folder(&self) {
        fs::remove_file(self.options().folder).expect("the folder was broken");
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).expect("the folder is there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().display().to_string()).collect();
        names.sort();
        names
    }
}

/// The messages of JSON lines, each of which must be one.
#[track_caller]
pub(crate) fn messages(lines: &str) -> Vec<String> {
    let message = |line: &str| match serde_json::from_str::<serde_json::Value>(line) {
        Ok(value) => value.get("message").and_then(|message| message.as_str()).expect("a message").to_owned(),
        Err(error) => panic!("{error}: {line}"),
    };
    lines.split_terminator('\n').map(message).collect()
}

/// Logs a message from a place that stays the same.
pub(crate) fn say(logger: &dyn Log, level: Level, target: &str, message: &str) {
    let mut record = Record::builder();
    record.level(level).target(target).module_path(Some("stage::say")).file(Some("stage.rs")).line(Some(7));
    logger.log(&record.args(format_args!("{message}")).build());
}

/// As `say`, with fields.
pub(crate) fn say_with(logger: &dyn Log, level: Level, target: &str, message: &str, fields: &[(&str, Value<'_>)]) {
    let mut record = Record::builder();
    record.level(level).target(target).module_path(Some("stage::say")).file(Some("stage.rs")).line(Some(7));
    logger.log(&record.key_values(&fields).args(format_args!("{message}")).build());
}

/// The line that `say` leaves, with these fields (`,"a":1`).
pub(crate) fn line(level: Level, target: &str, message: &str, fields: &str) -> String {
    let thread = thread::current();
    let thread = thread.name().expect("tests have names");
    format!(
        r#"{{"timestamp":"{START}","level":"{level}","logger":"{target}","message":"{message}","module":"stage::say","file":"stage.rs","line":7,"thread":"{thread}"{fields}}}"#
    ) + "\n"
}

/// An old line, as an earlier process would have left it.
pub(crate) fn old(day: &str, message: &str) -> String {
    format!("{{\"timestamp\":\"{day}T01:02:03.000000Z\",\"message\":\"{message}\"}}\n")
}

/// A writer that remembers.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that hands over what it gets, and blocks until it is let go on, for good once the other side is dropped.
pub(crate) struct Gate {
    written: Sender<String>,
    go_on: Receiver<()>,
}

pub(crate) fn gate() -> (Gate, Receiver<String>, Sender<()>) {
    let (written, arrivals) = channel();
    let (open, go_on) = channel();
    (Gate { written, go_on }, arrivals, open)
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The test may have seen enough, or have opened the gate for good.
        self.written.send(String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        self.go_on.recv().unwrap_or_default();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

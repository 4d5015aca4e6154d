//! What a caller says about logging: where, what, how much.

use std::{path::PathBuf, time::Duration};

use log::LevelFilter;

/// Where lines go beside the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Console {
    /// Nowhere (the default: a library prints nothing unasked).
    #[default]
    Off,
    /// Readable lines on standard error, for people.
    Text,
    /// The JSON lines of the main file on standard output, for containers and collectors.
    Json,
}

/// How to log. Made by [`Options::at`]; every field has a default that works.
///
/// ```
/// use trading_logging::{Console, Options};
///
/// let options = Options { console: Console::Text, ..Options::at("logs") };
/// assert_eq!(options.retention_days, 30);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder of the log files; made if it is missing. A relative path is taken from the working folder at the
    /// time of the build, once.
    pub folder: PathBuf,
    /// The most detailed level that is logged. Default: `Info`.
    pub level: LevelFilter,
    /// Where lines go beside the files. Default: [`Console::Off`].
    pub console: Console,
    /// Whether [`Console::Text`] is coloured. Default: `false`. The caller decides it (a terminal, and `NO_COLOR` not
    /// set), because this crate looks at neither.
    pub colour: bool,
    /// The components with a file of their own, `NAME.log`, beside the main one. A line belongs to a component when its
    /// target is the name or starts with `name::`, or when its field `component` says so (the field wins). 1 to 64 ASCII
    /// letters, digits, `_` or `-` each; all different. Default: `agents`, `api`, `trading`, `performance`.
    pub components: Vec<String>,
    /// The lines that may wait for the writer; at least 1. Default: 8,192, which bridges a disk that stalls for 100 ms at
    /// 80,000 lines a second.
    pub queue_lines: usize,
    /// The bytes that may wait for the writer, and also the bytes that each file may hold back in memory while it
    /// cannot be written; at least 65,536 (one line). Default: 8 MiB, which is 1 KiB for each line of the queue.
    pub queue_bytes: usize,
    /// How long a line that may not be dropped waits for room in a full queue, before it goes to standard error
    /// instead. Default: 30 s (arbitrary: longer than a disk is slow, shorter than a caller may be stuck for good).
    pub queue_wait: Duration,
    /// The longest that a line stays in memory. Default: 100 ms.
    pub flush_every: Duration,
    /// How long `flush`, `shutdown` and the drop of the handle wait for the writer. Default: 5 s (half of the
    /// ten seconds that container engines leave between SIGTERM and SIGKILL).
    pub drain: Duration,
    /// How many days before the present one keep their dated files; 0 keeps the active files only. Default: 30 days.
    pub retention_days: u32,
}

impl Options {
    /// Options with the defaults, for files in `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            level: LevelFilter::Info,
            console: Console::Off,
            colour: false,
            components: ["agents", "api", "trading", "performance"].map(String::from).to_vec(),
            queue_lines: 8_192,
            queue_bytes: 8 * 1024 * 1024,
            queue_wait: Duration::from_secs(30),
            flush_every: Duration::from_millis(100),
            drain: Duration::from_secs(5),
            retention_days: 30,
        }
    }
}

//! What a caller says about logging: where, what, how much.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use chrono_tz::Tz;
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
    /// Other levels for some components, by name; what is not of any component is `trading_automation` here. Default:
    /// none. They can be changed later, by [`Logging::set_level`](crate::Logging::set_level).
    pub levels: Vec<(String, LevelFilter)>,
    /// Where lines go beside the files. Default: [`Console::Off`].
    pub console: Console,
    /// How long the files wait for a console that stands still, before its lines are left out of it until it goes on; they are
    /// counted. Default: 1 s (arbitrary: longer than a busy terminal takes, shorter than the queue needs to fill up).
    pub console_wait: Duration,
    /// Whether each line of the console begins with its priority, which the journal of systemd takes off and keeps: `<3>` ERROR,
    /// `<4>` WARN, `<6>` INFO, `<7>` DEBUG and TRACE. Default: `false`. The caller decides it (its stream is that of the
    /// variable `JOURNAL_STREAM`), because this crate looks at neither.
    pub console_priority: bool,
    /// Whether [`Console::Text`] is coloured. Default: `false`. The caller decides it (a terminal, and `NO_COLOR` not
    /// set), because this crate looks at neither.
    pub colour: bool,
    /// The components with a file of their own, `NAME.log`, beside the main one. A line belongs to a component when its
    /// target is the name or starts with `name::`, or when its field `component` says so (the field wins). 1 to 64 ASCII
    /// letters, digits, `_` or `-` each; all different. Default: `agents`, `api`, `trading`, `performance`; a later group
    /// adds its own.
    pub components: Vec<String>,
    /// The lines that may wait for the writer; at least 1. Default: 8,192, which bridges a disk that stalls for 100 ms at
    /// 80,000 lines a second.
    pub queue_lines: usize,
    /// The bytes that may wait for the writer, and also the bytes that each file may hold back in memory while it
    /// cannot be written; at least 65,536 (one line), at most 1 GiB. Default: 8 MiB, which is 1 KiB for each line of the queue.
    pub queue_bytes: usize,
    /// How long a line that may not be dropped waits for room in a full queue, before it goes to standard error
    /// instead. Default: 30 s (arbitrary: longer than a disk is slow, shorter than a caller may be stuck for good).
    pub queue_wait: Duration,
    /// The longest that a line stays in memory. Default: 100 ms.
    pub flush_every: Duration,
    /// How often the files are looked at when nothing is logged: one that was deleted or renamed is made anew, one that
    /// could not be written is tried again. At least 1 ms. Default: 1 s.
    pub look_every: Duration,
    /// How long `flush`, `shutdown` and the drop of the handle wait for the writer. Default: 5 s (half of the
    /// ten seconds that container engines leave between SIGTERM and SIGKILL).
    pub drain: Duration,
    /// Where a day ends: a file holds the lines of one day of this zone. Timestamps are UTC in any case. Default: UTC.
    pub zone: Tz,
    /// The bytes beyond which a file is set aside before its day ends; at least 65,536 (one line). Default: `None`, no
    /// limit.
    pub rotate_bytes: Option<u64>,
    /// How many days before the present one keep their dated files; 0 keeps the active files only. Default: 30 days.
    pub retention_days: u32,
    /// The bytes that all log files may take together: beyond them, the oldest dated ones go. The active ones count, and
    /// stay. Default: `None`, no limit.
    pub retention_bytes: Option<u64>,
    /// Whether dated files are compressed, to `NAME.YYYY-MM-DD.log.gz`. Default: `false`.
    pub gzip: bool,
    /// How often an identical line (all but its time) is written within a second; further ones are folded into one that
    /// says how many they were. Those of `trading` are never folded. Default: 10 (arbitrary: enough to see that something
    /// goes on); `None` folds nothing.
    pub repeats_max: Option<NonZeroU32>,
    /// More names of fields whose values are never written: a whole name, or one with `*` at its start or its end or both
    /// (`*_pin`, `iban*`), in any case. Default: none. Those of the README always hold.
    pub secret_fields: Vec<String>,
    /// Whether [`Builder::install`](crate::Builder::install) also logs panics. Default: `true`.
    pub panics: bool,
}

impl Options {
    /// Options with the defaults, for files in `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            level: LevelFilter::Info,
            levels: Vec::new(),
            console: Console::Off,
            console_wait: Duration::from_secs(1),
            console_priority: false,
            colour: false,
            components: ["agents", "api", "trading", "performance"].map(String::from).to_vec(),
            queue_lines: 8_192,
            queue_bytes: 8 * 1024 * 1024,
            queue_wait: Duration::from_secs(30),
            flush_every: Duration::from_millis(100),
            look_every: Duration::from_secs(1),
            drain: Duration::from_secs(5),
            zone: Tz::UTC,
            rotate_bytes: None,
            retention_days: 30,
            retention_bytes: None,
            gzip: false,
            repeats_max: NonZeroU32::new(10),
            secret_fields: Vec::new(),
            panics: true,
        }
    }
}

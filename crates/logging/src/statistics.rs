//! How logging itself fares.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use log::Level;

use crate::component::Components;

/// Counts since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Lines that the main file took, the sink's own notices included.
    pub lines_written: u64,
    /// The bytes of these lines.
    pub bytes_written: u64,
    /// Lines that the main file never got: the queue was full, the file could not be written for too long, or the
    /// handle was gone. Those that matter (WARN and above, and `trading`) went to standard error instead.
    pub lines_dropped: u64,
    /// Lines that are in the files and not on the console, because it stood still.
    pub lines_not_shown: u64,
    /// Lines that were folded into one that says how many they were.
    pub lines_folded: u64,
    /// Failed attempts to open, write, rename, compress or delete a file, or to write to the console.
    pub write_errors: u64,
    /// Panics that were logged.
    pub panics: u64,
    /// The same by component and level: first the components in the order of the options, then `trading_automation`,
    /// which is all lines of no component; each from ERROR to TRACE. Rows without a line are there too.
    pub tallies: Vec<Tally>,
}

/// What was logged of one component at one level.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// The component's name; `trading_automation` for lines of none.
    pub component: String,
    /// The level.
    pub level: Level,
    /// Lines that were taken to be written.
    pub lines: u64,
    /// The bytes of these lines.
    pub bytes: u64,
    /// Lines that were dropped.
    pub dropped: u64,
    /// Lines that were folded into one that says how many they were, and that is itself one of `lines`.
    pub folded: u64,
}

impl Statistics {
    /// The lines of a level, of all components.
    pub fn lines_at(&self, level: Level) -> u64 {
        self.tallies.iter().filter(|tally| tally.level == level).map(|tally| tally.lines).sum()
    }

    /// The lines of a component, of all levels.
    pub fn lines_of(&self, component: &str) -> u64 {
        self.tallies.iter().filter(|tally| tally.component == component).map(|tally| tally.lines).sum()
    }
}

/// The counts while they grow.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) lines: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) dropped: AtomicU64,
    folded: AtomicU64,
    pub(crate) not_shown: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    /// By slot, and within it by level.
    rows: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    lines: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    folded: AtomicU64,
}

impl Counters {
    pub(crate) fn new(components: &Components) -> Self {
        let zero = || AtomicU64::new(0);
        let rows = components.slots().flat_map(|_| Level::iter()).map(|_| Row::default()).collect();
        Self {
            lines: zero(),
            bytes: zero(),
            dropped: zero(),
            folded: zero(),
            not_shown: zero(),
            errors: zero(),
            panics: zero(),
            rows,
        }
    }

    fn row(&self, slot: usize, level: Level) -> Option<&Row> {
        self.rows.get(slot * Level::iter().count() + level as usize - Level::Error as usize)
    }

    /// Counts a line that is to be written. Only the writer does, so it need not lock what nobody else writes.
    pub(crate) fn took(&self, slot: usize, level: Level, bytes: usize) {
        let add = |count: &AtomicU64, more: u64| count.store(count.load(Relaxed) + more, Relaxed);
        if let Some(row) = self.row(slot, level) {
            add(&row.lines, 1);
            add(&row.bytes, u64::try_from(bytes).unwrap_or_default());
        }
    }

    /// Counts a line that no file gets.
    pub(crate) fn drop_one(&self, slot: usize, level: Level) {
        self.dropped.fetch_add(1, Relaxed);
        if let Some(row) = self.row(slot, level) {
            row.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Counts a line that another one tells of.
    pub(crate) fn fold_one(&self, slot: usize, level: Level) {
        self.folded.fetch_add(1, Relaxed);
        if let Some(row) = self.row(slot, level) {
            row.folded.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn snapshot(&self, components: &Components) -> Statistics {
        let names = components.slots().flat_map(|name| Level::iter().map(move |level| (name, level)));
        let tally = |((name, level), row): ((&str, Level), &Row)| Tally {
            component: name.to_owned(),
            level,
            lines: row.lines.load(Relaxed),
            bytes: row.bytes.load(Relaxed),
            dropped: row.dropped.load(Relaxed),
            folded: row.folded.load(Relaxed),
        };
        Statistics {
            lines_written: self.lines.load(Relaxed),
            bytes_written: self.bytes.load(Relaxed),
            lines_dropped: self.dropped.load(Relaxed),
            lines_not_shown: self.not_shown.load(Relaxed),
            lines_folded: self.folded.load(Relaxed),
            write_errors: self.errors.load(Relaxed),
            panics: self.panics.load(Relaxed),
            tallies: names.zip(&self.rows).map(tally).collect(),
        }
    }
}

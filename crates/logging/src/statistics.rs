//! How logging itself fares.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Lines that the main file took, the sink's own notices included.
    pub lines_written: u64,
    /// Lines that the main file never got: the queue was full, the file could not be written for too long, or the
    /// handle was gone. Those that matter (WARN and above, and `trading`) went to standard error instead.
    pub lines_dropped: u64,
    /// Failed attempts to open, write, rename or delete a file, or to write to the console.
    pub write_errors: u64,
}

/// The counts while they grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) written: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) errors: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Statistics {
        Statistics {
            lines_written: self.written.load(Ordering::Relaxed),
            lines_dropped: self.dropped.load(Ordering::Relaxed),
            write_errors: self.errors.load(Ordering::Relaxed),
        }
    }
}

//! The handle of running logging.

use std::{fmt, sync::Arc, thread::JoinHandle, time::Duration};

use crate::{Builder, Options, Statistics, shared::Shared};

/// Running logging. Hold it as long as lines are to be written: its drop writes what waits, and ends the writer.
///
/// After that, lines at WARN and above and those of `trading` go to standard error, and all others are dropped.
#[must_use = "dropping the handle ends the logging"]
pub struct Logging {
    pub(crate) shared: Arc<Shared>,
    /// `None` when it was stopped.
    pub(crate) writer: Option<JoinHandle<()>>,
    pub(crate) drain: Duration,
}

impl Logging {
    /// Starts with what to log; [`Builder::install`] or [`Builder::build`] ends it.
    pub fn builder(options: Options) -> Builder {
        Builder::new(options)
    }

    /// Has every line written that was logged before the call, and waits for it, at most for [`Options::drain`].
    ///
    /// Returns whether all of them are with the operating system, which a death of the process does not undo (a loss of
    /// power may). `false` also when a file cannot be written: its lines wait in memory.
    pub fn flush(&self) -> bool {
        self.shared.queue.flush(self.drain)
    }

    /// Makes files that were deleted or renamed anew, as `logrotate` and its like want it, without waiting for the next
    /// line. Waits and answers like [`flush`](Self::flush).
    pub fn reopen(&self) -> bool {
        // Each time the writer works, it looks whether every file still stands under its name.
        self.flush()
    }

    /// How logging has fared since its start.
    pub fn statistics(&self) -> Statistics {
        self.shared.counters.snapshot()
    }

    /// Writes what waits and ends the writer, as the drop does, but tells whether everything reached the files within
    /// [`Options::drain`]. A writer that hangs longer, in a system call, is left behind.
    pub fn shutdown(mut self) -> bool {
        self.stop()
    }

    fn stop(&mut self) -> bool {
        let Some(writer) = self.writer.take() else { return true };
        self.shared.queue.close();
        let (ended, clean) = self.shared.queue.await_end(self.drain);
        if !ended {
            let complaint = format_args!("the writer did not end in {:?}: lines may be lost", self.drain);
            self.shared.standard_error.complain(complaint);
        }
        // A writer that has ended can be joined without waiting; if it panicked, its lines are not in the files.
        ended && writer.join().is_ok() && clean
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logging").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

//! The handle of running logging.

use std::{fmt, sync::Arc, thread::JoinHandle, time::Duration};

use chrono_tz::Tz;
use log::LevelFilter;

use crate::{
    Builder, Error, Options, Statistics,
    file::{Calendar, archive::Archive},
    panics,
    shared::Shared,
    sink::Logger,
};

/// Running logging. Hold it as long as lines are to be written: its drop writes what waits, and ends the writer.
///
/// After that, lines at WARN and above and those of `trading` go to standard error, and all others are dropped.
#[must_use = "dropping the handle ends the logging"]
pub struct Logging {
    pub(crate) shared: Arc<Shared>,
    /// `None` when it was stopped.
    pub(crate) writer: Option<JoinHandle<()>>,
    pub(crate) drain: Duration,
    pub(crate) logger: Arc<Logger>,
    pub(crate) archive: Archive,
    pub(crate) zone: Tz,
    /// Whether this is the logger of the process, whose level the façade knows.
    pub(crate) is_installed: bool,
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

    /// Deletes the dated files that [`Options::retention_days`] and [`Options::retention_bytes`] let go, now and on this thread.
    ///
    /// The writer does so by itself, at the start, each day, and after each file that is set aside; but what it cannot delete it
    /// only counts and says on standard error. This is for a program that wants to know, or keeps house at times of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Retention`] with the first file that cannot be deleted, or the folder if it cannot be read; the others are gone.
    pub fn apply_retention(&self) -> Result<(), Error> {
        let today = Calendar::new(self.zone).day(self.shared.now());
        match self.archive.prune(today).into_iter().next() {
            Some((path, source)) => Err(Error::Retention { path, source }),
            None => Ok(()),
        }
    }

    /// Changes what is logged of a component, from the next line on; `trading_automation` is all lines of no component.
    ///
    /// An installed logger also sets [`log::max_level`]. Of one that was built, the caller does, to
    /// [`max_level`](Self::max_level), if the macros of `log` lead to it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownComponent`], and nothing changed.
    pub fn set_level(&self, component: &str, level: LevelFilter) -> Result<(), Error> {
        self.shared.format.components.set_level(component, level, |highest| {
            if self.is_installed {
                log::set_max_level(highest);
            }
        })
    }

    /// What is logged of each component, in the order of the options, and last of all else (`trading_automation`).
    pub fn levels(&self) -> Vec<(String, LevelFilter)> {
        self.shared.format.components.levels().map(|(name, level)| (name.to_owned(), level)).collect()
    }

    /// The most detailed level that is logged of any component.
    pub fn max_level(&self) -> LevelFilter {
        self.shared.format.components.highest()
    }

    /// Hides a secret value from now on: wherever it stands in a line, `[redacted]` is written.
    ///
    /// Returns whether it is hidden: values shorter than 4 bytes, which ordinary text is full of, and longer than 4 KiB are
    /// not, and none for which there is no room: all have 128 KiB together, where each counts once for each way in which it
    /// can be spelt. One more takes up to some 20 ms, for which no line waits. [`Builder::secret`] does it before the first line.
    #[must_use = "a value that cannot be hidden will be seen"]
    pub fn hide(&self, value: &str) -> bool {
        self.shared.format.known.add(value)
    }

    /// Logs each panic of the process from now on (target `panic`, `ERROR`: the message, the place, and the backtrace as a
    /// field), flushes, and then calls the hook that was there before. [`Builder::install`] does it, unless
    /// [`Options::panics`] says no; a logger that was built does it when it is asked.
    pub fn hook_panics(&self) {
        panics::hook(&self.logger);
    }

    /// How logging has fared since its start.
    pub fn statistics(&self) -> Statistics {
        self.shared.counters.snapshot(&self.shared.format.components)
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

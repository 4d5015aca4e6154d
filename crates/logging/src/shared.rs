//! What the callers' side, the writer and the handle have in common.

use std::{fmt, time::SystemTime};

use crate::{
    line::{Format, Time},
    queue::Queue,
    repeats::Identities,
    standard_error::StandardError,
    statistics::Counters,
};

/// Tells the time of a line.
pub(crate) type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// Shared by the logger (on any thread), the writer's thread and the handle.
pub(crate) struct Shared {
    pub(crate) format: Format,
    pub(crate) clock: Clock,
    pub(crate) queue: Queue,
    /// `None` where nothing is folded.
    pub(crate) identities: Option<Identities>,
    pub(crate) counters: Counters,
    pub(crate) standard_error: StandardError,
}

impl Shared {
    pub(crate) fn now(&self) -> Time {
        Time::read((self.clock)())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("format", &self.format).field("counters", &self.counters).finish_non_exhaustive()
    }
}

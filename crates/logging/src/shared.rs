//! What the callers' side, the writer and the handle have in common.

use std::{fmt, time::SystemTime};

use chrono::{DateTime, Utc};

use crate::{
    line::{self, Format},
    queue::Queue,
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
    pub(crate) counters: Counters,
    pub(crate) standard_error: StandardError,
}

impl Shared {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        line::utc((self.clock)())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("format", &self.format).field("counters", &self.counters).finish_non_exhaustive()
    }
}

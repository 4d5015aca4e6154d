//! Bounds how many calls are under way at once.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Refusal;

/// At most so many calls of one dependency at once. One more is refused, not queued: a queue before a slow dependency
/// only makes all its callers slow.
///
/// ```
/// use std::num::NonZeroU32;
/// use trading_resilience::{Bulkhead, Refusal};
///
/// let bulkhead = Bulkhead::new(NonZeroU32::MIN);
/// let entry = bulkhead.enter().unwrap();
/// assert_eq!(bulkhead.enter().unwrap_err(), Refusal::Full { calls_max: 1 });
/// drop(entry);
/// assert!(bulkhead.enter().is_ok());
/// ```
#[derive(Debug)]
pub struct Bulkhead {
    calls_max: u32,
    calls: AtomicU32,
}

impl Bulkhead {
    /// Makes an empty one for so many calls.
    #[must_use]
    pub fn new(calls_max: NonZeroU32) -> Self {
        Self { calls_max: calls_max.get(), calls: AtomicU32::new(0) }
    }

    /// Enters with one call, until the entry is dropped.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn enter(&self) -> Result<Entry<'_>, Refusal> {
        let room = |calls: u32| (calls < self.calls_max).then_some(calls + 1);
        // Only the number counts, no other memory is handed over with it.
        match self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
            Ok(_) => Ok(Entry { bulkhead: self }),
            Err(calls_max) => Err(Refusal::Full { calls_max }),
        }
    }

    /// Returns how many calls are under way.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// One call under way.
#[must_use = "the call is over when this is dropped"]
#[derive(Debug)]
pub struct Entry<'a> {
    bulkhead: &'a Bulkhead,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.bulkhead.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

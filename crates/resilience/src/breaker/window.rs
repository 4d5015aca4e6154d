//! The calls of the last while, counted in tenths of it.

use std::time::{Duration, Instant};

/// More would be more exact and cost more memory; ten is what people can imagine.
pub(super) const BUCKETS: u32 = 10;

/// Calls, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u32,
    pub(super) failures: u32,
    pub(super) slow: u32,
}

impl Counts {
    fn add(&mut self, failed: bool, slow: bool) {
        self.calls = self.calls.saturating_add(1);
        self.failures = self.failures.saturating_add(u32::from(failed));
        self.slow = self.slow.saturating_add(u32::from(slow));
    }
}

/// A ring of buckets. The newest is filled until its time is over.
#[derive(Debug)]
pub(super) struct Window {
    bucket: Duration,
    buckets: [Counts; BUCKETS as usize],
    newest: usize,
    /// When the newest bucket's time is over; `None` before the first call.
    ends: Option<Instant>,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { bucket: length / BUCKETS, buckets: Default::default(), newest: 0, ends: None }
    }

    pub(super) fn clear(&mut self) {
        self.buckets = Default::default();
        self.ends = None;
    }

    pub(super) fn add(&mut self, failed: bool, slow: bool, now: Instant) {
        self.advance(now);
        if let Some(bucket) = self.buckets.get_mut(self.newest) {
            bucket.add(failed, slow);
        }
    }

    /// The sums at `now`.
    pub(super) fn counts(&mut self, now: Instant) -> Counts {
        self.advance(now);
        self.buckets.iter().fold(Counts::default(), |sum, bucket| Counts {
            calls: sum.calls.saturating_add(bucket.calls),
            failures: sum.failures.saturating_add(bucket.failures),
            slow: sum.slow.saturating_add(bucket.slow),
        })
    }

    fn advance(&mut self, now: Instant) {
        let Some(ends) = self.ends else {
            self.ends = now.checked_add(self.bucket);
            return;
        };
        let mut ends = ends;
        for _ in 0..BUCKETS {
            if now < ends {
                self.ends = Some(ends);
                return;
            }
            self.newest = (self.newest + 1) % self.buckets.len();
            if let Some(bucket) = self.buckets.get_mut(self.newest) {
                *bucket = Counts::default();
            }
            let Some(next) = ends.checked_add(self.bucket) else { return };
            ends = next;
        }
        // All are empty now: begin anew, instead of stepping through a silence of days.
        self.ends = if now < ends { Some(ends) } else { now.checked_add(self.bucket) };
    }
}

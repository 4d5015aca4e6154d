//! What happened in the last while, counted in tenths of it.

use std::time::{Duration, Instant};

/// More would be more exact and cost more memory; ten is what people can imagine.
pub(crate) const BUCKETS: u32 = 10;

/// A ring of buckets. The newest is filled until its time is over.
#[derive(Debug)]
pub(crate) struct Window<const KINDS: usize> {
    bucket: Duration,
    buckets: [[u32; KINDS]; BUCKETS as usize],
    newest: usize,
    /// When the newest bucket's time is over; `None` before the first count.
    ends: Option<Instant>,
}

impl<const KINDS: usize> Window<KINDS> {
    pub(crate) fn new(length: Duration) -> Self {
        Self { bucket: length / BUCKETS, buckets: [[0; KINDS]; BUCKETS as usize], newest: 0, ends: None }
    }

    pub(crate) fn clear(&mut self) {
        self.buckets = [[0; KINDS]; BUCKETS as usize];
        self.ends = None;
    }

    /// Counts one of each kind that is `true`.
    pub(crate) fn add(&mut self, kinds: [bool; KINDS], now: Instant) {
        self.advance(now);
        for (count, kind) in self.buckets.iter_mut().skip(self.newest).take(1).flatten().zip(kinds) {
            *count = count.saturating_add(u32::from(kind));
        }
    }

    /// The sums at `now`.
    pub(crate) fn counts(&mut self, now: Instant) -> [u32; KINDS] {
        self.advance(now);
        let mut sums = [0_u32; KINDS];
        for bucket in &self.buckets {
            for (sum, count) in sums.iter_mut().zip(bucket) {
                *sum = sum.saturating_add(*count);
            }
        }
        sums
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
                *bucket = [0; KINDS];
            }
            let Some(next) = ends.checked_add(self.bucket) else { return };
            ends = next;
        }
        // All are empty now: begin anew, instead of stepping through a silence of days.
        self.ends = if now < ends { Some(ends) } else { now.checked_add(self.bucket) };
    }
}

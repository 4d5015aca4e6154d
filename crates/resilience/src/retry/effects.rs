//! What a retry takes from the outside world, so that a test can give it another.

use std::time::{Duration, Instant};

/// Clock, sleeper and chance.
///
/// Given by the [`System`] or, in a test, by a clock that only `sleep` moves.
pub trait Effects {
    /// Returns the monotonic time. Asked once before the first attempt, and only after failures from then on.
    fn now(&self) -> Instant;

    /// Returns after `duration`, or later.
    fn sleep(&self, duration: Duration);

    /// Returns a number to seed the jitter with. Asked once a retry, after the first failure.
    fn seed(&self) -> u64;
}

impl<T: Effects + ?Sized> Effects for &T {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn sleep(&self, duration: Duration) {
        (**self).sleep(duration);
    }

    fn seed(&self) -> u64 {
        (**self).seed()
    }
}

/// The real world: the monotonic clock, the sleep of the calling thread, a generator seeded by the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Effects for System {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn seed(&self) -> u64 {
        fastrand::u64(..)
    }
}

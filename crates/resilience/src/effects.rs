//! What the crate takes from the outside world, so that a test can give it another.

use std::time::{Duration, Instant, SystemTime};

#[cfg(target_os = "linux")]
use rustix::time::ClockId;

use crate::cancel::Cancel;

/// Clock, sleeper and chance.
///
/// Given by the [`System`] or, in a test, by a [`VirtualClock`](crate::VirtualClock).
pub trait Effects {
    /// Returns the monotonic time.
    fn now(&self) -> Instant;

    /// Returns the time of day, for what outlives the process. The default is the system's.
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Returns after `duration`, or later; earlier only when `cancel` is cancelled.
    fn sleep(&self, duration: Duration, cancel: Option<&Cancel>);

    /// Returns a number to seed the jitter with. Asked once a retry, after the first failure.
    fn seed(&self) -> u64;

    /// Notes the start of a blocking call: cheaper than [`now`](Self::now) where that matters, and perhaps a tick of the
    /// kernel (10 ms at most) too early, never too late. The default is as exact as `now`.
    fn start(&self) -> Started {
        Started::at(self.now())
    }

    /// As [`sleep`](Self::sleep), for async code. The default waits on Tokio's clock.
    #[cfg(feature = "tokio")]
    fn sleep_async(&self, duration: Duration, cancel: Option<&Cancel>) -> impl Future<Output = ()> + Send {
        let cancel = cancel.cloned();
        async move {
            match cancel {
                Some(cancel) => tokio::select! {
                    () = tokio::time::sleep(duration) => {}
                    () = cancel.cancelled() => {}
                },
                None => tokio::time::sleep(duration).await,
            }
        }
    }

    /// Returns when the clock shows `moment`, and passes no time itself, as [`sleep`](Self::sleep) may: it ends an async call
    /// that takes too long. The default waits on Tokio's clock.
    #[cfg(feature = "tokio")]
    fn until(&self, moment: Instant) -> impl Future<Output = ()> + Send {
        tokio::time::sleep_until(moment.into())
    }
}

impl<T: Effects> Effects for &T {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn wall(&self) -> SystemTime {
        (**self).wall()
    }

    fn sleep(&self, duration: Duration, cancel: Option<&Cancel>) {
        (**self).sleep(duration, cancel);
    }

    fn seed(&self) -> u64 {
        (**self).seed()
    }

    fn start(&self) -> Started {
        (**self).start()
    }

    #[cfg(feature = "tokio")]
    fn sleep_async(&self, duration: Duration, cancel: Option<&Cancel>) -> impl Future<Output = ()> + Send {
        (**self).sleep_async(duration, cancel)
    }

    #[cfg(feature = "tokio")]
    fn until(&self, moment: Instant) -> impl Future<Output = ()> + Send {
        (**self).until(moment)
    }
}

/// The real world: the monotonic clock, the sleep of the calling thread, a generator seeded by the process.
///
/// With the feature `tokio` the clock is Tokio's: the same one, until a test pauses it.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Effects for System {
    fn now(&self) -> Instant {
        #[cfg(feature = "tokio")]
        return tokio::time::Instant::now().into_std();
        #[cfg(not(feature = "tokio"))]
        Instant::now()
    }

    fn sleep(&self, duration: Duration, cancel: Option<&Cancel>) {
        match cancel {
            Some(cancel) => cancel.wait(duration),
            None => std::thread::sleep(duration),
        }
    }

    fn seed(&self) -> u64 {
        fastrand::u64(..)
    }

    // A retry's success path reads no other clock, and the exact one costs more than all the rest of it.
    #[cfg(target_os = "linux")]
    fn start(&self) -> Started {
        Started(Reading::Tick(monotonic(ClockId::MonotonicCoarse)))
    }
}

/// The noted start of a call.
#[derive(Debug, Clone, Copy)]
pub struct Started(Reading);

#[derive(Debug, Clone, Copy)]
enum Reading {
    Exact(Instant),
    /// The kernel's last tick before the start.
    #[cfg(target_os = "linux")]
    Tick(Duration),
}

impl Started {
    /// The call starts at this moment.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(Reading::Exact(instant))
    }

    /// Returns the moment of the start, given the present one.
    pub(crate) fn instant(self, now: Instant) -> Instant {
        match self.0 {
            Reading::Exact(instant) => instant,
            // The exact clock counts from the same zero as the ticks. An `Instant` cannot be made of either.
            #[cfg(target_os = "linux")]
            Reading::Tick(tick) => now.checked_sub(monotonic(ClockId::Monotonic).saturating_sub(tick)).unwrap_or(now),
        }
        .min(now)
    }
}

/// The coarse clock stands still between the kernel's ticks, which come every 1 to 10 ms: it is read in 7 ns where the exact
/// one takes 20 to 40.
///
/// **Source:** measured on a virtual machine, 2026.
#[cfg(target_os = "linux")]
#[inline]
fn monotonic(clock: ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

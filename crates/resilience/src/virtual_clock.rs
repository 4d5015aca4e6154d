//! Time for tests, which passes only when it is asked to.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cancel::Cancel;
use crate::effects::Effects;

/// The longest step. A clock that overflows would stand still.
const STEP_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);

/// When the time of day begins: 2026-01-01T00:00:00Z. Arbitrary.
const WALL: Duration = Duration::from_secs(1_767_225_600);

/// A world for tests: time passes only in [`pass`](Self::pass) and in sleeps, which take no real time, and chance is a seed.
///
/// Starts at 2026-01-01T00:00:00Z. Threads and tasks may share it. An async call that never answers is ended by others, who
/// let the time pass; without them it waits for ever.
///
/// ```
/// use std::time::Duration;
/// use trading_resilience::{Api, ApiError, Method, VirtualClock, retry};
///
/// let clock = VirtualClock::new(7);
/// let gave_up = retry::API
///     .effects(&clock)
///     .run("get clock", |_attempt| {
///         clock.pass(Duration::from_secs(10)); // The call takes its time.
///         Err::<(), _>(ApiError::answered(Api::Alpaca, Method::Get, "/v2/clock", 503))
///     })
///     .unwrap_err();
/// assert_eq!((gave_up.attempts, gave_up.elapsed), (3, clock.elapsed()));
/// ```
#[derive(Debug)]
pub struct VirtualClock {
    origin: Instant,
    elapsed: Mutex<Duration>,
    /// Wakes those who wait for a moment.
    #[cfg(feature = "tokio")]
    passed: tokio::sync::Notify,
    seed: u64,
}

impl VirtualClock {
    /// Makes a world in which no time has passed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            origin: Instant::now(),
            elapsed: Mutex::default(),
            #[cfg(feature = "tokio")]
            passed: tokio::sync::Notify::new(),
            seed,
        }
    }

    /// Lets time pass, as a call that takes long does. A step of more than a year counts as a year.
    pub fn pass(&self, time: Duration) {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(PoisonError::into_inner);
        *elapsed = elapsed.saturating_add(time.min(STEP_MAX));
        drop(elapsed);
        #[cfg(feature = "tokio")]
        self.passed.notify_waiters();
    }

    /// Returns how much time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Effects for VirtualClock {
    fn now(&self) -> Instant {
        self.origin.checked_add(self.elapsed()).unwrap_or(self.origin)
    }

    fn wall(&self) -> SystemTime {
        let since = WALL.saturating_add(self.elapsed());
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }

    fn sleep(&self, duration: Duration, cancel: Option<&Cancel>) {
        if !cancel.is_some_and(Cancel::is_cancelled) {
            self.pass(duration);
        }
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    #[cfg(feature = "tokio")]
    fn sleep_async(&self, duration: Duration, cancel: Option<&Cancel>) -> impl Future<Output = ()> + Send {
        self.sleep(duration, cancel);
        std::future::ready(())
    }

    #[cfg(feature = "tokio")]
    async fn until(&self, moment: Instant) {
        loop {
            // Made before the look, or time that passes between the two would be missed.
            let passed = self.passed.notified();
            if self.now() >= moment {
                return;
            }
            passed.await;
        }
    }
}

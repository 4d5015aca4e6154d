//! A world in which time passes only when somebody sleeps.

use std::fmt;
use std::ops::Deref;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use trading_resilience::{Cancel, Class, Classify, Effects, VirtualClock};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A virtual clock that remembers what it was asked for.
#[derive(Debug)]
pub(crate) struct World {
    clock: VirtualClock,
    /// How much longer than ordered each sleep takes.
    oversleep: Duration,
    slept: Mutex<Vec<Duration>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self { clock: VirtualClock::new(seed), oversleep: Duration::ZERO, slept: Mutex::default() }
    }

    pub(crate) fn oversleeping(oversleep: Duration) -> Self {
        Self { oversleep, ..Self::new(0) }
    }

    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().expect("no panic").clone()
    }

    fn asleep(&self, duration: Duration) -> Duration {
        self.slept.lock().expect("no panic").push(duration);
        duration + self.oversleep
    }
}

/// What a test lets pass, and asks for.
impl Deref for World {
    type Target = VirtualClock;

    fn deref(&self) -> &VirtualClock {
        &self.clock
    }
}

impl Effects for World {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration, cancel: Option<&Cancel>) {
        self.clock.sleep(self.asleep(duration), cancel);
    }

    fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    fn seed(&self) -> u64 {
        self.clock.seed()
    }

    #[cfg(feature = "tokio")]
    fn sleep_async(&self, duration: Duration, cancel: Option<&Cancel>) -> impl Future<Output = ()> + Send {
        self.clock.sleep_async(self.asleep(duration), cancel)
    }

    #[cfg(feature = "tokio")]
    fn until(&self, moment: Instant) -> impl Future<Output = ()> + Send {
        self.clock.until(moment)
    }
}

/// An error of nothing but its class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Failed(pub(crate) Class);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed ({})", self.0)
    }
}

impl std::error::Error for Failed {}

impl Classify for Failed {
    fn class(&self) -> Class {
        self.0
    }
}

pub(crate) const TRANSIENT: Failed = Failed(Class::Transient);
pub(crate) const UNKNOWN: Failed = Failed(Class::Unknown);
pub(crate) const PERMANENT: Failed = Failed(Class::Permanent);

pub(crate) fn told(seconds: u64) -> Failed {
    Failed(Class::RateLimited { retry_after: Some(secs(seconds)) })
}

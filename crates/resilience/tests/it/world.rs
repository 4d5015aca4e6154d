//! A world in which time passes only when somebody sleeps.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use trading_resilience::{Cancel, Class, Classify, Effects};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[derive(Debug)]
pub(crate) struct World {
    origin: Instant,
    now: Cell<Duration>,
    seed: u64,
    /// How much longer than ordered each sleep takes.
    oversleep: Duration,
    slept: RefCell<Vec<Duration>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            origin: Instant::now(),
            now: Cell::default(),
            seed,
            oversleep: Duration::ZERO,
            slept: RefCell::default(),
        }
    }

    pub(crate) fn oversleeping(oversleep: Duration) -> Self {
        Self { oversleep, ..Self::new(0) }
    }

    /// Lets a call take its time.
    pub(crate) fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now.get()
    }

    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.borrow().clone()
    }
}

impl Effects for World {
    fn now(&self) -> Instant {
        self.origin + self.now.get()
    }

    fn sleep(&self, duration: Duration, _cancel: Option<&Cancel>) {
        self.slept.borrow_mut().push(duration);
        self.pass(duration + self.oversleep);
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + secs(1_795_444_200) + self.now.get()
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    #[cfg(feature = "tokio")]
    fn sleep_async(&self, duration: Duration, cancel: Option<&Cancel>) -> impl Future<Output = ()> + Send {
        self.sleep(duration, cancel);
        std::future::ready(())
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

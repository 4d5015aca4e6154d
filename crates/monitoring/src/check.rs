//! What a health check is: a name, a probe that looks, and how often and how long it may look.

mod ready_made;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::Status;
use crate::error::Error;
pub use ready_made::{Heartbeat, LogSink};

/// What a probe found.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub(crate) status: Status,
    pub(crate) message: String,
    pub(crate) details: Map<String, Value>,
    /// When to look again, where that is sooner than the check's interval.
    pub(crate) again_in: Option<Duration>,
}

impl Outcome {
    /// Describes a finding: its status, and a sentence for people, of which 4,096 bytes are kept.
    #[must_use]
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), details: Map::new(), again_in: None }
    }

    /// All is as it should be.
    #[must_use]
    pub fn healthy(message: impl Into<String>) -> Self {
        Self::new(Status::Healthy, message)
    }

    /// It works, but somebody should look at it.
    #[must_use]
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(Status::Degraded, message)
    }

    /// It does not work.
    #[must_use]
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(Status::Unhealthy, message)
    }

    /// Adds a figure or a text that programs can read. A second one of the same key replaces the first.
    #[must_use]
    pub fn detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }
}

/// Looks again and again whether one component is well.
///
/// The probe runs on a thread of its own, so it may block. A probe that panics, or that takes longer than its time-out,
/// is a failed check; while it hangs no second one of it is started, and the other checks go on.
///
/// ```
/// use std::time::Duration;
/// use trading_monitoring::{Check, Outcome};
///
/// let trades = 42;
/// let check = Check::new("database", move || Outcome::healthy("answers").detail("trades", trades))
///     .every(Duration::from_secs(10))
///     .timeout(Duration::from_secs(2))
///     .critical(true);
/// # drop(check);
/// ```
pub struct Check {
    pub(crate) name: String,
    pub(crate) every: Duration,
    pub(crate) timeout: Duration,
    pub(crate) critical: bool,
    pub(crate) failures: u32,
    pub(crate) successes: u32,
    pub(crate) initial: Status,
    pub(crate) probe: Probe,
}

/// How a check looks.
pub(crate) enum Probe {
    Blocking(Box<dyn FnMut() -> Outcome + Send>),
    Async(Box<dyn FnMut() -> Pin<Box<dyn Future<Output = Outcome>>> + Send>),
}

impl Check {
    /// The longest name, in bytes.
    pub const NAME_BYTES_MAX: usize = 64;

    /// Names a component and says how to look at it.
    ///
    /// Defaults: every 30 s, a time-out of 5 s, not critical (**source:** arbitrary).
    ///
    /// The name becomes a part of a path, `/health/{name}`: 1 to 64 ASCII letters, digits, `_`, `-` and `.`, and not
    /// all dots. [`Health::start`](crate::Health::start) refuses others.
    pub fn new(name: impl Into<String>, probe: impl FnMut() -> Outcome + Send + 'static) -> Self {
        Self::with(name, Probe::Blocking(Box::new(probe)))
    }

    /// As [`new`](Self::new), of a probe that is a future. It runs on a thread and a tokio runtime of its own, so that it may use sockets and
    /// timers of tokio, and even block. One that takes longer than its time-out is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trading_monitoring::{Check, Outcome};
    ///
    /// let check = Check::new_async("clock", || async {
    ///     tokio::time::sleep(Duration::from_millis(1)).await;
    ///     Outcome::healthy("ticks")
    /// });
    /// # drop(check);
    /// ```
    pub fn new_async<F>(name: impl Into<String>, mut probe: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Outcome> + 'static,
    {
        Self::with(name, Probe::Async(Box::new(move || Box::pin(probe()))))
    }

    fn with(name: impl Into<String>, probe: Probe) -> Self {
        Self {
            name: name.into(),
            every: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            critical: false,
            failures: 1,
            successes: 1,
            initial: Status::Unknown,
            probe,
        }
    }

    /// Sets the rest between the end of one look and the start of the next. Above zero; default 30 s.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self
    }

    /// Sets how long one look may take before the check counts as failed. Above zero; default 5 s.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Says whether the whole is unhealthy and not ready when this component is unhealthy. Default `false`: then the
    /// whole is degraded.
    #[must_use]
    pub fn critical(mut self, critical: bool) -> Self {
        self.critical = critical;
        self
    }

    /// Sets how many looks in a row must find it unhealthy before it is; before that it is degraded. At least 1, the default. A look
    /// that hangs counts at once: nothing says that it will ever come back.
    #[must_use]
    pub fn failures(mut self, needed: u32) -> Self {
        self.failures = needed;
        self
    }

    /// Sets how many looks in a row must find it better than unhealthy before it is again. At least 1, the default.
    #[must_use]
    pub fn successes(mut self, needed: u32) -> Self {
        self.successes = needed;
        self
    }

    /// Sets what it is before the first look has ended. Default [`Status::Unknown`], with which a critical one is not ready.
    #[must_use]
    pub fn initially(mut self, status: Status) -> Self {
        self.initial = status;
        self
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let refuse = |rule| Err(Error::InvalidCheck { name: self.name.clone(), rule });
        if self.name.is_empty() || self.name.len() > Self::NAME_BYTES_MAX || !self.name.bytes().all(allowed) {
            return refuse("a name is 1 to 64 ASCII letters, digits, `_`, `-` and `.`");
        }
        // `/health/..` is `/` for every client that tidies paths.
        if self.name.bytes().all(|byte| byte == b'.') {
            return refuse("a name has more than dots");
        }
        if self.every.is_zero() {
            return refuse("the interval is above zero");
        }
        if self.failures == 0 || self.successes == 0 {
            return refuse("a threshold is at least 1");
        }
        if self.timeout.is_zero() {
            return refuse("the time-out is above zero");
        }
        Ok(())
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .field("every", &self.every)
            .field("timeout", &self.timeout)
            .field("critical", &self.critical)
            .field("failures", &self.failures)
            .field("successes", &self.successes)
            .field("initial", &self.initial)
            .finish_non_exhaustive()
    }
}

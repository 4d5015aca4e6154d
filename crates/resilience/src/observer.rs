//! Who is told what happens, and the log, which is told by default.

use std::error::Error;
use std::time::Duration;

use crate::breaker::BreakerState;
use crate::class::Class;
use crate::error::{Chain, millis};
use crate::retry::Reason;

/// Something that happened in a retry or a breaker. Nothing is told of a success at the first attempt.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An attempt failed.
    AttemptFailed {
        /// The operation's name.
        operation: &'a str,
        /// 1 for the first.
        attempt: u32,
        /// What the failure leaves to do.
        class: Class,
        /// The failure.
        error: &'a (dyn Error + 'a),
    },
    /// There will be another attempt, after a wait.
    Waiting {
        /// The operation's name.
        operation: &'a str,
        /// The idempotency key; `None` without one.
        idempotency: Option<&'a str>,
        /// The attempt that failed before the wait.
        attempt: u32,
        /// How many there are at most.
        attempts_max: u32,
        /// How long the wait is.
        delay: Duration,
        /// What the failure leaves to do.
        class: Class,
        /// The failure before the wait.
        error: &'a (dyn Error + 'a),
    },
    /// An attempt succeeded after others had failed.
    Recovered {
        /// The operation's name.
        operation: &'a str,
        /// The idempotency key; `None` without one.
        idempotency: Option<&'a str>,
        /// How many attempts there were, the last included.
        attempts: u32,
        /// The time from the start of the first attempt.
        elapsed: Duration,
    },
    /// There will be no further attempt.
    GaveUp {
        /// The operation's name.
        operation: &'a str,
        /// The idempotency key; `None` without one.
        idempotency: Option<&'a str>,
        /// How many attempts there were.
        attempts: u32,
        /// The time from the start of the first attempt.
        elapsed: Duration,
        /// The class of all attempts together.
        class: Class,
        /// Why.
        reason: Reason,
        /// How long from now another try makes sense; `None` when not known.
        come_back_after: Option<Duration>,
        /// The last failure.
        error: &'a (dyn Error + 'a),
    },
    /// A circuit breaker went from one state to another.
    BreakerChanged {
        /// The breaker's name.
        breaker: &'a str,
        /// Where it was.
        from: BreakerState,
        /// Where it is.
        to: BreakerState,
        /// Why.
        reason: &'a str,
    },
}

/// Is told what happens. Called on the thread it happens on, outside all locks: it may be slow, at the caller's cost.
///
/// Closures are observers:
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use trading_resilience::{Api, ApiError, Event, Method, retry};
///
/// let failed = AtomicU32::new(0);
/// let count = |event: &Event<'_>| {
///     if matches!(event, Event::AttemptFailed { .. }) {
///         failed.fetch_add(1, Ordering::Relaxed);
///     }
/// };
/// let refused = |_attempt| Err::<(), _>(ApiError::answered(Api::Quiver, Method::Get, "/beta", 403));
/// assert!(retry::API.observed_by(&count).run("get trades", refused).is_err());
/// assert_eq!(failed.into_inner(), 1);
/// ```
pub trait Observer: Sync {
    /// Takes note of an event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Tells the `log` façade. Each failure is told once at WARN, with its causes.
///
/// The target is `trading_resilience`; the key-values are:
///
/// | event | level | keys |
/// | --- | --- | --- |
/// | an attempt failed | DEBUG | `event=attempt_failed`, `operation`, `attempt`, `class`, `error` |
/// | waiting | WARN | `event=waiting`, `operation`, `idempotency`, `attempt`, `attempts_max`, `class`, `delay_ms`, `error` |
/// | recovered | INFO | `event=recovered`, `operation`, `idempotency`, `attempts`, `elapsed_ms` |
/// | breaker changed | WARN when it opens, else INFO | `event=breaker_changed`, `breaker`, `from`, `to`, `reason` |
/// | gave up | WARN | `event=gave_up`, `operation`, `idempotency`, `attempts`, `elapsed_ms`, `class`, `reason`, `come_back_after_ms`, `error` |
///
/// What is not known is null. `error` is one line with all causes, without secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

/// The log target of all events, whatever the modules are called.
const TARGET: &str = "trading_resilience";

impl Observer for LogObserver {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::AttemptFailed { operation, attempt, class, error } => log::debug!(
                target: TARGET,
                event = "attempt_failed", operation, attempt, class = class.as_str(), error:% = Chain(error);
                "{operation}: attempt {attempt} failed"
            ),
            Event::Waiting { operation, idempotency, attempt, attempts_max, delay, class, error } => log::warn!(
                target: TARGET,
                event = "waiting", operation, idempotency, attempt, attempts_max, class = class.as_str(),
                delay_ms = millis(delay), error:% = Chain(error);
                "{operation}: attempt {attempt} failed, waiting {delay:?}"
            ),
            Event::Recovered { operation, idempotency, attempts, elapsed } => log::info!(
                target: TARGET,
                event = "recovered", operation, idempotency, attempts, elapsed_ms = millis(elapsed);
                "{operation}: succeeded at attempt {attempts}"
            ),
            Event::BreakerChanged { breaker, from, to, reason } => {
                let level = match to {
                    BreakerState::Open | BreakerState::ForcedOpen => log::Level::Warn,
                    BreakerState::Closed | BreakerState::HalfOpen | BreakerState::Disabled => log::Level::Info,
                };
                log::log!(
                    target: TARGET, level,
                    event = "breaker_changed", breaker, from = from.as_str(), to = to.as_str(), reason;
                    "breaker {breaker} is {}: {reason}", to.as_str()
                );
            }
            Event::GaveUp { operation, idempotency, attempts, elapsed, class, reason, come_back_after, error } => {
                let plural = if attempts == 1 { "" } else { "s" };
                log::warn!(
                    target: TARGET,
                    event = "gave_up", operation, idempotency, attempts, elapsed_ms = millis(elapsed),
                    class = class.as_str(), reason = reason.as_str(),
                    come_back_after_ms = come_back_after.map(millis), error:% = Chain(error);
                    "{operation}: gave up after {attempts} attempt{plural} in {elapsed:?}: {reason}"
                );
            }
        }
    }
}

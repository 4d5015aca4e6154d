//! Trying again, safely.
//!
//! A [`Policy`] says how often and how long; [`Policy::run`] does it, on the calling thread. What is tried again is
//! decided by the error's [`Class`](crate::Class):
//!
//! | class | what happens |
//! | --- | --- |
//! | `Transient` | waits, tries again |
//! | `RateLimited` | waits at least as long as asked, but never beyond the cap, tries again |
//! | `Unknown` | waits in the same way and tries again if the caller gave an idempotency key, else gives up |
//! | `Permanent` | gives up |
//!
//! A wait that would end at the deadline or later is not begun: the retry gives up at once and says when to come back.
//!
//! A retry inside a retry would multiply the attempts: it runs once, and says so ([`Reason::Nested`]). That holds on one
//! thread or in one task of Tokio; what an attempt hands to another one it has to [`carry`](Attempt::carry) there.

#[cfg(feature = "tokio")]
mod abandonment;
mod decision;
mod delays;
mod gate;
mod gave_up;
mod nesting;
mod recovery;
mod run;

use std::time::Duration;

#[cfg(feature = "tokio")]
use crate::call_error::CallError;
use crate::cancel::Cancel;
use crate::effects::{Effects, System};
use crate::error::ValidationError;
use crate::observer::Observer;

#[cfg(feature = "tokio")]
pub(crate) use abandonment::abandoning;
pub use delays::{Delays, Jitter};
pub(crate) use gate::Gate;
pub use gate::OnlyIf;
pub use gave_up::{GaveUp, Reason};
#[cfg(feature = "tokio")]
pub(crate) use nesting::Nesting;
pub use run::{Attempt, Retry};

/// The value of [`Policy::attempts_max`] that means: for ever.
pub const UNBOUNDED: u32 = u32::MAX;

/// For the outside APIs: 3 attempts, waits of about 1 s and 2 s, never above 60 s.
///
/// **Source:** attempts, factor and cap are the earlier system's. The base is arbitrary. Half of each wait is certain
/// ([`Jitter::Equal`]), because with so few attempts full jitter could spend them all within the first moments.
pub const API: Policy = Policy {
    attempts_max: 3,
    base: Duration::from_secs(1),
    factor: 2.0,
    cap: Duration::from_secs(60),
    jitter: Jitter::Equal,
    deadline: None,
};

/// For the database: 2 attempts, a wait of about 100 ms, never above 10 s.
///
/// **Source:** attempts, factor and cap are the earlier system's. The base is arbitrary: SQLite has already waited for
/// its locks before it says that it is busy.
pub const DATABASE: Policy = Policy {
    attempts_max: 2,
    base: Duration::from_millis(100),
    factor: 1.5,
    cap: Duration::from_secs(10),
    jitter: Jitter::Equal,
    deadline: None,
};

/// For orders: 2 attempts, a wait of about 1 s, never above 30 s.
///
/// An order is sent again only after failures that say it was not booked, or with an idempotency key.
///
/// **Source:** attempts, factor and cap are the earlier system's. The base is arbitrary.
pub const TRADING: Policy = Policy {
    attempts_max: 2,
    base: Duration::from_secs(1),
    factor: 3.0,
    cap: Duration::from_secs(30),
    jitter: Jitter::Equal,
    deadline: None,
};

/// How often to try and how long to wait in between.
///
/// A plain value; to vary one of the ready-made, name what differs:
///
/// ```
/// use std::time::Duration;
/// use trading_resilience::retry::{self, Policy};
///
/// let patient = Policy { attempts_max: 5, deadline: Some(Duration::from_secs(90)), ..retry::API };
/// assert_eq!(patient.cap, retry::API.cap);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// How many attempts at most, the first included. 0 counts as 1; [`UNBOUNDED`] never ends.
    pub attempts_max: u32,
    /// The wait after the first attempt, before jitter.
    pub base: Duration,
    /// By how much each wait is longer than the one before. Below 1, or no number: counts as 1.
    pub factor: f64,
    /// No wait is longer, whatever jitter or a Retry-After says.
    pub cap: Duration,
    /// How much of a wait is left to chance.
    pub jitter: Jitter,
    /// The time for everything, calls and waits, from the start of the first attempt: no further attempt starts at or
    /// after it. `None`: no limit beyond the number of attempts. The start is noted on the kernel's tick: of a deadline of
    /// a second or more, 10 ms at most may be missing.
    ///
    /// An async call that is under way is abandoned then. A blocking one is not interrupted: no thread can be stopped from
    /// outside without leaving its locks locked. It finds what is left in [`Attempt::remaining`], for its own time-out.
    pub deadline: Option<Duration>,
}

impl Policy {
    /// Returns the waits between the attempts, one fewer than there are attempts, each at most the cap.
    ///
    /// The same seed gives the same waits. See [`Delays`] for use without [`run`](Self::run).
    #[must_use]
    pub fn delays(&self, seed: u64) -> Delays {
        Delays::new(self, seed)
    }

    /// Calls `call` until it succeeds or another attempt is of no use, waiting in between on the calling thread.
    ///
    /// `operation` names the call in logs and errors ("get account"). The first attempt is made whatever the policy
    /// says. A success at the first attempt allocates nothing and tells nobody; for the rest see
    /// [`Event`](crate::Event) and [`LogObserver`](crate::LogObserver).
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    #[inline]
    pub fn run<T, E, F>(&self, operation: &str, call: F) -> Result<T, GaveUp<E>>
    where
        E: crate::Classify + std::error::Error,
        F: FnMut(Attempt) -> Result<T, E>,
    {
        Retry::new(*self).run(operation, call)
    }

    /// Calls `call` until it succeeds or another attempt is of no use, by the rules of [`run`](Self::run), waiting on
    /// Tokio's clock in between.
    ///
    /// A call that is under way at the deadline, or when [`cancelled_by`](Self::cancelled_by) says so, is abandoned: its
    /// future is dropped. It may have happened, so the outcome is `Unknown` ([`CallError::TimedOut`]). To drop the future of
    /// the whole cancels it at any point, and tells nobody.
    ///
    /// ```
    /// use trading_resilience::{CallError, Class, TimedOut, retry};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let deadline = std::time::Duration::from_secs(20);
    /// let patient = retry::Policy { deadline: Some(deadline), ..retry::TRADING };
    /// let silent = async |_attempt| std::future::pending::<Result<(), std::io::Error>>().await;
    /// let gave_up = patient.run_async("place order", silent).await.unwrap_err();
    /// assert_eq!((gave_up.elapsed, gave_up.class), (deadline, Class::Unknown));
    /// assert!(matches!(*gave_up.source, CallError::TimedOut(TimedOut { limit }) if limit == deadline));
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    ///
    /// # Panics
    /// When it has to wait outside a Tokio runtime with a timer.
    #[cfg(feature = "tokio")]
    pub async fn run_async<T, E, F, R>(&self, operation: &str, call: F) -> Result<T, GaveUp<CallError<E>>>
    where
        E: crate::Classify + std::error::Error,
        F: FnMut(Attempt) -> R,
        R: Future<Output = Result<T, E>>,
    {
        Retry::new(*self).run_async(operation, call).await
    }

    /// Returns the policy if its numbers make sense: for numbers that come from settings.
    ///
    /// Without this call, senseless numbers are read as the nearest sensible ones (see the fields).
    ///
    /// ```
    /// use std::time::Duration;
    /// use trading_resilience::retry::{self, Policy};
    ///
    /// let (attempts_max, factor) = (0, 2.0); // As the operator says.
    /// let error = Policy { attempts_max, factor, ..retry::API }.validated().unwrap_err();
    /// assert_eq!(error.to_string(), "attempts_max must be at least 1, found \"0\"");
    /// ```
    ///
    /// # Errors
    /// The first field that is out of range: `attempts_max` at least 1, `factor` a number of at least 1, `cap` above zero,
    /// `base` at most `cap`, `deadline` above zero.
    pub fn validated(self) -> Result<Self, ValidationError> {
        let Self { attempts_max, base, factor, cap, jitter: _, deadline } = self;
        if attempts_max < 1 {
            return Err(ValidationError::new("attempts_max", "be at least 1", attempts_max));
        }
        if !factor.is_finite() || factor < 1.0 {
            return Err(ValidationError::new("factor", "be a number of at least 1", factor));
        }
        if cap.is_zero() {
            return Err(ValidationError::new("cap", "be above zero", format_args!("{cap:?}")));
        }
        if base > cap {
            return Err(ValidationError::new("base", "be at most the cap", format_args!("{base:?}")));
        }
        match deadline {
            Some(Duration::ZERO) => Err(ValidationError::new("deadline", "be above zero", "0ns")),
            _ => Ok(self),
        }
    }

    /// Declares that the operation has the same effect once or several times, because the other side knows it by this
    /// key (an order's `client_order_id`): a failure with unknown outcome is then tried again.
    ///
    /// ```
    /// # use trading_resilience::{ApiError, retry};
    /// # fn main() -> Result<(), retry::GaveUp<ApiError>> {
    /// # struct Broker;
    /// # impl Broker { fn place(&self, _: &str) -> Result<u32, ApiError> { Ok(1) } }
    /// # let broker = Broker;
    /// let key = "pelosi-2026-11-20-NVDA-buy";
    /// let order = retry::TRADING.idempotent(key).run("place order", |_attempt| broker.place(key))?;
    /// # assert_eq!(order, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn idempotent<'a>(&self, key: &'a str) -> Retry<'a, System> {
        Retry::new(*self).idempotent(key)
    }

    /// Gives up as soon as `cancel` is cancelled: a wait ends at once, and so does an async call, which is abandoned. A
    /// blocking call under way is not interrupted. The first attempt is begun in any case.
    #[must_use]
    pub fn cancelled_by<'a>(&self, cancel: &'a Cancel) -> Retry<'a> {
        Retry::new(*self).cancelled_by(cancel)
    }

    /// Tells `observer` what happens, instead of the log.
    #[must_use]
    pub fn observed_by<'a>(&self, observer: &'a dyn Observer) -> Retry<'a> {
        Retry::new(*self).observed_by(observer)
    }

    /// Asks `predicate` whether a failure is worth another attempt, given the error and the number of the attempt. It is
    /// asked when the rules allow one, and can only refuse.
    ///
    /// ```
    /// use trading_resilience::retry::{self, Jitter, Policy, Reason};
    /// use trading_resilience::{Api, ApiError, Method};
    ///
    /// let quick = Policy { base: std::time::Duration::ZERO, ..retry::API };
    /// // Quiver's 500 is worth one more attempt, and no third.
    /// let once_more = |error: &ApiError, attempt| error.status() != Some(500) || attempt < 2;
    /// let gave_up = quick
    ///     .only_if(once_more)
    ///     .run("get trades", |_attempt| Err::<(), _>(ApiError::answered(Api::Quiver, Method::Get, "/beta", 500)))
    ///     .unwrap_err();
    /// assert_eq!((gave_up.attempts, gave_up.reason), (2, Reason::Declined));
    /// ```
    #[must_use]
    pub fn only_if<E, P: Fn(&E, u32) -> bool>(&self, predicate: P) -> Retry<'static, System, OnlyIf<P>> {
        Retry::new(*self).only_if(predicate)
    }

    /// Takes clock, sleeper and chance from `effects` instead of from the system: in a test a
    /// [`VirtualClock`](crate::VirtualClock).
    #[must_use]
    pub fn effects<F: Effects>(&self, effects: F) -> Retry<'static, F> {
        Retry::new(*self).effects(effects)
    }
}

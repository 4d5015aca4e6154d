//! Trying again, safely.
//!
//! A [`Policy`] says how often and how long; [`Policy::run`] does it, on the calling thread. What is tried again is
//! decided by the error's [`Class`](crate::Class):
//!
//! | class | what happens |
//! | --- | --- |
//! | `Transient` | waits, tries again |
//! | `RateLimited` | waits at least as long as asked, but never beyond the cap, tries again |
//! | `Unknown` | tries again only if the caller gave an idempotency key, else gives up |
//! | `Permanent` | gives up |
//!
//! A wait that would end at the deadline or later is not begun: the retry gives up at once and says when to come back.
//!
//! Do not run a retry inside a retry: the attempts multiply.

mod decision;
mod delays;
mod effects;
mod gave_up;
mod run;

use std::time::Duration;

pub use delays::{Delays, Jitter};
pub use effects::{Effects, System};
pub use gave_up::{GaveUp, Reason};
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
    /// after it. A call that is under way is not interrupted; it finds what is left in [`Attempt::remaining`]. `None`:
    /// no limit beyond the number of attempts.
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
    /// says. A success at the first attempt allocates nothing and logs nothing; for the log of the rest see [`Retry`].
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    pub fn run<T, E, F>(&self, operation: &str, call: F) -> Result<T, GaveUp<E>>
    where
        E: crate::Classify + std::error::Error,
        F: FnMut(Attempt) -> Result<T, E>,
    {
        Retry::new(*self).run(operation, call)
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

    /// Takes clock, sleeper and chance from `effects` instead of from the system.
    #[must_use]
    pub fn effects<F: Effects>(&self, effects: F) -> Retry<'static, F> {
        Retry::new(*self).effects(effects)
    }
}

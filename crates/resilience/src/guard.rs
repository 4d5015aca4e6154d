//! Everything around a call, in one order.

mod run;
mod simulation;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::breaker::CircuitBreaker;
use crate::budget::RetryBudget;
use crate::bulkhead::Bulkhead;
use crate::cancel::Cancel;
use crate::effects::{Effects, System};
use crate::limiter::{Priority, RateLimiter};
use crate::observer::{LogObserver, Observer};
use crate::retry::Policy;

pub use run::Call;
pub use simulation::{Outcome, Scenario, Simulation};

/// All that stands around the calls of one dependency, in one fixed order, whatever the order of its making.
///
/// | step | when | what it does |
/// | --- | --- | --- |
/// | [`Bulkhead`] | once an operation | refuses when too many are under way |
/// | [`RetryBudget`] | every attempt | counts first attempts; ends the retry when there are too many others |
/// | [`RateLimiter`] | every attempt | waits for room, or refuses when that takes too long |
/// | [`CircuitBreaker`] | every attempt | refuses while the dependency is not well; gives the room back then |
/// | time-out | every attempt | tells the call how long it may take; an async one is abandoned after that, and when it is cancelled |
/// | the call | every attempt | is judged by its error's class: the breaker counts it, the limiter learns its Retry-After |
/// | retry | after every failure | waits and begins again at the budget, or gives up |
///
/// So retries use up quota like all calls, a call that the breaker refuses uses none, the time in the limiter's queue is no
/// slowness of the dependency, and a refusal ends the retry at once: waiting would only lengthen the queue.
///
/// The parts are optional, and shared: the breaker of a dependency stands in all its guards. A deadline of the policy bounds
/// everything, waits in the limiter included.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use trading_resilience::{
///     Api, ApiError, BreakerOptions, CircuitBreaker, Error, Guard, LimiterOptions, Method, Priority, Quota, RateLimiter, retry,
/// };
///
/// # fn main() -> Result<(), Error> {
/// # struct Broker;
/// # impl Broker {
/// #     fn account(&self, _: Option<Duration>) -> Result<u32, ApiError> { Ok(1) }
/// #     fn place(&self, _: &str) -> Result<u32, ApiError> { Ok(2) }
/// # }
/// # let alpaca = Broker;
/// let guard = Guard::new(retry::API)
///     .limiter(Arc::new(RateLimiter::new(LimiterOptions::of(&[Quota::per_minute(200)]))?), Duration::from_secs(5))
///     .breaker(Arc::new(CircuitBreaker::new("alpaca", BreakerOptions::default())?))
///     .time_out(Duration::from_secs(30));
///
/// let account = guard.run("get account", |attempt| alpaca.account(attempt.remaining))?;
/// let key = "pelosi-2026-11-20-NVDA-buy";
/// let order = guard.priority(Priority::Order).idempotent(key).run("place order", |_attempt| alpaca.place(key))?;
/// # assert_eq!((account, order), (1, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Guard<F = System> {
    policy: Policy,
    bulkhead: Option<Arc<Bulkhead>>,
    budget: Option<Arc<RetryBudget>>,
    limiter: Option<Arc<RateLimiter>>,
    limiter_wait_max: Duration,
    breaker: Option<Arc<CircuitBreaker>>,
    time_out: Option<Duration>,
    cancel: Option<Cancel>,
    observer: Arc<dyn Observer + Send>,
    effects: F,
}

impl Guard {
    /// Retries by this policy, and nothing else yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            bulkhead: None,
            budget: None,
            limiter: None,
            limiter_wait_max: Duration::ZERO,
            breaker: None,
            time_out: None,
            cancel: None,
            observer: Arc::new(LogObserver),
            effects: System,
        }
    }
}

impl<F: Effects> Guard<F> {
    /// Bounds how many operations are under way at once.
    #[must_use]
    pub fn bulkhead(self, bulkhead: Arc<Bulkhead>) -> Self {
        Self { bulkhead: Some(bulkhead), ..self }
    }

    /// Bounds how many retries there are beside the calls.
    #[must_use]
    pub fn budget(self, budget: Arc<RetryBudget>) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Keeps calls below quotas; each attempt waits for room for at most `wait_max`, and never to the deadline. Zero refuses
    /// at once.
    #[must_use]
    pub fn limiter(self, limiter: Arc<RateLimiter>, wait_max: Duration) -> Self {
        Self { limiter: Some(limiter), limiter_wait_max: wait_max, ..self }
    }

    /// Holds calls back while the dependency is not well.
    #[must_use]
    pub fn breaker(self, breaker: Arc<CircuitBreaker>) -> Self {
        Self { breaker: Some(breaker), ..self }
    }

    /// Bounds each attempt. A blocking call finds it in [`Attempt::remaining`](crate::retry::Attempt::remaining), and has to
    /// keep it; an async one is dropped after it, as [`CallError::TimedOut`](crate::CallError::TimedOut). What was dropped may have
    /// happened, so it is tried again only under a key, for which a read may take any text.
    #[must_use]
    pub fn time_out(self, time_out: Duration) -> Self {
        Self { time_out: Some(time_out), ..self }
    }

    /// Ends all waits when `cancel` is cancelled, and abandons an async call that is under way.
    #[must_use]
    pub fn cancelled_by(self, cancel: Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// Tells `observer` what happens, instead of the log. The breaker has an observer of its own.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer + Send>) -> Self {
        Self { observer, ..self }
    }

    /// Takes clock, sleeper and chance from `effects` instead of from the system.
    #[must_use]
    pub fn effects<G: Effects>(self, effects: G) -> Guard<G> {
        let Self { policy, bulkhead, budget, limiter, limiter_wait_max, breaker, time_out, cancel, observer, .. } =
            self;
        Guard { policy, bulkhead, budget, limiter, limiter_wait_max, breaker, time_out, cancel, observer, effects }
    }
}

impl<F> fmt::Debug for Guard<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.policy)
            .field("bulkhead", &self.bulkhead)
            .field("budget", &self.budget)
            .field("limiter", &self.limiter)
            .field("limiter_wait_max", &self.limiter_wait_max)
            .field("breaker", &self.breaker)
            .field("time_out", &self.time_out)
            .finish_non_exhaustive()
    }
}

impl<F: Effects> Guard<F> {
    fn call(&self) -> Call<'_, F> {
        Call::new(self)
    }

    /// Says how much the calls matter to the limiter. The default is [`Priority::Read`].
    #[must_use]
    pub fn priority(&self, priority: Priority) -> Call<'_, F> {
        self.call().priority(priority)
    }

    /// Declares the operation idempotent under this key, as [`Policy::idempotent`].
    #[must_use]
    pub fn idempotent<'a>(&'a self, key: &'a str) -> Call<'a, F> {
        self.call().idempotent(key)
    }
}

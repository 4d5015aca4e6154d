//! The drivers: they call and sleep. What to do is decided in `decision`, and told in `recovery`.

use std::error::Error;
use std::fmt;
use std::time::Duration;

#[cfg(feature = "tokio")]
use crate::call_error::CallError;
use crate::cancel::Cancel;
use crate::class::Classify;
use crate::effects::{Effects, Started, System};
use crate::observer::{LogObserver, Observer};
#[cfg(feature = "tokio")]
use crate::retry::abandonment::abandoning;
#[cfg(feature = "tokio")]
use crate::retry::gate::OfCall;
use crate::retry::gate::{Always, Gate, OnlyIf};
use crate::retry::nesting::Nesting;
use crate::retry::recovery::Recovery;
use crate::retry::{GaveUp, Policy};

/// From which deadline on a tick of the kernel does not matter. Arbitrary: a hundred of the longest.
const TICKS_MIN: Duration = Duration::from_secs(1);

/// What a call may want to know about the attempt that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// How long the call may take: what is left of the deadline, and inside a guard at most its time-out. The call's own
    /// time-out should be no longer. `None` without either.
    pub remaining: Option<Duration>,
}

impl Attempt {
    /// Runs a part of this attempt that it hands to another thread. A retry in there could not see otherwise that it is inside
    /// another one, and would multiply the attempts.
    ///
    /// ```
    /// use std::thread;
    /// use trading_resilience::retry::{self, Reason};
    /// use trading_resilience::{Api, ApiError, Method, VirtualClock};
    ///
    /// let (clock, page) = (VirtualClock::new(1), |_| Err::<(), _>(ApiError::answered(Api::Quiver, Method::Get, "/beta", 503)));
    /// let outer = retry::API.effects(&clock).run("all pages", |attempt| {
    ///     let inner = || attempt.carry(|| retry::API.run("a page", page));
    ///     thread::scope(|scope| scope.spawn(inner).join().expect("no panic"))
    /// });
    /// let inner = outer.unwrap_err().source;
    /// assert_eq!((inner.attempts, inner.reason), (1, Reason::Nested));
    /// ```
    pub fn carry<T>(self, part: impl FnOnce() -> T) -> T {
        let _attempt = Nesting::enter();
        part()
    }

    /// As [`carry`](Self::carry), for a part that is spawned as a task.
    #[cfg(feature = "tokio")]
    pub async fn carry_async<F: Future>(self, part: F) -> F::Output {
        super::nesting::nested(part).await
    }
}

/// A [`Policy`] with what one operation adds to it: its idempotency key, who may stop it, who is told, and the world it
/// runs in. Made by the methods of the same names on [`Policy`].
#[derive(Clone, Copy)]
pub struct Retry<'a, F = System, G = Always> {
    pub(super) policy: Policy,
    pub(super) key: Option<&'a str>,
    pub(super) cancel: Option<&'a Cancel>,
    pub(super) observer: &'a dyn Observer,
    pub(super) effects: F,
    pub(super) gate: G,
}

impl Retry<'static> {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, key: None, cancel: None, observer: &LogObserver, effects: System, gate: Always }
    }
}

impl<'a, F: Effects, G> Retry<'a, F, G> {
    /// Declares the operation idempotent under this key, as [`Policy::idempotent`]. An empty key is no key.
    #[must_use]
    pub fn idempotent(self, key: &'a str) -> Self {
        Self { key: (!key.is_empty()).then_some(key), ..self }
    }

    /// Gives up as soon as `cancel` is cancelled, as [`Policy::cancelled_by`].
    #[must_use]
    pub fn cancelled_by(self, cancel: &'a Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// Tells `observer` what happens, instead of the log, as [`Policy::observed_by`].
    #[must_use]
    pub fn observed_by(self, observer: &'a dyn Observer) -> Self {
        Self { observer, ..self }
    }

    /// Takes clock, sleeper and chance from `effects`, as [`Policy::effects`].
    #[must_use]
    pub fn effects<H: Effects>(self, effects: H) -> Retry<'a, H, G> {
        let Self { policy, key, cancel, observer, gate, .. } = self;
        Retry { policy, key, cancel, observer, effects, gate }
    }

    /// Asks `predicate` whether a failure is worth another attempt, as [`Policy::only_if`].
    #[must_use]
    pub fn only_if<E, P: Fn(&E, u32) -> bool>(self, predicate: P) -> Retry<'a, F, OnlyIf<P>> {
        self.gate(OnlyIf(predicate))
    }

    pub(crate) fn gate<H>(self, gate: H) -> Retry<'a, F, H> {
        let Self { policy, key, cancel, observer, effects, .. } = self;
        Retry { policy, key, cancel, observer, effects, gate }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(Cancel::is_cancelled)
    }

    /// A start that is a tick too early keeps any deadline, but would use up a short one.
    #[inline]
    fn start(&self) -> Started {
        match self.policy.deadline {
            Some(deadline) if deadline < TICKS_MIN => Started::at(self.effects.now()),
            Some(_) | None => self.effects.start(),
        }
    }

    fn first(&self) -> Attempt {
        Attempt { number: 1, remaining: self.policy.deadline }
    }

    /// Runs the operation, as [`Policy::run`].
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    #[inline]
    pub fn run<T, E, C>(&self, operation: &str, mut call: C) -> Result<T, GaveUp<E>>
    where
        E: Classify + Error,
        G: Gate<E>,
        C: FnMut(Attempt) -> Result<T, E>,
    {
        let attempt = Nesting::enter();
        let started = self.start();
        match call(self.first()) {
            Ok(value) => Ok(value),
            Err(error) => {
                let nested = attempt.nested;
                // Observers are not a part of the attempt.
                drop(attempt);
                self.recover(operation, started, nested, error, call)
            }
        }
    }

    /// Apart from `run`, so that the success path stays small enough to be inlined.
    #[cold]
    fn recover<T, E, C>(
        &self,
        operation: &str,
        started: Started,
        nested: bool,
        first: E,
        mut call: C,
    ) -> Result<T, GaveUp<E>>
    where
        E: Classify + Error,
        G: Gate<E>,
        C: FnMut(Attempt) -> Result<T, E>,
    {
        let mut recovery = Recovery::new(self, operation, started, nested);
        let mut error = first;
        let verdict = loop {
            let delay = match recovery.failed(&error) {
                Ok(delay) => delay,
                Err(verdict) => break verdict,
            };
            self.effects.sleep(delay, self.cancel);
            let again = |attempt| {
                let _attempt = Nesting::enter();
                call(attempt)
            };
            match recovery.woken().map(again) {
                Ok(Ok(value)) => {
                    recovery.recovered();
                    return Ok(value);
                }
                Ok(Err(next)) => error = next,
                Err(verdict) => break verdict,
            }
        };
        Err(recovery.gave_up(error, verdict))
    }

    /// Runs the operation, as [`Policy::run_async`].
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    #[cfg(feature = "tokio")]
    pub async fn run_async<T, E, C, R>(&self, operation: &str, mut call: C) -> Result<T, GaveUp<CallError<E>>>
    where
        E: Classify + Error,
        G: Gate<E>,
        C: FnMut(Attempt) -> R,
        R: Future<Output = Result<T, E>>,
    {
        let Self { policy, key, cancel, observer, effects, gate } = self;
        let (effects, cancel) = (effects, *cancel);
        let retry = Retry { policy: *policy, key: *key, cancel, observer: *observer, effects, gate: OfCall(gate) };
        let attempt_once = |attempt: Attempt| {
            let limit = attempt.remaining.map(|limit| (effects.now(), limit));
            let _attempt = Nesting::enter();
            abandoning(effects, limit, cancel, call(attempt))
        };
        retry.drive_async(operation, attempt_once).await
    }

    /// Runs attempts that end by themselves at the deadline and when they are cancelled.
    #[cfg(feature = "tokio")]
    pub(crate) async fn drive_async<T, E, C, R>(&self, operation: &str, mut call: C) -> Result<T, GaveUp<E>>
    where
        E: Classify + Error,
        G: Gate<E>,
        C: FnMut(Attempt) -> R,
        R: Future<Output = Result<T, E>>,
    {
        let nested = super::nesting::is_nested();
        // Exactly: only a blocking call is so short that reading the clock would show.
        let started = Started::at(self.effects.now());
        let mut error = match call(self.first()).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let mut recovery = Recovery::new(self, operation, started, nested);
        let verdict = loop {
            let delay = match recovery.failed(&error) {
                Ok(delay) => delay,
                Err(verdict) => break verdict,
            };
            self.effects.sleep_async(delay, self.cancel).await;
            let attempt = match recovery.woken() {
                Ok(attempt) => attempt,
                Err(verdict) => break verdict,
            };
            match call(attempt).await {
                Ok(value) => {
                    recovery.recovered();
                    return Ok(value);
                }
                Err(next) => error = next,
            }
        };
        Err(recovery.gave_up(error, verdict))
    }
}

impl<F: fmt::Debug, G: fmt::Debug> fmt::Debug for Retry<'_, F, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, key, cancel, observer: _, effects, gate } = self;
        f.debug_struct("Retry")
            .field("policy", policy)
            .field("key", key)
            .field("cancel", cancel)
            .field("effects", effects)
            .field("gate", gate)
            .finish_non_exhaustive()
    }
}

//! The blocking driver: calls, sleeps and tells the log; what to do is decided in `decision`.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::class::{Class, Classify};
use crate::error::{Chain, millis};
use crate::retry::decision::{Decisions, Step, Verdict};
use crate::retry::{Effects, GaveUp, Policy, Reason, System};

/// The log target of all events, whatever the module is called.
const TARGET: &str = "trading_resilience::retry";

/// What a call may want to know about the attempt that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// What is left of the deadline: the call's own time-out should be no longer. `None` without a deadline.
    pub remaining: Option<Duration>,
}

/// A [`Policy`] with what one operation adds to it: its idempotency key and the world it runs in.
///
/// Made by [`Policy::idempotent`] and [`Policy::effects`]. Events go to the log with the target
/// `trading_resilience::retry` and these key-values:
///
/// | event | level | keys |
/// | --- | --- | --- |
/// | an attempt failed, waiting | WARN | `event=attempt_failed`, `operation`, `idempotency`, `attempt`, `attempts_max`, `class`, `delay_ms`, `error` |
/// | succeeded after failures | INFO | `event=recovered`, `operation`, `idempotency`, `attempts`, `elapsed_ms` |
/// | gave up | WARN | `event=gave_up`, `operation`, `idempotency`, `attempts`, `elapsed_ms`, `class`, `reason`, `error` |
///
/// `idempotency` is null without an idempotency key; `error` is one line with all causes.
#[derive(Debug, Clone, Copy)]
pub struct Retry<'a, F> {
    policy: Policy,
    key: Option<&'a str>,
    effects: F,
}

impl Retry<'static, System> {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, key: None, effects: System }
    }
}

impl<'a, F: Effects> Retry<'a, F> {
    /// Declares the operation idempotent under this key, as [`Policy::idempotent`]. An empty key is no key.
    #[must_use]
    pub fn idempotent<'k>(self, key: &'k str) -> Retry<'k, F> {
        Retry { policy: self.policy, key: (!key.is_empty()).then_some(key), effects: self.effects }
    }

    /// Takes clock, sleeper and chance from `effects`, as [`Policy::effects`].
    #[must_use]
    pub fn effects<G: Effects>(self, effects: G) -> Retry<'a, G> {
        Retry { policy: self.policy, key: self.key, effects }
    }

    /// Runs the operation, as [`Policy::run`].
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    pub fn run<T, E, C>(&self, operation: &str, mut call: C) -> Result<T, GaveUp<E>>
    where
        E: Classify + Error,
        C: FnMut(Attempt) -> Result<T, E>,
    {
        let started = self.effects.now();
        match call(Attempt { number: 1, remaining: self.policy.deadline }) {
            Ok(value) => Ok(value),
            Err(error) => self.recover(operation, started, error, call),
        }
    }

    /// Apart from `run`, so that the success path stays small enough to be inlined.
    #[cold]
    fn recover<T, E, C>(&self, operation: &str, started: Instant, first: E, mut call: C) -> Result<T, GaveUp<E>>
    where
        E: Classify + Error,
        C: FnMut(Attempt) -> Result<T, E>,
    {
        let elapsed = || self.effects.now().saturating_duration_since(started);
        let mut decisions = Decisions::new(&self.policy, self.key.is_some(), self.effects.seed());
        let mut attempts = 1_u32;
        let mut error = first;
        let verdict = loop {
            let class = error.class();
            match decisions.after(class, elapsed()) {
                Step::GiveUp(verdict) => break verdict,
                Step::Wait(delay) => {
                    self.log_attempt_failed(operation, attempts, class, delay, &error);
                    self.effects.sleep(delay);
                }
            }
            let awake = elapsed();
            if !decisions.may_start(awake) {
                break Verdict { reason: Reason::Deadline, come_back_after: None };
            }
            attempts = attempts.saturating_add(1);
            match call(Attempt { number: attempts, remaining: decisions.remaining(awake) }) {
                Ok(value) => {
                    self.log_recovered(operation, attempts, elapsed());
                    return Ok(value);
                }
                Err(next) => error = next,
            }
        };
        let gave_up = GaveUp {
            operation: operation.to_owned(),
            attempts,
            elapsed: elapsed(),
            reason: verdict.reason,
            come_back_after: verdict.come_back_after,
            class: decisions.class_of_all(error.class()),
            source: Box::new(error),
        };
        self.log_gave_up(&gave_up);
        Err(gave_up)
    }

    fn log_attempt_failed(&self, operation: &str, attempt: u32, class: Class, delay: Duration, error: &dyn Error) {
        let delay_ms = millis(delay);
        log::warn!(
            target: TARGET,
            event = "attempt_failed", operation, idempotency = self.key, attempt, attempts_max = self.policy.attempts_max,
            class = class.as_str(), delay_ms, error:% = Chain(error);
            "{operation}: attempt {attempt} failed, waiting {delay:?}"
        );
    }

    fn log_recovered(&self, operation: &str, attempts: u32, elapsed: Duration) {
        let elapsed_ms = millis(elapsed);
        log::info!(
            target: TARGET,
            event = "recovered", operation, idempotency = self.key, attempts, elapsed_ms;
            "{operation}: succeeded at attempt {attempts}"
        );
    }

    fn log_gave_up<E: Error>(&self, gave_up: &GaveUp<E>) {
        log::warn!(
            target: TARGET,
            event = "gave_up", operation = gave_up.operation.as_str(), idempotency = self.key, attempts = gave_up.attempts,
            elapsed_ms = millis(gave_up.elapsed), class = gave_up.class.as_str(), reason = gave_up.reason.as_str(),
            error:% = Chain(&*gave_up.source);
            "{gave_up}"
        );
    }
}

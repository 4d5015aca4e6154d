//! A retry from its first failure on: the decisions, and the telling of them. Calls and sleeps are the drivers'.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::class::{Class, Classify};
use crate::effects::{Effects, Started};
use crate::error::utc;
use crate::observer::Event;
use crate::retry::decision::{Decisions, Verdict};
use crate::retry::gate::Gate;
use crate::retry::{Attempt, GaveUp, Reason, Retry};

pub(super) struct Recovery<'r, F, G> {
    retry: &'r Retry<'r, F, G>,
    operation: &'r str,
    started: Instant,
    nested: bool,
    attempts: u32,
    decisions: Decisions,
}

impl<'r, F: Effects, G> Recovery<'r, F, G> {
    /// Begins after the failure of the first attempt.
    pub(super) fn new(retry: &'r Retry<'r, F, G>, operation: &'r str, started: Started, nested: bool) -> Self {
        let decisions = Decisions::new(&retry.policy, retry.key.is_some(), retry.effects.seed());
        let started = started.instant(retry.effects.now());
        Self { retry, operation, started, nested, attempts: 1, decisions }
    }

    fn elapsed(&self) -> Duration {
        self.retry.effects.now().saturating_duration_since(self.started)
    }

    /// Judges a failed attempt: how long to wait for the next one, or why there is none.
    pub(super) fn failed<E: Classify + Error>(&mut self, error: &E) -> Result<Duration, Verdict>
    where
        G: Gate<E>,
    {
        let Self { retry, operation, nested, attempts: attempt, .. } = *self;
        let class = error.class();
        retry.observer.observe(&Event::AttemptFailed { operation, attempt, class, error });
        // Before the rules: what was abandoned for it has neither time, attempts nor a missing key to blame.
        if retry.is_cancelled() && class != Class::Permanent {
            return Err(Verdict { reason: Reason::Cancelled, come_back_after: error.come_back_after() });
        }
        let elapsed = self.elapsed();
        let delay = self.decisions.after(class, error.come_back_after(), elapsed, || {
            if nested { Some(Reason::Nested) } else { retry.gate.veto(error, attempt) }
        })?;
        let (idempotency, attempts_max) = (retry.key, retry.policy.attempts_max);
        retry.observer.observe(&Event::Waiting { operation, idempotency, attempt, attempts_max, delay, class, error });
        Ok(delay)
    }

    /// Looks around after a wait, which may have been longer than ordered, or cut short.
    pub(super) fn woken(&mut self) -> Result<Attempt, Verdict> {
        let elapsed = self.elapsed();
        let reason = if self.retry.is_cancelled() {
            Reason::Cancelled
        } else if !self.decisions.may_start(elapsed) {
            Reason::Deadline
        } else {
            self.attempts = self.attempts.saturating_add(1);
            return Ok(Attempt { number: self.attempts, remaining: self.decisions.remaining(elapsed) });
        };
        Err(Verdict { reason, come_back_after: None })
    }

    pub(super) fn recovered(&self) {
        self.retry.observer.observe(&Event::Recovered {
            operation: self.operation,
            idempotency: self.retry.key,
            attempts: self.attempts,
            elapsed: self.elapsed(),
        });
    }

    pub(super) fn gave_up<E: Classify + Error>(&self, error: E, verdict: Verdict) -> GaveUp<E> {
        let Verdict { reason, come_back_after } = verdict;
        let gave_up = GaveUp {
            operation: self.operation.to_owned(),
            attempts: self.attempts,
            elapsed: self.elapsed(),
            time: utc(self.retry.effects.wall()),
            reason,
            come_back_after,
            class: self.decisions.class_of_all(error.class()),
            source: Box::new(error),
        };
        self.retry.observer.observe(&Event::GaveUp {
            operation: self.operation,
            idempotency: self.retry.key,
            attempts: gave_up.attempts,
            elapsed: gave_up.elapsed,
            class: gave_up.class,
            reason,
            come_back_after,
            error: &*gave_up.source,
        });
        gave_up
    }
}

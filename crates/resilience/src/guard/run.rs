//! An operation on its way through a guard: the order of the steps stands here, once for both drivers.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::breaker::Permit;
use crate::bulkhead::Entry;
use crate::call_error::CallError;
use crate::class::{Class, Classify};
use crate::effects::Effects;
use crate::error::Refusal;
use crate::guard::Guard;
use crate::headers::RateHeaders;
use crate::limiter::{Priority, Slot};
use crate::retry::{Attempt, Gate, GaveUp, Reason, Retry};
#[cfg(feature = "tokio")]
use crate::retry::{Nesting, abandoning};

/// One operation on its way through a [`Guard`], with what it adds: its priority and its idempotency key.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a, F> {
    guard: &'a Guard<F>,
    priority: Priority,
    key: &'a str,
}

/// Ends a retry that was refused, or that the budget has nothing left for.
struct Spending<'a, F>(&'a Guard<F>);

impl<E, F: Effects> Gate<CallError<E>> for Spending<'_, F> {
    fn veto(&self, error: &CallError<E>, _attempt: u32) -> Option<Reason> {
        if matches!(error, CallError::Refused(_)) {
            return Some(Reason::Refused);
        }
        let budget = self.0.budget.as_ref()?;
        (!budget.take_retry(self.0.effects.now())).then_some(Reason::BudgetSpent)
    }
}

impl<'a, F: Effects> Call<'a, F> {
    pub(super) fn new(guard: &'a Guard<F>) -> Self {
        Self { guard, priority: Priority::Read, key: "" }
    }

    /// Says how much the calls matter to the limiter, as [`Guard::priority`].
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Declares the operation idempotent under this key, as [`Guard::idempotent`].
    #[must_use]
    pub fn idempotent(self, key: &'a str) -> Self {
        Self { key, ..self }
    }

    /// Runs the operation, as [`Guard::run`].
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    #[inline]
    pub fn run<T, E, C>(&self, operation: &str, mut call: C) -> Result<T, GaveUp<CallError<E>>>
    where
        E: Classify + Error,
        C: FnMut(Attempt) -> Result<T, E>,
    {
        let entry = self.enter();
        self.retry().run(operation, |attempt| {
            let mut pass = self.begin(&entry, &attempt).map_err(CallError::Refused)?;
            if let Some(limiter) = &self.guard.limiter {
                let (cancel, wait_max) = (self.guard.cancel.as_ref(), self.wait_max(&attempt));
                let acquired = limiter.acquire_at(&self.guard.effects, self.priority, wait_max, cancel, pass.now);
                pass.took(acquired.map_err(CallError::Refused)?);
            }
            let admission = self.admit(pass, attempt).map_err(CallError::Refused)?;
            let answer = call(admission.attempt);
            self.judge(admission, answer.as_ref().err().map(Judged::of));
            answer.map_err(CallError::Failed)
        })
    }

    /// Runs the operation, as [`Guard::run_async`].
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    #[cfg(feature = "tokio")]
    pub async fn run_async<T, E, C, R>(&self, operation: &str, mut call: C) -> Result<T, GaveUp<CallError<E>>>
    where
        E: Classify + Error,
        C: FnMut(Attempt) -> R,
        R: Future<Output = Result<T, E>>,
    {
        let entry = self.enter();
        // Attempts run one after another, but the compiler cannot know.
        let call = std::sync::Mutex::new(&mut call);
        let attempt_once = async |attempt: Attempt| {
            let mut pass = self.begin(&entry, &attempt).map_err(CallError::Refused)?;
            if let Some(limiter) = &self.guard.limiter {
                let (cancel, wait_max) = (self.guard.cancel.as_ref(), self.wait_max(&attempt));
                let acquired =
                    limiter.acquire_async_at(&self.guard.effects, self.priority, wait_max, cancel, pass.now).await;
                pass.took(acquired.map_err(CallError::Refused)?);
            }
            let began = pass.now;
            let admission = self.admit(pass, attempt).map_err(CallError::Refused)?;
            let limit = admission.attempt.remaining.map(|limit| (began, limit));
            let future = {
                let _attempt = Nesting::enter();
                (call.lock().unwrap_or_else(std::sync::PoisonError::into_inner))(admission.attempt)
            };
            let answer = abandoning(&self.guard.effects, limit, self.guard.cancel.as_ref(), future).await;
            self.judge(admission, answer.as_ref().err().map(Judged::of));
            answer
        };
        self.retry().drive_async(operation, attempt_once).await
    }

    fn retry(&self) -> Retry<'_, &F, Spending<'_, F>> {
        let Guard { policy, cancel, observer, effects, .. } = self.guard;
        let retry = policy.effects(effects).idempotent(self.key).observed_by(&**observer).gate(Spending(self.guard));
        match cancel {
            Some(cancel) => retry.cancelled_by(cancel),
            None => retry,
        }
    }

    fn enter(&self) -> Result<Option<Entry<'a>>, Refusal> {
        self.guard.bulkhead.as_ref().map(|bulkhead| bulkhead.enter()).transpose()
    }

    /// The first steps of an attempt: bulkhead and budget.
    #[inline]
    fn begin(&self, entry: &Result<Option<Entry<'a>>, Refusal>, attempt: &Attempt) -> Result<Pass, Refusal> {
        if let Err(refusal) = entry {
            return Err(*refusal);
        }
        let now = self.guard.effects.now();
        // Another attempt has been taken out of the budget before the wait for it.
        if let Some(budget) = self.guard.budget.as_ref().filter(|_| attempt.number == 1) {
            budget.count_call(now);
        }
        Ok(Pass { began: now, now, slot: None })
    }

    /// How long to wait for the limiter: an attempt must not start at the deadline.
    fn wait_max(&self, attempt: &Attempt) -> Duration {
        let before = attempt.remaining.map(|left| left.saturating_sub(Duration::from_nanos(1)));
        before.map_or(self.guard.limiter_wait_max, |before| before.min(self.guard.limiter_wait_max))
    }

    /// The last steps before the call: breaker and time-out.
    #[inline]
    fn admit(&self, pass: Pass, attempt: Attempt) -> Result<Admission<'a>, Refusal> {
        let waited = pass.now.saturating_duration_since(pass.began);
        let left = attempt.remaining.map(|left| left.saturating_sub(waited));
        if !waited.is_zero() && left.is_some_and(|left| left.is_zero()) {
            // There was room, and the wait for it went on past the deadline.
            self.give_back(pass);
            return Err(Refusal::QuotaSpent { come_back_after: Duration::ZERO });
        }
        let permit = match self.guard.breaker.as_ref().map(|breaker| breaker.permit(pass.now)).transpose() {
            Ok(permit) => permit,
            Err(refusal) => {
                self.give_back(pass);
                return Err(refusal);
            }
        };
        let remaining = match (left, self.guard.time_out) {
            (Some(left), Some(time_out)) => Some(left.min(time_out)),
            (left, time_out) => left.or(time_out),
        };
        Ok(Admission { permit, attempt: Attempt { remaining, ..attempt } })
    }

    /// A call that is not made uses nothing up.
    #[cold]
    fn give_back(&self, pass: Pass) {
        if let Some((limiter, slot)) = self.guard.limiter.as_ref().zip(pass.slot) {
            limiter.give_back(&self.guard.effects, slot);
        }
    }

    /// After the call: the breaker counts it, the limiter learns.
    #[inline]
    fn judge(&self, admission: Admission<'a>, failure: Option<Judged>) {
        let told = self.guard.limiter.as_ref().zip(failure.as_ref().and_then(|failure| failure.come_back_after));
        if admission.permit.is_none() && told.is_none() {
            return;
        }
        let now = self.guard.effects.now();
        if let Some(permit) = admission.permit {
            permit.finish(failure.map(|failure| failure.class), now);
        }
        if let Some((limiter, after)) = told {
            limiter.learn(&self.guard.effects, &RateHeaders { retry_after: Some(after), ..RateHeaders::default() });
        }
    }
}

/// An attempt on its way to the call.
#[derive(Clone, Copy)]
struct Pass {
    began: Instant,
    now: Instant,
    slot: Option<Slot>,
}

impl Pass {
    fn took(&mut self, (slot, now): (Slot, Instant)) {
        self.slot = Some(slot);
        self.now = now;
    }
}

/// What a failed call means for the parts.
struct Judged {
    class: Class,
    come_back_after: Option<Duration>,
}

impl Judged {
    fn of(error: &impl Classify) -> Self {
        Self { class: error.class(), come_back_after: error.come_back_after() }
    }
}

/// An attempt that may call.
struct Admission<'a> {
    permit: Option<Permit<'a>>,
    attempt: Attempt,
}

impl<F: Effects> Guard<F> {
    /// Runs an operation through all steps, on the calling thread, until it succeeds or another attempt is of no use.
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    #[inline]
    pub fn run<T, E, C>(&self, operation: &str, call: C) -> Result<T, GaveUp<CallError<E>>>
    where
        E: Classify + Error,
        C: FnMut(Attempt) -> Result<T, E>,
    {
        Call::new(self).run(operation, call)
    }

    /// Runs an operation through all steps, in async code. A call that takes longer than its time-out, or than the deadline, or
    /// that is cancelled, is abandoned; to drop the future cancels it at any point. The breaker counts the call as failed then.
    ///
    /// # Errors
    /// [`GaveUp`], with the last attempt's error as its source.
    #[cfg(feature = "tokio")]
    pub async fn run_async<T, E, C, R>(&self, operation: &str, call: C) -> Result<T, GaveUp<CallError<E>>>
    where
        E: Classify + Error,
        C: FnMut(Attempt) -> R,
        R: Future<Output = Result<T, E>>,
    {
        Call::new(self).run_async(operation, call).await
    }
}

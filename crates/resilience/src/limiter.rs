//! Keeps the calls below what the other side allows.

mod ledger;
mod options;
mod usage;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::effects::Effects;
use crate::error::{Refusal, ValidationError};
use crate::headers::RateHeaders;
use crate::limiter::ledger::{Ledger, Moment};

pub use options::{LimiterOptions, Priority, Quota};

/// How much of one quota is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaUse {
    /// The quota.
    pub quota: Quota,
    /// How many calls its last stretch of time holds.
    pub used: u32,
}

/// A call that there was room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(Moment);

/// Keeps the calls below several quotas at once: in no stretch of a quota's length are there more calls than it has.
///
/// Each call that counts is remembered, so this holds exactly, and not on average. Who has to wait is told for how long.
/// Those who wait are let through by [`Priority`]; among equals, in no order.
///
/// ```
/// use std::time::{Duration, Instant};
/// use trading_resilience::{LimiterOptions, Priority, Quota, RateLimiter, Refusal};
///
/// let limiter = RateLimiter::new(LimiterOptions::of(&[Quota::per_minute(100), Quota::per_hour(5)])).unwrap();
/// let now = Instant::now();
/// for _ in 0..5 {
///     limiter.try_acquire(Priority::Order, now).unwrap();
/// }
/// let come_back_after = Duration::from_secs(3_600);
/// assert_eq!(limiter.try_acquire(Priority::Order, now), Err(Refusal::QuotaSpent { come_back_after }));
/// ```
pub struct RateLimiter {
    ledger: Mutex<Ledger>,
    save: Option<Mutex<Save>>,
}

type Save = Box<dyn FnMut(&str) + Send>;

impl RateLimiter {
    /// Makes one that no call was made under.
    ///
    /// # Errors
    /// The first of the options that is out of its range.
    pub fn new(options: LimiterOptions) -> Result<Self, ValidationError> {
        options.check()?;
        Ok(Self { ledger: Mutex::new(Ledger::new(options)), save: None })
    }

    /// Takes room for a call at `now`, or fails at once. For limiters that save nothing: see [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// [`Refusal::QuotaSpent`].
    pub fn try_acquire(&self, priority: Priority, now: Instant) -> Result<Slot, Refusal> {
        let mut ledger = self.ledger();
        let now = ledger.moment(now);
        let taken = ledger.take(priority, false, now);
        taken.map(Slot).map_err(|come_back_after| Refusal::QuotaSpent { come_back_after })
    }

    /// Takes room for a call, waiting for it on the calling thread for at most `wait_max`; zero fails at once. The use is
    /// saved before this returns, if [`saving`](Self::saving) was asked for.
    ///
    /// A wait that would be longer is not begun. `cancel` ends one.
    ///
    /// # Errors
    /// [`Refusal::QuotaSpent`].
    pub fn acquire(
        &self,
        effects: &impl Effects,
        priority: Priority,
        wait_max: Duration,
        cancel: Option<&Cancel>,
    ) -> Result<Slot, Refusal> {
        self.acquire_at(effects, priority, wait_max, cancel, effects.now()).map(|(slot, _)| slot)
    }

    /// Returns also when there was room.
    #[inline]
    pub(crate) fn acquire_at(
        &self,
        effects: &impl Effects,
        priority: Priority,
        wait_max: Duration,
        cancel: Option<&Cancel>,
        now: Instant,
    ) -> Result<(Slot, Instant), Refusal> {
        let slot = match self.try_acquire(priority, now) {
            Ok(slot) => (slot, now),
            Err(refusal) => {
                let mut wait = Wait::begin(self, refusal, priority, wait_max, now)?;
                loop {
                    effects.sleep(wait.next, cancel);
                    let now = effects.now();
                    if let Some(slot) = wait.again(now, cancel)? {
                        break (slot, now);
                    }
                }
            }
        };
        self.saved(effects);
        Ok(slot)
    }

    /// As [`acquire`](Self::acquire), for async code. To drop the future gives up the wait.
    ///
    /// # Errors
    /// [`Refusal::QuotaSpent`].
    #[cfg(feature = "tokio")]
    pub async fn acquire_async(
        &self,
        effects: &impl Effects,
        priority: Priority,
        wait_max: Duration,
        cancel: Option<&Cancel>,
    ) -> Result<Slot, Refusal> {
        self.acquire_async_at(effects, priority, wait_max, cancel, effects.now()).await.map(|(slot, _)| slot)
    }

    #[cfg(feature = "tokio")]
    pub(crate) async fn acquire_async_at(
        &self,
        effects: &impl Effects,
        priority: Priority,
        wait_max: Duration,
        cancel: Option<&Cancel>,
        now: Instant,
    ) -> Result<(Slot, Instant), Refusal> {
        let slot = match self.try_acquire(priority, now) {
            Ok(slot) => (slot, now),
            Err(refusal) => {
                let mut wait = Wait::begin(self, refusal, priority, wait_max, now)?;
                loop {
                    effects.sleep_async(wait.next, cancel).await;
                    let now = effects.now();
                    if let Some(slot) = wait.again(now, cancel)? {
                        break (slot, now);
                    }
                }
            }
        };
        self.saved(effects);
        Ok(slot)
    }

    /// A limiter of the same kind that no call was made under, and that saves nothing.
    pub(crate) fn fresh(&self) -> Self {
        let options = self.ledger().options().clone();
        Self { ledger: Mutex::new(Ledger::new(options)), save: None }
    }

    /// Gives back the room for a call that was not made, and [saves](Self::saving) that.
    pub fn give_back(&self, effects: &impl Effects, slot: Slot) {
        self.ledger().give_back(slot.0);
        self.saved(effects);
    }

    /// Takes in what an answer, which has just come, said about the quotas of the other side, and
    /// [saves](Self::saving) what holds calls back: the next process does not ask at once again.
    ///
    /// Retry-After, and X-RateLimit-Reset when nothing remains, hold all calls back; what remains in a window holds until
    /// its end. Both are believed for the longest period of the quotas at most.
    pub fn learn(&self, effects: &impl Effects, headers: &RateHeaders) {
        let learnt = {
            let mut ledger = self.ledger();
            let now = ledger.moment(effects.now());
            ledger.learn(headers, now)
        };
        if learnt {
            self.saved(effects);
        }
    }

    /// Returns how much of each quota is used at `now`, in the order of the options.
    #[must_use]
    pub fn report(&self, now: Instant) -> Vec<QuotaUse> {
        let mut ledger = self.ledger();
        let now = ledger.moment(now);
        ledger.options().quotas.iter().map(|quota| QuotaUse { quota: *quota, used: ledger.used(quota, now) }).collect()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ledger, save } = self;
        f.debug_struct("RateLimiter").field("ledger", ledger).field("saves", &save.is_some()).finish()
    }
}

/// Somebody who waits for room. Dropped, it makes way for those behind.
struct Wait<'a> {
    limiter: &'a RateLimiter,
    priority: Priority,
    /// When patience ends; `None` never.
    until: Option<Instant>,
    next: Duration,
}

impl<'a> Wait<'a> {
    fn begin(
        limiter: &'a RateLimiter,
        refusal: Refusal,
        priority: Priority,
        wait_max: Duration,
        now: Instant,
    ) -> Result<Self, Refusal> {
        match refusal {
            Refusal::QuotaSpent { come_back_after } if come_back_after <= wait_max => {
                limiter.ledger().wait_begins(priority);
                Ok(Self { limiter, priority, until: now.checked_add(wait_max), next: come_back_after })
            }
            refusal => Err(refusal),
        }
    }

    /// Asks again after a wait: room, or a further wait, or no more patience.
    fn again(&mut self, now: Instant, cancel: Option<&Cancel>) -> Result<Option<Slot>, Refusal> {
        let taken = {
            let mut ledger = self.limiter.ledger();
            let now = ledger.moment(now);
            ledger.take(self.priority, true, now)
        };
        match taken {
            Ok(at) => Ok(Some(Slot(at))),
            Err(come_back_after) => {
                let patient = self.until.is_none_or(|until| until.saturating_duration_since(now) >= come_back_after);
                if !patient || cancel.is_some_and(Cancel::is_cancelled) {
                    return Err(Refusal::QuotaSpent { come_back_after });
                }
                self.next = come_back_after;
                Ok(None)
            }
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.limiter.ledger().wait_ends(self.priority);
    }
}

//! The use of quotas beyond the life of a process.

use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::effects::Effects;
use crate::error::ValidationError;
use crate::limiter::RateLimiter;
use crate::limiter::ledger::Heard;

impl RateLimiter {
    /// Returns the calls that still count and what the other side said, as a short text to be kept and given to [`restore`](Self::restore).
    ///
    /// `now` and `wall` are the same moment on both clocks.
    #[must_use]
    pub fn usage(&self, now: Instant, wall: SystemTime) -> String {
        let mut ledger = self.ledger();
        let now = ledger.moment(now);
        // Rounded up: later is stricter.
        let unix_ms = |age: Duration| wall.checked_sub(age).map_or(0, |at| ceil_ms(since_epoch(at)));
        let calls: Vec<u64> = ledger.ages(now).map(unix_ms).collect();
        let heard = ledger.heard(now);
        let until = |left: Duration| ceil_ms(since_epoch(wall).saturating_add(left));
        let blocked_until = Some(heard.blocked_for).filter(|left| !left.is_zero()).map(until);
        let told = heard.told.map(
            |(remaining, limit, left)| json!({ "remaining": remaining, "limit": limit, "until_unix_ms": until(left) }),
        );
        json!({ "version": 1, "calls_unix_ms": calls, "blocked_until_unix_ms": blocked_until, "told": told })
            .to_string()
    }

    /// Adds what [`usage`](Self::usage) returned in an earlier process. Calls in the future, by a clock that was set back,
    /// count as made now.
    ///
    /// # Errors
    /// If it is no such text. Nothing is added then.
    pub fn restore(&self, usage: &str, now: Instant, wall: SystemTime) -> Result<(), ValidationError> {
        let refuse = || ValidationError::new("usage", "be what `usage` returned", usage);
        let usage: Value = serde_json::from_str(usage).ok().ok_or_else(refuse)?;
        if usage.get("version").and_then(Value::as_u64) != Some(1) {
            return Err(refuse());
        }
        let calls = usage.get("calls_unix_ms").and_then(Value::as_array).ok_or_else(refuse)?;
        let wall = since_epoch(wall);
        let age = |call: &Value| Some(wall.saturating_sub(Duration::from_millis(call.as_u64()?)));
        let ages: Vec<Duration> = calls.iter().map(age).collect::<Option<_>>().ok_or_else(refuse)?;
        let left = |until: Option<&Value>| {
            Some(Duration::from_millis(until?.as_u64()?).saturating_sub(wall)).filter(|left| !left.is_zero())
        };
        let number = |value: Option<&Value>| u32::try_from(value?.as_u64()?).ok();
        // Absent in a text of an older release.
        let told = usage.get("told").and_then(|told| {
            Some((number(told.get("remaining"))?, number(told.get("limit"))?, left(told.get("until_unix_ms"))?))
        });
        let heard = Heard { blocked_for: left(usage.get("blocked_until_unix_ms")).unwrap_or_default(), told };
        let mut ledger = self.ledger();
        let now = ledger.moment(now);
        ledger.restore(ages.into_iter(), heard, now);
        Ok(())
    }

    /// Calls `save` with the [`usage`](Self::usage) after each [`acquire`](Self::acquire), before it returns: a process that
    /// dies over its call has still counted it. So do [`learn`](Self::learn), when it learnt anything, and
    /// [`give_back`](Self::give_back). One save at a time; the last one is the newest.
    ///
    /// For small quotas: it costs what `save` costs, for each call. What to do when it cannot save is for `save` to decide;
    /// the call is made.
    ///
    /// ```
    /// # use std::time::{Duration, Instant, SystemTime};
    /// use trading_resilience::{LimiterOptions, Priority, Quota, RateLimiter, System};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("bulk-usage-{}.json", std::process::id()));
    /// # let (file, new) = (path.clone(), path.with_extension("new"));
    /// let limiter = RateLimiter::new(LimiterOptions::of(&[Quota::per_hour(5)]))?.saving(move |usage| {
    ///     // Renamed when it is whole: a process that dies here leaves the old one.
    ///     let saved = std::fs::write(&new, usage).and_then(|()| std::fs::rename(&new, &file));
    ///     saved.unwrap_or_else(|error| log::error!("the use of the quota is not saved: {error}"));
    /// });
    /// limiter.acquire(&System, Priority::Read, Duration::ZERO, None)?;
    ///
    /// // The next process, after a crash:
    /// let limiter = RateLimiter::new(LimiterOptions::of(&[Quota::per_hour(5)]))?;
    /// limiter.restore(&std::fs::read_to_string(&path)?, Instant::now(), SystemTime::now())?;
    /// assert_eq!(limiter.report(Instant::now())[0].used, 1);
    /// # std::fs::remove_file(path)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn saving(self, save: impl FnMut(&str) + Send + 'static) -> Self {
        Self { save: Some(std::sync::Mutex::new(Box::new(save))), ..self }
    }

    #[inline]
    pub(super) fn saved(&self, effects: &impl Effects) {
        if let Some(save) = &self.save {
            let mut save = save.lock().unwrap_or_else(PoisonError::into_inner);
            // Taken under the lock of the saver: otherwise an older use could be saved over a newer one.
            save(&self.usage(effects.now(), effects.wall()));
        }
    }
}

fn since_epoch(wall: SystemTime) -> Duration {
    wall.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn ceil_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

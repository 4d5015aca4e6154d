//! Checks of what most programs have. What they look at comes in as a closure: this crate knows neither databases nor backups.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{Check, Outcome};

/// By how much the clock may move against the monotonic one between two looks: what keeps clocks right moves them by less.
const CLOCK_JUMP_MAX: Duration = Duration::from_secs(1);

/// A sign of life that a loop gives, for [`Check::heartbeat`]. Clones are of the same loop.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    start: Instant,
    /// Milliseconds since `start`.
    last: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Counts from now on, as if the loop had given a sign.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now(), last: Arc::new(AtomicU64::new(0)) }
    }

    /// Gives a sign of life. Costs a reading of the clock.
    pub fn beat(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// How long ago the last sign was.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

/// What a log sink tells of itself, for [`Check::log_sink`]: numbers since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSink {
    /// Lines that were written.
    pub lines: u64,
    /// Lines that were dropped because too many waited.
    pub dropped: u64,
    /// Writes that failed.
    pub errors: u64,
}

impl Check {
    /// A check whose probe may fail: an error makes it unhealthy, with the error's text as its message.
    ///
    /// ```
    /// use trading_monitoring::{Check, Outcome};
    ///
    /// let check = Check::fallible("database", || {
    ///     let trades = "42".parse::<u32>()?;
    ///     Ok::<_, std::num::ParseIntError>(Outcome::healthy("answers").detail("trades", trades))
    /// });
    /// # drop(check);
    /// ```
    pub fn fallible<E: Display>(
        name: impl Into<String>,
        mut probe: impl FnMut() -> Result<Outcome, E> + Send + 'static,
    ) -> Self {
        Self::new(name, move || probe().unwrap_or_else(|error| Outcome::unhealthy(error.to_string())))
    }

    /// The check `database`, critical: what a query of the program says. As [`fallible`](Self::fallible).
    pub fn database<E: Display>(probe: impl FnMut() -> Result<Outcome, E> + Send + 'static) -> Self {
        Self::fallible("database", probe).critical(true)
    }

    /// A dead man's switch: unhealthy when a loop has given no sign of life for longer than `limit`. Every 10 s.
    ///
    /// Details: `silent_for_ms`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trading_monitoring::{Check, Heartbeat};
    ///
    /// let heartbeat = Heartbeat::new();
    /// let check = Check::heartbeat("scheduler", &heartbeat, Duration::from_secs(90));
    /// // And in the loop, each time round:
    /// heartbeat.beat();
    /// # drop(check);
    /// ```
    pub fn heartbeat(name: impl Into<String>, heartbeat: &Heartbeat, limit: Duration) -> Self {
        let heartbeat = heartbeat.clone();
        Self::new(name, move || heard(heartbeat.silence(), limit)).every(Duration::from_secs(10))
    }

    /// The check `log`: degraded when lines were dropped since the last look, unhealthy when writes failed since then. Every 10 s.
    ///
    /// Details: `lines`, `dropped`, `errors`.
    pub fn log_sink(mut statistics: impl FnMut() -> LogSink + Send + 'static) -> Self {
        let mut before = LogSink::default();
        Self::new("log", move || {
            let now = statistics();
            written(std::mem::replace(&mut before, now), now)
        })
        .every(Duration::from_secs(10))
    }

    /// The check `backups`: degraded when the newest proven backup is older than `limit`; unhealthy when they cannot be looked at. `newest`
    /// tells of what time it is. While there is none, `since` counts as one: since when there is something to back up, such as the making of the
    /// record, and not the start of this process, which may come again and again. Every minute.
    ///
    /// Details: `newest_at`.
    pub fn backup_age<E: Display>(
        limit: Duration,
        since: DateTime<Utc>,
        mut newest: impl FnMut() -> Result<Option<DateTime<Utc>>, E> + Send + 'static,
    ) -> Self {
        let probe = move || Ok::<_, E>(aged(newest()?, since, Utc::now(), limit));
        Self::fallible("backups", probe).every(Duration::from_secs(60))
    }

    /// The check `configuration`: degraded, with the reason, while what was configured last is not in force. Every 10 s.
    pub fn configuration<E: Display>(mut rejected: impl FnMut() -> Option<E> + Send + 'static) -> Self {
        Self::new("configuration", move || match rejected() {
            None => Outcome::healthy("what was configured is in force"),
            Some(error) => Outcome::degraded(format!("what was configured is not in force: {error}")),
        })
        .every(Duration::from_secs(10))
    }

    /// The check `clock`: degraded when the clock was set since the last look, by more than a second. Every 10 s. That it is right only
    /// somebody else can tell: see the check of Alpaca, feature `external`.
    ///
    /// Details: `set_by_ms`, forward where positive.
    #[must_use]
    pub fn clock() -> Self {
        let mut before: Option<(Instant, SystemTime)> = None;
        Self::new("clock", move || {
            let now = (Instant::now(), SystemTime::now());
            let before = before.replace(now).unwrap_or(now);
            ticked(now.0.duration_since(before.0), millis_between(before.1, now.1))
        })
        .every(Duration::from_secs(10))
    }
}

fn heard(silence: Duration, limit: Duration) -> Outcome {
    let outcome = if silence > limit {
        Outcome::unhealthy(format!("no sign of life for {silence:.0?}, longer than {limit:?}"))
    } else {
        Outcome::healthy("gives signs of life")
    };
    outcome.detail("silent_for_ms", u64::try_from(silence.as_millis()).unwrap_or(u64::MAX))
}

fn written(before: LogSink, now: LogSink) -> Outcome {
    let outcome = match (now.errors.saturating_sub(before.errors), now.dropped.saturating_sub(before.dropped)) {
        (0, 0) => Outcome::healthy("every line is written"),
        (0, dropped) => Outcome::degraded(format!("{dropped} lines were dropped")),
        (errors, _) => Outcome::unhealthy(format!("{errors} writes failed")),
    };
    outcome.detail("lines", now.lines).detail("dropped", now.dropped).detail("errors", now.errors)
}

fn aged(newest: Option<DateTime<Utc>>, since: DateTime<Utc>, now: DateTime<Utc>, limit: Duration) -> Outcome {
    let age = (now - newest.unwrap_or(since)).to_std().unwrap_or_default();
    let message = match newest {
        Some(_) => format!("the newest is {} h old", age.as_secs() / 3600),
        None => "there is none yet".to_owned(),
    };
    let outcome = if age > limit { Outcome::degraded(message) } else { Outcome::healthy(message) };
    outcome.detail("newest_at", newest.map(|newest| newest.to_rfc3339_opts(SecondsFormat::Secs, true)))
}

fn millis_between(before: SystemTime, now: SystemTime) -> i64 {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    now.duration_since(before).map_or_else(|back| -millis(back.duration()), millis)
}

fn ticked(monotonic: Duration, wall_millis: i64) -> Outcome {
    let monotonic = i64::try_from(monotonic.as_millis()).unwrap_or(i64::MAX);
    let set_by = wall_millis.saturating_sub(monotonic);
    let outcome = if set_by.unsigned_abs() > CLOCK_JUMP_MAX.as_millis().try_into().unwrap_or(u64::MAX) {
        let way = if set_by > 0 { "forward" } else { "back" };
        let seconds = Duration::from_millis(set_by.unsigned_abs());
        Outcome::degraded(format!("was set {way} by {seconds:.1?}"))
    } else {
        Outcome::healthy("ticks evenly")
    };
    outcome.detail("set_by_ms", set_by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    #[track_caller]
    fn check(outcome: &Outcome, status: Status, message: &str) {
        assert_eq!((outcome.status, outcome.message.as_str()), (status, message));
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_loop_is_silent_only_beyond_its_limit() {
        check(&heard(SECOND, SECOND), Status::Healthy, "gives signs of life");
        let late = "no sign of life for 2s, longer than 1s";
        check(&heard(SECOND * 2, SECOND), Status::Unhealthy, late);
        let heartbeat = Heartbeat::new();
        heartbeat.beat();
        assert!(heartbeat.silence() < SECOND * 60);
    }

    #[test]
    fn a_log_is_judged_by_what_is_new() {
        let sink = |lines, dropped, errors| LogSink { lines, dropped, errors };
        check(&written(sink(0, 0, 0), sink(9, 0, 0)), Status::Healthy, "every line is written");
        check(&written(sink(9, 0, 0), sink(9, 7, 0)), Status::Degraded, "7 lines were dropped");
        check(&written(sink(9, 7, 0), sink(9, 8, 2)), Status::Unhealthy, "2 writes failed");
        check(&written(sink(9, 8, 2), sink(10, 8, 2)), Status::Healthy, "every line is written");
    }

    #[test]
    fn a_backup_is_old_beyond_its_limit() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().expect("a time");
        let newest: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().expect("a time");
        let day = SECOND * 86_400;
        check(&aged(Some(newest), now, now, day), Status::Degraded, "the newest is 26 h old");
        check(&aged(Some(newest), now, now, day + SECOND * 7_200), Status::Healthy, "the newest is 26 h old");
        check(&aged(Some(now), now, newest, day), Status::Healthy, "the newest is 0 h old");
        check(&aged(None, newest, now, day), Status::Degraded, "there is none yet");
        check(&aged(None, now, now, day), Status::Healthy, "there is none yet");
    }

    #[test]
    fn a_clock_that_is_set() {
        check(&ticked(SECOND * 10, 10_900), Status::Healthy, "ticks evenly");
        check(&ticked(SECOND * 10, 3_610_000), Status::Degraded, "was set forward by 3600.0s");
        check(&ticked(SECOND * 10, -3_590_000), Status::Degraded, "was set back by 3600.0s");
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!((millis_between(epoch, epoch + SECOND), millis_between(epoch + SECOND, epoch)), (1_000, -1_000));
    }
}

//! What is known of one check. It has no clock and no thread: the time is an argument.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::report::ComponentReport;
use crate::{Check, Outcome, Status};

#[derive(Debug)]
pub(super) struct Slot {
    name: String,
    critical: bool,
    timeout: Duration,
    started: Instant,
    /// The start of the look that runs now.
    running_since: Option<Instant>,
    last: Option<Finding>,
    /// The check's thread has not ended.
    pub(super) alive: bool,
}

#[derive(Debug)]
struct Finding {
    outcome: Outcome,
    at: Instant,
    wall: DateTime<Utc>,
    duration: Duration,
}

impl Slot {
    pub(super) fn new(check: &Check, now: Instant) -> Self {
        Self {
            name: check.name.clone(),
            critical: check.critical,
            timeout: check.timeout,
            started: now,
            running_since: None,
            last: None,
            alive: true,
        }
    }

    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.running_since = Some(now);
    }

    /// Keeps what a look has found; what came too late is a failure. Returns the component if its status is another one
    /// than before, and not for a first healthy one.
    pub(super) fn finish(
        &mut self,
        outcome: Outcome,
        start: Instant,
        now: Instant,
        wall: DateTime<Utc>,
    ) -> Option<ComponentReport> {
        let duration = now.duration_since(start);
        let outcome = if duration > self.timeout {
            Outcome::unhealthy(format!(
                "took {duration:.1?}, longer than its time-out of {:?}; then: {}",
                self.timeout, outcome.message
            ))
        } else {
            outcome
        };
        let before = self.last.as_ref().map_or(Status::Healthy, |finding| finding.outcome.status);
        let changed = outcome.status != before;
        self.running_since = None;
        self.last = Some(Finding { outcome, at: now, wall, duration });
        changed.then(|| self.view(now))
    }

    /// The time left until there is a verdict in any case; `None` when there is one.
    pub(super) fn until_verdict(&self, now: Instant) -> Option<Duration> {
        if self.last.is_some() || self.overdue(now).is_some() {
            return None;
        }
        // Overdue is *longer* than the time-out, hence the nanosecond.
        Some(self.timeout.saturating_add(Duration::from_nanos(1)).saturating_sub(self.waiting(now)?))
    }

    pub(super) fn view(&self, now: Instant) -> ComponentReport {
        let overdue = self.overdue(now);
        let (status, message, details) = match (overdue, &self.last) {
            (Some(waiting), _) => {
                let message =
                    format!("has not come back for {waiting:.1?}, longer than its time-out of {:?}", self.timeout);
                (Status::Unhealthy, message, Map::new())
            }
            (None, Some(Finding { outcome, .. })) => (outcome.status, outcome.message.clone(), outcome.details.clone()),
            (None, None) => (Status::Unknown, "has not been looked at yet".into(), Map::new()),
        };
        ComponentReport {
            name: self.name.clone(),
            status,
            message,
            details,
            critical: self.critical,
            checked_at: self.last.as_ref().map(|finding| finding.wall),
            age: self.last.as_ref().map(|finding| now.duration_since(finding.at)),
            duration: overdue.or_else(|| self.last.as_ref().map(|finding| finding.duration)),
        }
    }

    /// How long a result has been waited for, if that is longer than the time-out.
    fn overdue(&self, now: Instant) -> Option<Duration> {
        self.waiting(now).filter(|waiting| *waiting > self.timeout)
    }

    fn waiting(&self, now: Instant) -> Option<Duration> {
        // The first look counts from the start of the whole: a thread that is late to begin changes no verdict back.
        let since = if self.last.is_some() { self.running_since? } else { self.started };
        Some(now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    struct Clock {
        start: Instant,
        slot: Slot,
    }

    impl Clock {
        fn new() -> Self {
            let start = Instant::now();
            let check = Check::new("some", || Outcome::healthy("")).timeout(TIMEOUT).critical(true);
            Self { start, slot: Slot::new(&check, start) }
        }

        fn at(&self, millis: u64) -> Instant {
            self.start + Duration::from_millis(millis)
        }

        fn look(&mut self, from: u64, to: u64, outcome: Outcome) -> bool {
            let (from, to) = (self.at(from), self.at(to));
            self.slot.begin(from);
            self.slot.finish(outcome, from, to, DateTime::UNIX_EPOCH).is_some()
        }

        #[track_caller]
        fn check(&self, millis: u64, status: Status, message: &str) {
            let view = self.slot.view(self.at(millis));
            assert_eq!((view.status, view.message.as_str()), (status, message));
        }
    }

    #[test]
    fn it_is_unknown_until_the_first_look_ends_or_the_time_out_does() {
        let mut clock = Clock::new();
        clock.check(0, Status::Unknown, "has not been looked at yet");
        clock.check(5000, Status::Unknown, "has not been looked at yet");
        assert_eq!(clock.slot.until_verdict(clock.at(5000)), Some(Duration::from_nanos(1)));
        let late = "has not come back for 6.0s, longer than its time-out of 5s";
        clock.check(6000, Status::Unhealthy, late);
        assert_eq!(clock.slot.until_verdict(clock.at(6000)), None);
        clock.slot.begin(clock.at(6000));
        clock.check(6000, Status::Unhealthy, late);
    }

    #[test]
    fn a_result_stays_with_its_age_and_duration() {
        let mut clock = Clock::new();
        clock.look(0, 20, Outcome::degraded("slow").detail("rows", 7));
        let view = clock.slot.view(clock.at(60_020));
        assert_eq!((view.status, view.message.as_str()), (Status::Degraded, "slow"));
        assert_eq!(view.details.get("rows"), Some(&7.into()));
        assert_eq!((view.age, view.duration), (Some(Duration::from_secs(60)), Some(Duration::from_millis(20))));
        assert_eq!(view.checked_at, Some(DateTime::UNIX_EPOCH));
    }

    #[test]
    fn a_hanging_look_hides_the_last_result_until_it_comes_back() {
        let mut clock = Clock::new();
        clock.look(0, 1, Outcome::healthy("well"));
        clock.slot.begin(clock.at(10_000));
        clock.check(15_000, Status::Healthy, "well");
        clock.check(17_000, Status::Unhealthy, "has not come back for 7.0s, longer than its time-out of 5s");
        let view = clock.slot.view(clock.at(17_000));
        assert_eq!((view.age, view.duration), (Some(Duration::from_millis(16_999)), Some(Duration::from_secs(7))));
        clock.look(10_000, 18_000, Outcome::healthy("well"));
        clock.check(18_000, Status::Unhealthy, "took 8.0s, longer than its time-out of 5s; then: well");
        clock.look(19_000, 24_000, Outcome::healthy("well"));
        clock.check(24_000, Status::Healthy, "well");
    }

    #[test]
    fn only_a_change_of_status_is_told() {
        let mut clock = Clock::new();
        assert!(!clock.look(0, 1, Outcome::healthy("")), "healthy from the start is no news");
        assert!(clock.look(2, 3, Outcome::unhealthy("a")));
        assert!(!clock.look(4, 5, Outcome::unhealthy("b")));
        assert!(clock.look(6, 7, Outcome::healthy("")));
    }
}

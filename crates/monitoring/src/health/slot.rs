//! What is known of one check. It has no clock and no thread: the time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::report::{ComponentReport, Past, Transition};
use crate::{Check, Outcome, Status};

/// How many results of a check are kept.
pub(super) const HISTORY: usize = 100;
/// How many bytes of a message are kept. Arbitrary: more than any sentence for people has.
const MESSAGE_BYTES: usize = 4_096;

#[derive(Debug)]
pub(super) struct Slot {
    name: String,
    critical: bool,
    timeout: Duration,
    failures_needed: u32,
    successes_needed: u32,
    initial: Status,
    started: Instant,
    /// The start of the look that runs now.
    running_since: Option<Instant>,
    last: Option<Finding>,
    /// What counts, once enough results in a row say so.
    status: Status,
    failures: u32,
    successes: u32,
    history: VecDeque<Past>,
    /// The status that observers were last told of.
    told: Status,
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
            failures_needed: check.failures,
            successes_needed: check.successes,
            initial: check.initial,
            started: now,
            running_since: None,
            last: None,
            status: check.initial,
            failures: 0,
            successes: 0,
            history: VecDeque::new(),
            // That it begins well is no news.
            told: Status::Healthy,
            alive: true,
        }
    }

    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.running_since = Some(now);
    }

    /// Keeps what a look has found; what came too late is a failure.
    pub(super) fn finish(&mut self, outcome: Outcome, start: Instant, now: Instant, wall: DateTime<Utc>) {
        let duration = now.duration_since(start);
        let outcome = if duration > self.timeout {
            Outcome::unhealthy(format!(
                "took {duration:.1?}, longer than its time-out of {:?}; then: {}",
                self.timeout, outcome.message
            ))
        } else {
            outcome
        };
        let outcome = Outcome { message: cut(outcome.message), ..outcome };
        self.status = self.judged(outcome.status);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        let message = outcome.message.clone();
        self.history.push_back(Past { time: wall, status: outcome.status, message, duration });
        self.running_since = None;
        self.last = Some(Finding { outcome, at: now, wall, duration });
    }

    /// The status that counts after one more result: unhealthy after enough of them in a row, and back after enough others. Until then it is
    /// what it was, but never better than degraded.
    fn judged(&mut self, found: Status) -> Status {
        if found == Status::Unhealthy {
            self.failures = self.failures.saturating_add(1);
            self.successes = 0;
            let enough = self.failures >= self.failures_needed || self.status == Status::Unhealthy;
            return if enough { Status::Unhealthy } else { Status::Degraded };
        }
        self.successes = self.successes.saturating_add(1);
        self.failures = 0;
        // Only what was unhealthy for certain has to prove that it is well again.
        let was_unhealthy = self.status == Status::Unhealthy && self.last.is_some();
        if was_unhealthy && self.successes < self.successes_needed { Status::Unhealthy } else { found }
    }

    /// The newest last.
    pub(super) fn history(&self) -> Vec<Past> {
        self.history.iter().cloned().collect()
    }

    /// The change that observers are to be told of now, if there is one.
    pub(super) fn transition(&mut self, now: Instant, wall: DateTime<Utc>) -> Option<Transition> {
        let ComponentReport { name, status, message, critical, details, .. } = self.view(now);
        // What was not looked at yet is no news either.
        let pending = self.last.is_none() && self.overdue(now).is_none();
        if pending || status == self.told {
            return None;
        }
        let from = std::mem::replace(&mut self.told, status);
        Some(Transition { time: wall, component: name, from, to: status, message, critical, details })
    }

    /// When a look that runs will be overdue, if it is not yet.
    pub(super) fn overdue_in(&self, now: Instant) -> Option<Duration> {
        let waiting = self.waiting(now).filter(|waiting| *waiting <= self.timeout)?;
        Some(self.timeout.saturating_add(Duration::from_nanos(1)).saturating_sub(waiting))
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
            (None, Some(Finding { outcome, .. })) => (self.status, self.message(outcome), outcome.details.clone()),
            (None, None) => (self.initial, "has not been looked at yet".into(), Map::new()),
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

    /// What was found, and why that does not count yet where it does not.
    fn message(&self, found: &Outcome) -> String {
        let Outcome { status, message, .. } = found;
        match (status, self.status) {
            (Status::Unhealthy, Status::Degraded) => {
                format!("failed {} of {} times: {message}", self.failures, self.failures_needed)
            }
            (Status::Unhealthy, _) => message.clone(),
            (_, Status::Unhealthy) => {
                format!("well again {} of {} times: {message}", self.successes, self.successes_needed)
            }
            _ => message.clone(),
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

/// Cuts what a check says to what is kept of it.
fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message.push('…');
        message.shrink_to_fit();
    }
    message
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
            Self::of(Check::new("some", || Outcome::healthy("")))
        }

        fn of(check: Check) -> Self {
            let start = Instant::now();
            let check = check.timeout(TIMEOUT).critical(true);
            Self { start, slot: Slot::new(&check, start) }
        }

        fn at(&self, millis: u64) -> Instant {
            self.start + Duration::from_millis(millis)
        }

        fn look(&mut self, from: u64, to: u64, outcome: Outcome) -> bool {
            let (from, to) = (self.at(from), self.at(to));
            self.slot.begin(from);
            self.slot.finish(outcome, from, to, DateTime::UNIX_EPOCH);
            self.slot.transition(to, DateTime::UNIX_EPOCH).is_some()
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

    #[test]
    fn it_is_unhealthy_and_well_again_after_enough_in_a_row() {
        let check = Check::new("some", || Outcome::healthy("")).failures(3).successes(2);
        let mut clock = Clock::of(check);
        let (well, bad) = (|| Outcome::healthy("well"), || Outcome::unhealthy("bad"));
        clock.look(0, 1, bad());
        clock.check(1, Status::Degraded, "failed 1 of 3 times: bad");
        clock.look(2, 3, well());
        clock.check(3, Status::Healthy, "well");
        for millis in [4, 6] {
            clock.look(millis, millis + 1, bad());
        }
        clock.check(7, Status::Degraded, "failed 2 of 3 times: bad");
        clock.look(8, 9, bad());
        clock.check(9, Status::Unhealthy, "bad");
        clock.look(10, 11, well());
        clock.check(11, Status::Unhealthy, "well again 1 of 2 times: well");
        clock.look(12, 13, bad());
        clock.check(13, Status::Unhealthy, "bad");
        for millis in [14, 16] {
            clock.look(millis, millis + 1, Outcome::degraded("slow"));
        }
        clock.check(17, Status::Degraded, "slow");
    }

    #[test]
    fn a_hanging_look_is_told_while_it_hangs() {
        let mut clock = Clock::new();
        clock.look(0, 1, Outcome::healthy("well"));
        clock.slot.begin(clock.at(10));
        assert_eq!(clock.slot.overdue_in(clock.at(10)), Some(TIMEOUT + Duration::from_nanos(1)));
        assert_eq!(clock.slot.transition(clock.at(5_010), DateTime::UNIX_EPOCH), None);
        let told = clock.slot.transition(clock.at(5_011), DateTime::UNIX_EPOCH).expect("it is overdue");
        assert_eq!((told.from, told.to), (Status::Healthy, Status::Unhealthy));
        assert_eq!(clock.slot.overdue_in(clock.at(5_011)), None);
        assert_eq!(clock.slot.transition(clock.at(6_000), DateTime::UNIX_EPOCH), None, "once");
    }

    #[test]
    fn what_it_is_before_the_first_look_is_the_checks_to_say() {
        let clock = Clock::of(Check::new("some", || Outcome::healthy("")).initially(Status::Degraded));
        clock.check(0, Status::Degraded, "has not been looked at yet");
    }

    #[test]
    fn what_a_check_says_is_kept_within_bounds() {
        let mut clock = Clock::new();
        clock.look(0, 1, Outcome::degraded("€".repeat(MESSAGE_BYTES)));
        let kept = clock.slot.history().pop().expect("one").message;
        assert_eq!((kept.len(), kept.ends_with("€…")), (4_095 + 3, true));
        assert_eq!(clock.slot.view(clock.at(1)).message, kept);
    }

    #[test]
    fn the_last_results_are_kept() {
        let mut clock = Clock::new();
        for look in 0..150 {
            clock.look(look, look, Outcome::degraded(look.to_string()));
        }
        let history = clock.slot.history();
        let messages =
            (history.first().map(|past| past.message.as_str()), history.last().map(|past| past.message.as_str()));
        assert_eq!((history.len(), messages), (HISTORY, (Some("50"), Some("149"))));
    }
}

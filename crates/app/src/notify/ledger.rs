//! What was told of whom, and what is to be told when. Pure: the time comes in as a parameter.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use trading_monitoring::Status;

use super::Notification;

/// How long a subject is left alone after it was told of: what flaps is told of once, and as it is in the end.
pub(super) const QUIET: Duration = Duration::from_secs(300);

/// How many messages an hour there are at the most. Arbitrary: what people still read.
pub(super) const HOURLY_MAX: usize = 30;

const HOUR: Duration = Duration::from_secs(3600);

/// How many subjects are kept in mind. Beyond it those that are well are forgotten first.
const SUBJECTS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    subjects: BTreeMap<String, Subject>,
    /// When something was told within the last hour.
    hour: VecDeque<Instant>,
}

#[derive(Debug)]
struct Subject {
    /// What people believe.
    told: Status,
    quiet_until: Option<Instant>,
    pending: Option<Notification>,
    /// How often it changed since it was last told of.
    changes: u32,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) notification: Notification,
    /// What was last told.
    pub(super) previous: Status,
    /// How often it changed since then.
    pub(super) changes: u32,
}

impl Ledger {
    /// Takes note of how something is now.
    pub(super) fn note(&mut self, notification: Notification) {
        if self.subjects.len() >= SUBJECTS_MAX && !self.subjects.contains_key(&notification.subject) {
            self.forget_one();
        }
        // Of what nothing was told, people believe that it is well.
        let subject = self.subjects.entry(notification.subject.clone()).or_insert(Subject {
            told: Status::Healthy,
            quiet_until: None,
            pending: None,
            changes: 0,
        });
        let before = subject.pending.as_ref().map_or(subject.told, |pending| pending.status);
        if notification.status != before {
            subject.changes = subject.changes.saturating_add(1);
        }
        if notification.status == subject.told {
            subject.pending = None;
        } else {
            subject.pending = Some(notification);
        }
    }

    fn forget_one(&mut self) {
        let well =
            self.subjects.iter().find(|(_, subject)| subject.told == Status::Healthy && subject.pending.is_none());
        if let Some(name) = well.or_else(|| self.subjects.first_key_value()).map(|(name, _)| name.clone()) {
            self.subjects.remove(&name);
        }
    }

    /// When something is to be told; a moment that may have passed, and `None` if there is nothing.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let pending = self.subjects.values().filter(|subject| subject.pending.is_some());
        let due = pending.map(|subject| subject.quiet_until.unwrap_or(now)).min()?;
        Some(due.max(self.hour_has_room_at(now)))
    }

    fn hour_has_room_at(&self, now: Instant) -> Instant {
        let oldest_that_counts = self.hour.len().checked_sub(HOURLY_MAX).and_then(|at| self.hour.get(at));
        oldest_that_counts.map_or(now, |told| *told + HOUR)
    }

    /// The next message, if one is due. Whoever takes it says how it went to [`told`](Self::told).
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Told> {
        self.hour.retain(|told| now < *told + HOUR);
        if self.hour.len() >= HOURLY_MAX {
            return None;
        }
        let due =
            |subject: &&mut Subject| subject.pending.is_some() && subject.quiet_until.is_none_or(|until| until <= now);
        // What is worst is told first.
        let subject = self.subjects.values_mut().filter(due).min_by_key(|subject| {
            let status = subject.pending.as_ref().map(|pending| pending.status);
            [Status::Unhealthy, Status::Unknown, Status::Degraded]
                .iter()
                .position(|bad| Some(*bad) == status)
                .unwrap_or(3)
        })?;
        let notification = subject.pending.take()?;
        let (previous, changes) = (subject.told, subject.changes);
        subject.told = notification.status;
        subject.changes = 0;
        Some(Told { notification, previous, changes })
    }

    /// Says that it was told, or that it could not be.
    pub(super) fn told(&mut self, told: Told, delivered: bool, now: Instant) {
        self.hour.push_back(now);
        let Some(subject) = self.subjects.get_mut(&told.notification.subject) else { return };
        subject.quiet_until = Some(now + QUIET);
        if !delivered {
            subject.told = told.previous;
            subject.changes = told.changes;
            subject.pending = Some(told.notification);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stage {
        ledger: Ledger,
        start: Instant,
    }

    impl Stage {
        fn new() -> Self {
            Self { ledger: Ledger::default(), start: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn note(&mut self, subject: &str, status: Status) {
            self.ledger.note(Notification::new(subject, status, "a reason"));
        }

        /// What is told at this second, all of it delivered.
        fn told(&mut self, seconds: u64) -> Vec<String> {
            let mut told = Vec::new();
            while let Some(one) = self.ledger.take_due(self.at(seconds)) {
                let Notification { subject, status, .. } = &one.notification;
                told.push(format!("{subject} {}>{status} {}", one.previous, one.changes));
                self.ledger.told(one, true, self.at(seconds));
            }
            told
        }

        fn due(&self, seconds: u64) -> Option<u64> {
            self.ledger.next_due(self.at(seconds)).map(|due| due.duration_since(self.start).as_secs())
        }
    }

    #[test]
    fn a_change_is_told_at_once_and_once() {
        let mut stage = Stage::new();
        stage.note("database", Status::Healthy);
        assert_eq!((stage.due(0), stage.told(0)), (None, vec![]));
        stage.note("database", Status::Unhealthy);
        assert_eq!(stage.due(1), Some(1));
        assert_eq!(stage.told(1), ["database healthy>unhealthy 1"]);
        for second in [2, 400, 90_000] {
            stage.note("database", Status::Unhealthy);
            assert_eq!((stage.due(second), stage.told(second)), (None, vec![]));
        }
        stage.note("database", Status::Healthy);
        assert_eq!(stage.told(90_001), ["database unhealthy>healthy 1"]);
    }

    #[test]
    fn what_flaps_is_told_as_it_is_in_the_end() {
        let mut stage = Stage::new();
        stage.note("disk", Status::Unhealthy);
        assert_eq!(stage.told(0), ["disk healthy>unhealthy 1"]);
        for second in 1..10 {
            stage.note("disk", if second % 2 == 1 { Status::Healthy } else { Status::Unhealthy });
            assert_eq!(stage.told(second), [""; 0]);
        }
        assert_eq!(stage.due(10), Some(300));
        assert_eq!(stage.told(299), [""; 0]);
        assert_eq!(stage.told(300), ["disk unhealthy>healthy 9"]);
        // And nothing if it is in the end what people believe.
        stage.note("disk", Status::Unhealthy);
        stage.note("disk", Status::Healthy);
        assert_eq!((stage.due(301), stage.told(700)), (None, vec![]));
    }

    #[test]
    fn all_together_do_not_flood_and_nothing_is_lost() {
        let mut stage = Stage::new();
        for number in 0..HOURLY_MAX + 2 {
            stage.note(&format!("agent-{number:02}"), Status::Degraded);
        }
        stage.note("zz-database", Status::Unhealthy);
        let first = stage.told(0);
        assert_eq!(first.len(), HOURLY_MAX);
        assert_eq!(first[0], "zz-database healthy>unhealthy 1", "what is worst comes first");
        assert_eq!(stage.due(1), Some(3600));
        assert_eq!(stage.told(3599), [""; 0]);
        assert_eq!(stage.told(3600).len(), 3);
    }

    #[test]
    fn what_was_not_delivered_is_told_later() {
        let mut stage = Stage::new();
        stage.note("database", Status::Unhealthy);
        let one = stage.ledger.take_due(stage.at(0)).expect("it is due");
        stage.ledger.told(one, false, stage.at(60));
        assert_eq!(stage.due(60), Some(360));
        assert_eq!(stage.told(360), ["database healthy>unhealthy 1"]);
        // And not at all if it is well again by then.
        stage.note("database", Status::Degraded);
        let one = stage.ledger.take_due(stage.at(1000)).expect("it is due");
        stage.ledger.told(one, false, stage.at(1000));
        stage.note("database", Status::Unhealthy);
        assert_eq!(stage.told(2000), [""; 0]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut stage = Stage::new();
        for number in 0..SUBJECTS_MAX * 2 {
            stage.note(&format!("agent-{number}"), Status::Degraded);
            stage.told(0);
        }
        assert_eq!(stage.ledger.subjects.len(), SUBJECTS_MAX);
        assert_eq!(stage.ledger.hour.len(), HOURLY_MAX);
    }
}

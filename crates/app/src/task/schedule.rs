//! When a task is due. Pure: the time comes in as a parameter.

use std::time::{Duration, Instant};

use chrono::{DateTime, Days, MappedLocalTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// Longer than any process runs, and short enough to be added to any moment.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// No clock that was right when it was looked at said that a daily task is due later than this: a day, and the hour of summer time.
const DAILY_MAX: Duration = Duration::from_secs(26 * 3600);

/// A moment, on the clock that nobody sets and on the one that people read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) steady: Instant,
    pub(super) wall: DateTime<Utc>,
}

impl Now {
    pub(super) fn read() -> Self {
        Self { steady: Instant::now(), wall: Utc::now() }
    }

    /// So long after this, whatever is done to the clock.
    pub(super) fn after(self, time: Duration) -> Due {
        Due::Steady(self.steady + time.min(FOR_EVER))
    }
}

/// The moment that something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Steady(Instant),
    /// When the clock says so.
    Wall(DateTime<Utc>),
}

impl Due {
    /// How long it is until then; nothing when it is past.
    pub(super) fn left(self, now: Now) -> Duration {
        match self {
            Self::Steady(due) => due.saturating_duration_since(now.steady),
            Self::Wall(due) => (due - now.wall).to_std().unwrap_or_default(),
        }
    }

    /// As people are told it.
    pub(super) fn told(self, now: Now) -> DateTime<Utc> {
        match self {
            Self::Wall(due) => due,
            Self::Steady(_) => TimeDelta::from_std(self.left(now))
                .ok()
                .and_then(|left| now.wall.checked_add_signed(left))
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Schedule {
    /// It goes on until it is stopped.
    Always,
    Every(Duration),
    Daily {
        time: NaiveTime,
        zone: Tz,
    },
}

impl Schedule {
    /// When it is due next, from now on; `None` for what is due at once and never ends.
    pub(super) fn next(&self, now: Now) -> Option<Due> {
        match *self {
            Self::Always => None,
            Self::Every(interval) => Some(now.after(interval)),
            Self::Daily { time, zone } => Some(Due::Wall(next_daily(now.wall, time, zone))),
        }
    }

    /// What holds of a moment that was found earlier: the clock that it was read from may have been wrong, and set back since.
    pub(super) fn still(&self, due: Due, now: Now) -> Due {
        match (self, due) {
            (Self::Daily { .. }, Due::Wall(_)) if due.left(now) > DAILY_MAX => self.next(now).unwrap_or(due),
            _ => due,
        }
    }
}

fn next_daily(after: DateTime<Utc>, time: NaiveTime, zone: Tz) -> DateTime<Utc> {
    let today = after.with_timezone(&zone).date_naive();
    // Zones have skipped whole days, when they changed sides of the date line.
    (0..4)
        .filter_map(|days| at(today.checked_add_days(Days::new(days))?.and_time(time), zone))
        .find(|due| *due > after)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The moment that has this time on its clock, the first of two, or the first after a gap.
fn at(local: chrono::NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    // The clocks of most zones skip an hour, and no gap but that of a whole day is longer than two.
    (0..=12).find_map(|quarters| {
        let local = local.checked_add_signed(TimeDelta::minutes(15 * quarters))?;
        match zone.from_local_datetime(&local) {
            MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => Some(time.to_utc()),
            MappedLocalTime::None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, time: &str, after: &str, expected: &str) {
        let schedule = Schedule::Daily { time: time.parse().expect("a time"), zone: zone.parse().expect("a zone") };
        let now = Now { steady: Instant::now(), wall: after.parse().expect("a time") };
        let next = schedule.next(now).expect("it is due");
        assert_eq!(next, Due::Wall(expected.parse().expect("a time")), "{zone} {time} after {after}");
    }

    #[test]
    fn each_day_at_a_time_in_a_zone() {
        check("UTC", "23:00:00", "2026-11-23T08:00:00Z", "2026-11-23T23:00:00Z");
        check("UTC", "23:00:00", "2026-11-23T22:59:59.999Z", "2026-11-23T23:00:00Z");
        check("UTC", "23:00:00", "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z");
        // The day of the zone, not of UTC.
        check("US/Eastern", "23:00:00", "2026-11-24T03:00:00Z", "2026-11-24T04:00:00Z");
        check("Pacific/Auckland", "00:00:00", "2026-11-23T10:59:59Z", "2026-11-23T11:00:00Z");
        check("US/Eastern", "23:00:00", "2026-12-31T23:00:00Z", "2027-01-01T04:00:00Z");
    }

    #[test]
    fn when_the_clocks_change() {
        // 02:30 is skipped on the second Sunday of March, and is there twice on the first of November.
        check("US/Eastern", "02:30:00", "2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z");
        check("US/Eastern", "02:30:00", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z");
        check("US/Eastern", "01:30:00", "2026-11-01T04:00:00Z", "2026-11-01T05:30:00Z");
        check("US/Eastern", "01:30:00", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z");
        // Half an hour, on Lord Howe Island.
        check("Australia/Lord_Howe", "02:15:00", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z");
        // Samoa had no 30 December 2011.
        check("Pacific/Apia", "12:00:00", "2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z");
    }

    /// As it is so long after `now`, by a clock that was set by so much meanwhile.
    fn later(now: Now, seconds: u64, set: TimeDelta) -> Now {
        let passed = Duration::from_secs(seconds);
        Now { steady: now.steady + passed, wall: now.wall + passed + set }
    }

    #[test]
    fn an_interval_is_as_long_as_it_is_whatever_is_done_to_the_clock() {
        let now = Now { steady: Instant::now(), wall: "2026-11-23T08:00:00Z".parse().expect("a time") };
        let schedule = Schedule::Every(Duration::from_secs(5));
        let due = schedule.next(now).expect("it is due");
        assert_eq!(due.told(now), now.wall + TimeDelta::seconds(5));
        for hours in [-24 * 365, -1, 0, 1, 24 * 365] {
            let set = TimeDelta::hours(hours);
            for (seconds, left) in [(0, 5), (2, 3), (5, 0), (9, 0)] {
                let now = later(now, seconds, set);
                assert_eq!(schedule.still(due, now).left(now), Duration::from_secs(left), "{hours} h, {seconds} s");
            }
        }
    }

    #[test]
    fn what_is_due_each_day_heeds_a_clock_that_is_set() {
        let now = Now { steady: Instant::now(), wall: "2026-11-23T22:00:00Z".parse().expect("a time") };
        let schedule = Schedule::Daily { time: "23:00:00".parse().expect("a time"), zone: Tz::UTC };
        let due = schedule.next(now).expect("it is due");
        let left = |set| {
            let now = later(now, 30, set);
            schedule.still(due, now).left(now).as_secs()
        };
        assert_eq!(left(TimeDelta::zero()), 3600 - 30);
        assert_eq!(left(TimeDelta::hours(1)), 0, "set forward past it");
        assert_eq!(left(TimeDelta::hours(-1)), 2 * 3600 - 30, "set back before it");
        assert_eq!(left(TimeDelta::days(-365)), 3600 - 30, "it had been a year ahead");
        assert_eq!(left(TimeDelta::days(365)), 0);
        // Right after it was done, a clock that is set back a little does not have it done twice.
        let now = Now { wall: "2026-11-23T23:00:01Z".parse().expect("a time"), ..now };
        let due = schedule.next(now).expect("it is due");
        assert_eq!(schedule.still(due, later(now, 1, TimeDelta::seconds(-5))), due);
    }

    #[test]
    fn an_interval_that_never_ends_is_no_panic() {
        let now = Now::read();
        let due = Schedule::Every(Duration::MAX).next(now).expect("it is due");
        assert_eq!(due.left(now), FOR_EVER);
        assert!(due.told(now) > now.wall);
        assert_eq!(Schedule::Always.next(now), None);
    }
}

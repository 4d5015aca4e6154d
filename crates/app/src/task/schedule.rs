//! When a task is due. Pure: the time comes in as a parameter.

use std::time::Duration;

use chrono::{DateTime, Days, MappedLocalTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

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
    /// When it is due next, `after` this moment; `None` for what is due at once and never ends.
    pub(super) fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match *self {
            Self::Always => None,
            Self::Every(interval) => {
                let interval = TimeDelta::from_std(interval).unwrap_or(TimeDelta::MAX);
                Some(after.checked_add_signed(interval).unwrap_or(DateTime::<Utc>::MAX_UTC))
            }
            Self::Daily { time, zone } => Some(next_daily(after, time, zone)),
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
        let next = schedule.next(after.parse().expect("a time")).expect("it is due");
        assert_eq!(next, expected.parse::<DateTime<Utc>>().expect("a time"), "{zone} {time} after {after}");
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

    #[test]
    fn an_interval_that_never_ends_is_no_panic() {
        let now = Utc::now();
        assert_eq!(Schedule::Every(Duration::from_secs(5)).next(now), Some(now + TimeDelta::seconds(5)));
        assert_eq!(Schedule::Every(Duration::MAX).next(now), Some(DateTime::<Utc>::MAX_UTC));
        assert_eq!(Schedule::Always.next(now), None);
    }
}

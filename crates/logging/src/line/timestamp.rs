//! Times as they stand in lines: UTC, always.

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};

use super::value;

/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

/// A time between 1970 and 9999, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Time {
    /// Whole seconds since 1970.
    pub(crate) seconds: u64,
    micros: u32,
}

impl Time {
    /// Reads a clock. A time before 1970 or after 9999, which only a broken one shows, is read as the start of 1970.
    pub(crate) fn read(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        if since.as_secs() > LAST {
            return Self { seconds: 0, micros: 0 };
        }
        Self { seconds: since.as_secs(), micros: since.subsec_micros() }
    }

    /// `None` if `earlier` is later.
    pub(crate) fn micros_since(self, earlier: Self) -> Option<u64> {
        let micros = |time: Self| time.seconds * 1_000_000 + u64::from(time.micros);
        micros(self).checked_sub(micros(earlier))
    }

    pub(crate) fn utc(self) -> DateTime<Utc> {
        let seconds = i64::try_from(self.seconds).unwrap_or_default();
        DateTime::from_timestamp(seconds, self.micros * 1_000).unwrap_or_default()
    }
}

/// The text of a second, which most lines share with the one before.
#[derive(Debug, Default)]
pub(super) struct Second {
    seconds: Option<u64>,
    /// `2026-11-22T20:02:39.`
    text: String,
}

impl Second {
    fn text(&mut self, at: Time) -> &str {
        if self.seconds != Some(at.seconds) {
            self.seconds = Some(at.seconds);
            self.text.clear();
            // Writing to a string does not fail.
            write!(self.text, "{}", at.utc().format("%Y-%m-%dT%H:%M:%S.")).unwrap_or_default();
        }
        &self.text
    }

    /// Appends `2026-11-22T20:02:39.123456Z` (RFC 3339).
    pub(super) fn write_full(&mut self, out: &mut String, at: Time) {
        out.push_str(self.text(at));
        let micros = u64::from(at.micros);
        value::write_pair(out, micros / 10_000);
        value::write_pair(out, micros / 100);
        value::write_pair(out, micros);
        out.push('Z');
    }

    /// Appends `20:02:39.123Z`.
    pub(super) fn write_clock(&mut self, out: &mut String, at: Time) {
        out.push_str(self.text(at).get("2026-11-22T".len()..).unwrap_or_default());
        let millis = u64::from(at.micros / 1_000);
        value::write_integer(out, millis / 100);
        value::write_pair(out, millis);
        out.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(since_1970: Duration, expected: &str) {
        let mut out = String::new();
        Second::default().write_full(&mut out, Time::read(UNIX_EPOCH + since_1970));
        assert_eq!(out, expected);
    }

    #[test]
    fn times_are_rfc_3339_in_utc_with_microseconds() {
        check(Duration::ZERO, "1970-01-01T00:00:00.000000Z");
        check(Duration::from_nanos(1_709_210_096_007_089_999), "2024-02-29T12:34:56.007089Z");
        check(Duration::from_micros(253_402_300_799_999_999), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn times_no_line_can_bear_are_the_epoch() {
        check(Duration::from_secs(253_402_300_800), "1970-01-01T00:00:00.000000Z");
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(Time::read(before).utc(), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn the_text_of_a_second_is_used_for_that_second_only() {
        let (mut second, mut out) = (Second::default(), String::new());
        for millis in [0, 999, 1_000, 999] {
            second.write_clock(&mut out, Time::read(UNIX_EPOCH + Duration::from_millis(millis)));
        }
        assert_eq!(out, "00:00:00.000Z00:00:00.999Z00:00:01.000Z00:00:00.999Z");
    }
}

//! Times as they stand in lines: UTC, always.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, Timelike, Utc};

/// The time in UTC. A time before 1970 or after 9999, which only a broken clock shows, is read as the start of 1970.
pub(crate) fn read(time: SystemTime) -> DateTime<Utc> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros())
        .ok()
        .and_then(DateTime::from_timestamp_micros)
        .filter(|at| at.year() <= 9999)
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// Appends `2026-11-22T20:02:39.123456Z` (RFC 3339). By hand, because chrono's formatter takes longer than the rest of
/// a line.
pub(super) fn write_full(out: &mut String, at: DateTime<Utc>) {
    digits(out, at.year().unsigned_abs(), 1_000);
    out.push('-');
    digits(out, at.month(), 10);
    out.push('-');
    digits(out, at.day(), 10);
    out.push('T');
    write_time(out, at);
    digits(out, at.nanosecond() / 1_000, 100_000);
    out.push('Z');
}

/// Appends `20:02:39.123Z`.
pub(super) fn write_clock(out: &mut String, at: DateTime<Utc>) {
    write_time(out, at);
    digits(out, at.nanosecond() / 1_000_000, 100);
    out.push('Z');
}

/// Appends `20:02:39.`.
fn write_time(out: &mut String, at: DateTime<Utc>) {
    for (number, end) in [(at.hour(), ':'), (at.minute(), ':'), (at.second(), '.')] {
        digits(out, number, 10);
        out.push(end);
    }
}

/// Appends a number with leading zeros; `unit` is that of its first digit.
fn digits(out: &mut String, number: u32, mut unit: u32) {
    while unit > 0 {
        out.push(char::from_digit(number / unit % 10, 10).unwrap_or('0'));
        unit /= 10;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(since_1970: Duration, expected: &str) {
        let mut out = String::new();
        write_full(&mut out, read(UNIX_EPOCH + since_1970));
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
        assert_eq!(read(before), DateTime::UNIX_EPOCH);
    }
}

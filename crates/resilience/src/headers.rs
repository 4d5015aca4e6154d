//! What an answer's headers say about coming back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Values of `X-RateLimit-Reset` below this are seconds from now, not a UNIX time: about thirty years.
const RESET_RELATIVE_BELOW: f64 = 1e9;

/// Values of `X-RateLimit-Reset` above this are milliseconds: seconds would be in the year 5138.
const RESET_MILLIS_ABOVE: f64 = 1e11;

/// What an answer's headers say about coming back and about what is left.
///
/// Header values are foreign words: what cannot be understood counts as not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateHeaders {
    /// `Retry-After`: how long from the answer on.
    pub retry_after: Option<Duration>,
    /// `X-RateLimit-Limit`: how many calls a window has.
    pub limit: Option<u32>,
    /// `X-RateLimit-Remaining`: how many of them are left.
    pub remaining: Option<u32>,
    /// `X-RateLimit-Reset`: how long until the window is new, from the answer on.
    pub reset_after: Option<Duration>,
}

impl RateHeaders {
    /// Reads the headers of an answer that came at `wall`. `header` looks one up by its name, whatever the case.
    ///
    /// | header | forms |
    /// | --- | --- |
    /// | `Retry-After` | seconds, also with decimals; an HTTP date, also the obsolete forms; the past counts as now |
    /// | `X-RateLimit-Limit`, `X-RateLimit-Remaining` | a number |
    /// | `X-RateLimit-Reset` | UNIX seconds; also UNIX milliseconds, and seconds from now; the past counts as now |
    ///
    /// ```
    /// use std::time::{Duration, SystemTime, UNIX_EPOCH};
    /// use trading_resilience::RateHeaders;
    ///
    /// let headers = |name: &str| name.eq_ignore_ascii_case("Retry-After").then_some("Sun, 06 Nov 1994 08:49:37 GMT");
    /// let wall = UNIX_EPOCH + Duration::from_secs(784_111_747);
    /// assert_eq!(RateHeaders::read(headers, wall).come_back_after(), Some(Duration::from_secs(30)));
    /// ```
    pub fn read<'h>(header: impl Fn(&str) -> Option<&'h str>, wall: SystemTime) -> Self {
        let header = |name| header(name).map(str::trim);
        Self {
            retry_after: header("retry-after").and_then(|value| retry_after(value, wall)),
            limit: header("x-ratelimit-limit").and_then(|value| value.parse().ok()),
            remaining: header("x-ratelimit-remaining").and_then(|value| value.parse().ok()),
            reset_after: header("x-ratelimit-reset").and_then(|value| reset_after(value, wall)),
        }
    }

    /// Returns how long to stay away: Retry-After, or else until the window is new if nothing is left of this one.
    ///
    /// It is as foreign as the headers: a retry clamps it to its cap.
    #[must_use]
    pub fn come_back_after(&self) -> Option<Duration> {
        let used_up = self.remaining.is_none_or(|remaining| remaining == 0);
        self.retry_after.or(if used_up { self.reset_after } else { None })
    }
}

fn retry_after(value: &str, wall: SystemTime) -> Option<Duration> {
    seconds(value).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(wall).unwrap_or_default())
    })
}

fn reset_after(value: &str, wall: SystemTime) -> Option<Duration> {
    let number: f64 = value.parse().ok().filter(|number: &f64| number.is_finite())?;
    if number < RESET_RELATIVE_BELOW {
        return seconds(value);
    }
    let unix = if number > RESET_MILLIS_ABOVE { number / 1_000.0 } else { number };
    let until = UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(unix).ok()?)?;
    Some(until.duration_since(wall).unwrap_or_default())
}

/// Seconds from now: below zero counts as now, and what overflows as for ever.
fn seconds(value: &str) -> Option<Duration> {
    let number: f64 = value.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(Duration::try_from_secs_f64(number.max(0.0)).unwrap_or(Duration::MAX))
}

//! What headers say about coming back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use trading_resilience::{Api, ApiError, Class, Classify, Method, RateHeaders};

use crate::world::secs;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;

fn wall() -> SystemTime {
    UNIX_EPOCH + secs(NOW)
}

#[track_caller]
fn check_retry_after(value: &str, expected: Option<Duration>) {
    let header = |name: &str| name.eq_ignore_ascii_case("Retry-After").then_some(value);
    assert_eq!(RateHeaders::read(header, wall()).retry_after, expected, "{value:?}");
}

#[test]
fn retry_after_is_seconds() {
    check_retry_after("0", Some(secs(0)));
    check_retry_after("120", Some(secs(120)));
    check_retry_after(" 7 ", Some(secs(7)));
    check_retry_after("1.5", Some(Duration::from_millis(1_500)));
    check_retry_after("-5", Some(secs(0)));
    check_retry_after("99999999999999999999999999", Some(Duration::MAX));
}

#[test]
fn retry_after_is_a_date() {
    check_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", Some(secs(60)));
    check_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", Some(secs(60)));
    check_retry_after("Sun Nov  6 08:50:37 1994", Some(secs(60)));
    check_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", Some(secs(0)));
    check_retry_after("Sat, 05 Nov 1994 08:49:37 GMT", Some(secs(0)));
}

#[test]
fn what_cannot_be_understood_is_not_said() {
    for value in ["", "soon", "NaN", "inf", "1e999", "Sun, 06 Nov 1994 25:49:37 GMT", "1994-11-06T08:49:37Z"] {
        check_retry_after(value, None);
    }
}

#[track_caller]
fn check_reset(value: &str, expected: Option<Duration>) {
    let header = |name: &str| name.eq_ignore_ascii_case("X-RateLimit-Reset").then_some(value);
    assert_eq!(RateHeaders::read(header, wall()).reset_after, expected, "{value:?}");
}

#[test]
fn reset_is_unix_seconds_or_what_others_make_of_it() {
    check_reset("60", Some(secs(60)));
    check_reset("784111807", Some(secs(784_111_807)));
    check_reset("-1", Some(secs(0)));
    check_reset("soon", None);
    let header = |name: &str| (name == "x-ratelimit-reset").then_some("1795444230");
    let wall = UNIX_EPOCH + secs(1_795_444_200);
    assert_eq!(RateHeaders::read(header, wall).reset_after, Some(secs(30)));
    let header = |name: &str| (name == "x-ratelimit-reset").then_some("1795444230500");
    assert_eq!(RateHeaders::read(header, wall).reset_after, Some(Duration::from_millis(30_500)));
    let header = |name: &str| (name == "x-ratelimit-reset").then_some("1795444199");
    assert_eq!(RateHeaders::read(header, wall).reset_after, Some(secs(0)));
}

fn read(pairs: &[(&str, &'static str)]) -> RateHeaders {
    let header = |name: &str| pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    RateHeaders::read(header, UNIX_EPOCH + secs(1_795_444_200))
}

#[test]
fn the_windows_end_counts_when_nothing_is_left() {
    let reset = ("X-RateLimit-Reset", "1795444230");
    assert_eq!(read(&[reset]).come_back_after(), Some(secs(30)));
    assert_eq!(read(&[reset, ("X-RateLimit-Remaining", "0")]).come_back_after(), Some(secs(30)));
    assert_eq!(read(&[reset, ("X-RateLimit-Remaining", "3")]).come_back_after(), None);
    assert_eq!(read(&[reset, ("Retry-After", "5")]).come_back_after(), Some(secs(5)));
    assert_eq!(read(&[]).come_back_after(), None);
    let all = read(&[reset, ("X-RateLimit-Limit", "200"), ("X-RateLimit-Remaining", "199")]);
    assert_eq!((all.limit, all.remaining), (Some(200), Some(199)));
    let odd = read(&[("X-RateLimit-Limit", "many"), ("X-RateLimit-Remaining", "-1")]);
    assert_eq!(odd, RateHeaders::default());
}

#[test]
fn an_error_takes_its_wait_from_the_headers() {
    let error = |headers: &RateHeaders| {
        ApiError::answered(Api::Alpaca, Method::Get, "/v2/account", 429).retry_after(secs(9)).headers(headers).class()
    };
    let told = |wait| Class::RateLimited { retry_after: Some(wait) };
    assert_eq!(error(&read(&[("Retry-After", "5")])), told(secs(5)));
    assert_eq!(error(&read(&[("X-RateLimit-Reset", "1795444230")])), told(secs(30)));
    assert_eq!(error(&read(&[])), told(secs(9)));
}

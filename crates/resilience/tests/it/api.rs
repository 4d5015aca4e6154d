//! Failed calls of the outside APIs: what each answer means.

use std::io;
use std::time::Duration;

use rust_decimal::Decimal;
use trading_resilience::{Api, ApiError, Class, Classify, Code, Method, TradingError};

const WAIT: Duration = Duration::from_secs(30);
const TOLD: Class = Class::RateLimited { retry_after: Some(WAIT) };

#[track_caller]
fn check_api(method: Method, status: u16, class: Class, code: Code) {
    let error = ApiError::answered(Api::Alpaca, method, "/v2/orders", status);
    assert_eq!((error.class(), error.code()), (class, code), "{error}");
}

#[test]
fn refusals_are_permanent() {
    for method in [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete] {
        check_api(method, 400, Class::Permanent, Code::ApiRefused);
        check_api(method, 401, Class::Permanent, Code::ApiUnauthorized);
        check_api(method, 403, Class::Permanent, Code::ApiForbidden);
        check_api(method, 404, Class::Permanent, Code::ApiNotFound);
        check_api(method, 422, Class::Permanent, Code::ApiRefused);
        check_api(method, 302, Class::Permanent, Code::ApiRefused);
    }
}

#[test]
fn breakdowns_are_transient_where_repeating_is_harmless_and_unknown_elsewhere() {
    for status in [408, 500, 502, 503, 504, 599] {
        for method in [Method::Get, Method::Put, Method::Delete] {
            check_api(method, status, Class::Transient, Code::ApiUnavailable);
        }
        for method in [Method::Post, Method::Patch] {
            check_api(method, status, Class::Unknown, Code::ApiOutcomeUnknown);
        }
    }
}

#[test]
fn an_unreadable_yes_is_still_a_yes() {
    check_api(Method::Get, 200, Class::Permanent, Code::ApiUnreadable);
    check_api(Method::Post, 200, Class::Unknown, Code::ApiOutcomeUnknown);
    check_api(Method::Delete, 204, Class::Unknown, Code::ApiOutcomeUnknown);
}

#[test]
fn a_rate_limit_carries_its_wait() {
    for method in [Method::Get, Method::Post] {
        let error = ApiError::answered(Api::Quiver, method, "/beta/live/congresstrading", 429);
        assert_eq!((error.class(), error.code()), (Class::RateLimited { retry_after: None }, Code::ApiRateLimited));
        assert_eq!(error.retry_after(Duration::from_secs(30)).class(), TOLD);
    }
    let busy = |method| ApiError::answered(Api::Quiver, method, "/beta", 503).retry_after(Duration::from_secs(30));
    assert_eq!((busy(Method::Get).class(), busy(Method::Get).code()), (TOLD, Code::ApiUnavailable));
    assert_eq!((busy(Method::Post).class(), busy(Method::Post).come_back_after()), (Class::Unknown, Some(WAIT)));
}

#[test]
fn silence_after_sending_is_unknown_only_where_repeating_would_harm() {
    let unsent = |method| ApiError::not_sent(Api::Alpaca, method, "/v2/orders", "refused").class();
    let unanswered = |method| ApiError::no_answer(Api::Alpaca, method, "/v2/orders", "timed out").class();
    assert_eq!((unsent(Method::Get), unanswered(Method::Get)), (Class::Transient, Class::Transient));
    assert_eq!((unsent(Method::Delete), unanswered(Method::Delete)), (Class::Transient, Class::Transient));
    assert_eq!((unsent(Method::Post), unanswered(Method::Post)), (Class::Transient, Class::Unknown));
    assert_eq!((unsent(Method::Patch), unanswered(Method::Patch)), (Class::Transient, Class::Unknown));
}

#[test]
fn a_query_is_not_kept() {
    let endpoint = |given| ApiError::answered(Api::Quiver, Method::Get, given, 404).endpoint;
    assert_eq!(endpoint("/v2/orders?token=hush"), "/v2/orders");
    assert_eq!(endpoint("/v2/orders#part"), "/v2/orders");
    assert_eq!(endpoint("/v2/orders:by_client_order_id"), "/v2/orders:by_client_order_id");
}

#[track_caller]
fn check_body(api: Api, status: u16, body: &str, code: Code, refusal: Option<TradingError>) {
    let error = ApiError::answered(api, Method::Post, "/v2/orders", status).body(body);
    assert_eq!((error.class(), error.code(), error.refusal()), (Class::Permanent, code, refusal), "{error}");
}

#[test]
fn the_body_tells_alpacas_refusals_apart() {
    let poor = r#"{"buying_power":"20.50","code":40310000,"cost_basis":"100","message":"insufficient buying power"}"#;
    let funds = TradingError::InsufficientFunds { required: Decimal::new(100, 0), available: Decimal::new(2_050, 2) };
    check_body(Api::Alpaca, 403, poor, Code::ApiBuyingPower, Some(funds));
    let vague = r#"{"code":40310000,"message":"insufficient buying power"}"#;
    let rejected = |reason: &str| {
        let code = reason.split_once("\"code\":").expect("a code").1.split([',', '}']).next().expect("a code");
        Some(TradingError::OrderRejected { code: code.replace('"', ""), reason: reason.to_owned() })
    };
    check_body(Api::Alpaca, 403, vague, Code::ApiBuyingPower, rejected(vague));
    let day = r#"{"code":40310000,"message":"insufficient day trading buying power"}"#;
    check_body(Api::Alpaca, 403, day, Code::ApiBuyingPower, rejected(day));
    let shares = r#"{"code":40310000,"message":"insufficient qty available for order (requested: 2, available: 0)"}"#;
    check_body(Api::Alpaca, 403, shares, Code::ApiForbidden, rejected(shares));
    let twice = r#"{"code":40010001,"message":"client_order_id must be unique"}"#;
    check_body(Api::Alpaca, 422, twice, Code::ApiDuplicate, rejected(twice));
    let wrong = r#"{"code":"40010001","message":"limit price must be > 0"}"#;
    check_body(Api::Alpaca, 422, wrong, Code::ApiRefused, rejected(wrong));
    check_body(Api::Alpaca, 403, "forbidden", Code::ApiForbidden, None);
    // The same words from others mean nothing: their 403 is the plan.
    check_body(Api::Quiver, 403, vague, Code::ApiForbidden, None);
    check_body(Api::MarketData, 403, vague, Code::ApiForbidden, None);
    check_body(Api::Quiver, 422, twice, Code::ApiRefused, None);
}

#[test]
fn a_body_does_not_change_what_is_unknown() {
    let poor = r#"{"code":40310000,"message":"insufficient buying power"}"#;
    let error = ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", 504).body(poor);
    assert_eq!((error.class(), error.code()), (Class::Unknown, Code::ApiOutcomeUnknown));
}

#[test]
fn transport_errors_tell_how_far_the_request_came() {
    let failed = |kind| ApiError::transport(Api::Alpaca, Method::Post, "/v2/orders", io::Error::from(kind));
    assert_eq!(failed(io::ErrorKind::ConnectionRefused).class(), Class::Transient);
    assert_eq!(failed(io::ErrorKind::TimedOut).class(), Class::Unknown);
    assert_eq!(failed(io::ErrorKind::ConnectionReset).class(), Class::Unknown);
    // What can strike while the answer is read: sent again, it could buy twice.
    for kind in [
        io::ErrorKind::Interrupted,
        io::ErrorKind::OutOfMemory,
        io::ErrorKind::ResourceBusy,
        io::ErrorKind::ExecutableFileBusy,
        io::ErrorKind::InvalidData,
        io::ErrorKind::InvalidInput,
        io::ErrorKind::StorageFull,
    ] {
        assert_eq!((failed(kind).class(), failed(kind).code()), (Class::Unknown, Code::ApiOutcomeUnknown), "{kind}");
    }
    for kind in [io::ErrorKind::NotFound, io::ErrorKind::AddrNotAvailable, io::ErrorKind::Unsupported] {
        assert_eq!(failed(kind).class(), Class::Permanent, "{kind}");
    }
    // A read may be repeated, unless that cannot help.
    let read = |kind| ApiError::transport(Api::Alpaca, Method::Get, "/v2/clock", io::Error::from(kind)).class();
    assert_eq!(read(io::ErrorKind::Interrupted), Class::Transient);
    assert_eq!(read(io::ErrorKind::InvalidData), Class::Permanent);
    let denied = failed(io::ErrorKind::PermissionDenied);
    assert_eq!((denied.class(), denied.code()), (Class::Permanent, Code::ApiRefused));
    assert_eq!(denied.to_string(), "alpaca POST /v2/orders cannot be sent");
}

#[test]
fn a_body_becomes_one_bounded_line() {
    let excerpt = |body: &str| ApiError::answered(Api::Quiver, Method::Get, "/", 404).body(body).body_excerpt;
    assert_eq!(excerpt(""), None);
    assert_eq!(excerpt(" \r\n\0 "), None);
    assert_eq!(excerpt("<h1>\n  Not\u{1b}[31m found\n</h1>"), Some("<h1> Not [31m found </h1>".to_owned()));
    assert_eq!(excerpt(&"x".repeat(509)), Some("x".repeat(509)));
    assert_eq!(excerpt(&"x".repeat(513)), Some("x".repeat(509) + "…"));
    assert_eq!(
        excerpt("sent with APCA-API-SECRET-KEY: hush"),
        Some("sent with APCA-API-SECRET-KEY: [redacted]".to_owned())
    );
    let body = format!(r#"{{"code":"{}"}}"#, "x".repeat(600));
    let code = ApiError::answered(Api::Alpaca, Method::Get, "/", 422).body(&body).body_code.expect("there is one");
    assert_eq!(*code, *("x".repeat(509) + "…"));
}

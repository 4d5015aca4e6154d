//! Each error: class, code, text and JSON.

use std::collections::HashSet;
use std::error::Error as _;
use std::io;
use std::time::Duration;

use chrono::DateTime;
use rust_decimal::Decimal;
use trading_resilience::{Api, ApiError, Class, Classify, Code, Error, Method, TradingError, ValidationError};

const TOLD: Class = Class::RateLimited { retry_after: Some(Duration::from_secs(30)) };

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
    assert_eq!(busy(Method::Post).class(), Class::Unknown);
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

#[test]
fn a_body_becomes_one_bounded_line() {
    let excerpt = |body: &str| ApiError::answered(Api::Quiver, Method::Get, "/", 404).body(body).body_excerpt;
    assert_eq!(excerpt(""), None);
    assert_eq!(excerpt(" \r\n\0 "), None);
    assert_eq!(excerpt("<h1>\n  Not\u{1b}[31m found\n</h1>"), Some("<h1> Not [31m found </h1>".to_owned()));
    assert_eq!(excerpt(&"é".repeat(200)), Some("é".repeat(200)));
    assert_eq!(excerpt(&"é".repeat(201)), Some("é".repeat(200) + "…"));
    assert_eq!(excerpt(&format!("{} tail", "x".repeat(199))), Some("x".repeat(199) + " …"));
}

fn validation(found: Option<&str>) -> ValidationError {
    ValidationError {
        field: "order.quantity".to_owned(),
        rule: "be above zero".to_owned(),
        found: found.map(str::to_owned),
    }
}

/// One of every code, with its whole text and JSON.
fn every() -> Vec<(Error, &'static str, &'static str)> {
    let answered = |status| ApiError::answered(Api::Alpaca, Method::Get, "/v2/clock", status);
    vec![
        (
            ApiError::answered(Api::Quiver, Method::Get, "/beta/x", 429).retry_after(Duration::from_secs(30)).into(),
            "quiver GET /beta/x answered 429",
            r#"{"code":"API_RATE_LIMITED","class":"rate_limited","message":"quiver GET /beta/x answered 429","details":{"api":"quiver","method":"GET","endpoint":"/beta/x","status":429,"retry_after_ms":30000,"body_excerpt":null}}"#,
        ),
        (
            ApiError::not_sent(Api::MarketData, Method::Get, "/v2/stocks", io::Error::other("no route")).into(),
            "market_data GET /v2/stocks could not be sent",
            r#"{"code":"API_UNAVAILABLE","class":"transient","message":"market_data GET /v2/stocks could not be sent","details":{"api":"market_data","method":"GET","endpoint":"/v2/stocks","status":null,"retry_after_ms":null,"body_excerpt":null},"causes":["no route"]}"#,
        ),
        (
            ApiError::no_answer(Api::Alpaca, Method::Post, "/v2/orders", "timed out").into(),
            "alpaca POST /v2/orders got no answer",
            r#"{"code":"API_OUTCOME_UNKNOWN","class":"unknown","message":"alpaca POST /v2/orders got no answer","details":{"api":"alpaca","method":"POST","endpoint":"/v2/orders","status":null,"retry_after_ms":null,"body_excerpt":null},"causes":["timed out"]}"#,
        ),
        (
            answered(401).into(),
            "alpaca GET /v2/clock answered 401",
            r#"{"code":"API_UNAUTHORIZED","class":"permanent","message":"alpaca GET /v2/clock answered 401","details":{"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":401,"retry_after_ms":null,"body_excerpt":null}}"#,
        ),
        (
            answered(403).body("{\"code\":40310000}").into(),
            "alpaca GET /v2/clock answered 403: {\"code\":40310000}",
            r#"{"code":"API_FORBIDDEN","class":"permanent","message":"alpaca GET /v2/clock answered 403: {\"code\":40310000}","details":{"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":403,"retry_after_ms":null,"body_excerpt":"{\"code\":40310000}"}}"#,
        ),
        (
            answered(404).into(),
            "alpaca GET /v2/clock answered 404",
            r#"{"code":"API_NOT_FOUND","class":"permanent","message":"alpaca GET /v2/clock answered 404","details":{"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":404,"retry_after_ms":null,"body_excerpt":null}}"#,
        ),
        (
            answered(422).into(),
            "alpaca GET /v2/clock answered 422",
            r#"{"code":"API_REFUSED","class":"permanent","message":"alpaca GET /v2/clock answered 422","details":{"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":422,"retry_after_ms":null,"body_excerpt":null}}"#,
        ),
        (
            answered(200).caused_by("not JSON").into(),
            "alpaca GET /v2/clock answered 200",
            r#"{"code":"API_UNREADABLE","class":"permanent","message":"alpaca GET /v2/clock answered 200","details":{"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":200,"retry_after_ms":null,"body_excerpt":null},"causes":["not JSON"]}"#,
        ),
        (
            TradingError::InsufficientFunds { required: Decimal::new(10_050, 2), available: Decimal::new(20, 0) }
                .into(),
            "insufficient funds: 100.50 required, 20 available",
            r#"{"code":"TRADING_INSUFFICIENT_FUNDS","class":"permanent","message":"insufficient funds: 100.50 required, 20 available","details":{"required":"100.50","available":"20"}}"#,
        ),
        (
            TradingError::MarketClosed { next_open: DateTime::from_timestamp(1_795_444_200, 0) }.into(),
            "market is closed until 2026-11-23T14:30:00Z",
            r#"{"code":"TRADING_MARKET_CLOSED","class":"permanent","message":"market is closed until 2026-11-23T14:30:00Z","details":{"next_open":"2026-11-23T14:30:00Z"}}"#,
        ),
        (
            TradingError::OrderRejected { code: "40310000".to_owned(), reason: "wash trade".to_owned() }.into(),
            "order rejected by the broker: wash trade (code 40310000)",
            r#"{"code":"TRADING_ORDER_REJECTED","class":"permanent","message":"order rejected by the broker: wash trade (code 40310000)","details":{"broker_code":"40310000","reason":"wash trade"}}"#,
        ),
        (
            validation(Some("-3")).into(),
            "order.quantity must be above zero, found \"-3\"",
            r#"{"code":"VALIDATION_FAILED","class":"permanent","message":"order.quantity must be above zero, found \"-3\"","details":{"field":"order.quantity","rule":"be above zero","found":"-3"}}"#,
        ),
    ]
}

#[test]
fn every_error_renders() {
    for (error, text, json) in every() {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.to_json().to_string(), json);
    }
}

#[test]
fn every_code_is_produced_and_unlike_the_others() {
    let produced: Vec<Code> = every().iter().map(|(error, ..)| error.code()).collect();
    assert_eq!(produced, Code::ALL);
    let names: HashSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len());
}

#[test]
fn the_readme_lists_the_codes() {
    let listed: Vec<&str> = include_str!("../../README.md")
        .lines()
        .skip_while(|line| *line != "## Codes")
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(code, _)| code)
        .collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, codes);
}

#[test]
fn what_must_not_be_shown_is_not() {
    assert_eq!(validation(None).to_string(), "order.quantity must be above zero");
}

#[test]
fn context_keeps_its_order_and_its_last_values() {
    let error = Error::from(validation(None)).with("agent_id", "nancy").with("attempt", 1).with("agent_id", "josh");
    assert_eq!(error.context().collect::<Vec<_>>(), [("agent_id", "josh"), ("attempt", "1")]);
    assert_eq!(error.to_json()["context"].to_string(), r#"{"agent_id":"josh","attempt":"1"}"#);
    assert_eq!(error.to_string(), "order.quantity must be above zero");
}

#[test]
fn causes_go_down_to_the_root() {
    let connect = ApiError::not_sent(Api::Alpaca, Method::Get, "/v2/clock", io::Error::other("no route"));
    let outer = Error::from(ApiError::no_answer(Api::Quiver, Method::Get, "/beta", connect));
    assert_eq!(outer.source().expect("a cause").to_string(), "alpaca GET /v2/clock could not be sent");
    assert_eq!(outer.to_json()["causes"].to_string(), r#"["alpaca GET /v2/clock could not be sent","no route"]"#);
}

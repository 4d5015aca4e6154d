//! Each error: code, text, JSON and line.

use std::collections::HashSet;
use std::error::Error as _;
use std::io;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use trading_resilience::{
    AgentError, Api, ApiError, Class, Classify, Code, ConfigurationError, DataError, DatabaseError, Error,
    InvalidTicker, Method, PositionError, Refusal, SchedulingError, Severity, TimedOut, TradingError, ValidationError,
    retry,
};

/// One of every code: its text, severity, class, details and causes.
fn every() -> Vec<(Error, &'static str, &'static str)> {
    let mut all = of_apis();
    all.extend(of_trading());
    all.extend(of_the_house());
    all
}

fn of_apis() -> Vec<(Error, &'static str, &'static str)> {
    let answered = |status| ApiError::answered(Api::Alpaca, Method::Get, "/v2/clock", status);
    let order = |status| ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", status);
    vec![
        (
            ApiError::answered(Api::Quiver, Method::Get, "/beta/x", 429).retry_after(Duration::from_secs(30)).into(),
            "quiver GET /beta/x answered 429",
            r#"warning rate_limited {"api":"quiver","method":"GET","endpoint":"/beta/x","status":429,"retry_after_ms":30000,"body_code":null,"body_excerpt":null} null"#,
        ),
        (
            ApiError::not_sent(Api::MarketData, Method::Get, "/v2/stocks", io::Error::other("no route")).into(),
            "market_data GET /v2/stocks could not be sent",
            r#"warning transient {"api":"market_data","method":"GET","endpoint":"/v2/stocks","status":null,"retry_after_ms":null,"body_code":null,"body_excerpt":null} ["no route"]"#,
        ),
        (
            ApiError::no_answer(Api::Alpaca, Method::Post, "/v2/orders", "timed out").into(),
            "alpaca POST /v2/orders got no answer",
            r#"critical unknown {"api":"alpaca","method":"POST","endpoint":"/v2/orders","status":null,"retry_after_ms":null,"body_code":null,"body_excerpt":null} ["timed out"]"#,
        ),
        (
            answered(401).into(),
            "alpaca GET /v2/clock answered 401",
            r#"critical permanent {"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":401,"retry_after_ms":null,"body_code":null,"body_excerpt":null} null"#,
        ),
        (
            order(403).body(r#"{"code":40310000,"message":"insufficient buying power"}"#).into(),
            r#"alpaca POST /v2/orders answered 403: {"code":40310000,"message":"insufficient buying power"}"#,
            r#"warning permanent {"api":"alpaca","method":"POST","endpoint":"/v2/orders","status":403,"retry_after_ms":null,"body_code":"40310000","body_excerpt":"{\"code\":40310000,\"message\":\"insufficient buying power\"}"} null"#,
        ),
        (
            ApiError::answered(Api::Quiver, Method::Get, "/beta/bulk", 403).body("upgrade").into(),
            "quiver GET /beta/bulk answered 403: upgrade",
            r#"error permanent {"api":"quiver","method":"GET","endpoint":"/beta/bulk","status":403,"retry_after_ms":null,"body_code":null,"body_excerpt":"upgrade"} null"#,
        ),
        (
            answered(404).into(),
            "alpaca GET /v2/clock answered 404",
            r#"warning permanent {"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":404,"retry_after_ms":null,"body_code":null,"body_excerpt":null} null"#,
        ),
        (
            order(422).body(r#"{"message":"client_order_id must be unique"}"#).into(),
            r#"alpaca POST /v2/orders answered 422: {"message":"client_order_id must be unique"}"#,
            r#"warning permanent {"api":"alpaca","method":"POST","endpoint":"/v2/orders","status":422,"retry_after_ms":null,"body_code":null,"body_excerpt":"{\"message\":\"client_order_id must be unique\"}"} null"#,
        ),
        (
            answered(422).into(),
            "alpaca GET /v2/clock answered 422",
            r#"error permanent {"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":422,"retry_after_ms":null,"body_code":null,"body_excerpt":null} null"#,
        ),
        (
            answered(200).caused_by("not JSON").into(),
            "alpaca GET /v2/clock answered 200",
            r#"error permanent {"api":"alpaca","method":"GET","endpoint":"/v2/clock","status":200,"retry_after_ms":null,"body_code":null,"body_excerpt":null} ["not JSON"]"#,
        ),
    ]
}

fn of_trading() -> Vec<(Error, &'static str, &'static str)> {
    let opens = DateTime::from_timestamp(1_795_444_200, 0).expect("a time");
    let (agent_id, ticker) = ("nancy".to_owned(), "NVDA".to_owned());
    vec![
        (
            TradingError::InsufficientFunds { required: Decimal::new(10_050, 2), available: Decimal::new(20, 0) }
                .into(),
            "insufficient funds: 100.50 required, 20 available",
            r#"warning permanent {"required":"100.50","available":"20"} null"#,
        ),
        (
            TradingError::MarketClosed { next_open: Some(opens) }.into(),
            "market is closed until 2026-11-23T14:30:00Z",
            r#"info permanent {"next_open":"2026-11-23T14:30:00Z"} null"#,
        ),
        (
            TradingError::OrderRejected { code: "40310000".to_owned(), reason: "wash trade".to_owned() }.into(),
            "order rejected by the broker: wash trade (code 40310000)",
            r#"error permanent {"broker_code":"40310000","reason":"wash trade"} null"#,
        ),
        (
            AgentError::new("nancy", "daily run", TimedOut { limit: Duration::from_secs(5) }).into(),
            "agent nancy: daily run failed",
            r#"error unknown {"agent_id":"nancy","operation":"daily run"} ["no result within 5s"]"#,
        ),
        (
            PositionError::Insufficient {
                agent_id,
                ticker: ticker.clone(),
                wanted: Decimal::new(3, 0),
                held: Decimal::new(15, 1),
            }
            .into(),
            "agent nancy cannot sell 3 of NVDA, it holds 1.5",
            r#"error permanent {"agent_id":"nancy","ticker":"NVDA","wanted":"3","held":"1.5"} null"#,
        ),
        (
            PositionError::Mismatch { ticker, recorded: Decimal::new(3, 0), at_broker: Decimal::new(4, 0) }.into(),
            "position NVDA: 3 recorded, 4 at the broker",
            r#"critical permanent {"ticker":"NVDA","recorded":"3","at_broker":"4"} null"#,
        ),
        (
            SchedulingError::Missed { job: "daily run".to_owned(), due: opens, noticed: opens + TimeDelta::hours(1) }
                .into(),
            "job daily run was due at 2026-11-23T14:30:00Z and not started by 2026-11-23T15:30:00Z",
            r#"error permanent {"job":"daily run","due":"2026-11-23T14:30:00Z","noticed":"2026-11-23T15:30:00Z"} null"#,
        ),
        (
            SchedulingError::Overlap { job: "daily run".to_owned(), running_since: opens }.into(),
            "job daily run was due while it was running since 2026-11-23T14:30:00Z",
            r#"warning transient {"job":"daily run","running_since":"2026-11-23T14:30:00Z"} null"#,
        ),
    ]
}

fn of_the_house() -> Vec<(Error, &'static str, &'static str)> {
    let wait = Duration::from_millis(1_500);
    vec![
        (
            ValidationError::new("order.quantity", "be above zero", "-3").into(),
            "order.quantity must be above zero, found \"-3\"",
            r#"error permanent {"field":"order.quantity","rule":"be above zero","found":"-3"} null"#,
        ),
        (
            InvalidTicker::new("nv da\n", "be 1 to 12 capital letters").into(),
            "a ticker must be 1 to 12 capital letters, found \"nv da\"",
            r#"warning permanent {"found":"nv da","rule":"be 1 to 12 capital letters"} null"#,
        ),
        (
            DataError::new("quiver live/congresstrading", "parse amounts", 2, 40).caused_by("no number: REAL").into(),
            "quiver live/congresstrading: parse amounts dropped 2 of 40 records",
            r#"error permanent {"origin":"quiver live/congresstrading","step":"parse amounts","dropped":2,"total":40} ["no number: REAL"]"#,
        ),
        (
            ConfigurationError::new("api.alpaca.key", "be set").caused_by("1 fault").into(),
            "setting api.alpaca.key must be set",
            r#"critical permanent {"setting":"api.alpaca.key","rule":"be set"} ["1 fault"]"#,
        ),
        (
            DatabaseError::new("insert trade", io::Error::from(io::ErrorKind::StorageFull)).into(),
            "database: insert trade failed",
            r#"error permanent {"operation":"insert trade"} ["no storage space"]"#,
        ),
        (
            DatabaseError::new("insert trade", io::Error::other("fsync")).into(),
            "database: insert trade failed",
            r#"critical unknown {"operation":"insert trade"} ["fsync"]"#,
        ),
        (TimedOut { limit: wait }.into(), "no result within 1.5s", r#"error unknown {"limit_ms":1500} null"#),
        (
            Refusal::QuotaSpent { come_back_after: wait }.into(),
            "rate limit reached, come back in 1.5s",
            r#"warning rate_limited {"come_back_after_ms":1500} null"#,
        ),
        (
            Refusal::CircuitOpen { come_back_after: Some(wait) }.into(),
            "circuit open, come back in 1.5s",
            r#"error rate_limited {"come_back_after_ms":1500} null"#,
        ),
        (
            Refusal::Full { calls_max: 4 }.into(),
            "4 calls are under way, which is the limit",
            r#"warning transient {"calls_max":4} null"#,
        ),
    ]
}

#[test]
fn every_error_renders() {
    let time = DateTime::from_timestamp(1_795_392_000, 0).expect("a time");
    for (error, text, rendered) in every() {
        let error = error.at(time);
        assert_eq!(error.to_string(), text);
        let json = error.to_json();
        let keys: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = ["code", "severity", "class", "time", "message", "details", "causes"];
        assert_eq!(keys, expected.get(..keys.len()).expect("no other keys"));
        assert_eq!((json["code"].as_str(), json["message"].as_str()), (Some(error.code().as_str()), Some(text)));
        assert_eq!(json["time"], "2026-11-23T00:00:00Z");
        let word = |key: &str| json[key].as_str().expect("a word").to_owned();
        let found = format!(
            "{} {} {} {}",
            word("severity"),
            word("class"),
            json["details"],
            json.get("causes").unwrap_or(&serde_json::Value::Null)
        );
        assert_eq!(found, rendered, "{text}");
        assert!(error.report().starts_with(&format!("{}: {text}", error.code())), "{}", error.report());
    }
}

#[test]
fn variants_without_their_option_render_too() {
    let closed = Error::from(TradingError::MarketClosed { next_open: None });
    assert_eq!(
        (closed.to_string().as_str(), closed.to_json()["details"].to_string().as_str()),
        ("market is closed", r#"{"next_open":null}"#)
    );
    let held = Error::from(Refusal::CircuitOpen { come_back_after: None });
    assert_eq!((held.to_string().as_str(), held.class()), ("circuit held open", Class::Permanent));
    assert_eq!(held.to_json()["details"].to_string(), r#"{"come_back_after_ms":null}"#);
    let missing = ValidationError::missing("order.quantity", "be above zero");
    assert_eq!(missing.to_string(), "order.quantity must be above zero");
    assert_eq!(Error::from(DataError::new("file", "read", 0, 0)).to_json().get("causes"), None);
    assert_eq!(Error::from(ConfigurationError::new("a", "be set")).to_json().get("causes"), None);
}

#[test]
fn every_code_is_produced_and_unlike_the_others() {
    let produced: Vec<Code> = every().iter().map(|(error, ..)| error.code()).collect();
    assert_eq!(produced, Code::ALL);
    let names: HashSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len());
}

#[test]
fn the_readme_lists_the_codes_with_severity_and_class() {
    let table = include_str!("../../README.md")
        .lines()
        .skip_while(|line| *line != "## Codes")
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    let mut classes: Vec<(String, String, Vec<&'static str>)> = Vec::new();
    for line in table.filter(|line| line.starts_with("| `")) {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let class = ["transient", "rate_limited", "unknown", "permanent"];
        let class = class.into_iter().filter(|class| cells[3].contains(class)).collect();
        classes.push((cells[1].clone(), cells[2].clone(), class));
    }
    let listed: Vec<(&str, &str)> =
        classes.iter().map(|(code, severity, _)| (code.as_str(), severity.as_str())).collect();
    let codes: Vec<(&str, &str)> = Code::ALL.iter().map(|code| (code.as_str(), code.severity().as_str())).collect();
    assert_eq!(listed, codes);
    for ((error, ..), (code, _, classes)) in every().iter().zip(&classes) {
        assert!(classes.contains(&error.class().as_str()), "{code} can be {}", error.class());
    }
}

#[test]
fn severities_are_ordered() {
    let all = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical];
    assert!(all.is_sorted());
    assert_eq!(all.map(|severity| severity.to_string()), ["info", "warning", "error", "critical"]);
}

fn validation() -> Error {
    ValidationError::missing("order.quantity", "be above zero").into()
}

#[test]
fn context_keeps_its_order_and_its_last_values() {
    let error = validation().with("agent_id", "nancy").with("attempt", 1).with("agent_id", "josh");
    assert_eq!(error.context().collect::<Vec<_>>(), [("agent_id", "josh"), ("attempt", "1")]);
    assert_eq!(error.to_json()["context"].to_string(), r#"{"agent_id":"josh","attempt":"1"}"#);
    assert_eq!(error.to_string(), "order.quantity must be above zero");
    assert_eq!(error.report(), "VALIDATION_FAILED: order.quantity must be above zero (agent_id=josh, attempt=1)");
}

const KEYS: [&str; 18] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"];

#[test]
fn context_is_bounded() {
    let fill = |count: usize| KEYS.iter().take(count).fold(validation(), |error, key| error.with(key, key));
    assert_eq!((fill(16).context().count(), fill(16).to_json().get("context_dropped")), (16, None));
    assert_eq!((fill(18).context().count(), fill(18).to_json()["context_dropped"].as_u64()), (16, Some(2)));
    // A key that is there can still take a new value.
    assert_eq!(fill(18).with("a", "new").context().next(), Some(("a", "new")));
}

#[test]
fn causes_go_down_to_the_root() {
    let connect = ApiError::not_sent(Api::Alpaca, Method::Get, "/v2/clock", io::Error::other("no route"));
    let outer = Error::from(ApiError::no_answer(Api::Quiver, Method::Get, "/beta", connect));
    assert_eq!(outer.source().expect("a cause").to_string(), "alpaca GET /v2/clock could not be sent");
    assert_eq!(outer.to_json()["causes"].to_string(), r#"["alpaca GET /v2/clock could not be sent","no route"]"#);
    assert_eq!(
        outer.report(),
        "API_UNAVAILABLE: quiver GET /beta got no answer: alpaca GET /v2/clock could not be sent: no route"
    );
}

/// An error that repeats its cause, as many do.
#[derive(Debug)]
struct Repeats(Option<Box<Repeats>>);

impl std::fmt::Display for Repeats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(cause) => write!(f, "failed: {cause}"),
            None => f.write_str("token=hush"),
        }
    }
}

impl std::error::Error for Repeats {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|cause| cause as _)
    }
}

#[test]
fn causes_are_not_repeated_after_others_either() {
    let again = ConfigurationError::new("a", "be set");
    let other = ConfigurationError::new("b", "be set").caused_by(again);
    let error = Error::from(ConfigurationError::new("a", "be set").caused_by(other));
    assert_eq!(error.report(), "CONFIGURATION_INVALID: setting a must be set: setting b must be set");
}

#[test]
fn causes_are_not_repeated() {
    let cause = Repeats(Some(Box::new(Repeats(Some(Box::new(Repeats(None)))))));
    let error = Error::from(DataError::new("file", "read", 1, 1).caused_by(cause));
    assert_eq!(
        error.report(),
        "DATA_PROCESSING_FAILED: file: read dropped 1 of 1 records: failed: failed: token=[redacted]"
    );
    assert_eq!(error.to_json()["causes"].to_string(), r#"["failed: failed: token=[redacted]"]"#);
}

#[test]
fn a_cause_that_is_a_word_of_the_text_before_it_is_no_repetition() {
    let report = |error: ApiError| Error::from(error).report();
    let not_sent = |cause: &str| report(ApiError::not_sent(Api::Alpaca, Method::Get, "/v2/clock", cause));
    assert_eq!(not_sent("sent"), "API_UNAVAILABLE: alpaca GET /v2/clock could not be sent: sent");
    assert_eq!(not_sent("alpaca"), "API_UNAVAILABLE: alpaca GET /v2/clock could not be sent: alpaca");
    let said = "alpaca GET /v2/clock could not be sent";
    for empty_or_equal in ["", said] {
        assert_eq!(not_sent(empty_or_equal), format!("API_UNAVAILABLE: {said}"));
    }
    let answered =
        |body: &str| report(ApiError::answered(Api::Quiver, Method::Get, "/", 404).body(body).caused_by("gone"));
    assert_eq!(answered("lost (gone)"), "API_NOT_FOUND: quiver GET / answered 404: lost (gone)");
    assert_eq!(answered("bygone: away"), "API_NOT_FOUND: quiver GET / answered 404: bygone: away: gone");
    assert_eq!(answered("lost: gone away"), "API_NOT_FOUND: quiver GET / answered 404: lost: gone away: gone");
}

#[test]
fn an_agents_error_says_when_to_come_back() {
    let busy = || ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", 503).retry_after(Duration::from_secs(7));
    let error = AgentError::new("nancy", "daily run", busy());
    assert_eq!((error.class(), error.come_back_after()), (Class::Unknown, Some(Duration::from_secs(7))));
    assert_eq!(Error::from(error).come_back_after(), Some(Duration::from_secs(7)));
}

#[test]
fn secrets_are_in_no_rendering() {
    let hush = "hush-1234567890";
    let address = format!("https://me:{hush}@host/x?token={hush}");
    let errors: Vec<Error> = vec![
        ApiError::answered(Api::Quiver, Method::Get, &format!("/beta?key={hush}"), 403)
            .body(&format!("Authorization: Bearer {hush}"))
            .caused_by(address.as_str())
            .into(),
        ValidationError::new("alpaca.secret_key", "be shorter", hush).into(),
        ConfigurationError::new("smtp", "be right").caused_by(format!("password={hush}")).into(),
        validation().with("api_key", hush).with("request", &address),
        TradingError::OrderRejected { code: "1".to_owned(), reason: format!("api_key: {hush}") }.into(),
        AgentError::new("nancy", "run", io::Error::other(address.as_str())).into(),
        DatabaseError::new("open", io::Error::other(address.as_str())).into(),
        DataError::new("file", "read", 1, 1).caused_by(address.as_str()).into(),
    ];
    for error in errors {
        // A panic shows `Debug`; a log line has `Display`.
        assert!(!format!("{error:?} {error}").contains(hush), "{error:?}");
        // What carries an error of others, or the words of others, hides it too.
        let alone = format!("{:?}", error.kind());
        assert!(!alone.contains(hush), "{alone}");
        assert!(!error.to_json().to_string().contains(hush), "{}", error.to_json());
        assert!(!error.report().contains(hush), "{}", error.report());
        let redacted = error.to_json().to_string().matches("[redacted]").count();
        assert!(redacted > 0, "nothing was there to redact: {error}");
    }
}

#[test]
fn typed_errors_show_no_secret_alone() {
    let hush = "hush-1234567890";
    let address = format!("https://me:{hush}@host/x?token={hush}");
    let refused = TradingError::OrderRejected { code: "1".to_owned(), reason: format!("Authorization: Bearer {hush}") };
    let both = |error: &dyn std::error::Error| format!("{error} {error:?}");
    let gave_up = retry::API.run(&address, |_| Err::<(), _>(refused.clone())).unwrap_err();
    let shown = [
        format!("{refused} {refused:?}"),
        format!("{gave_up} {gave_up:?}"),
        DataError::new(address.as_str(), "read", 1, 1).to_string(),
        ConfigurationError::new("dsn", format!("not be {address}")).to_string(),
        AgentError::new("nancy", address.as_str(), io::Error::other("x")).to_string(),
        DatabaseError::new(address.as_str(), io::Error::other("x")).to_string(),
        format!("{:?}", Error::from(refused).kind()),
        both(&ValidationError::new("url", format!("not be {address}"), "x")),
        both(&InvalidTicker::new("x", format!("not be {address}"))),
        both(&SchedulingError::Overlap { job: address.clone(), running_since: DateTime::UNIX_EPOCH }),
        both(&PositionError::Mismatch { ticker: address.clone(), recorded: Decimal::ONE, at_broker: Decimal::ZERO }),
    ];
    for text in shown {
        assert!(!text.contains('\n'), "{text}");
        assert!(!text.contains(hush) && text.contains("[redacted]"), "{text}");
    }
    let closed = Error::from(TradingError::MarketClosed { next_open: None });
    assert_eq!(format!("{:?}", closed.kind()), "Trading(market is closed)");
}

#[test]
fn the_json_is_bounded() {
    let long = "\"\\".repeat(100_000);
    let mut cause = Box::<dyn std::error::Error + Send + Sync>::from(long.as_str());
    for number in 0..20 {
        let text = format!("{number}{long}");
        cause = Box::new(DataError::new(text.as_str(), text.as_str(), 1, 1).caused_by(cause));
    }
    let error = ApiError::answered(Api::Alpaca, Method::Post, &long, 403).body(&long).caused_by(cause);
    let error = KEYS.iter().fold(Error::from(error), |error, key| error.with(key, &long));
    let json = error.to_json();
    assert_eq!(json["causes"].as_array().map(Vec::len), Some(8));
    assert!((20_000..32 * 1_024).contains(&json.to_string().len()), "{} bytes", json.to_string().len());
}

#[test]
fn debug_is_a_line() {
    let error = DataError::new("file", "read", 1, 2).caused_by("no number");
    assert_eq!(format!("{error:?}"), "DataError(file: read dropped 1 of 2 records: no number)");
    let address = DataError::new("https://me:hush@host", "read", 1, 2);
    assert_eq!(format!("{address:?}"), "DataError(https://[redacted]@host: read dropped 1 of 2 records)");
    let error = Error::from(error).with("agent_id", "nancy");
    assert_eq!(
        format!("{error:?}"),
        "DATA_PROCESSING_FAILED: file: read dropped 1 of 2 records (agent_id=nancy): no number"
    );
    let long = Error::from(DataError::new("x\n".repeat(1_000), "read", 1, 2)).to_string();
    assert!(long.len() <= 512 && !long.contains('\n'), "{long}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the standard library reads the variable, and the child has it alone")]
fn a_backtrace_is_taken_where_the_environment_asks_for_one() {
    const CHILD: &str = "a_backtrace_is_taken_where_the_environment_asks_for_one";
    if std::env::var_os("RESILIENCE_CHILD").is_some() {
        assert!(validation().backtrace().is_some());
        return;
    }
    let child = |asked: &str| {
        Command::new(std::env::current_exe().expect("it runs"))
            .args(["--exact", &format!("errors::{CHILD}")])
            .env("RESILIENCE_CHILD", "")
            .env("RUST_LIB_BACKTRACE", asked)
            .output()
            .expect("it runs again")
    };
    let (asked, not) = (child("1"), child("0"));
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stdout));
    assert!(!not.status.success(), "{}", String::from_utf8_lossy(&not.stdout));
}

#[test]
fn an_error_knows_when_and_on_demand_where() {
    let before = Utc::now();
    let error = validation();
    assert!((before..=Utc::now()).contains(&error.time()));
    let traced = error.with_backtrace();
    let trace = traced.backtrace().expect("it was asked for").to_string();
    assert!(trace.contains("an_error_knows_when_and_on_demand_where"), "{trace}");
    assert!(!traced.to_json().to_string().contains("backtrace"));
}

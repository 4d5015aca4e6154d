//! Who is told what, over real sockets.

use std::io::Write as _;

use serde_json::{Value, json};
use trading_monitoring::{Check, Error, Outcome, Pages, Part, Phase, Reply as Answer, ServerOptions, Token};

use crate::client::{Fixture, NEVER, Reply, options};

const SECRET: &str = "correct-horse-battery";

fn guarded() -> Fixture {
    let options = ServerOptions {
        token: Some(Token::new(SECRET).unwrap()),
        token_attempts_max: 3,
        address: "0.0.0.0:0".parse().unwrap(),
        ..options()
    };
    let check =
        Check::new("database", || Outcome::unhealthy("the path is /secret/place").detail("path", "/secret/place"));
    let pages = Pages::new("/portfolio")
        .route("", "all of it", |_| Answer::text("/secret/place"))
        .panel("Agents", || Ok(vec![Part::text("/secret/place")]));
    let fixture = Fixture::extended(options, [check.every(NEVER).critical(true)], [pages]);
    fixture.lifecycle.advance(Phase::Running);
    fixture.metrics.counter("secret_place", &[]).increment(1);
    fixture
}

fn ask(fixture: &Fixture, target: &str, header: &str) -> Reply {
    let mut stream = fixture.connect();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: test\r\n{header}Connection: close\r\n\r\n").unwrap();
    Reply::read(stream)
}

#[test]
fn without_the_token_there_are_status_words_and_nothing_else() {
    let fixture = guarded();
    let check = |target: &str, status: u16, body: Value| {
        let reply = fixture.get(target);
        assert_eq!((reply.status, reply.json()), (status, body), "{target}");
    };
    check("/ping", 200, json!({ "message": "pong" }));
    check("/live", 200, json!({ "status": "alive" }));
    check("/ready", 503, json!({ "ready": false, "phase": "running" }));
    check("/health", 503, json!({ "status": "unhealthy" }));
    let needed = json!({ "error": "this needs the token, as `Authorization: Bearer …`" });
    for target in [
        "/health/database",
        "/health/nothing",
        "/metrics",
        "/metrics?format=json",
        "/system",
        "/panels",
        "/transitions",
        "/portfolio",
        "/nowhere",
        "/?format=json",
    ] {
        check(target, 401, needed.clone());
        assert_eq!(fixture.get(target).header("www-authenticate"), Some("Bearer"));
    }
    // The page itself tells nothing: it asks, as anybody does.
    for target in ["/", "/page.js", "/page.css", "/charts.js", "/icon.svg"] {
        let reply = fixture.get(target);
        assert_eq!(reply.status, 200, "{target}");
        assert!(!reply.body.contains("/secret/place"));
    }
    assert_eq!(fixture.ask("POST", "/metrics").status, 401);
}

#[test]
fn with_the_token_everything_is_told() {
    let fixture = guarded();
    let bearer = format!("Authorization: Bearer {SECRET}\r\n");
    for (target, status) in [
        ("/health", 503),
        ("/health/database", 503),
        ("/panels", 200),
        ("/portfolio", 200),
        ("/nowhere", 404),
        ("/system", 200),
    ] {
        let reply = ask(&fixture, target, &bearer);
        assert_eq!(reply.status, status, "{target}");
        let tells = reply.body.contains("/secret/place");
        assert_eq!(tells, !matches!(target, "/nowhere" | "/system"), "{target}: {}", reply.body);
    }
    assert!(ask(&fixture, "/metrics", &bearer).body.contains("secret_place_total 1"));
    for (_, text) in [("options", format!("{:?}", options())), ("server", format!("{:?}", fixture.server))] {
        assert!(!text.contains(SECRET));
    }
}

#[test]
fn a_wrong_token_is_refused_everywhere_without_a_hint_and_only_so_often() {
    let fixture = guarded();
    let wrong = "Authorization: Bearer correct-horse-batterx\r\n";
    let missing = fixture.get("/metrics").body;
    for target in ["/metrics", "/health", "/ping"] {
        let reply = ask(&fixture, target, wrong);
        assert_eq!((reply.status, &reply.body), (401, &missing), "as without one");
    }
    let reply = ask(&fixture, "/metrics", &format!("Authorization: Bearer {SECRET}\r\n"));
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("60")));
    assert_eq!(reply.json(), json!({ "error": "too many wrong tokens: wait a minute" }));
    assert_eq!(fixture.get("/health").status, 503, "who does not guess is answered");
    let counted = "http_requests_total{path=\"/metrics\",status=\"429\"} 1";
    assert!(fixture.metrics.prometheus().contains(counted));
}

#[test]
fn other_machines_need_a_token_or_a_word_that_they_need_none() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let options = ServerOptions::at(address.parse().unwrap());
        let error = options.bind().unwrap_err();
        assert!(matches!(error, Error::Unprotected { .. }), "{error}");
        let expected = format!(
            "refused to listen on {address}: other machines reach it; set a token, or allow it to be unauthenticated"
        );
        assert_eq!(error.to_string(), expected);
    }
    let open = ServerOptions { allow_unauthenticated: true, address: "0.0.0.0:0".parse().unwrap(), ..options() };
    assert_eq!(Fixture::with(open, []).get("/system").status, 200);
    for loopback in ["127.0.0.1:0", "127.0.0.9:0"] {
        drop(ServerOptions::at(loopback.parse().unwrap()).bind().unwrap());
    }
}

#[test]
fn without_a_token_nobody_asks_in_the_name_of_a_domain() {
    let fixture = Fixture::new([]);
    let ask = |host: &str| {
        let mut stream = fixture.connect();
        write!(stream, "GET /system HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        Reply::read(stream).status
    };
    for (host, status) in [("localhost", 200), ("127.0.0.1:8080", 200), ("[::1]", 200), ("rebound.example", 421)] {
        assert_eq!(ask(host), status, "{host}");
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    type Change = fn(&mut ServerOptions);
    let zero = std::time::Duration::ZERO;
    assert_eq!(zero.as_nanos(), 0);
    let changes: [(&str, Change); 9] = [
        ("token_attempts_max", |options| options.token_attempts_max = 0),
        ("connections_max", |options| options.connections_max = 0),
        ("header_timeout", |options| options.header_timeout = Default::default()),
        ("body_timeout", |options| options.body_timeout = Default::default()),
        ("idle_timeout", |options| options.idle_timeout = Default::default()),
        ("write_timeout", |options| options.write_timeout = Default::default()),
        ("connection_lifetime", |options| options.connection_lifetime = Default::default()),
        ("call_timeout", |options| options.call_timeout = Default::default()),
        ("calls_max", |options| options.calls_max = 0),
    ];
    for (name, change) in changes {
        let mut options = options();
        change(&mut options);
        assert_eq!(options.bind().unwrap_err().to_string(), format!("the option `{name}` is above zero"));
    }
}

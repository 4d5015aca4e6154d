//! What a program adds: routes and panels.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use trading_monitoring::{Error, Pages, Part, Reply, Server, ServerOptions};

use crate::client::{Fixture, NEVER, options};

fn quick() -> ServerOptions {
    ServerOptions { call_timeout: Duration::from_millis(200), ..options() }
}

#[test]
fn routes_answer_under_their_prefix_and_are_listed_and_counted() {
    let pages = Pages::new("/portfolio")
        .route("", "the whole", |_| Reply::json(&json!({ "agents": 5 })))
        .route("/positions", "of ?agent=…", |query| match query.get("agent") {
            Some(agent) => Reply::text(format!("none of {agent}")),
            None => Reply::json(&json!({ "error": "say which agent" })).status(400),
        })
        .route("/export", "as CSV", |_| Reply::of("text/csv", "a,b\n"))
        .route("/odd", "a status that is none", |_| Reply::text("").status(99));
    let fixture = Fixture::extended(options(), [], [pages]);
    assert_eq!(fixture.get("/portfolio").json(), json!({ "agents": 5 }));
    let reply = fixture.get("/portfolio/positions?agent=nancy%20pelosi&x=1");
    assert_eq!((reply.status, reply.body.as_str()), (200, "none of nancy pelosi"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    for header in ["cache-control", "x-content-type-options"] {
        assert!(reply.header(header).is_some());
    }
    let reply = fixture.get("/portfolio/positions");
    assert_eq!((reply.status, reply.json()), (400, json!({ "error": "say which agent" })));
    assert_eq!(fixture.get("/portfolio/export").header("content-type"), Some("text/csv"));
    assert_eq!(fixture.ask("HEAD", "/portfolio/export").header("content-length"), Some("4"));
    assert_eq!(fixture.get("/portfolio/odd").status, 500);
    assert_eq!(fixture.ask("POST", "/portfolio").status, 405);
    assert_eq!(fixture.get("/portfolio/").status, 404);
    assert_eq!(fixture.get("/?format=json").json()["endpoints"]["/portfolio/positions"], "of ?agent=…");
    let text = fixture.metrics.prometheus();
    assert!(text.contains("http_requests_total{path=\"/portfolio/positions\",status=\"400\"} 1\n"), "{text}");
}

#[test]
fn a_route_that_hangs_or_panics_fails_alone() {
    let (release, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let pages = Pages::new("/a")
        .route("/hang", "", move |_| {
            drop(hold.lock().map(|hold| hold.recv()));
            Reply::text("")
        })
        .route("/panic", "", |_| panic!("as it was told"));
    let fixture = Fixture::extended(ServerOptions { calls_max: 1, ..quick() }, [], [pages]);
    let reply = fixture.get("/a/panic");
    assert_eq!((reply.status, reply.json()), (503, json!({ "error": "the route panicked" })));
    let slow = json!({ "error": "the route took longer than 200ms" });
    let reply = fixture.get("/a/hang");
    assert_eq!((reply.status, reply.json()), (503, slow.clone()));
    // It hangs still and has the only place; our own pages have no need of one.
    assert_eq!(fixture.get("/a/panic").json(), slow);
    assert_eq!(fixture.get("/health").status, 200);
    drop(release);
    while fixture.get("/a/panic").json() == slow {}
    assert_eq!(fixture.get("/a/panic").json(), json!({ "error": "the route panicked" }));
}

#[test]
fn panels_are_drawn_and_one_that_fails_says_so_in_its_place() {
    let (_release, hold) = mpsc::channel::<()>();
    let hold = Arc::new(Mutex::new(hold));
    let first = Pages::new("/a").panel("Facts", || Ok(vec![Part::facts([("agents", "5")]), Part::text("all")])).panel(
        "Hangs",
        move || {
            drop(hold.lock().map(|hold| hold.recv()));
            Ok(vec![])
        },
    );
    let second = Pages::new("/b")
        .panel("Fails", || Err(std::io::Error::other("no record").into()))
        .panel("Panics", || panic!("as it was told"))
        .panel("Table", || Ok(vec![Part::table(["a", "b"], [["1", "2"]])]));
    let fixture = Fixture::extended(quick(), [], [first, second]);
    for _ in 0..2 {
        assert_eq!(
            fixture.get("/panels").json(),
            json!({ "panels": [
                { "prefix": "/a", "title": "Facts", "parts": [
                    { "kind": "facts", "facts": [["agents", "5"]], "total": 1 },
                    { "kind": "text", "text": "all" },
                ] },
                { "prefix": "/a", "title": "Hangs", "error": "took longer than 200ms" },
                { "prefix": "/b", "title": "Fails", "error": "no record" },
                { "prefix": "/b", "title": "Panics", "error": "panicked" },
                { "prefix": "/b", "title": "Table", "parts": [
                    { "kind": "table", "columns": ["a", "b"], "rows": [["1", "2"]], "total": 1 },
                ] },
            ] })
        );
    }
    // The end waits for none of them.
    let start = Instant::now();
    fixture.server.shutdown(NEVER);
    assert!(start.elapsed() < NEVER / 2);
}

#[test]
fn pages_that_hide_others_are_refused_at_the_start() {
    let fixture = Fixture::new([]);
    let sources = trading_monitoring::Sources {
        metrics: fixture.metrics.clone(),
        health: fixture.health.clone(),
        system: trading_monitoring::System::start(Default::default()).unwrap(),
        lifecycle: fixture.lifecycle.clone(),
        pages: vec![Pages::new("/metrics")],
    };
    let error = Server::start(options(), sources).unwrap_err();
    assert!(matches!(error, Error::InvalidPages { .. }));
    assert_eq!(error.to_string(), "the pages under \"/metrics\" are refused: the path is the server's own");
}

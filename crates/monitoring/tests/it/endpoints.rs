//! Each page: its status, its headers and its keys, which are those that the README promises.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use serde_json::{Value, json};
use trading_monitoring::{Check, Outcome, Phase, Status, UsageLimits};

use crate::client::{Fixture, NEVER, options};

fn fixed(name: &str, status: Status) -> Check {
    Check::new(name, move || Outcome::new(status, "as it was told").detail("rows", 7)).every(NEVER)
}

/// All keys, without those that name components or are a check's own.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        found.insert(key.clone());
        match key.as_str() {
            "endpoints" | "details" => {}
            "history" => value.as_array().into_iter().flatten().for_each(|past| keys(past, found)),
            "components" => {
                value.as_object().into_iter().flatten().for_each(|(_, component)| keys(component, found));
            }
            _ => keys(value, found),
        }
    }
}

/// What the README's table of endpoints says in code style.
fn documented(rows: &[&str]) -> BTreeSet<String> {
    let readme = include_str!("../../README.md");
    let said = rows.iter().flat_map(|row| {
        let line = readme.lines().find(|line| line.starts_with(&format!("| `{row}` |"))).expect("the row is there");
        line.splitn(4, '|').last().unwrap_or_default().split('`').skip(1).step_by(2)
    });
    said.map(str::to_owned).collect()
}

/// Asks for a page; its keys are those of the README's rows, apart from what is said there of values.
#[track_caller]
fn check(fixture: &Fixture, path: &str, status: u16, rows: &[&str], values: &[&str]) -> Value {
    let reply = fixture.get(path);
    assert_eq!(reply.status, status, "{}", reply.body);
    let body = reply.json();
    let mut found = BTreeSet::new();
    keys(&body, &mut found);
    let promised: BTreeSet<String> =
        documented(rows).into_iter().filter(|word| !values.contains(&word.as_str())).collect();
    assert_eq!(found, promised);
    body
}

const PHASES: [&str; 3] = ["starting", "running", "stopping"];
const STATUSES: [&str; 4] = ["healthy", "degraded", "unhealthy", "unknown"];

#[test]
fn the_simple_pages() {
    let fixture = Fixture::new([]);
    let index = check(&fixture, "/?format=json", 200, &["/"], &["?format=json"]);
    assert_eq!(index["endpoints"]["/health/{component}"], "one component and its history");
    assert_eq!(check(&fixture, "/ping", 200, &["/ping"], &["pong"]), json!({ "message": "pong" }));
    assert_eq!(check(&fixture, "/live", 200, &["/live"], &["alive"]), json!({ "status": "alive" }));
}

#[test]
fn every_answer_is_neither_stored_nor_guessed_at() {
    let fixture = Fixture::new([]);
    for path in ["/", "/ping", "/live", "/ready", "/health", "/health/x", "/metrics", "/system", "/nowhere"] {
        let reply = fixture.get(path);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[test]
fn a_healthy_system_says_so() {
    let fixture = Fixture::new([fixed("database", Status::Healthy).critical(true), fixed("disk", Status::Healthy)]);
    let rows = ["/health", "/health/{component}"];
    let only_there = ["history", "time"];
    let body = check(&fixture, "/health", 200, &rows, &[&STATUSES[..], &only_there].concat());
    assert_eq!(body["status"], "healthy");
    let names: Vec<&String> = body["components"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["database", "disk"]);

    let database = check(&fixture, "/health/database", 200, &["/health/{component}"], &[]);
    for (key, expected) in [
        ("name", json!("database")),
        ("status", json!("healthy")),
        ("message", json!("as it was told")),
        ("critical", json!(true)),
        ("details", json!({ "rows": 7 })),
    ] {
        assert_eq!(database[key], expected, "{key}");
    }
    assert!(database["age_ms"].is_u64() && database["duration_ms"].is_u64());
    assert!(database["checked_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_status_code_follows_the_verdict() {
    #[track_caller]
    fn check(status: Status, critical: bool, whole: u16, component: u16, verdict: &str) {
        let fixture = Fixture::new([fixed("some", status).critical(critical)]);
        let reply = fixture.get("/health");
        assert_eq!((reply.status, &reply.json()["status"]), (whole, &json!(verdict)));
        assert_eq!(fixture.get("/health/some").status, component);
    }
    check(Status::Degraded, true, 200, 200, "degraded");
    check(Status::Unhealthy, true, 503, 503, "unhealthy");
    check(Status::Unknown, true, 503, 503, "unhealthy");
    check(Status::Unhealthy, false, 200, 503, "degraded");
}

#[test]
fn it_is_ready_while_it_runs_with_every_critical_check_working() {
    let fixture = Fixture::new([fixed("some", Status::Degraded).critical(true), fixed("other", Status::Unhealthy)]);
    let ready = |status: u16, phase: &str, reasons: Value| {
        let body = check(&fixture, "/ready", status, &["/ready"], &PHASES);
        assert_eq!(body, json!({ "ready": status == 200, "phase": phase, "reasons": reasons }));
    };
    ready(503, "starting", json!(["the program is starting"]));
    fixture.lifecycle.advance(Phase::Running);
    ready(200, "running", json!([]));
    fixture.lifecycle.advance(Phase::Stopping);
    ready(503, "stopping", json!(["the program is stopping"]));
    assert_eq!(fixture.get("/live").status, 200);
}

#[test]
fn it_is_not_ready_with_a_critical_check_that_fails_and_says_which() {
    let fixture = Fixture::new([
        fixed("database", Status::Unhealthy).critical(true),
        fixed("clock", Status::Unknown).critical(true),
    ]);
    fixture.lifecycle.advance(Phase::Running);
    let reply = fixture.get("/ready");
    assert_eq!(reply.status, 503);
    let reasons = ["database is unhealthy: as it was told", "clock is unknown: as it was told"];
    assert_eq!(reply.json()["reasons"], json!(reasons));
    assert_eq!(fixture.get("/live").status, 200);
}

#[test]
fn the_system_page_has_the_figures_of_this_process() {
    let fixture = Fixture::new([]);
    let body = check(&fixture, "/system", 200, &["/system"], &["host", "cgroup", "affinity"]);
    assert_eq!(body["process"]["pid"], std::process::id());
    assert_eq!(body["disk"]["path"], fixture.data_dir.path().to_str().unwrap());
    assert_eq!(body["disk"]["error"], Value::Null);
    for figure in ["/cpu/cores", "/memory/total_bytes", "/disk/total_bytes", "/process/resident_bytes"] {
        assert!(body.pointer(figure).unwrap().as_f64().unwrap() > 0.0, "{figure}");
    }
}

#[test]
fn the_metrics_page_has_the_programs_metrics_and_those_of_the_process() {
    let fixture = Fixture::new([]);
    fixture.metrics.counter("orders", &[("side", "buy")]).increment(2);
    fixture.get("/ping");
    fixture.get("/nowhere?at=all");
    let reply = fixture.get("/metrics");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let has = |line: &str| assert!(reply.body.lines().any(|found| found == line), "{line}\n{}", reply.body);
    has("orders_total{side=\"buy\"} 2");
    has("http_requests_total{path=\"/ping\",status=\"200\"} 1");
    has("http_requests_total{path=\"other\",status=\"404\"} 1");
    has("# TYPE process_resident_memory_bytes gauge");
    has("# HELP system_disk_free_bytes Free space of the data folder's file system.");
    let resident = reply.body.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).unwrap();
    assert!(resident.parse::<f64>().unwrap() > 100_000.0, "{resident}");
}

#[test]
fn head_is_get_without_the_body() {
    let fixture = Fixture::new([fixed("some", Status::Unhealthy).critical(true)]);
    let mut lengths = Vec::new();
    for path in ["/", "/ping", "/live", "/ready", "/nowhere"] {
        let (get, head) = (fixture.get(path), fixture.ask("HEAD", path));
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.body, "", "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        lengths.push(get.header("content-length").unwrap().to_owned());
        assert_eq!(get.body.len().to_string(), *lengths.last().unwrap(), "{path}");
    }
    assert_eq!(fixture.ask("HEAD", "/health").status, 503);
}

#[test]
fn errors_are_json_with_a_sentence() {
    let fixture = Fixture::new([fixed("database", Status::Healthy), fixed("disk", Status::Healthy)]);
    let check = |method: &str, target: &str, status: u16, sentence: &str| {
        let reply = fixture.ask(method, target);
        assert_eq!((reply.status, reply.json()), (status, json!({ "error": sentence })), "{method} {target}");
        reply
    };
    check("GET", "/nowhere", 404, "no such page: /?format=json lists those that there are");
    check("GET", "/ping/", 404, "no such page: /?format=json lists those that there are");
    for unknown in ["nothing", "", "../live", "%64isk", "disk/history", "DISK"] {
        check("GET", &format!("/health/{unknown}"), 404, "no such component: there are database, disk");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let reply = check(method, "/health", 405, "only GET and HEAD are answered");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    }
    check("POST", "/nowhere", 404, "no such page: /?format=json lists those that there are");
}

#[test]
fn a_target_and_a_header_have_a_limit() {
    let mut options = options();
    options.uri_bytes_max = 20;
    options.header_bytes_max = 1_000;
    let fixture = Fixture::with(options, []);
    assert_eq!(fixture.get("/ping?0123456789abcd").status, 200);
    let reply = fixture.get("/ping?0123456789abcde");
    assert_eq!((reply.status, reply.json()), (414, json!({ "error": "a target has 20 bytes at most" })));
    assert_eq!(fixture.ask("GET", &format!("/{}", "x".repeat(1_000))).status, 431);
}

#[test]
fn a_connection_serves_several_requests() {
    let fixture = Fixture::new([]);
    let mut stream = fixture.connect();
    let mut answers = String::new();
    for _ in 0..3 {
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        while answers.matches("pong").count() == 0 {
            let mut part = [0; 512];
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "closed after {answers:?}");
            answers.push_str(std::str::from_utf8(&part[..length]).unwrap());
        }
        answers.clear();
    }
}

#[test]
fn a_disk_and_a_memory_check_are_ready_made() {
    let fixture = Fixture::new([]);
    let system = trading_monitoring::System::start(trading_monitoring::SystemOptions {
        data_dir: fixture.data_dir.path().into(),
        ..Default::default()
    })
    .unwrap();
    let all = UsageLimits { degraded_percent: 101.0, unhealthy_percent: 101.0 };
    let none = UsageLimits { degraded_percent: 0.0, unhealthy_percent: 101.0 };
    let fixture = Fixture::new([Check::disk_space(&system, all), Check::memory(&system, none)]);
    let health = fixture.get("/health").json();
    assert_eq!(health["components"]["disk"]["status"], "healthy");
    assert_eq!(health["components"]["memory"]["status"], "degraded");
    assert!(health["components"]["disk"]["details"]["free_bytes"].is_u64());
}

//! The metrics over HTTP: as text for collectors, as JSON for the page, and what is asked wrongly.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Fixture, NEVER, Reply};

/// What a page of metrics says is what Prometheus' own tool takes. Skipped, with a word, where that is not installed.
#[test]
fn the_metrics_page_is_read_by_promtool() {
    let fixture = Fixture::new([]);
    let nasty = "a\\b \"quoted\"\nand {more}, größe";
    fixture.metrics.describe("orders_total", nasty);
    fixture.metrics.counter("orders", &[("side", nasty), ("9", ""), ("__name__", "up"), ("le", "5")]).increment(2);
    fixture.metrics.record_execution_time(nasty, Duration::from_millis(7));
    fixture.metrics.distribution("answer_bytes", &[]).record(1e12);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -0.0] {
        fixture.metrics.gauge("level", &[("of", value.to_string().as_str())]).set(value);
    }
    let text = fixture.get("/metrics").body;
    let Ok(mut promtool) =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()
    else {
        println!("skipped: promtool is not installed (Debian's package prometheus has it)");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // 3 is for what it would rather have otherwise: a description of each, for example.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}\n{text}");
    let complaints: Vec<&str> = said.lines().filter(|line| !line.ends_with("no help text")).collect();
    assert_eq!(complaints, [""; 0]);
}

#[test]
fn the_metrics_page_is_openmetrics_for_who_asks_for_it() {
    let fixture = Fixture::new([]);
    fixture.metrics.counter("orders", &[("side", "buy")]).increment(2);
    let mut stream = fixture.connect();
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\nConnection: close\r\n\r\n").unwrap();
    let reply = Reply::read(stream);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(kind)));
    assert!(reply.body.contains("# TYPE orders counter\norders_total{side=\"buy\"} 2\n"), "{}", reply.body);
    assert!(reply.body.ends_with("\n# EOF\n"));
    assert!(fixture.get("/metrics?format=openmetrics").body.ends_with("\n# EOF\n"));
}

/// The keys of an object, in their order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

const FIGURES: [&str; 11] =
    ["count", "min", "max", "mean", "latest", "p50", "p95", "p99", "rate", "covers_seconds", "since_start"];

#[test]
fn all_metrics_are_json_for_who_asks_for_it() {
    let fixture = Fixture::new([]);
    fixture.metrics.describe("wait_seconds", "How long orders wait.");
    for millis in 1..=100 {
        fixture.metrics.timing("wait", &[("queue", "orders")]).record(Duration::from_millis(millis));
    }
    let body = fixture.get("/metrics?format=json").json();
    let found = body["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == "wait_seconds").unwrap();
    assert_eq!(keys(found), [&["name", "kind", "unit", "help", "series"][..], &FIGURES].concat());
    for (key, expected) in [
        ("kind", json!("timing")),
        ("unit", json!("seconds")),
        ("help", json!("How long orders wait.")),
        ("series", json!(1)),
        ("count", json!(100)),
        ("min", json!(0.001)),
        ("max", json!(0.1)),
        ("p50", json!(0.05)),
        ("p95", json!(0.095)),
        ("p99", json!(0.099)),
    ] {
        assert_eq!(found[key], expected, "{key}");
    }
    // The README says as much.
    let readme = include_str!("../../README.md");
    for key in keys(found) {
        assert!(readme.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn one_metric_has_the_samples_of_each_series() {
    let fixture = Fixture::new([]);
    let positions = |agent| fixture.metrics.gauge("positions", &[("agent", agent)]);
    positions("pelosi").set(3.0);
    positions("pelosi").set(4.0);
    positions("tuberville").set(f64::NAN);
    let body = fixture.get("/metrics?metric=positions&hours=0.5").json();
    assert_eq!(keys(&body), [&["name", "kind", "unit", "help"][..], &FIGURES, &["series"]].concat());
    let first = &body["series"][0];
    assert_eq!(keys(first), [&["labels"][..], &FIGURES, &["samples"]].concat());
    assert_eq!((&first["labels"], &first["latest"]), (&json!({ "agent": "pelosi" }), &json!(4.0)));
    let samples = first["samples"].as_array().unwrap();
    assert_eq!(samples.iter().map(|sample| &sample[1]).collect::<Vec<_>>(), [3.0, 4.0]);
    assert!(samples[0][0].as_i64().unwrap() > 1_500_000_000_000, "milliseconds since 1970");
    assert_eq!(body["series"][1]["latest"], Value::Null, "no number in JSON");
}

#[test]
fn counters_are_what_they_are_and_the_largest_is_first() {
    let fixture = Fixture::new([]);
    for (agent, orders) in [("a", 1), ("b", 5), ("c", 0), ("d", 7)] {
        let counter = fixture.metrics.counter("orders", &[("agent", agent)]);
        // One without any has no sample either.
        (0..orders).for_each(|_| counter.increment(1));
    }
    let body = fixture.get("/metrics?metric=orders_total").json();
    let told: Vec<_> =
        body["series"].as_array().unwrap().iter().map(|one| (&one["labels"]["agent"], &one["latest"])).collect();
    let expected =
        [("d", 7.0), ("b", 5.0), ("a", 1.0), ("c", 0.0)].map(|(agent, latest)| (json!(agent), json!(latest)));
    assert_eq!(told, expected.iter().map(|(agent, latest)| (agent, latest)).collect::<Vec<_>>());
    assert_eq!((&body["latest"], &body["count"]), (&json!(13.0), &json!(13)));
    for figure in ["min", "max", "mean", "p50", "p95", "p99"] {
        assert_eq!((&body[figure], &body["series"][0][figure]), (&Value::Null, &Value::Null), "{figure} of totals");
    }
}

#[test]
fn reading_adds_no_samples() {
    let fixture = Fixture::new([]);
    let name = "process_resident_memory_bytes";
    for _ in 0..50 {
        fixture.get("/metrics");
        fixture.get(&format!("/metrics?metric={name}"));
    }
    let samples = fixture.metrics.summary(name, NEVER).expect("is there from the start").count;
    // One at the start, one of the sampler's next figures, and one every 15 s.
    assert!((1..=6).contains(&samples), "{samples}");
}

#[test]
fn what_is_asked_wrongly_is_said_so() {
    let fixture = Fixture::new([]);
    let hours = "hours is a number above 0 and at most 8760";
    for (target, status, sentence) in [
        ("/metrics?hours=abc", 400, hours),
        ("/metrics?hours=", 400, hours),
        ("/metrics?format=json&hours=0", 400, hours),
        ("/metrics?format=json&hours=-1", 400, hours),
        ("/metrics?format=json&hours=8761", 400, hours),
        ("/metrics?format=json&hours=inf", 400, hours),
        ("/metrics?format=json&hours=NaN", 400, hours),
        ("/metrics?format=xml", 400, "format is text or json or openmetrics"),
        ("/metrics?metric=metrics_refused_total&format=text", 400, "one metric is told as JSON: format is json"),
        ("/metrics?metric=nothing&format=openmetrics", 400, "one metric is told as JSON: format is json"),
        ("/?format=xml", 400, "format is html or json"),
        ("/metrics?metric=nothing", 404, "no such metric: /metrics?format=json lists those that there are"),
        ("/metrics?metric=../../etc/passwd", 404, "no such metric: /metrics?format=json lists those that there are"),
    ] {
        let reply = fixture.get(target);
        assert_eq!((reply.status, reply.json()), (status, json!({ "error": sentence })), "{target}");
    }
    for well in [
        "/metrics?hours=8760",
        "/metrics?format=json&hours=0.001",
        "/metrics?format=text&unknown=1",
        "/metrics?metric=metrics_refused_total&format=json",
    ] {
        assert_eq!(fixture.get(well).status, 200, "{well}");
    }
}

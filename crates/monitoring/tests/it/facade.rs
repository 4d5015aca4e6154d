//! What libraries record through the façade `metrics`.

use std::sync::mpsc;
use std::time::Duration;

use metrics::Unit;
use trading_monitoring::{Metrics, MetricsOptions};

/// Records through the façade, as a library does that knows nothing of us.
fn recorded(library: impl FnOnce()) -> Metrics {
    let ours = Metrics::default();
    metrics::with_local_recorder(&ours, library);
    ours
}

#[track_caller]
fn has(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.prometheus();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line}\n{text}");
    }
}

#[test]
fn counters_and_gauges_are_ours() {
    let ours = recorded(|| {
        metrics::describe_counter!("pool.created", "Connections that were made.");
        let created = metrics::counter!("pool.created", "pool" => "read");
        created.increment(2);
        created.absolute(7);
        created.absolute(5);
        let open = metrics::gauge!("pool_open", "pool" => "read", "host" => "a\"b");
        open.set(4.0);
        open.increment(1.5);
        open.decrement(3.0);
    });
    has(
        &ours,
        &[
            "# HELP pool_created_total Connections that were made.",
            "pool_created_total{pool=\"read\"} 7",
            "pool_open{host=\"a\\\"b\",pool=\"read\"} 2.5",
        ],
    );
    assert_eq!(ours.counter("pool_created", &[("pool", "read")]).value(), 7, "the same series by its name");
}

#[test]
fn a_histogram_of_time_is_a_timing_in_seconds() {
    let ours = recorded(|| {
        metrics::histogram!("wait_seconds").record(Duration::from_millis(20));
        metrics::describe_histogram!("query", Unit::Milliseconds, "How long a query takes.");
        metrics::histogram!("query", "of" => "a").record_many(2.5, 2);
        for odd in [f64::NAN, -1.0, f64::INFINITY] {
            metrics::histogram!("odd_seconds").record(odd);
        }
    });
    has(
        &ours,
        &[
            "wait_seconds_sum 0.02",
            "# HELP query_seconds How long a query takes.",
            "query_seconds_bucket{of=\"a\",le=\"0.0025\"} 2",
            "query_seconds_sum{of=\"a\"} 0.005",
            "odd_seconds_count 2",
        ],
    );
    let summary = ours.summary("query_seconds", Duration::MAX).expect("was recorded");
    assert_eq!((summary.count, summary.p95), (2, Some(0.0025)));
}

#[test]
fn any_other_histogram_is_a_distribution() {
    let ours = recorded(|| {
        metrics::describe_histogram!("answer", Unit::Bytes, "How large an answer is.");
        metrics::histogram!("answer").record(2_000.0);
        metrics::histogram!("rows").record(7.0);
    });
    has(
        &ours,
        &["# HELP answer How large an answer is.", "answer_bucket{le=\"10000\"} 1", "answer_sum 2000", "rows_sum 7"],
    );
}

#[test]
fn what_a_library_records_is_bounded_too() {
    let ours = Metrics::new(MetricsOptions { series_max: 5, ..MetricsOptions::default() });
    metrics::with_local_recorder(&ours, || {
        for number in 0..1_000_u64 {
            metrics::describe_counter!(format!("of_{number}"), "one of many");
            metrics::counter!("requests", "path" => format!("/{number}")).increment(1);
        }
    });
    has(&ours, &["requests_total{path=\"/1\"} 1", "requests_total{overflow=\"true\"} 998"]);
}

#[test]
fn a_handle_is_used_from_any_thread() {
    let (sender, receiver) = mpsc::channel();
    let ours = recorded(|| drop(sender.send(metrics::counter!("sent"))));
    let handle: metrics::Counter = receiver.recv().expect("was sent");
    std::thread::spawn(move || handle.increment(3)).join().expect("counts");
    has(&ours, &["sent_total 3"]);
}

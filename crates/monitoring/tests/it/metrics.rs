//! The metrics' text, compared whole; their limits; and recording while it is rendered.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use trading_monitoring::{Labels, Metrics, MetricsOptions};

use crate::client::NEVER;

const OWN: &str = "\
# HELP metrics_refused_total Calls that found no series of their own: too many, too long, or a name of another kind.
# TYPE metrics_refused_total counter
metrics_refused_total{reason=\"kind\"} 0
metrics_refused_total{reason=\"series_bytes_max\"} 0
metrics_refused_total{reason=\"series_max\"} 0
";

const THEIRS: &str = r#"# HELP orders_total Orders,\nby \\ side.
# TYPE orders_total counter
orders_total{side="buy"} 5
orders_total{side="sell"} 1
# TYPE huge gauge
huge 1.5e300
# TYPE level gauge
level{of="a"} 0.5
level{of="b"} -3
level{of="c"} NaN
level{of="d"} +Inf
level{of="e"} -Inf
# TYPE tiny gauge
tiny 1e-9
# TYPE execution_time_seconds histogram
execution_time_seconds_bucket{operation="trade_processing",le="0.0001"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.00025"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.0005"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.001"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.0025"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.005"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.01"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.025"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.05"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.1"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.25"} 0
execution_time_seconds_bucket{operation="trade_processing",le="0.5"} 0
execution_time_seconds_bucket{operation="trade_processing",le="1"} 0
execution_time_seconds_bucket{operation="trade_processing",le="2.5"} 1
execution_time_seconds_bucket{operation="trade_processing",le="5"} 2
execution_time_seconds_bucket{operation="trade_processing",le="10"} 2
execution_time_seconds_bucket{operation="trade_processing",le="30"} 2
execution_time_seconds_bucket{operation="trade_processing",le="60"} 2
execution_time_seconds_bucket{operation="trade_processing",le="+Inf"} 2
execution_time_seconds_sum{operation="trade_processing"} 5.001
execution_time_seconds_count{operation="trade_processing"} 2
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.0001"} 0
wait_seconds_bucket{le="0.00025"} 0
wait_seconds_bucket{le="0.0005"} 0
wait_seconds_bucket{le="0.001"} 0
wait_seconds_bucket{le="0.0025"} 0
wait_seconds_bucket{le="0.005"} 0
wait_seconds_bucket{le="0.01"} 0
wait_seconds_bucket{le="0.025"} 0
wait_seconds_bucket{le="0.05"} 0
wait_seconds_bucket{le="0.1"} 0
wait_seconds_bucket{le="0.25"} 0
wait_seconds_bucket{le="0.5"} 0
wait_seconds_bucket{le="1"} 0
wait_seconds_bucket{le="2.5"} 0
wait_seconds_bucket{le="5"} 0
wait_seconds_bucket{le="10"} 0
wait_seconds_bucket{le="30"} 0
wait_seconds_bucket{le="60"} 0
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_sum 61
wait_seconds_count 1
# TYPE answer_bytes histogram
answer_bytes_bucket{of="a",le="1e-6"} 0
answer_bytes_bucket{of="a",le="0.00001"} 0
answer_bytes_bucket{of="a",le="0.0001"} 0
answer_bytes_bucket{of="a",le="0.001"} 0
answer_bytes_bucket{of="a",le="0.01"} 0
answer_bytes_bucket{of="a",le="0.1"} 0
answer_bytes_bucket{of="a",le="1"} 0
answer_bytes_bucket{of="a",le="10"} 0
answer_bytes_bucket{of="a",le="100"} 0
answer_bytes_bucket{of="a",le="1000"} 1
answer_bytes_bucket{of="a",le="10000"} 2
answer_bytes_bucket{of="a",le="100000"} 2
answer_bytes_bucket{of="a",le="1000000"} 2
answer_bytes_bucket{of="a",le="10000000"} 2
answer_bytes_bucket{of="a",le="100000000"} 2
answer_bytes_bucket{of="a",le="1000000000"} 2
answer_bytes_bucket{of="a",le="10000000000"} 2
answer_bytes_bucket{of="a",le="100000000000"} 2
answer_bytes_bucket{of="a",le="+Inf"} 3
answer_bytes_sum{of="a"} 1000000002500
answer_bytes_count{of="a"} 3
"#;

#[test]
fn the_whole_text() {
    let metrics = Metrics::default();
    assert_eq!(metrics.prometheus(), OWN);
    metrics.describe("orders_total", "Orders,\nby \\ side.");
    metrics.counter("orders", &[("side", "sell")]).increment(1);
    let buys = metrics.counter("orders", &[("side", "buy")]);
    buys.increment(2);
    metrics.counter("orders_total", &[("side", "buy")]).increment(3);
    assert_eq!(buys.value(), 5);
    for (name, value) in [("a", 0.5), ("b", -3.0), ("c", f64::NAN), ("d", f64::INFINITY), ("e", -f64::INFINITY)] {
        metrics.gauge("level", &[("of", name)]).set(value);
    }
    metrics.gauge("tiny", &[]).set(1e-9);
    metrics.gauge("huge", &[]).set(1.5e300);
    metrics.record_execution_time("trade_processing", Duration::from_millis(2_500));
    metrics.record_execution_time("trade_processing", Duration::from_millis(2_501));
    metrics.timing("wait", &[]).record(Duration::from_secs(61));
    for bytes in [1_000.0, 1_500.0, 1e12, f64::NAN] {
        metrics.distribution("answer_bytes", &[("of", "a")]).record(bytes);
    }
    assert_eq!(metrics.prometheus(), format!("{OWN}{THEIRS}"));
    // OpenMetrics differs in the name of a counter's family, in what is escaped, and in that it has an end.
    metrics.describe("orders_total", "Orders, by \"side\".");
    let theirs = THEIRS.replace("orders_total Orders,\\nby \\\\ side.", "orders Orders, by \\\"side\\\".");
    let open = format!("{OWN}{theirs}# EOF\n").replace("TYPE orders_total", "TYPE orders");
    let open = ["HELP", "TYPE"].iter().fold(open, |text, word| {
        text.replace(&format!("# {word} metrics_refused_total"), &format!("# {word} metrics_refused"))
    });
    assert_eq!(metrics.open_metrics(), open);
}

#[test]
fn a_gauge_is_set_and_added_to() {
    let gauge = Metrics::default().gauge("positions", &[]);
    gauge.set(3.0);
    gauge.add(1.5);
    gauge.add(-4.0);
    assert_eq!(gauge.value(), 0.5);
}

#[test]
fn labels_may_be_of_a_type_and_are_the_same_in_any_order() {
    struct Order<'a>(&'a str, bool);
    impl Labels for Order<'_> {
        fn each(&self, tell: &mut dyn FnMut(&str, &str)) {
            tell("ticker", self.0);
            tell("filled", if self.1 { "true" } else { "false" });
        }
    }
    let metrics = Metrics::default();
    metrics.counter("orders", &Order("NVDA", true)).increment(1);
    metrics.counter("orders", &[("filled", "true"), ("ticker", "NVDA")]).increment(1);
    assert_eq!(lines(&metrics, "orders_total"), ["orders_total{filled=\"true\",ticker=\"NVDA\"} 2"]);
}

#[test]
fn descriptions_are_bounded_too() {
    let metrics = Metrics::new(MetricsOptions { series_max: 6, series_bytes_max: 30, ..MetricsOptions::default() });
    let described = |name: &str| lines(&metrics, &format!("# HELP {name} ")).concat();
    // One of the six is our own.
    for name in ["a", "b", "c", "d", "e", "f"] {
        metrics.describe(name, format!("what {name} is"));
    }
    metrics.describe("e", "ü".repeat(600));
    for name in ["a", "e", "f"] {
        metrics.gauge(name, &[]).set(1.0);
    }
    assert_eq!(described("a"), "# HELP a what a is");
    assert_eq!(described("e"), format!("# HELP e {}", "ü".repeat(512)), "cut at a character");
    assert_eq!((described("f").as_str(), lines(&metrics, "f ").concat().as_str()), ("", "f 1"));
}

fn lines(metrics: &Metrics, of: &str) -> Vec<String> {
    metrics.prometheus().lines().filter(|line| line.starts_with(of)).map(str::to_owned).collect()
}

#[test]
fn series_too_many_are_added_up_and_counted() {
    let metrics = Metrics::new(MetricsOptions { series_max: 5, ..MetricsOptions::default() });
    for number in 0..10_000_u64 {
        metrics.counter("orders", &[("ticker", number.to_string().as_str())]).increment(1);
        metrics.record_execution_time(&number.to_string(), Duration::ZERO);
    }
    assert_eq!(
        lines(&metrics, "orders_total"),
        ["orders_total{overflow=\"true\"} 9999", "orders_total{ticker=\"0\"} 1"]
    );
    assert_eq!(
        lines(&metrics, "execution_time_seconds_count"),
        ["execution_time_seconds_count{operation=\"0\"} 1", "execution_time_seconds_count{overflow=\"true\"} 9999",]
    );
    // A name without any series has no place for an overflow either.
    metrics.gauge("late", &[]).set(1.0);
    assert_eq!(lines(&metrics, "late"), Vec::<String>::new());
    assert!(
        lines(&metrics, "metrics_refused_total").contains(&"metrics_refused_total{reason=\"series_max\"} 19999".into())
    );
}

#[test]
fn a_series_too_long_is_added_up_and_counted() {
    let metrics = Metrics::new(MetricsOptions { series_bytes_max: 30, ..MetricsOptions::default() });
    // 12 bytes of name, 18 of `ticker="…"`.
    metrics.counter("orders", &[("ticker", "123456789")]).increment(1);
    metrics.counter("orders", &[("ticker", "1234567890")]).increment(2);
    metrics.gauge(&"x".repeat(1_000_000), &[]).set(1.0);
    assert_eq!(
        lines(&metrics, "orders_total"),
        ["orders_total{overflow=\"true\"} 2", "orders_total{ticker=\"123456789\"} 1"]
    );
    assert!(metrics.prometheus().len() < 1_000);
    let refused = "metrics_refused_total{reason=\"series_bytes_max\"} 2".to_owned();
    assert!(lines(&metrics, "metrics_refused_total").contains(&refused));
}

#[test]
fn a_name_is_of_one_kind() {
    let metrics = Metrics::default();
    metrics.counter("orders", &[]).increment(1);
    metrics.gauge("orders_total", &[]).set(7.0);
    // The name of its family in OpenMetrics.
    metrics.gauge("orders", &[]).set(7.0);
    metrics.timing("wait", &[]).record(Duration::ZERO);
    metrics.gauge("wait_seconds_count", &[]).set(7.0);
    metrics.gauge("call_seconds_sum", &[]).set(7.0);
    metrics.timing("call", &[]).record(Duration::ZERO);
    assert_eq!(lines(&metrics, "orders_total"), ["orders_total 1"]);
    assert_eq!(lines(&metrics, "wait_seconds_count"), ["wait_seconds_count 1"]);
    assert_eq!(lines(&metrics, "call_seconds"), ["call_seconds_sum 7"]);
    assert!(lines(&metrics, "metrics_refused_total").contains(&"metrics_refused_total{reason=\"kind\"} 4".into()));
}

#[test]
fn clones_and_handles_share_the_figures() {
    let metrics = Metrics::default();
    let handle = metrics.counter("orders", &[("a", "1"), ("b", "2")]);
    metrics.clone().counter("orders", &[("b", "2"), ("a", "1")]).increment(1);
    handle.clone().increment(1);
    assert_eq!(handle.value(), 2);
    assert_eq!(Metrics::default().counter("orders", &[("a", "1"), ("b", "2")]).value(), 0, "nothing is global");
}

#[test]
fn recording_and_rendering_never_wait_for_each_other_for_ever() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 300;
    let metrics = Metrics::default();
    let (done, finished) = mpsc::channel();
    for thread in 0..THREADS {
        let (metrics, done) = (metrics.clone(), done.clone());
        thread::spawn(move || {
            let handle = metrics.timing("held", &[]);
            for round in 0..ROUNDS {
                // A new series takes the lock for writing, between the rendering of the others.
                let label = (thread * ROUNDS + round).to_string();
                metrics.counter("orders", &[("number", label.as_str())]).increment(1);
                metrics.record_execution_time("trade_processing", Duration::from_micros(round));
                handle.record(Duration::from_micros(round));
                if round % 10 == 0 {
                    assert!(metrics.prometheus().contains("trade_processing"));
                }
            }
            done.send(()).expect("the test waits");
        });
    }
    for _ in 0..THREADS {
        finished.recv_timeout(NEVER).expect("no thread waits for ever");
    }
    let count = THREADS * ROUNDS;
    assert_eq!(lines(&metrics, "held_seconds_count"), [format!("held_seconds_count {count}")]);
    let orders: u64 = lines(&metrics, "orders_total")
        .iter()
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(orders, count, "the overflow included");
}

#[test]
fn what_there_is_can_be_asked() {
    let metrics = Metrics::default();
    metrics.describe("database_file_bytes", "Size of the database file.");
    metrics.gauge("database_file_bytes", &[]).set(7.0);
    metrics.record_trade_execution("nancy_pelosi", "NVDA", true);
    metrics.record_trade_execution("nancy_pelosi", "NVDA", false);
    metrics.record_execution_time("trade_processing", Duration::from_millis(2_500));
    let told: Vec<_> = metrics
        .families()
        .into_iter()
        .filter(|family| !family.name.starts_with("metrics_"))
        .map(|family| {
            format!("{} {} {:?} {} {}", family.name, family.kind.as_str(), family.unit, family.series, family.help)
        })
        .collect();
    assert_eq!(
        told,
        [
            "trade_executions_total counter \"\" 2 ",
            "database_file_bytes gauge \"bytes\" 1 Size of the database file.",
            "execution_time_seconds timing \"seconds\" 1 ",
        ]
    );
    assert_eq!((metrics.series("nothing", Duration::MAX), metrics.summary("nothing", Duration::MAX)), (None, None));
}

#[test]
fn quantiles_reach_back_to_the_start_however_few_samples_are_kept() {
    let metrics = Metrics::new(MetricsOptions { samples_max: 8, ..MetricsOptions::default() });
    let near = |found: f64, exact: f64| assert!((found - exact).abs() <= exact.abs() / 16.0, "{found} for {exact}");
    let summary = |name: &str| metrics.summary(name, Duration::MAX).expect("was recorded");
    for second in 1..=1_000_u32 {
        // Of two series, which are one to the summary.
        let queue = if second % 2 == 0 { "even" } else { "odd" };
        metrics.timing("wait", &[("queue", queue)]).record(Duration::from_secs(second.into()));
        metrics.distribution("profit", &[]).record(f64::from(second) - 900.5);
    }
    let (wait, profit) = (summary("wait_seconds"), summary("profit"));
    assert_eq!((wait.count, wait.p50), (16, Some(992.0)), "the samples are the newest only");
    let (wait, profit) = (wait.since_start.expect("was recorded"), profit.since_start.expect("was recorded"));
    assert_eq!((wait.count, profit.count), (1_000, 1_000));
    for (found, exact) in [(wait.p50, 500.0), (wait.p95, 950.0), (wait.p99, 990.0)] {
        near(found, exact);
    }
    for (found, exact) in [(profit.p50, -400.5), (profit.p95, 49.5), (profit.p99, 89.5)] {
        near(found, exact);
    }
    let small = metrics.distribution("small", &[]);
    [0.0, 0.001, f64::INFINITY].into_iter().for_each(|value| small.record(value));
    let small = summary("small").since_start.expect("was recorded");
    near(small.p50, 0.001);
    assert!((1e11..1e12).contains(&small.p99), "{}", small.p99);
    metrics.gauge("level", &[]).set(1.0);
    assert_eq!(summary("level").since_start, None);
}

#[test]
fn a_timed_operation_is_a_success_or_not() {
    let metrics = Metrics::default();
    let number = |text: &str| metrics.timed("parse", || text.parse::<u32>());
    assert_eq!(number("7"), Ok(7));
    assert!(number("x").is_err());
    let panicking =
        std::panic::AssertUnwindSafe(|| metrics.timed("parse", || -> Result<(), ()> { panic!("expected here") }));
    assert!(std::panic::catch_unwind(panicking).is_err());
    let outcome = |success| metrics.counter("operations", &[("operation", "parse"), ("success", success)]).value();
    assert_eq!((outcome("true"), outcome("false")), (1, 2));
    assert_eq!(metrics.summary("execution_time_seconds", Duration::MAX).expect("is timed").count, 3);
    let timing = metrics.timing("execution_time", &[("operation", "parse")]);
    assert!(timing.quantile(0.5).expect("three were timed") < Duration::from_secs(1));
}

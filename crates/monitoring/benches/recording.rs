//! What recording costs, beside the façade `metrics` with its recorder for Prometheus, in the same run: `cargo bench -p
//! trading-monitoring --bench recording`. Rounds of each take turns, and the median of their ratios counts, for the figures of a
//! machine differ from minute to minute.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use trading_monitoring::{Metrics, Timing};

const CALLS: u32 = 200_000;
const ROUNDS: usize = 41;
const OPERATIONS: [&str; 8] = [
    "trade_processing",
    "fetch_filings",
    "match_politician",
    "size_order",
    "send_order",
    "record_trade",
    "update_positions",
    "daily_performance",
];

fn main() {
    let theirs = PrometheusBuilder::new().build_recorder();
    let upkeep = theirs.handle();
    metrics::set_global_recorder(theirs).expect("the first one");
    let ours = Metrics::default();

    let (handle, facade_handle) =
        (ours.timing("work", &[("of", "a")]), metrics::histogram!("work_seconds", "of" => "a"));
    compare("a handle", &upkeep, || handle.record(duration()), || facade_handle.record(duration()));
    let mut turn = 0;
    let mut next = move || {
        turn = (turn + 1) % OPERATIONS.len();
        black_box(OPERATIONS.get(turn).copied().unwrap_or_default())
    };
    let mut other = next;
    compare(
        "by name",
        &upkeep,
        || ours.record_execution_time(next(), duration()),
        || metrics::histogram!("execution_time_seconds", "operation" => other()).record(duration()),
    );
    let counter = ours.counter("counted", &[]);
    println!("a counter's handle   {:6.1} ns", median(&mut rounds(|| time(|| counter.increment(1)))));
    let gauge = ours.gauge("level", &[]);
    println!("a gauge's handle     {:6.1} ns", median(&mut rounds(|| time(|| gauge.set(1.5)))));

    // Of one program's metrics, and as a control each of its own, which share nothing: so much the machine allows.
    let metrics = [Metrics::default(), Metrics::default()];
    for (which, shared) in [("of the same metrics", true), ("each of its own (control)", false)] {
        let of = |thread: usize| metrics.get(if shared { 0 } else { thread }).expect("one a thread");
        let handles: Vec<Timing> = ["x", "y"]
            .into_iter()
            .enumerate()
            .map(|(thread, name)| of(thread).timing("scale", &[("of", name)]))
            .collect();
        scale("handles", which, |thread| {
            let handle = handles.get(thread).expect("one a thread");
            move || handle.record(duration())
        });
        scale("by name", which, |thread| {
            let (metrics, operation) = (of(thread), OPERATIONS.get(thread).expect("one a thread"));
            move || metrics.record_execution_time(operation, duration())
        });
    }
}

fn duration() -> Duration {
    black_box(Duration::from_micros(2_345))
}

/// Nanoseconds a call.
fn time(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..CALLS).for_each(|_| call());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn rounds(mut round: impl FnMut() -> f64) -> Vec<f64> {
    (0..ROUNDS).map(|_| round()).collect()
}

fn compare(
    what: &str,
    upkeep: &metrics_exporter_prometheus::PrometheusHandle,
    mut ours: impl FnMut(),
    mut theirs: impl FnMut(),
) {
    let (mut of_ours, mut of_theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (our, their) = (time(&mut ours), time(&mut theirs));
        // It keeps every value until somebody asks: not in its time.
        upkeep.run_upkeep();
        of_ours.push(our);
        of_theirs.push(their);
        ratios.push(our / their);
    }
    println!(
        "{what:20} {:6.1} ns, of the façade {:6.1} ns: {:.2} of its time (at most 1)",
        median(&mut of_ours),
        median(&mut of_theirs),
        median(&mut ratios)
    );
}

/// How much more two threads on different series do than one.
fn scale<F: FnMut() + Send>(what: &str, which: &str, call: impl Fn(usize) -> F) {
    let rate = |threads: usize| {
        let start = Barrier::new(threads);
        let (call, start) = (&call, &start);
        let took: Vec<f64> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|number| {
                    let call = call(number);
                    scope.spawn(move || {
                        start.wait();
                        time(call)
                    })
                })
                .collect();
            running.into_iter().map(|thread| thread.join().expect("counts")).collect()
        });
        took.iter().map(|nanos| 1.0 / nanos).sum::<f64>()
    };
    let mut ratios = rounds(|| rate(2) / rate(1));
    println!("two threads, {what}, {which}: {:.2} times as many as one", median(&mut ratios));
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

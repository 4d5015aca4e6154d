//! How many requests a second are answered, as ratios to hyper alone in the same run: `cargo bench -p trading-monitoring --bench
//! requests`. Asked over 16 connections from one thread, answered by another; rounds of each take turns, and the median of
//! their ratios counts, for the figures of a machine differ from minute to minute. The time that the answering thread was on a
//! processor depends less on what else the machine does.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "../tests/it/bare.rs"]
mod bare;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trading_monitoring::{
    Check, Health, Lifecycle, Metrics, MetricsOptions, Outcome, Phase, Server, ServerOptions, Sources, System,
    SystemOptions,
};

use bare::Bare;

const CONNECTIONS: usize = 16;
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 9;
const SERIES: usize = 1_000;

fn main() {
    let bare = Bare::start(1_024, "{\"message\":\"pong\"}\n".into());
    let (server, hanging) = (server(false), server(true));
    // With a check that hangs, and without.
    let hung = |path| (&hanging, path, 0.8);
    let well = |path, least| (&server, path, least);
    let paths = [
        well("/ping", 0.9),
        well("/ready", 0.8),
        well("/health", 0.8),
        well("/live", 0.9),
        hung("/ready"),
        hung("/health"),
    ];
    let mut rounds = vec![[(); 3].map(|()| Vec::new()); paths.len()];
    let mut base_rates = Vec::new();
    let of_bare = |during| rate(bare.address, "/ping", during, "bare-http");
    of_bare(ROUND);
    for _ in 0..ROUNDS {
        for ((server, path, _), [ratios, rates, costs]) in paths.iter().zip(&mut rounds) {
            let before = of_bare(ROUND / 2);
            let ours = rate(server.address(), path, ROUND, "monitoring-http");
            let after = of_bare(ROUND / 2);
            let base = f64::midpoint(before.a_second, after.a_second);
            ratios.push(ours.a_second / base);
            rates.push(ours.a_second);
            costs.push(ours.cost / f64::midpoint(before.cost, after.cost));
            base_rates.push(base);
        }
    }
    println!("hyper alone: {:.0} requests/s", median(&mut base_rates));
    for ((of, path, least), [mut ratios, mut rates, mut costs]) in paths.into_iter().zip(rounds) {
        let hangs = if std::ptr::eq(of, &hanging) { ", while a check hangs" } else { "" };
        println!(
            "{path:8} {:.0} requests/s, {:.2} of hyper alone (at least {least}), with {:.2} times its processor time{hangs}",
            median(&mut rates),
            median(&mut ratios),
            median(&mut costs)
        );
    }
    metrics("of all kinds", |metrics, labels, number| match number % 3 {
        0 => metrics.counter("events", labels).increment(7),
        1 => metrics.gauge("level", labels).set(0.1),
        _ => metrics.timing("work", labels).record(Duration::from_micros(300)),
    });
    metrics("timings, of 21 lines each", |metrics, labels, _| {
        metrics.timing("work", labels).record(Duration::from_micros(300));
    });
}

/// With ten components, of which one hangs or none.
fn server(hangs: bool) -> Server {
    let check = |number: u32| {
        Check::new(format!("component-{number}"), move || Outcome::healthy("answers").detail("trades", number))
            .every(Duration::from_secs(1))
            .critical(number.is_multiple_of(2))
    };
    let last = Check::new("last", move || {
        if hangs {
            loop {
                std::thread::park();
            }
        }
        Outcome::healthy("answers").detail("trades", 9)
    });
    let last = last.every(Duration::from_secs(1)).timeout(Duration::from_millis(100));
    let health = Health::start((0..9).map(check).chain([last])).expect("starts");
    assert!(health.wait_first(Duration::from_secs(60)));
    start(Metrics::default(), health)
}

fn start(metrics: Metrics, health: Health) -> Server {
    let lifecycle = Lifecycle::default();
    lifecycle.advance(Phase::Running);
    let system = System::start(SystemOptions::default()).expect("starts");
    let sources = Sources { metrics, health, system, lifecycle, pages: Vec::new() };
    Server::start(ServerOptions::at(SocketAddr::from(([127, 0, 0, 1], 0))), sources).expect("starts")
}

struct Rate {
    a_second: f64,
    /// Seconds of the answering thread on a processor, for each request.
    cost: f64,
}

fn rate(address: SocketAddr, path: &'static str, during: Duration, answering: &str) -> Rate {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (start, before) = (Instant::now(), processor_seconds(answering));
        let asking: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(ask(address, path, start + during))).collect();
        let mut answers = 0;
        for asking in asking {
            answers += asking.await.expect("asks");
        }
        let answers = f64::from(answers);
        let cost = (processor_seconds(answering) - before) / answers;
        Rate { a_second: answers / start.elapsed().as_secs_f64(), cost }
    })
}

/// What the threads of a name have used; not known but on Linux.
fn processor_seconds(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten().map(|task| task.path());
    let named = tasks.filter(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    named
        .filter_map(|task| {
            let text = std::fs::read_to_string(task.join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        })
        .sum::<f64>()
        / 1e9
}

async fn ask(address: SocketAddr, path: &str, end: Instant) -> u32 {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.set_nodelay(true).expect("is set");
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut answers = 0;
    while Instant::now() < end {
        stream.write_all(request.as_bytes()).await.expect("is sent");
        buffer.clear();
        while !is_whole(&buffer) {
            let length = stream.read_buf(&mut buffer).await.expect("is answered");
            assert!(length > 0, "closed");
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"));
        answers += 1;
    }
    answers
}

/// Whether the answer has come to its end: each body has one line end there, and no other.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"}\n")
}

/// How long a page of so many series takes, from the request to its last byte.
fn metrics(of: &str, add: impl Fn(&Metrics, &[(&str, &str)], usize)) {
    let metrics = Metrics::new(MetricsOptions { series_max: 2 * SERIES, ..MetricsOptions::default() });
    for number in 0..SERIES {
        add(&metrics, &[("agent", "nancy_pelosi"), ("number", &number.to_string())], number);
    }
    let server = start(metrics, Health::start([]).expect("starts"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut took: Vec<f64> = (0..51)
        .map(|_| {
            let start = Instant::now();
            // One round trip: the time to ask is over at once.
            runtime.block_on(async {
                let mut stream = TcpStream::connect(server.address()).await.expect("connects");
                let request = b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
                stream.write_all(request).await.expect("is sent");
                let mut answer = Vec::with_capacity(4 * 1024 * 1024);
                stream.read_to_end(&mut answer).await.expect("is answered");
                assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\n"));
            });
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    println!("/metrics of {SERIES} series {of}: {:.2} ms (at most 5)", median(&mut took));
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

//! What a line costs, beside two common ways: `cargo bench -p trading-logging`.
//!
//! Each round runs all ways, one after the other, so that a busy machine is busy for all of them; figures are medians. The line is
//! `order filled` with four fields: two texts and two numbers.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    fs,
    hint::black_box,
    io::{self, Write},
    path::Path,
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use log::{Level, LevelFilter, Log, Metadata, Record, kv};
use serde_json::{Map, Value};
use tracing_subscriber::fmt::format::FmtSpan;
use trading_logging::{Logging, Options};

/// Calls that are timed one burst at a time: few enough to fit into every queue.
const BURST: u32 = 2_000;
const BURSTS: usize = 101;
/// Lines that are timed until they are in the file.
const SUSTAINED: u32 = 300_000;
const SUSTAINED_ROUNDS: usize = 5;
/// Calls that are filtered out, in each round.
const FILTERED: u32 = 100_000;
const FILTERED_ROUNDS: usize = 101;

/// Logs `calls` lines and tells the time of the calls, and the time until all were written.
type Way = fn(&Path, u32) -> (Duration, Duration);

fn main() {
    log::set_max_level(LevelFilter::Info);
    let folder = tempfile::tempdir().expect("a folder");
    let ways: [(&str, Way); 4] = [
        ("trading-logging, two files", |folder, calls| ours(folder, calls, Level::Info, "trading")),
        ("trading-logging, one file", |folder, calls| ours(folder, calls, Level::Warn, "app")),
        ("tracing-subscriber JSON + tracing-appender", tracing),
        ("fern + serde_json::Map", fern),
    ];

    println!("on the calling thread, ns a line ({BURSTS} bursts of {BURST}):");
    report(&ways, folder.path(), BURSTS, BURST, |(called, _)| called);
    println!("until it is written, ns a line ({SUSTAINED_ROUNDS} rounds of {SUSTAINED}):");
    report(&ways, folder.path(), SUSTAINED_ROUNDS, SUSTAINED, |(_, written)| written);

    report_filtered(&folder.path().join("filtered"));
}

fn report(
    ways: &[(&str, Way)],
    folder: &Path,
    rounds: usize,
    calls: u32,
    choose: impl Fn((Duration, Duration)) -> Duration,
) {
    let mut figures = vec![Vec::new(); ways.len()];
    for round in 0..rounds {
        for (figures, (_, way)) in figures.iter_mut().zip(ways) {
            let folder = folder.join(format!("{round}-{}", figures.len()));
            fs::create_dir_all(&folder).expect("is made");
            figures.push(choose(way(&folder, calls)).as_secs_f64() * 1e9 / f64::from(calls));
            fs::remove_dir_all(&folder).expect("is removed");
        }
    }
    let medians: Vec<f64> = figures.into_iter().map(median).collect();
    let ours = medians.first().copied().unwrap_or_default();
    for ((name, _), ns) in ways.iter().zip(medians) {
        println!("  {name:<45} {ns:7.0}   {:9.0} lines/s   ratio {:5.2}", 1e9 / ns, ns / ours);
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Before a burst is timed, another one brings buffers and caches into their steady state.
fn warm_up(calls: u32, call: &dyn Fn()) {
    if calls == BURST {
        call();
    }
}

/// Fails if a line is missing.
fn count(file: &Path, calls: u32) {
    let calls = if calls == BURST { 2 * calls } else { calls };
    let lines = fs::read(file).expect("is there").iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(u32::try_from(lines), Ok(calls), "lines were lost");
}

fn ours(folder: &Path, calls: u32, level: Level, target: &str) -> (Duration, Duration) {
    let (logging, logger) = Logging::builder(Options::at(folder)).build().expect("starts");
    let call = || {
        for index in 0..calls {
            let quantity = black_box(index);
            log::log!(logger: &*logger, target: target, level, agent_id = "pelosi", ticker = "NVDA", quantity, price = 912.25; "order filled");
        }
    };
    warm_up(calls, &call);
    assert!(logging.flush());
    let started = Instant::now();
    call();
    let called = started.elapsed();
    assert!(logging.shutdown());
    let written = started.elapsed();
    count(&folder.join("trading_automation.log"), calls);
    (called, written)
}

/// Tells when it has got its first lines; there is no flush to wait for.
struct Counted {
    file: fs::File,
    left: u32,
    done: Sender<()>,
}

impl Write for Counted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.file.write(line)?;
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 {
            // Where nothing is warmed up, nobody waits.
            self.done.send(()).unwrap_or_default();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn tracing(folder: &Path, calls: u32) -> (Duration, Duration) {
    let file = fs::File::create(folder.join("tracing.log")).expect("is made");
    let (done, warm) = channel();
    let file = Counted { file, left: calls, done };
    let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default().lossy(false).finish(file);
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_span_events(FmtSpan::NONE)
        .with_file(true)
        .with_line_number(true)
        .with_thread_names(true)
        .with_writer(writer)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let call = || {
            for index in 0..calls {
                let quantity = black_box(index);
                tracing::info!(target: "trading", agent_id = "pelosi", ticker = "NVDA", quantity, price = 912.25, "order filled");
            }
        };
        warm_up(calls, &call);
        if calls == BURST {
            warm.recv().expect("all are written");
        }
        let started = Instant::now();
        call();
        let called = started.elapsed();
        drop(guard);
        let written = started.elapsed();
        count(&folder.join("tracing.log"), calls);
        (called, written)
    })
}

struct Fields(Map<String, Value>);

impl<'kvs> kv::VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let value = match (value.to_u64(), value.to_f64(), value.to_borrowed_str()) {
            (Some(number), ..) => Value::from(number),
            (_, Some(number), _) => Value::from(number),
            (.., text) => text.map(Value::from).unwrap_or_default(),
        };
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}

fn fern(folder: &Path, calls: u32) -> (Duration, Duration) {
    let (_, logger) = fern::Dispatch::new()
        .format(|out, message, record| {
            let mut fields = Fields(Map::new());
            fields.0.insert("timestamp".into(), chrono::Utc::now().to_rfc3339().into());
            fields.0.insert("level".into(), record.level().as_str().into());
            fields.0.insert("logger".into(), record.target().into());
            fields.0.insert("message".into(), message.to_string().into());
            fields.0.insert("module".into(), record.module_path().into());
            fields.0.insert("file".into(), record.file().into());
            fields.0.insert("line".into(), record.line().into());
            fields.0.insert("thread".into(), thread::current().name().into());
            record.key_values().visit(&mut fields).expect("does not fail");
            out.finish(format_args!("{}", Value::Object(fields.0)));
        })
        .chain(fern::log_file(folder.join("fern.log")).expect("is made"))
        .into_log();
    let call = || {
        for index in 0..calls {
            let quantity = black_box(index);
            log::info!(logger: &*logger, target: "trading", agent_id = "pelosi", ticker = "NVDA", quantity, price = 912.25; "order filled");
        }
    };
    warm_up(calls, &call);
    let started = Instant::now();
    call();
    let called = started.elapsed();
    drop(logger);
    let written = started.elapsed();
    count(&folder.join("fern.log"), calls);
    (called, written)
}

/// Wants nothing, as ours does here: what a call costs then is the façade's.
struct Nobody;

impl Log for Nobody {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn log(&self, record: &Record<'_>) {
        black_box(record);
    }

    fn flush(&self) {}
}

fn report_filtered(folder: &Path) {
    let start = |name| Logging::builder(Options::at(folder.join(name))).build().expect("starts");
    let ((_all, by_all), (own, by_own)) = (start("all"), start("own"));
    own.set_level("api", LevelFilter::Debug).expect("is a component");
    let loggers: [(&str, &dyn Log); 3] = [
        ("a logger that wants nothing (the façade's part)", &Nobody),
        ("ours, by the level of all", &*by_all),
        ("ours, while another component logs that level", &*by_own),
    ];
    println!(
        "filtered out, ns a call with four fields, with none, and `log_enabled!` ({FILTERED_ROUNDS} rounds of {FILTERED}):"
    );
    log::set_max_level(LevelFilter::Debug);
    let mut figures = [(); 3].map(|()| [(); 3].map(|()| Vec::new()));
    for _ in 0..FILTERED_ROUNDS {
        for ((_, logger), figures) in loggers.iter().zip(&mut figures) {
            for (figures, call) in figures.iter_mut().zip([with_fields, without_fields, enabled]) {
                figures.push(filtered(*logger, call));
            }
        }
    }
    for ((name, _), figures) in loggers.iter().zip(figures) {
        let [with, without, asked] = figures.map(median);
        println!("  {name:<50} {with:6.1} {without:6.1} {asked:6.1}");
    }
    log::set_max_level(LevelFilter::Info);
    println!("  {:<50} {:6.1}", "by the façade's level", filtered(&*by_own, with_fields));
}

fn filtered(logger: &dyn Log, call: fn(&dyn Log, u32)) -> f64 {
    let started = Instant::now();
    (0..FILTERED).for_each(|index| call(logger, black_box(index)));
    started.elapsed().as_secs_f64() * 1e9 / f64::from(FILTERED)
}

fn with_fields(logger: &dyn Log, quantity: u32) {
    log::debug!(logger: logger, target: "trading", agent_id = "pelosi", ticker = "NVDA", quantity, price = 912.25; "not wanted {quantity}");
}

fn without_fields(logger: &dyn Log, quantity: u32) {
    log::debug!(logger: logger, target: "trading", "not wanted {quantity}");
}

fn enabled(logger: &dyn Log, _: u32) {
    black_box(log::log_enabled!(logger: logger, target: "trading", Level::Debug));
}

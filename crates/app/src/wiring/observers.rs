//! What the parts tell of themselves, as metrics and log lines.

use std::{
    error::Error as StdError,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use log::kv::Value;
use trading_logging::{Statistics, Tally};
use trading_monitoring::{ComponentReport, Counter, Health, Metrics, Status, Timing};
use trading_resilience::{self as resilience, CallError, Classify, Code, Event, LogObserver, Observer, retry::GaveUp};
use trading_storage::{Error, Head};

/// Counts commits, and writes the heads of the chain into the log, which is a place outside of the database.
#[derive(Debug)]
pub(crate) struct StorageObserver {
    commits: AtomicU64,
    seconds: Timing,
    callers: Counter,
    failed: Counter,
}

impl StorageObserver {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        metrics.describe("database_commit_seconds", "How long commits took until they were on the disk.");
        metrics
            .describe("database_transactions_total", "Transactions that were committed; several may share a commit.");
        metrics.describe(
            "database_anchor_failures_total",
            "Heads of the chain that could not be written beside the database.",
        );
        Self {
            commits: AtomicU64::new(0),
            seconds: metrics.timing("database_commit_seconds", &[]),
            callers: metrics.counter("database_transactions_total", &[]),
            failed: metrics.counter("database_anchor_failures_total", &[]),
        }
    }

    /// How many commits there were.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl trading_storage::Observer for StorageObserver {
    fn committed(&self, callers: u32, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.seconds.record(took);
        self.callers.increment(u64::from(callers));
    }

    fn anchored(&self, head: &Head) {
        let (sequence, hash) = (head.sequence, head.hash_hex());
        log::info!(target: "trading", sequence, hash; "the head of the chain of trades");
    }

    fn anchor_failed(&self, error: &Error) {
        self.failed.increment(1);
        log::error!(error:% = error; "the head of the chain could not be written beside the database; it is tried again");
    }
}

/// Counts what the log wrote, out of what it says of itself.
#[derive(Debug)]
pub(crate) struct LogCounters {
    metrics: Metrics,
    counted: Statistics,
}

impl LogCounters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        metrics.describe("log_lines_total", "Lines that were logged, by component and level.");
        metrics.describe("log_bytes_total", "Bytes that were written to the main log file.");
        metrics.describe("log_lines_dropped_total", "Lines that reached no log file, by component and level.");
        metrics.describe("log_lines_folded_total", "Lines that another one stands for, by component and level.");
        metrics.describe("log_write_errors_total", "Attempts to write, rename or remove a log file that failed.");
        metrics.describe("log_panics_total", "Panics that were logged.");
        metrics.describe("log_lines_not_shown_total", "Lines that the console was too slow for; the files have them.");
        let counters = Self { metrics: metrics.clone(), counted: Statistics::default() };
        // A series that is there from the start shows its first event as an increase.
        counters.add([0; 4]);
        counters
    }

    pub(crate) fn count(&mut self, now: &Statistics) {
        let before = std::mem::replace(&mut self.counted, now.clone());
        self.add([
            now.bytes_written.saturating_sub(before.bytes_written),
            now.write_errors.saturating_sub(before.write_errors),
            now.panics.saturating_sub(before.panics),
            now.lines_not_shown.saturating_sub(before.lines_not_shown),
        ]);
        for (at, Tally { component, level, lines, dropped, folded, .. }) in now.tallies.iter().enumerate() {
            // They come in the same order each time.
            let [lines_before, dropped_before, folded_before] =
                before.tallies.get(at).map_or([0; 3], |tally| [tally.lines, tally.dropped, tally.folded]);
            let labels = [("component", component.as_str()), ("level", level.as_str())];
            let add =
                |name, total: u64, before| self.metrics.counter(name, &labels).increment(total.saturating_sub(before));
            add("log_lines_total", *lines, lines_before);
            add("log_lines_dropped_total", *dropped, dropped_before);
            add("log_lines_folded_total", *folded, folded_before);
        }
    }

    fn add(&self, counts: [u64; 4]) {
        let names = ["log_bytes_total", "log_write_errors_total", "log_panics_total", "log_lines_not_shown_total"];
        for (name, count) in names.into_iter().zip(counts) {
            self.metrics.counter(name, &[]).increment(count);
        }
    }
}

const HEALTH_STATUS: &str = "health_status";

/// Has `health_status` say how each component is, to whoever reads the metrics and nothing else.
pub(crate) fn show_health(health: &Health, metrics: &Metrics) -> Result<(), trading_monitoring::Error> {
    metrics.describe(HEALTH_STATUS, "How each component is: 1 for the status that it has, 0 for the others.");
    let gauges = Arc::new(Mutex::new(metrics.clone()));
    let told = Arc::clone(&gauges);
    health.observe(move |transition| {
        let metrics = told.lock().unwrap_or_else(PoisonError::into_inner);
        set_status(&metrics, &transition.component, transition.to);
    })?;
    // What changes meanwhile waits, so that what was before does not come after it.
    let metrics = gauges.lock().unwrap_or_else(PoisonError::into_inner);
    for component in health.report().components {
        set_status(&metrics, &component.name, status_told(&component));
    }
    Ok(())
}

/// The status that changes are told against: that what was not looked at yet begins well is told to nobody.
fn status_told(component: &ComponentReport) -> Status {
    if component.duration.is_none() { Status::Healthy } else { component.status }
}

/// One series for each status, the form that OpenMetrics calls a set of states: each is there from the start.
fn set_status(metrics: &Metrics, component: &str, now: Status) {
    for status in [Status::Healthy, Status::Degraded, Status::Unhealthy, Status::Unknown] {
        let labels = [("component", component), ("status", status.as_str())];
        metrics.gauge(HEALTH_STATUS, &labels).set(f64::from(u8::from(status == now)));
    }
}

/// What a line has of an error beside its text, as fields: of those that have a code, alone, of a guarded call or of a retry
/// that gave up.
pub(crate) fn error_fields(error: &(dyn StdError + 'static), field: &mut dyn FnMut(&str, Value<'_>)) {
    if let Some(error) = error.downcast_ref::<resilience::Error>() {
        field("code", Value::from(error.code().as_str()));
        field("class", Value::from(error.class().as_str()));
        for (key, value) in error.context() {
            field(key, Value::from(value));
        }
        return;
    }
    let _told = typed(error, resilience::ApiError::code, field)
        || typed(error, resilience::TradingError::code, field)
        || typed(error, resilience::AgentError::code, field)
        || typed(error, resilience::PositionError::code, field)
        || typed(error, resilience::SchedulingError::code, field)
        || typed(error, resilience::ValidationError::code, field)
        || typed(error, resilience::InvalidTicker::code, field)
        || typed(error, resilience::DataError::code, field)
        || typed(error, resilience::ConfigurationError::code, field)
        || typed(error, resilience::DatabaseError::code, field)
        || typed(error, resilience::TimedOut::code, field)
        || typed(error, resilience::Refusal::code, field)
        || typed(error, resilience::Error::code, field);
}

/// Tells the code and the class of an error of this type, and of a retry that gave up on one what it did.
fn typed<E: StdError + Classify + 'static>(
    error: &(dyn StdError + 'static),
    code: impl Fn(&E) -> Code,
    field: &mut dyn FnMut(&str, Value<'_>),
) -> bool {
    let of_call = |error: &CallError<E>| match error {
        CallError::Failed(error) => code(error),
        CallError::TimedOut(error) => error.code(),
        CallError::Refused(error) => error.code(),
    };
    let (code, class, retry) = if let Some(error) = error.downcast_ref::<E>() {
        (code(error), error.class(), None)
    } else if let Some(error) = error.downcast_ref::<CallError<E>>() {
        (of_call(error), error.class(), None)
    } else if let Some(gave_up) = error.downcast_ref::<GaveUp<E>>() {
        (code(&gave_up.source), gave_up.class, Some((&gave_up.operation, gave_up.attempts)))
    } else if let Some(gave_up) = error.downcast_ref::<GaveUp<CallError<E>>>() {
        (of_call(&gave_up.source), gave_up.class, Some((&gave_up.operation, gave_up.attempts)))
    } else {
        return false;
    };
    field("code", Value::from(code.as_str()));
    field("class", Value::from(class.as_str()));
    if let Some((operation, attempts)) = retry {
        field("operation", Value::from(operation.as_str()));
        field("attempts", Value::from(attempts));
    }
    true
}

/// Counts retries, and logs them as [`LogObserver`] does.
#[derive(Debug)]
pub(crate) struct RetryObserver {
    metrics: Metrics,
}

impl RetryObserver {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        metrics.describe("retry_events_total", "What happened in retries of calls, by operation and event.");
        metrics.describe("breaker_changes_total", "Circuit breakers that went to another state, by breaker and state.");
        Self { metrics: metrics.clone() }
    }

    fn count(&self, operation: &str, event: &str) {
        self.metrics.counter("retry_events_total", &[("operation", operation), ("event", event)]).increment(1);
    }
}

impl Observer for RetryObserver {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::AttemptFailed { operation, .. } => self.count(operation, "attempt_failed"),
            Event::Waiting { operation, .. } => self.count(operation, "waiting"),
            Event::Recovered { operation, .. } => self.count(operation, "recovered"),
            Event::GaveUp { operation, .. } => self.count(operation, "gave_up"),
            Event::BreakerChanged { breaker, to, .. } => {
                let labels = [("breaker", breaker), ("state", to.as_str())];
                self.metrics.counter("breaker_changes_total", &labels).increment(1);
            }
            _ => {}
        }
        LogObserver.observe(event);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use trading_monitoring::{Check, Outcome};
    use trading_resilience::{Api, ApiError, Guard, Method, TradingError, retry};

    use super::*;

    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_secs(30);

    fn status(metrics: &Metrics, component: &str) -> String {
        let page = metrics.prometheus();
        let start = format!("{HEALTH_STATUS}{{component=\"{component}\",status=\"");
        let lines: Vec<_> = page.lines().filter_map(|line| line.strip_prefix(&start)).collect();
        assert_eq!(lines.len(), 4, "{page}");
        lines.iter().filter_map(|line| line.strip_suffix("\"} 1")).collect::<Vec<_>>().join(" and ")
    }

    #[track_caller]
    fn becomes(metrics: &Metrics, component: &str, expected: &str) {
        let deadline = Instant::now() + LONG;
        while status(metrics, component) != expected {
            assert!(Instant::now() < deadline, "{component} is {}", status(metrics, component));
            std::thread::yield_now();
        }
    }

    #[test]
    fn how_each_component_is_can_be_scraped() {
        let (release, held) = mpsc::channel::<()>();
        let (release_late, held_late) = mpsc::channel::<()>();
        let hangs = move || Outcome::healthy(format!("{:?}", held.recv()));
        let late = move || Outcome::healthy(format!("{:?}", held_late.recv()));
        let health = Health::start([
            Check::new("well", || Outcome::healthy("")),
            Check::new("slow", || Outcome::degraded("")),
            Check::new("hangs", hangs).timeout(Duration::from_millis(20)).every(Duration::from_millis(20)),
            Check::new("late", late).timeout(LONG).initially(Status::Unhealthy),
        ])
        .expect("starts");
        let until = Instant::now() + LONG;
        let told = || health.transitions().iter().any(|change| change.component == "slow");
        while !told() {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
        let metrics = Metrics::default();
        show_health(&health, &metrics).expect("a thread");
        assert_eq!(status(&metrics, "well"), "healthy");
        assert_eq!(status(&metrics, "slow"), "degraded", "that was told before");
        assert_eq!(status(&metrics, "late"), "healthy", "it has time yet");
        becomes(&metrics, "hangs", "unhealthy");
        drop((release, release_late));
        becomes(&metrics, "hangs", "healthy");
        assert_eq!(status(&metrics, "late"), "healthy");
        assert!(health.shutdown(LONG).is_empty());
    }

    fn told(error: &(dyn StdError + 'static)) -> String {
        let mut told = Vec::new();
        error_fields(error, &mut |name, value| told.push(format!("{name}={value}")));
        told.join(" ")
    }

    fn refused() -> ApiError {
        ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", 403)
    }

    #[test]
    fn errors_of_each_kind_and_what_wraps_them_tell_code_and_class() {
        let code = refused().code().as_str();
        let class = refused().class().as_str();
        let of_api = format!("code={code} class={class}");
        assert_eq!(told(&refused()), of_api);
        assert_eq!(told(&CallError::Failed(refused())), of_api);
        assert_eq!(told(&resilience::Error::from(refused()).with("agent_id", "p")), format!("{of_api} agent_id=p"));
        let closed = TradingError::MarketClosed { next_open: None };
        assert!(told(&closed).starts_with("code=TRADING_MARKET_CLOSED class="));

        let once = retry::Policy { attempts_max: 1, ..retry::API };
        let gave_up = once.run("place order", |_| Err::<(), _>(refused())).expect_err("it fails");
        assert_eq!(told(&gave_up), format!("{of_api} operation=place order attempts=1"));
        let gave_up = Guard::new(once).run("place order", |_| Err::<(), _>(refused())).expect_err("it fails");
        assert_eq!(told(&gave_up), format!("{of_api} operation=place order attempts=1"));

        assert_eq!(told(&std::fmt::Error), "");
    }
}

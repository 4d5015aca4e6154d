//! What the parts tell of themselves, as metrics and log lines.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use trading_monitoring::{Counter, Metrics, Timing};
use trading_resilience::{Event, LogObserver, Observer};
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

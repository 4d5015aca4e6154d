//! Counters, gauges and timings, and their text for Prometheus.
//!
//! A series is found by name and labels under a lock, once; its handle is then only atomics. Rendering takes the lock
//! once, for reading: a second reading lock in one thread waits for ever as soon as a writer stands between the two.

mod instrument;
mod name;
mod registry;
mod text;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

pub use instrument::{Counter, Gauge, Timing};

use instrument::Instrument;
use registry::{Registry, Verdict};

/// What the metrics may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsOptions {
    /// How many series there may be: each combination of a name and its labels' values is one. A timing takes about
    /// 200 bytes, the others less, and its text. Default 1,000 (**source:** arbitrary).
    pub series_max: usize,
    /// How many bytes a series' name and labels may have, as they are rendered. Default 512 (**source:** arbitrary).
    pub series_bytes_max: usize,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { series_max: 1_000, series_bytes_max: 512 }
    }
}

/// The metrics of one program, or of one test; clones share them.
///
/// Names and labels follow Prometheus. What does not fit is made to fit: a character that may not stand in a name
/// becomes `_`, a counter's name ends in `_total` and a timing's in `_seconds`. So `latency.api` and `latency_api` are
/// one.
///
/// What there is no room for, or what has the name of another kind of metric, is never an error of the caller: a series
/// too many, or too long, is added up in its name's series `{overflow="true"}`, the rest is dropped, and both are
/// counted in `metrics_refused_total{reason="…"}` and logged once.
///
/// ```
/// use std::time::Duration;
/// use trading_monitoring::Metrics;
///
/// let metrics = Metrics::default();
/// let orders = metrics.counter("orders", &[("side", "buy")]);
/// orders.increment(2);
/// metrics.gauge("positions_open", &[]).set(3.0);
/// metrics.record_execution_time("trade_processing", Duration::from_millis(2_500));
/// assert!(metrics.prometheus().contains("orders_total{side=\"buy\"} 2\n"));
/// ```
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<RwLock<Registry>>,
    refused: Arc<Refused>,
}

/// What there was no room for, by reason.
#[derive(Debug)]
struct Refused {
    series_max: Counter,
    series_bytes_max: Counter,
    kind: Counter,
}

impl Metrics {
    /// Starts with no series but its own, `metrics_refused_total`.
    #[must_use]
    pub fn new(options: MetricsOptions) -> Self {
        let mut registry = Registry::new(options);
        registry.describe(
            "metrics_refused_total",
            "Calls that found no series of their own: too many, too long, or a name of another kind.",
        );
        let mut refused = |reason: &str| {
            registry.insert("metrics_refused_total", &name::labels(&[("reason", reason)])).unwrap_or_default()
        };
        let refused = Refused {
            series_max: refused("series_max"),
            series_bytes_max: refused("series_bytes_max"),
            kind: refused("kind"),
        };
        Self { registry: Arc::new(RwLock::new(registry)), refused: Arc::new(refused) }
    }

    /// A number of things that have happened. Keep the handle where it is counted often.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        self.series(name, labels)
    }

    /// A figure that goes up and down.
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        self.series(name, labels)
    }

    /// How long something takes, as a histogram of seconds with the bounds [`Timing::BOUNDS`].
    #[must_use]
    pub fn timing(&self, name: &str, labels: &[(&str, &str)]) -> Timing {
        self.series(name, labels)
    }

    /// Records how long an operation took, in `execution_time_seconds{operation="…"}`.
    pub fn record_execution_time(&self, operation: &str, duration: Duration) {
        self.timing("execution_time", &[("operation", operation)]).record(duration);
    }

    /// Says what a metric means, for the line `# HELP`. The name is the one that is rendered, with its ending. A later
    /// description replaces an earlier one.
    pub fn describe(&self, name: &'static str, help: &'static str) {
        self.write().describe(name, help);
    }

    /// The text that a Prometheus server collects, format 0.0.4: counters, then gauges, then timings, each by name and
    /// labels.
    ///
    /// **Source:** <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    #[must_use]
    pub fn prometheus(&self) -> String {
        text::render(&self.read())
    }

    fn series<T: Instrument>(&self, name: &str, labels: &[(&str, &str)]) -> T {
        let name = name::metric(name, T::ENDING);
        let labels = name::labels(labels);
        if let Some(found) = self.read().get(&name, &labels) {
            return found;
        }
        let (series, verdict) = self.write().admit(&name, &labels);
        let (refused, reason) = match verdict {
            Verdict::Admitted => return series,
            Verdict::TooMany => (&self.refused.series_max, "there are as many series as may be"),
            Verdict::TooLong => (&self.refused.series_bytes_max, "its name and labels are too long"),
            Verdict::OtherKind => (&self.refused.kind, "a metric of another kind has the name"),
        };
        if refused.increment_and_tell_first() {
            log::warn!("metric {name:.100} has no series of its own: {reason}; the next ones are only counted");
        }
        series
    }

    fn read(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(MetricsOptions::default())
    }
}

//! Counters, gauges, timings and distributions, and their text for Prometheus.
//!
//! A series is made under the registry's lock, once; its handle is then only atomics, and who records by name finds it in the
//! index. Rendering takes the lock once, for reading: a second reading lock in one thread waits for ever as soon as a writer
//! stands between the two.

mod distribution;
#[cfg(feature = "facade")]
mod facade;
mod index;
mod instrument;
mod labels;
mod name;
mod quantiles;
mod ready_made;
mod registry;
mod samples;
mod summary;
mod text;

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono::Utc;

pub use distribution::Distribution;
pub use instrument::{Counter, Gauge, Timing};
pub use labels::Labels;
pub use ready_made::Timer;
pub use summary::{Family, Kind, Sample, Series, SinceStart, Summary};

use index::Index;
use instrument::Instrument;
use registry::{Registry, Verdict};
use samples::Clock;
use text::Format;

/// What the metrics may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsOptions {
    /// How many series there may be: each combination of a name and its labels' values is one. A timing or a distribution takes about 4 kB, the
    /// others less, and each its samples. Default 1,000 (**source:** arbitrary).
    pub series_max: usize,
    /// How many bytes a series' name and labels may have, as they are rendered. Default 512 (**source:** arbitrary).
    pub series_bytes_max: usize,
    /// How many recent samples of each series are kept, rounded up to a power of two; 16 bytes each. Default 512 (**source:** arbitrary:
    /// more than a chart has pixels for, and 8 MiB for 1,000 series).
    pub samples_max: usize,
    /// How old a sample may be that is told of. Default 24 h (**source:** the earlier system's).
    pub sample_age_max: Duration,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self {
            series_max: 1_000,
            series_bytes_max: 512,
            samples_max: 512,
            sample_age_max: Duration::from_secs(24 * 3600),
        }
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
    index: Arc<Index>,
    refused: Arc<Refused>,
    sample_age_max: Duration,
}

/// What there was no room for, by reason.
#[derive(Debug)]
struct Refused {
    series_max: Counter,
    series_bytes_max: Counter,
    kind: Counter,
}

const REFUSED: &str = "metrics_refused_total";

impl Metrics {
    /// Starts with no series but its own, `metrics_refused_total`.
    #[must_use]
    pub fn new(options: MetricsOptions) -> Self {
        Self::with_clock(options, &Clock::start())
    }

    fn with_clock(options: MetricsOptions, clock: &Clock) -> Self {
        let sample_age_max = options.sample_age_max;
        let mut registry = Registry::new(options, clock.clone());
        registry.describe(REFUSED, |described| {
            described.help = Cow::Borrowed(
                "Calls that found no series of their own: too many, too long, or a name of another kind.",
            );
        });
        let mut refused = |reason: &str| {
            registry
                .insert(REFUSED, &name::labels(&[("reason", reason)]))
                .unwrap_or_else(|| Counter::new(0, clock.clone()))
        };
        let refused = Refused {
            series_max: refused("series_max"),
            series_bytes_max: refused("series_bytes_max"),
            kind: refused("kind"),
        };
        Self {
            registry: Arc::new(RwLock::new(registry)),
            index: Arc::default(),
            refused: Arc::new(refused),
            sample_age_max,
        }
    }

    /// A number of things that have happened. Keep the handle where it is counted often.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &(impl Labels + ?Sized)) -> Counter {
        self.find(name, labels)
    }

    /// A figure that goes up and down.
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &(impl Labels + ?Sized)) -> Gauge {
        self.find(name, labels)
    }

    /// How long something takes, as a histogram of seconds with the bounds [`Timing::BOUNDS`].
    #[must_use]
    pub fn timing(&self, name: &str, labels: &(impl Labels + ?Sized)) -> Timing {
        self.find(name, labels)
    }

    /// How large something is that is no duration.
    #[must_use]
    pub fn distribution(&self, name: &str, labels: &(impl Labels + ?Sized)) -> Distribution {
        self.find(name, labels)
    }

    /// Says what a metric means, for the line `# HELP`. The name is the one that is rendered, with its ending. A later
    /// description replaces an earlier one. What is longer than 1 KiB is cut, and of names there is room for as many as for
    /// series.
    pub fn describe(&self, name: &str, help: impl Into<Cow<'static, str>>) {
        let help = registry::shortened(help.into());
        self.write().describe(name, |described| described.help = help);
    }

    /// The text that a Prometheus server collects, format 0.0.4: counters, then gauges, timings and distributions, each by name
    /// and labels.
    ///
    /// **Source:** <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    #[must_use]
    pub fn prometheus(&self) -> String {
        text::render(&self.read(), Format::Prometheus)
    }

    /// The same in the format OpenMetrics 1.0.0.
    ///
    /// **Source:** <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        text::render(&self.read(), Format::OpenMetrics)
    }

    /// The metrics there are: counters, then gauges, timings and distributions, each by name.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let registry = self.read();
        let mut families = Vec::new();
        registry.each_family(|name, kind, series| {
            let (unit, help) = (summary::unit(name), registry.help(name).cloned().unwrap_or_default());
            families.push(Family { name: name.to_owned(), kind, unit, help, series });
        });
        families
    }

    /// The samples of each series of a metric within the last `window`, and their figures; `None` if there is no metric of that name, which is
    /// the one that is rendered. Quantiles of all that was ever recorded: [`Summary::since_start`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use trading_monitoring::Metrics;
    ///
    /// let metrics = Metrics::default();
    /// metrics.gauge("positions", &[("agent", "nancy_pelosi")]).set(3.0);
    /// let series = metrics.series("positions", Duration::from_secs(3600)).expect("it was recorded");
    /// assert_eq!(series[0].labels, [("agent".to_owned(), "nancy_pelosi".to_owned())]);
    /// assert_eq!((series[0].samples[0].value, series[0].summary.latest), (3.0, Some(3.0)));
    /// ```
    #[must_use]
    pub fn series(&self, name: &str, window: Duration) -> Option<Vec<Series>> {
        let (kind, found) = self.raw(name, window)?;
        let (unit, now) = (summary::unit(name), Utc::now());
        let labelled = found.iter().map(|(labels, raw)| summary::series(kind, unit, name::parsed(labels), raw, now));
        Some(labelled.collect())
    }

    /// The figures of a metric, all its series together, within the last `window`; `None` if there is no metric of that name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trading_monitoring::Metrics;
    ///
    /// let metrics = Metrics::default();
    /// metrics.record_execution_time("trade_processing", Duration::from_millis(2_500));
    /// let summary = metrics.summary("execution_time_seconds", Duration::from_secs(3600)).expect("it was recorded");
    /// assert_eq!((summary.count, summary.p95), (1, Some(2.5)));
    /// ```
    #[must_use]
    pub fn summary(&self, name: &str, window: Duration) -> Option<Summary> {
        let (kind, found) = self.raw(name, window)?;
        let raw: Vec<_> = found.into_iter().map(|(_, raw)| raw).collect();
        Some(Summary::of(kind, summary::unit(name), &raw))
    }

    /// Whether these are clones of one another.
    pub(crate) fn are_those(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.registry, &other.registry)
    }

    fn raw(&self, name: &str, window: Duration) -> Option<(Kind, Vec<(String, summary::Raw)>)> {
        self.read().raw(name, window.min(self.sample_age_max))
    }

    fn find<T: Instrument>(&self, name: &str, labels: &(impl Labels + ?Sized)) -> T {
        let (key, name_end) = name::key(name, T::ENDING, labels);
        if let Some(found) = self.index.get(&key) {
            return found;
        }
        let (name, labels) = key.split_at(name_end);
        let (series, verdict) = self.write().admit(name, labels.strip_prefix('{').unwrap_or(labels));
        let (refused, reason) = match verdict {
            Verdict::Admitted => {
                self.index.insert(&key, &series);
                return series;
            }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_is_too_old_is_not_told() {
        let time = Arc::new(AtomicU64::new(0));
        let options =
            MetricsOptions { samples_max: 4, sample_age_max: Duration::from_secs(60), ..MetricsOptions::default() };
        let metrics = Metrics::with_clock(options, &Clock::Virtual(Arc::clone(&time)));
        let recorded = metrics.counter("orders", &[("side", "buy")]);
        recorded.increment(5);
        time.store(40_000, Ordering::Relaxed);
        recorded.increment(7);
        metrics.counter("orders", &[("side", "sell")]).increment(1);
        let values = |window| -> Vec<Vec<f64>> {
            let series = metrics.series("orders_total", Duration::from_secs(window)).expect("was recorded");
            series.into_iter().map(|one| one.samples.iter().map(|sample| sample.value).collect()).collect()
        };
        assert_eq!(values(40), [vec![5.0, 12.0], vec![1.0]]);
        assert_eq!(values(39), [vec![12.0], vec![1.0]]);
        let latest = |window| {
            let series = metrics.series("orders_total", Duration::from_secs(window)).expect("was recorded");
            series.iter().map(|one| one.summary.latest).collect::<Vec<_>>()
        };
        let summary = metrics.summary("orders_total", Duration::MAX).expect("was recorded");
        assert_eq!((summary.count, summary.rate, summary.covers), (3, Some(7.0 / 40.0), Duration::from_secs(40)));
        time.store(61_000, Ordering::Relaxed);
        assert_eq!(values(3600), [vec![12.0], vec![1.0]], "the first is older than any window may be");
        time.store(200_000, Ordering::Relaxed);
        assert_eq!(values(3600).concat(), [0.0; 0]);
        assert_eq!(latest(1), [Some(12.0), Some(1.0)]);
        assert_eq!(recorded.value(), 12, "what it counts is not forgotten");
    }
}

//! The recorder of the façade `metrics`: what a library records through it is among the others.
//!
//! A histogram of the façade is a figure without a unit. One whose name ends in `_seconds`, or that was described with a unit of
//! time, is a timing; any other one is a distribution.

use std::sync::Arc;
use std::time::Duration;

use ::metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::instrument::Instrument;
use super::labels::Labels;
use super::{Counter, Distribution, Gauge, Metrics, Timing, name, registry};

/// Collects what is recorded through the façade `metrics`, when the program says so: feature `facade`.
///
/// ```
/// use trading_monitoring::Metrics;
///
/// let metrics = Metrics::default();
/// // In a program, once: `metrics::set_global_recorder(metrics.clone())`.
/// metrics::with_local_recorder(&metrics, || {
///     metrics::counter!("pool_connections_created", "pool" => "read").increment(2);
///     metrics::histogram!("pool_wait_seconds").record(0.003);
/// });
/// assert!(metrics.prometheus().contains("pool_connections_created_total{pool=\"read\"} 2\n"));
/// assert!(metrics.prometheus().contains("pool_wait_seconds_sum 0.003\n"));
/// ```
impl Recorder for Metrics {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.note::<Counter>(&key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.note::<Gauge>(&key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        if unit.as_ref().and_then(seconds).is_some() || is_of_seconds(key.as_str()) {
            self.note::<Timing>(&key, unit, description);
        } else {
            self.note::<Distribution>(&key, unit, description);
        }
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> ::metrics::Counter {
        ::metrics::Counter::from_arc(Arc::new(self.counter(key.name(), key)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> ::metrics::Gauge {
        ::metrics::Gauge::from_arc(Arc::new(self.gauge(key.name(), key)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> ::metrics::Histogram {
        let rendered = rendered::<Timing>(key.name());
        let described = self.read().described(&rendered).and_then(|described| described.seconds);
        match described.or(is_of_seconds(key.name()).then_some(1.0)) {
            Some(seconds) => {
                let timing = self.timing(&rendered, key);
                ::metrics::Histogram::from_arc(Arc::new(InUnit { timing, seconds }))
            }
            None => ::metrics::Histogram::from_arc(Arc::new(self.distribution(key.name(), key))),
        }
    }
}

impl Metrics {
    fn note<T: Instrument>(&self, key: &KeyName, unit: Option<Unit>, description: SharedString) {
        let help = registry::shortened(description.into_owned().into());
        self.write().describe(&rendered::<T>(key.as_str()), |described| {
            described.help = help;
            described.seconds = unit.as_ref().and_then(seconds);
        });
    }
}

fn rendered<T: Instrument>(name: &str) -> String {
    let mut text = String::new();
    name::metric(&mut text, name, T::ENDING);
    text
}

fn is_of_seconds(name: &str) -> bool {
    name.ends_with(Timing::ENDING)
}

/// How many seconds one of a unit is.
fn seconds(unit: &Unit) -> Option<f64> {
    match unit.as_str() {
        "seconds" => Some(1.0),
        "milliseconds" => Some(1e-3),
        "microseconds" => Some(1e-6),
        "nanoseconds" => Some(1e-9),
        _ => None,
    }
}

impl Labels for Key {
    fn each(&self, tell: &mut dyn FnMut(&str, &str)) {
        self.labels().for_each(|label| tell(label.key(), label.value()));
    }
}

impl CounterFn for Counter {
    fn increment(&self, value: u64) {
        Self::increment(self, value);
    }

    fn absolute(&self, value: u64) {
        self.raise(value);
    }
}

impl GaugeFn for Gauge {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        Self::set(self, value);
    }
}

/// A timing whose values come in a unit of their own.
struct InUnit {
    timing: Timing,
    seconds: f64,
}

impl HistogramFn for InUnit {
    /// What is no duration is recorded as none, or as the longest.
    fn record(&self, value: f64) {
        if !value.is_nan() {
            let value = (value * self.seconds).max(0.0);
            self.timing.record(Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX));
        }
    }
}

impl HistogramFn for Distribution {
    fn record(&self, value: f64) {
        Self::record(self, value);
    }
}

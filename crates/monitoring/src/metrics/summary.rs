//! What was recorded of late, as figures.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::quantiles::ranked;
use super::samples::Samples;

/// What kind of figure a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number of things that have happened.
    Counter,
    /// A figure that goes up and down.
    Gauge,
    /// How long something takes.
    Timing,
    /// How large something is.
    Distribution,
}

impl Kind {
    /// The word used in JSON: `counter`, `gauge`, `timing` or `distribution`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Timing => "timing",
            Self::Distribution => "distribution",
        }
    }
}

/// A metric, with all its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name as rendered.
    pub name: String,
    /// What kind of figure it is.
    pub kind: Kind,
    /// What its name says that it is measured in: `seconds`, `bytes`, `ratio` or nothing.
    pub unit: &'static str,
    /// What [`describe`](crate::Metrics::describe) said; empty without.
    pub help: Cow<'static, str>,
    /// How many series it has.
    pub series: usize,
}

/// A figure and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was recorded, to a few milliseconds.
    pub time: DateTime<Utc>,
    /// In the metric's unit; of a counter its total by then.
    pub value: f64,
}

/// The recent samples of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, ordered by name.
    pub labels: Vec<(String, String)>,
    /// The oldest first.
    pub samples: Vec<Sample>,
    /// The figures of these samples.
    pub summary: Summary,
}

/// The figures of some samples, in the metric's unit. Those that there are no samples for are `None`; so are the lowest, the highest, the
/// mean and the quantiles of a counter, whose samples are totals.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    /// What its name says that it is measured in: `seconds`, `bytes`, `ratio` or nothing.
    pub unit: &'static str,
    /// How many samples there are.
    pub count: u64,
    /// The lowest.
    pub min: Option<f64>,
    /// The highest.
    pub max: Option<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// Of a counter and a gauge what it is now, however long ago it was recorded: of several counters their sum, of several gauges the one
    /// that was set last. Else the last sample.
    pub latest: Option<f64>,
    /// Half of them are not above this one.
    pub p50: Option<f64>,
    /// 95 of 100 are not above this one.
    pub p95: Option<f64>,
    /// 99 of 100 are not above this one.
    pub p99: Option<f64>,
    /// By how much a counter grew each second, or how many values there were each second, since the first of them. `None` for a
    /// gauge, and with fewer than two.
    pub rate: Option<f64>,
    /// How far back the samples go, and with them the figures: less than was asked for where there were more than are kept, or none as old.
    pub covers: Duration,
    /// Of a timing and a distribution the quantiles of all that was ever recorded, however many samples are kept.
    pub since_start: Option<SinceStart>,
}

/// Quantiles from a histogram of fixed size: off by a sixteenth at the most (or by a millionth), up to 4.5 years of a timing and 144 thousand
/// million of a distribution, which count for all that is more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SinceStart {
    /// How many values there were.
    pub count: u64,
    /// Half of them are not above this one.
    pub p50: f64,
    /// 95 of 100 are not above this one.
    pub p95: f64,
    /// 99 of 100 are not above this one.
    pub p99: f64,
}

impl SinceStart {
    fn of(series: &[Raw]) -> Option<Self> {
        let mut sizes: Vec<(f64, u64)> = series.iter().flat_map(|raw| raw.sizes.iter().copied()).collect();
        sizes.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let at = |part| ranked(&sizes, part);
        let count = sizes.iter().map(|(_, count)| count).sum();
        Some(Self { count, p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)? })
    }
}

/// What one series has to tell.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// Those of the window, the oldest first: how long ago each was, and its value.
    pub(super) samples: Vec<(Duration, f64)>,
    /// Of a counter and a gauge what it is.
    pub(super) now: Option<f64>,
    /// How long ago it was recorded last, in the window or before, where that is known.
    pub(super) age: Option<Duration>,
    /// Of a timing and a distribution how large all values ever were, the lowest first, and how many of each size.
    pub(super) sizes: Vec<(f64, u64)>,
}

impl Raw {
    pub(super) fn of(samples: &Samples, window: Duration, now: Option<f64>) -> Self {
        let mut samples = samples.within(Duration::MAX);
        let age = samples.last().map(|(age, _)| *age);
        samples.retain(|(age, _)| *age <= window);
        Self { samples, now, age, sizes: Vec::new() }
    }

    fn latest(&self) -> Option<f64> {
        self.now.or(self.samples.last().map(|(_, value)| *value))
    }
}

/// With the wall clock, for which the age of a sample is a time.
pub(super) fn series(
    kind: Kind,
    unit: &'static str,
    labels: Vec<(String, String)>,
    raw: &Raw,
    now: DateTime<Utc>,
) -> Series {
    let time = |age: Duration| TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age)).unwrap_or(now);
    let samples = raw.samples.iter().map(|(age, value)| Sample { time: time(*age), value: *value }).collect();
    Series { labels, samples, summary: Summary::of(kind, unit, std::slice::from_ref(raw)) }
}

impl Summary {
    /// Of several series.
    #[expect(clippy::cast_precision_loss, reason = "no ring has 2^53 samples")]
    pub(super) fn of(kind: Kind, unit: &'static str, series: &[Raw]) -> Self {
        let mut values: Vec<f64> = series.iter().flat_map(|raw| &raw.samples).map(|(_, value)| *value).collect();
        let count = values.len();
        let oldest = series.iter().filter_map(|raw| raw.samples.first()).map(|(age, _)| *age).max();
        let covers = oldest.unwrap_or_default();
        let grew = match kind {
            Kind::Gauge => None,
            Kind::Timing | Kind::Distribution => Some(count as f64),
            Kind::Counter => {
                let grew = series.iter().filter_map(|raw| Some(raw.samples.last()?.1 - raw.samples.first()?.1));
                Some(grew.sum())
            }
        };
        let seconds = covers.as_secs_f64();
        let latest = match kind {
            Kind::Counter => series.iter().map(Raw::latest).sum(),
            _ => series.iter().min_by_key(|raw| raw.age.unwrap_or(Duration::MAX)).and_then(Raw::latest),
        };
        if kind == Kind::Counter {
            values.clear();
        }
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let rank = (part * values.len() as f64).ceil();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
            values.get((rank as usize).saturating_sub(1)).copied()
        };
        Self {
            unit,
            count: count as u64,
            min: values.first().copied(),
            max: values.last().copied(),
            mean: (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
            latest: latest.filter(|_| !series.is_empty()),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            rate: grew.filter(|_| count > 1 && seconds > 0.0).map(|grew| grew / seconds),
            covers,
            since_start: SinceStart::of(series),
        }
    }
}

/// What a name says that it is measured in.
pub(super) fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    ["seconds", "bytes", "ratio"]
        .into_iter()
        .find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(samples: &[(u64, f64)]) -> Raw {
        let samples: Vec<_> = samples.iter().map(|(age, value)| (Duration::from_secs(*age), *value)).collect();
        Raw { age: samples.last().map(|(age, _)| *age), samples, ..Raw::default() }
    }

    fn now(now: f64, raw: Raw) -> Raw {
        Raw { now: Some(now), ..raw }
    }

    #[test]
    fn the_figures_of_a_hundred() {
        let samples: Vec<(u64, f64)> = (1..=100_u32).map(|n| (u64::from(100 - n), f64::from(n))).collect();
        let summary = Summary::of(Kind::Timing, "seconds", &[raw(&samples)]);
        assert_eq!((summary.unit, summary.count), ("seconds", 100));
        assert_eq!((summary.min, summary.max), (Some(1.0), Some(100.0)));
        assert_eq!((summary.mean, summary.latest), (Some(50.5), Some(100.0)));
        assert_eq!((summary.p50, summary.p95, summary.p99), (Some(50.0), Some(95.0), Some(99.0)));
        assert_eq!((summary.rate, summary.covers), (Some(100.0 / 99.0), Duration::from_secs(99)));
    }

    #[test]
    fn the_figures_of_none_one_and_two_series() {
        assert_eq!(Summary::of(Kind::Counter, "", &[]), Summary::default());
        let one = Summary::of(Kind::Gauge, "", &[raw(&[(7, 3.0)])]);
        assert_eq!((one.count, one.p50, one.p99, one.rate), (1, Some(3.0), Some(3.0), None));
        assert_eq!(Summary::of(Kind::Gauge, "", &[raw(&[(10, 1.0), (0, 2.0)])]).rate, None);
        // A counter grows; what it began with counts for nothing.
        let two = [now(105.0, raw(&[(10, 100.0), (5, 105.0)])), now(15.0, raw(&[(8, 0.0), (0, 15.0)]))];
        let two = Summary::of(Kind::Counter, "", &two);
        assert_eq!((two.count, two.latest, two.rate), (4, Some(120.0), Some(2.0)));
        assert_eq!((two.min, two.max, two.mean, two.p50, two.p99), (None, None, None, None, None), "they are totals");
    }

    #[test]
    fn what_was_not_recorded_of_late_is_what_it_is() {
        let old = |age, value| Raw { age: Some(Duration::from_secs(age)), ..now(value, Raw::default()) };
        let never = || now(0.0, Raw::default());
        let latest = |kind, series: &[Raw]| Summary::of(kind, "", series).latest;
        assert_eq!(latest(Kind::Counter, &[never()]), Some(0.0));
        assert_eq!(latest(Kind::Counter, &[old(70, 3.0), never(), old(60, 4.0)]), Some(7.0));
        assert_eq!(latest(Kind::Gauge, &[old(70, 3.0), never(), old(60, 4.0)]), Some(4.0), "the one set last");
        assert_eq!(Summary::of(Kind::Gauge, "", &[old(70, 3.0)]).count, 0);
        assert_eq!(latest(Kind::Timing, &[Raw::default()]), None);
    }

    #[test]
    fn a_name_says_its_unit() {
        for (name, expected) in [
            ("execution_time_seconds", "seconds"),
            ("database_file_bytes", "bytes"),
            ("sent_bytes_total", "bytes"),
            ("cpu_usage_ratio", "ratio"),
            ("trades_total", ""),
            ("seconds", ""),
        ] {
            assert_eq!(unit(name), expected, "{name}");
        }
    }
}

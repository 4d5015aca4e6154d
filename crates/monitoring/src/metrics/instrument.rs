//! The handles: cheap to clone, shared by their clones, and free of locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::index::AnySeries;
use super::quantiles::Quantiles;
use super::registry::{Families, Tables};
use super::samples::{Clock, Samples};
use super::summary::{Kind, Raw};

// Relaxed throughout: each figure stands for itself, and no other memory is published through it.

/// A number of things that have happened. It only grows (and starts again at 0 after 2⁶⁴).
#[derive(Debug, Clone)]
pub struct Counter(Arc<Sampled>);

/// A figure, as it is and as it was. In cache lines of its own: two threads that record into neighbours would wait for each other.
#[derive(Debug)]
#[repr(align(128))]
struct Sampled {
    now: AtomicU64,
    samples: Samples,
}

impl Sampled {
    fn new(samples: Samples) -> Arc<Self> {
        Arc::new(Self { now: AtomicU64::new(0), samples })
    }
}

impl Counter {
    /// Counts `n` more.
    pub fn increment(&self, n: u64) {
        let total = self.0.now.fetch_add(n, Ordering::Relaxed).wrapping_add(n);
        #[expect(clippy::cast_precision_loss, reason = "a sample is a float, exact up to 2^53")]
        self.0.samples.push(total as f64);
    }

    /// The number so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.now.load(Ordering::Relaxed)
    }

    /// Counts up to `total`, where that is more than it has counted.
    #[cfg(feature = "facade")]
    pub(super) fn raise(&self, total: u64) {
        let before = self.0.now.fetch_max(total, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a sample is a float, exact up to 2^53")]
        self.0.samples.push(before.max(total) as f64);
    }

    pub(super) fn increment_and_tell_first(&self) -> bool {
        self.increment(1);
        self.value() == 1
    }
}

/// A figure that goes up and down. It starts at 0.
#[derive(Debug, Clone)]
pub struct Gauge(Arc<Sampled>);

impl Gauge {
    /// Sets the figure. Any `f64` will do, NaN and infinities too.
    pub fn set(&self, value: f64) {
        self.0.now.store(value.to_bits(), Ordering::Relaxed);
        self.0.samples.push(value);
    }

    /// Sets the figure, and keeps no sample of it.
    pub(crate) fn show(&self, value: f64) {
        self.0.now.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds to the figure; what is below zero takes away.
    pub fn add(&self, amount: f64) {
        self.0.samples.push(add(&self.0.now, amount));
    }

    /// The figure as it is.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.now.load(Ordering::Relaxed))
    }
}

/// Adds to the float whose bits these are; returns the sum.
pub(super) fn add(bits: &AtomicU64, amount: f64) -> f64 {
    let sum = |bits: u64| f64::from_bits(bits) + amount;
    let added = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| Some(sum(bits).to_bits()));
    added.map_or(amount, sum)
}

/// How long something takes: a histogram of fixed size.
#[derive(Debug, Clone)]
pub struct Timing(Arc<Histogram>);

#[derive(Debug)]
#[repr(align(128))]
struct Histogram {
    // One for each bound, and one for what is longer than the last.
    buckets: [AtomicU64; Timing::BOUNDS.len() + 1],
    nanos: AtomicU64,
    quantiles: Quantiles,
    samples: Samples,
}

impl Timing {
    /// The upper bounds of the buckets, inclusive.
    ///
    /// **Source:** Prometheus' default bounds, 5 ms to 10 s, widened to what storage does (100 µs and up) and to what
    /// waiting for an API may take (30 s and 60 s).
    pub const BOUNDS: [Duration; 18] = [
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(60),
    ];

    /// Records one duration. Their sum holds 584 years (and then starts again).
    pub fn record(&self, duration: Duration) {
        let nanos = nanos(duration);
        let bucket = BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
        if let Some(bucket) = self.0.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.0.quantiles.record(nanos);
        self.0.samples.push(duration.as_secs_f64());
    }

    /// The duration that so much of all ever recorded is not above, from 0 to 1, such as 0.95; `None` before the first. Off by a
    /// sixteenth at the most, up to 4.5 years, which count for all that is longer.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        self.0.quantiles.quantile(part).map(Duration::from_nanos)
    }

    /// How many there are up to each bound, and then in all; and their sum.
    pub(super) fn cumulative(&self) -> ([u64; Self::BOUNDS.len() + 1], Duration) {
        let mut total = 0;
        let counts = std::array::from_fn(|index| {
            total += self.0.buckets.get(index).map_or(0, |bucket| bucket.load(Ordering::Relaxed));
            total
        });
        (counts, Duration::from_nanos(self.0.nanos.load(Ordering::Relaxed)))
    }
}

/// [`Timing::BOUNDS`] as one number each, which are compared in less time.
const BOUNDS_NANOS: [u64; Timing::BOUNDS.len()] = {
    let mut bounds = [0; Timing::BOUNDS.len()];
    let (mut durations, mut places) = (Timing::BOUNDS.as_slice(), bounds.as_mut_slice());
    while let ([duration, next @ ..], [place, others @ ..]) = (durations, places) {
        *place = nanos(*duration);
        (durations, places) = (next, others);
    }
    bounds
};

/// A duration in nanoseconds; 584 years for a longer one.
const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

/// What the registry must know of a kind of handle.
pub(super) trait Instrument: Clone {
    const KIND: Kind;
    /// How the names of this kind end.
    const ENDING: &'static str;
    /// The endings under which this kind is rendered, so that no other metric takes such a name.
    const RENDERED: &'static [&'static str];

    /// The name that OpenMetrics has of a name of this kind, so that no other metric takes that one either.
    fn base(name: &str) -> &str {
        name
    }

    /// One that keeps as many samples.
    fn new(samples_max: usize, clock: Clock) -> Self;
    /// What it has to tell, with the samples of the last `window`.
    fn raw(&self, window: Duration) -> Raw;
    fn into_any(self) -> AnySeries;
    fn of(series: &AnySeries) -> Option<&Self>;
    fn families(tables: &Tables) -> &Families<Self>;
    fn families_mut(tables: &mut Tables) -> &mut Families<Self>;
}

impl Instrument for Counter {
    const KIND: Kind = Kind::Counter;
    const ENDING: &'static str = "_total";
    const RENDERED: &'static [&'static str] = &[""];

    fn base(name: &str) -> &str {
        name.strip_suffix(Self::ENDING).unwrap_or(name)
    }

    fn new(samples_max: usize, clock: Clock) -> Self {
        Self(Sampled::new(Samples::new(samples_max, clock)))
    }

    fn raw(&self, window: Duration) -> Raw {
        #[expect(clippy::cast_precision_loss, reason = "a sample is a float, exact up to 2^53")]
        Raw::of(&self.0.samples, window, Some(self.value() as f64))
    }

    fn into_any(self) -> AnySeries {
        AnySeries::Counter(self)
    }

    fn of(series: &AnySeries) -> Option<&Self> {
        if let AnySeries::Counter(series) = series { Some(series) } else { None }
    }

    fn families(tables: &Tables) -> &Families<Self> {
        &tables.counters
    }

    fn families_mut(tables: &mut Tables) -> &mut Families<Self> {
        &mut tables.counters
    }
}

impl Instrument for Gauge {
    const KIND: Kind = Kind::Gauge;
    const ENDING: &'static str = "";
    const RENDERED: &'static [&'static str] = &[""];

    fn new(samples_max: usize, clock: Clock) -> Self {
        Self(Sampled::new(Samples::new(samples_max, clock)))
    }

    fn raw(&self, window: Duration) -> Raw {
        Raw::of(&self.0.samples, window, Some(self.value()))
    }

    fn into_any(self) -> AnySeries {
        AnySeries::Gauge(self)
    }

    fn of(series: &AnySeries) -> Option<&Self> {
        if let AnySeries::Gauge(series) = series { Some(series) } else { None }
    }

    fn families(tables: &Tables) -> &Families<Self> {
        &tables.gauges
    }

    fn families_mut(tables: &mut Tables) -> &mut Families<Self> {
        &mut tables.gauges
    }
}

impl Instrument for Timing {
    const KIND: Kind = Kind::Timing;
    const ENDING: &'static str = "_seconds";
    const RENDERED: &'static [&'static str] = &["", "_bucket", "_sum", "_count"];

    fn new(samples_max: usize, clock: Clock) -> Self {
        Self(Arc::new(Histogram {
            buckets: Default::default(),
            nanos: AtomicU64::new(0),
            quantiles: Quantiles::default(),
            samples: Samples::new(samples_max, clock),
        }))
    }

    fn raw(&self, window: Duration) -> Raw {
        let sizes = self.0.quantiles.sizes().map(|(nanos, count)| (Duration::from_nanos(nanos).as_secs_f64(), count));
        Raw { sizes: sizes.collect(), ..Raw::of(&self.0.samples, window, None) }
    }

    fn into_any(self) -> AnySeries {
        AnySeries::Timing(self)
    }

    fn of(series: &AnySeries) -> Option<&Self> {
        if let AnySeries::Timing(series) = series { Some(series) } else { None }
    }

    fn families(tables: &Tables) -> &Families<Self> {
        &tables.timings
    }

    fn families_mut(tables: &mut Tables) -> &mut Families<Self> {
        &mut tables.timings
    }
}

//! The handles: cheap to clone, shared by their clones, and free of locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::registry::{Families, Tables};

// Relaxed throughout: each figure stands for itself, and no other memory is published through it.

/// A number of things that have happened. It only grows (and starts again at 0 after 2⁶⁴).
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts `n` more.
    pub fn increment(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn increment_and_tell_first(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) == 0
    }
}

/// A figure that goes up and down. It starts at 0.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets the figure. Any `f64` will do, NaN and infinities too.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The figure that was set last.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// How long something takes: a histogram of fixed size.
#[derive(Debug, Clone, Default)]
pub struct Timing(Arc<Histogram>);

#[derive(Debug, Default)]
struct Histogram {
    // One for each bound, and one for what is longer than the last.
    buckets: [AtomicU64; Timing::BOUNDS.len() + 1],
    nanos: AtomicU64,
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
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < duration);
        if let Some(bucket) = self.0.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
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

/// What the registry must know of a kind of handle.
pub(super) trait Instrument: Clone + Default {
    /// How the names of this kind end.
    const ENDING: &'static str;
    /// The endings under which this kind is rendered, so that no other metric takes such a name.
    const RENDERED: &'static [&'static str];

    fn families(tables: &Tables) -> &Families<Self>;
    fn families_mut(tables: &mut Tables) -> &mut Families<Self>;
}

impl Instrument for Counter {
    const ENDING: &'static str = "_total";
    const RENDERED: &'static [&'static str] = &[""];

    fn families(tables: &Tables) -> &Families<Self> {
        &tables.counters
    }

    fn families_mut(tables: &mut Tables) -> &mut Families<Self> {
        &mut tables.counters
    }
}

impl Instrument for Gauge {
    const ENDING: &'static str = "";
    const RENDERED: &'static [&'static str] = &[""];

    fn families(tables: &Tables) -> &Families<Self> {
        &tables.gauges
    }

    fn families_mut(tables: &mut Tables) -> &mut Families<Self> {
        &mut tables.gauges
    }
}

impl Instrument for Timing {
    const ENDING: &'static str = "_seconds";
    const RENDERED: &'static [&'static str] = &["", "_bucket", "_sum", "_count"];

    fn families(tables: &Tables) -> &Families<Self> {
        &tables.timings
    }

    fn families_mut(tables: &mut Tables) -> &mut Families<Self> {
        &mut tables.timings
    }
}

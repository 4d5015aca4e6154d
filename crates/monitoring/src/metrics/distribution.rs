//! How large something is, where that is no duration.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::index::AnySeries;
use super::instrument::{Instrument, add};
use super::quantiles::Quantiles;
use super::registry::{Families, Tables};
use super::samples::{Clock, Samples};
use super::summary::{Kind, Raw};

/// How large something is: bytes, rows, prices. A histogram of fixed size.
#[derive(Debug, Clone)]
pub struct Distribution(Arc<Histogram>);

#[derive(Debug)]
#[repr(align(128))]
struct Histogram {
    // One for each bound, and one for what is more than the last.
    buckets: [AtomicU64; Distribution::BOUNDS.len() + 1],
    /// The bits of a float.
    sum: AtomicU64,
    /// Of millionths.
    quantiles: Quantiles,
    /// The same of those below zero, which most never have.
    below_zero: OnceLock<Quantiles>,
    samples: Samples,
}

/// The quantiles count whole numbers.
const PARTS: f64 = 1e6;

impl Distribution {
    /// The upper bounds of the buckets, inclusive: the powers of ten from a millionth to a hundred thousand million (**source:**
    /// arbitrary; nobody knows beforehand what is measured, and quantiles come of finer ones).
    pub const BOUNDS: [f64; 18] =
        [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11];

    /// Records one value. One that is no number is not recorded.
    pub fn record(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.0.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        add(&self.0.sum, value);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not below zero, and what is too much counts as the most"
        )]
        let parts = (value.abs() * PARTS).round() as u64;
        let below_zero = (value < 0.0).then(|| self.0.below_zero.get_or_init(Quantiles::default));
        below_zero.unwrap_or(&self.0.quantiles).record(parts);
        self.0.samples.push(value);
    }

    /// How many there are up to each bound, and then in all; and their sum.
    pub(super) fn cumulative(&self) -> ([u64; Self::BOUNDS.len() + 1], f64) {
        let mut total = 0;
        let counts = std::array::from_fn(|index| {
            total += self.0.buckets.get(index).map_or(0, |bucket| bucket.load(Ordering::Relaxed));
            total
        });
        (counts, f64::from_bits(self.0.sum.load(Ordering::Relaxed)))
    }
}

impl Instrument for Distribution {
    const KIND: Kind = Kind::Distribution;
    const ENDING: &'static str = "";
    const RENDERED: &'static [&'static str] = &["", "_bucket", "_sum", "_count"];

    fn new(samples_max: usize, clock: Clock) -> Self {
        Self(Arc::new(Histogram {
            buckets: Default::default(),
            sum: AtomicU64::new(0),
            quantiles: Quantiles::default(),
            below_zero: OnceLock::new(),
            samples: Samples::new(samples_max, clock),
        }))
    }

    fn raw(&self, window: Duration) -> Raw {
        #[expect(clippy::cast_precision_loss, reason = "the middle of a bucket is not exact anyway")]
        let size = |(parts, count): (u64, u64)| (parts as f64 / PARTS, count);
        let below_zero = self.0.below_zero.get().map(|quantiles| quantiles.sizes().rev().map(size));
        let below_zero = below_zero.into_iter().flatten().map(|(size, count)| (-size, count));
        let sizes = below_zero.chain(self.0.quantiles.sizes().map(size)).collect();
        Raw { sizes, ..Raw::of(&self.0.samples, window, None) }
    }

    fn into_any(self) -> AnySeries {
        AnySeries::Distribution(self)
    }

    fn of(series: &AnySeries) -> Option<&Self> {
        if let AnySeries::Distribution(series) = series { Some(series) } else { None }
    }

    fn families(tables: &Tables) -> &Families<Self> {
        &tables.distributions
    }

    fn families_mut(tables: &mut Tables) -> &mut Families<Self> {
        &mut tables.distributions
    }
}

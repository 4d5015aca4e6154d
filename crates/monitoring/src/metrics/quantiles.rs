//! Quantiles of all that was ever recorded, in memory of fixed size.

use std::sync::atomic::{AtomicU64, Ordering};

/// Each power of two is divided into so many parts, so that a quantile is off by a sixteenth at the most.
const PARTS: u64 = 8;

/// Above 2 to this many, values are counted as one: 2^57 ns are 4.5 years, and 2^57 millionths are 144 thousand million.
const BITS_MAX: u32 = 57;

const BUCKETS: usize = (BITS_MAX - PARTS.ilog2() + 1) as usize * 8;

/// How many values there were of each size.
#[derive(Debug)]
pub(super) struct Quantiles(Box<[AtomicU64]>);

impl Default for Quantiles {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Quantiles {
    pub(super) fn record(&self, value: u64) {
        if let Some(bucket) = self.0.get(bucket(value)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The value that so much of all is not above, from 0 to 1; `None` before the first.
    pub(super) fn quantile(&self, part: f64) -> Option<u64> {
        ranked(&self.sizes().collect::<Vec<_>>(), part)
    }

    /// The sizes that there are, the lowest first, and how many values there were of each.
    pub(super) fn sizes(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        let counts = self.0.iter().map(|bucket| bucket.load(Ordering::Relaxed)).enumerate();
        counts.filter(|(_, count)| *count > 0).map(|(bucket, count)| (middle(bucket), count))
    }
}

/// Of sizes, the lowest first, and how many values there are of each, the one that so much of all is not above.
pub(super) fn ranked<T: Copy>(sizes: &[(T, u64)], part: f64) -> Option<T> {
    let total: u64 = sizes.iter().map(|(_, count)| count).sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank between 1 and the total, exact up to 2^53"
    )]
    let rank = ((part.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
    let mut seen = 0;
    let at = |(size, count): &(T, u64)| {
        seen += count;
        (seen >= rank).then_some(*size)
    };
    sizes.iter().find_map(at)
}

fn bucket(value: u64) -> usize {
    let value = value.min((1 << BITS_MAX) - 1);
    let Some(power) = value.checked_ilog2().filter(|power| *power >= PARTS.ilog2()) else {
        return usize::try_from(value).unwrap_or(BUCKETS);
    };
    let shift = power - PARTS.ilog2();
    let part = (value >> shift) - PARTS;
    usize::try_from(u64::from(shift + 1) * PARTS + part).unwrap_or(BUCKETS)
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let (octave, part) = (bucket / PARTS, bucket % PARTS);
    match octave.checked_sub(1) {
        None => part,
        Some(shift) => ((PARTS + part) << shift) + ((1_u64 << shift) >> 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_near_the_middle_of_its_bucket() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let value = random.u64(..) >> random.u32(64 - BITS_MAX..64);
            let near = middle(bucket(value));
            assert!(near.abs_diff(value) * 16 <= value, "{value} becomes {near}");
        }
        assert_eq!(BUCKETS as u64 % PARTS, 0);
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let quantiles = Quantiles::default();
        assert_eq!(quantiles.quantile(0.5), None);
        let mut random = fastrand::Rng::with_seed(8);
        let mut values: Vec<u64> = (0..10_000).map(|_| 1_000 + (1 << random.u32(0..30))).collect();
        values.iter().for_each(|value| quantiles.record(*value));
        values.sort_unstable();
        for (part, index) in [(0.0, 0), (0.5, 4_999), (0.95, 9_499), (0.99, 9_899), (1.0, 9_999), (7.0, 9_999)] {
            let (found, exact) = (quantiles.quantile(part).expect("there are values"), values[index]);
            assert!(found.abs_diff(exact) * 16 <= exact, "{part}: {found} for {exact}");
        }
    }
}

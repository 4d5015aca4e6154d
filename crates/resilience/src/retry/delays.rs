//! The sequence of waits: pure arithmetic and a seeded generator, without clock or sleep.

use std::iter::FusedIterator;
use std::time::Duration;

use crate::retry::{Policy, UNBOUNDED};

/// How much of a wait is left to chance, so that those who failed together do not come back together.
///
/// **Source:** the names are those of "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// Anything from nothing to the whole wait: spreads best.
    Full,
    /// Half of the wait for certain, anything up to the other half by chance.
    Equal,
    /// Nothing: the wait as computed.
    None,
}

/// The waits between attempts: `base`, `base × factor`, …, each at most the cap, jitter included.
///
/// Ends after `attempts_max - 1` waits; with [`UNBOUNDED`] never. Usable without a retry, to slow down a loop:
///
/// ```
/// use std::time::Duration;
/// use trading_resilience::retry::{self, Jitter, Policy};
///
/// const ACCEPT: Policy = Policy {
///     attempts_max: retry::UNBOUNDED,
///     base: Duration::from_millis(10),
///     factor: 2.0,
///     cap: Duration::from_millis(35),
///     jitter: Jitter::None,
///     deadline: None,
/// };
/// let mut delays = ACCEPT.delays(0); // again after each success
/// let waits: Vec<u128> = delays.by_ref().take(4).map(|wait| wait.as_millis()).collect();
/// assert_eq!(waits, [10, 20, 35, 35]);
/// ```
#[derive(Debug, Clone)]
pub struct Delays {
    next: Duration,
    factor: f64,
    cap: Duration,
    jitter: Jitter,
    left: u32,
    random: fastrand::Rng,
}

impl Delays {
    pub(super) fn new(policy: &Policy, seed: u64) -> Self {
        Self {
            next: policy.base.min(policy.cap),
            // `max` prefers the number to a NaN.
            factor: policy.factor.max(1.0),
            cap: policy.cap,
            jitter: policy.jitter,
            left: if policy.attempts_max == UNBOUNDED { UNBOUNDED } else { policy.attempts_max.saturating_sub(1) },
            random: fastrand::Rng::with_seed(seed),
        }
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.left == 0 {
            return None;
        }
        if self.left != UNBOUNDED {
            self.left -= 1;
        }
        let whole = self.next;
        self.next = scaled(whole, self.factor, self.cap);
        Some(match self.jitter {
            Jitter::Full => scaled(whole, self.random.f64(), whole),
            Jitter::Equal => {
                let half = whole / 2;
                half + scaled(half, self.random.f64(), half)
            }
            Jitter::None => whole,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.left {
            UNBOUNDED => (usize::MAX, None),
            left => usize::try_from(left).map_or((usize::MAX, None), |left| (left, Some(left))),
        }
    }
}

impl FusedIterator for Delays {}

/// What overflows a `Duration` is above any limit; `mul_f64` would panic there.
fn scaled(duration: Duration, by: f64, limit: Duration) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * by).map_or(limit, |scaled| scaled.min(limit))
}

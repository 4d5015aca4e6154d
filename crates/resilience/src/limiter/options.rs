//! Quotas, and who may use how much of them.

use std::time::Duration;

use crate::error::ValidationError;

/// The largest quota, in calls. Each call that counts is kept, in 8 bytes.
const CALLS_MAX: u32 = 100_000;

/// The longest quota. Arbitrary.
const PER_MAX: Duration = Duration::from_secs(31 * 24 * 3_600);

/// How many calls there may be in any stretch of time of a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many calls. From 1 to 100,000.
    pub calls: u32,
    /// The length. Above zero, at most 31 days.
    pub per: Duration,
}

impl Quota {
    /// So many calls in any 60 seconds.
    #[must_use]
    pub const fn per_minute(calls: u32) -> Self {
        Self { calls, per: Duration::from_secs(60) }
    }

    /// So many calls in any 3,600 seconds.
    #[must_use]
    pub const fn per_hour(calls: u32) -> Self {
        Self { calls, per: Duration::from_secs(3_600) }
    }
}

/// How much a call matters. Those that matter more go first, and have a part of each quota for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Places, changes or cancels an order. May use the whole of each quota.
    Order,
    /// Reads what somebody waits for. Leaves [`LimiterOptions::order_share`] alone.
    Read,
    /// Only looks whether the other side is well. Leaves [`LimiterOptions::read_share`] alone too.
    Probe,
}

impl Priority {
    pub(super) const ALL: [Self; 3] = [Self::Order, Self::Read, Self::Probe];

    pub(super) fn rank(self) -> usize {
        match self {
            Self::Order => 0,
            Self::Read => 1,
            Self::Probe => 2,
        }
    }
}

/// The quotas of a [`RateLimiter`](crate::RateLimiter), and who may use how much of them.
#[derive(Debug, Clone, PartialEq)]
pub struct LimiterOptions {
    /// All hold at once. At least one.
    pub quotas: Vec<Quota>,
    /// The share of each quota that only orders may use, rounded down to calls. From 0 to below 1. Default: 0.1.
    pub order_share: f64,
    /// The share of each quota that probes leave to reads, beyond the orders' share. From 0; both below 1. Default: 0.4.
    pub read_share: f64,
}

impl LimiterOptions {
    /// These quotas, with the default shares.
    #[must_use]
    pub fn of(quotas: &[Quota]) -> Self {
        Self { quotas: quotas.to_vec(), order_share: 0.1, read_share: 0.4 }
    }

    pub(super) fn check(&self) -> Result<(), ValidationError> {
        let Self { quotas, order_share, read_share } = self;
        if quotas.is_empty() {
            return Err(ValidationError::missing("quotas", "have at least one"));
        }
        for Quota { calls, per } in quotas {
            if !(1..=CALLS_MAX).contains(calls) {
                return Err(ValidationError::new("quotas.calls", "be from 1 to 100000", calls));
            }
            if per.is_zero() || *per > PER_MAX {
                return Err(ValidationError::new(
                    "quotas.per",
                    "be above zero, at most 31 days",
                    format_args!("{per:?}"),
                ));
            }
        }
        for (field, share) in [("order_share", *order_share), ("read_share", *read_share)] {
            if !(0.0..1.0).contains(&share) {
                return Err(ValidationError::new(field, "be from 0 to below 1", share));
            }
        }
        if order_share + read_share >= 1.0 {
            return Err(ValidationError::new("read_share", "be below 1 with order_share", read_share));
        }
        Ok(())
    }

    /// How many of `calls` the priority leaves alone.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to below `calls`, rounded down"
    )]
    pub(super) fn reserved(&self, priority: Priority, calls: u32) -> u32 {
        let share = match priority {
            Priority::Order => return 0,
            Priority::Read => self.order_share,
            Priority::Probe => self.order_share + self.read_share,
        };
        (f64::from(calls) * share) as u32
    }
}

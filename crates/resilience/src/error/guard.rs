//! Calls that a guard did not let through, or did not wait for.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::{Code, millis};

/// A call was given up before its answer came: it took longer than it may, or was cancelled. It was abandoned, not undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut {
    /// How long it was waited for.
    pub limit: Duration,
}

impl TimedOut {
    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::TimedOut
    }

    pub(crate) fn details(&self) -> Value {
        json!({ "limit_ms": millis(self.limit) })
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no result within {:?}", self.limit)
    }
}

impl std::error::Error for TimedOut {}

/// `Unknown`: what was abandoned may have happened.
impl Classify for TimedOut {
    fn class(&self) -> Class {
        Class::Unknown
    }
}

/// A call was not let through. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The rate limiter has no room for it in time.
    QuotaSpent {
        /// When there will be room, from now; longer if others are quicker.
        come_back_after: Duration,
    },
    /// The circuit breaker holds calls back.
    CircuitOpen {
        /// When it tries again whether the dependency is well, from now; `None` when somebody has to close it.
        come_back_after: Option<Duration>,
    },
    /// As many calls as may be are under way.
    Full {
        /// How many that is.
        calls_max: u32,
    },
}

impl Refusal {
    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::QuotaSpent { .. } => Code::GuardQuotaSpent,
            Self::CircuitOpen { .. } => Code::GuardCircuitOpen,
            Self::Full { .. } => Code::GuardFull,
        }
    }

    pub(crate) fn details(&self) -> Value {
        match self {
            Self::QuotaSpent { come_back_after } => json!({ "come_back_after_ms": millis(*come_back_after) }),
            Self::CircuitOpen { come_back_after } => json!({ "come_back_after_ms": come_back_after.map(millis) }),
            Self::Full { calls_max } => json!({ "calls_max": calls_max }),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuotaSpent { come_back_after } => write!(f, "rate limit reached, come back in {come_back_after:?}"),
            Self::CircuitOpen { come_back_after: Some(after) } => write!(f, "circuit open, come back in {after:?}"),
            Self::CircuitOpen { come_back_after: None } => f.write_str("circuit held open"),
            Self::Full { calls_max } => write!(f, "{calls_max} calls are under way, which is the limit"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Classify for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::QuotaSpent { come_back_after } => Class::RateLimited { retry_after: Some(*come_back_after) },
            Self::CircuitOpen { come_back_after: Some(after) } => Class::RateLimited { retry_after: Some(*after) },
            Self::CircuitOpen { come_back_after: None } => Class::Permanent,
            Self::Full { .. } => Class::Transient,
        }
    }
}

//! The end of a retry that did not succeed.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::class::{Class, Classify};
use crate::error::{Error, millis, rfc3339};
use crate::redaction::shown;

/// Why there was no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The error is permanent.
    Permanent,
    /// The outcome is unknown, and no idempotency key was given.
    NoKey,
    /// The attempts are used up.
    AttemptsUsed,
    /// The next attempt would start at or after the deadline.
    Deadline,
    /// Somebody asked to stop: see [`Cancel`](crate::Cancel). Told before any other, if the failure is not permanent.
    Cancelled,
    /// The predicate of [`Retry::only_if`](crate::retry::Retry::only_if) said no.
    Declined,
    /// It ran inside an attempt of another retry, where attempts would multiply. It ran once; the outer one goes on.
    Nested,
    /// The dependency's [`RetryBudget`](crate::RetryBudget) is spent.
    BudgetSpent,
    /// A guard did not let the call through: waiting here would only add to the queue.
    Refused,
}

impl Reason {
    /// Returns the name used in logs and JSON: `permanent`, `no_key`, `attempts_used`, `deadline`, `cancelled`,
    /// `declined`, `nested`, `budget_spent` or `refused`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::NoKey => "no_key",
            Self::AttemptsUsed => "attempts_used",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::Nested => "nested",
            Self::BudgetSpent => "budget_spent",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permanent => "another attempt cannot help",
            Self::NoKey => "it may have happened, and no idempotency key was given",
            Self::AttemptsUsed => "no attempts left",
            Self::Deadline => "the next attempt would be too late",
            Self::Cancelled => "it was cancelled",
            Self::Declined => "its caller declined another attempt",
            Self::Nested => "a retry inside a retry runs once",
            Self::BudgetSpent => "the budget for retries is spent",
            Self::Refused => "it was not let through",
        })
    }
}

/// A retry gave up. The last attempt's error is the source.
#[non_exhaustive]
pub struct GaveUp<E> {
    /// The operation's name, as given to the run.
    pub operation: String,
    /// How many attempts were made, the first included.
    pub attempts: u32,
    /// The time from the start of the first attempt to giving up.
    pub elapsed: Duration,
    /// When it gave up.
    pub time: DateTime<Utc>,
    /// Why there was no further attempt.
    pub reason: Reason,
    /// How long from now another try makes sense: what the other side asked for, or the wait that the deadline did not
    /// allow. `None` when neither is known.
    pub come_back_after: Option<Duration>,
    /// What the whole retry leaves its caller to do. Not always the last error's class: `Unknown` once any attempt was.
    pub class: Class,
    /// The last attempt's error. Boxed to keep the `Result` small.
    pub source: Box<E>,
}

impl<E> GaveUp<E> {
    /// Returns when another try makes sense, on the clock of the day: [`come_back_after`](Self::come_back_after) from its
    /// [`time`](Self::time). `None` when that is not known, or after all days.
    #[must_use]
    pub fn come_back_at(&self) -> Option<DateTime<Utc>> {
        self.time.checked_add_signed(TimeDelta::from_std(self.come_back_after?).ok()?)
    }
}

/// The operation's name as it may be shown, and the source as its own `Debug` has it.
impl<E: fmt::Debug> fmt::Debug for GaveUp<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, attempts, elapsed, time, reason, come_back_after, class, source } = self;
        f.debug_struct("GaveUp")
            .field("operation", &shown(operation))
            .field("attempts", attempts)
            .field("elapsed", elapsed)
            .field("time", time)
            .field("reason", reason)
            .field("come_back_after", come_back_after)
            .field("class", class)
            .field("source", source)
            .finish()
    }
}

impl<E> fmt::Display for GaveUp<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, attempts, elapsed, reason, .. } = self;
        let plural = if *attempts == 1 { "" } else { "s" };
        let operation = shown(operation);
        write!(f, "{operation}: gave up after {attempts} attempt{plural} in {elapsed:?}: {reason}")?;
        match self.come_back_after {
            Some(after) => write!(f, ", come back in {after:?}"),
            None => Ok(()),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for GaveUp<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl<E> Classify for GaveUp<E> {
    fn class(&self) -> Class {
        self.class
    }

    fn come_back_after(&self) -> Option<Duration> {
        self.come_back_after
    }
}

/// The last attempt's error, with the story of the retry as context (`operation`, `attempts`, `elapsed_ms`, `gave_up`
/// and, where known, `come_back_at`), its time and the class of the whole retry.
impl<E: Into<Error>> From<GaveUp<E>> for Error {
    fn from(gave_up: GaveUp<E>) -> Self {
        let come_back_at = gave_up.come_back_at();
        let GaveUp { operation, attempts, elapsed, time, reason, come_back_after, class, source } = gave_up;
        let error: Self = (*source).into();
        let error = error
            .classed(class, come_back_after)
            .at(time)
            .with("operation", operation)
            .with("attempts", attempts)
            .with("elapsed_ms", millis(elapsed))
            .with("gave_up", reason.as_str());
        match come_back_at {
            Some(at) => error.with("come_back_at", rfc3339(at)),
            None => error,
        }
    }
}

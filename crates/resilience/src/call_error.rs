//! How one of several attempts fails.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::class::{Class, Classify};
use crate::error::{Refusal, TimedOut};

/// How one attempt failed: through a [`Guard`](crate::Guard), or in async code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError<E> {
    /// It was made, and failed.
    Failed(E),
    /// It was made, and abandoned: at its time-out, at the deadline, or because it was cancelled. Async only: a blocking
    /// call is told its time, and ends by itself.
    TimedOut(TimedOut),
    /// A guard did not let it through. Nothing was sent.
    Refused(Refusal),
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

/// As the error inside, which `Display` has shown.
impl<E: Error> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::TimedOut(error) => error.source(),
            Self::Refused(error) => error.source(),
        }
    }
}

impl<E: Classify> Classify for CallError<E> {
    fn class(&self) -> Class {
        match self {
            Self::Failed(error) => error.class(),
            Self::TimedOut(error) => error.class(),
            Self::Refused(error) => error.class(),
        }
    }

    fn come_back_after(&self) -> Option<Duration> {
        match self {
            Self::Failed(error) => error.come_back_after(),
            Self::TimedOut(error) => error.come_back_after(),
            Self::Refused(error) => error.come_back_after(),
        }
    }
}

impl<E: Into<crate::Error>> From<CallError<E>> for crate::Error {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Failed(error) => error.into(),
            CallError::TimedOut(error) => error.into(),
            CallError::Refused(error) => error.into(),
        }
    }
}

//! Jobs that did not run when they should have.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::{Code, rfc3339};
use crate::redaction::shown;

/// A job that did not run when it should have.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchedulingError {
    /// It was not started when it was due.
    Missed {
        /// The job's name.
        job: String,
        /// When it was due.
        due: DateTime<Utc>,
        /// When that was noticed.
        noticed: DateTime<Utc>,
    },
    /// It was due while it was still running.
    Overlap {
        /// The job's name.
        job: String,
        /// Since when it has been running.
        running_since: DateTime<Utc>,
    },
}

impl SchedulingError {
    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Missed { .. } => Code::ScheduleMissed,
            Self::Overlap { .. } => Code::ScheduleOverlap,
        }
    }

    pub(crate) fn details(&self) -> Value {
        match self {
            Self::Missed { job, due, noticed } => {
                json!({ "job": job, "due": rfc3339(*due), "noticed": rfc3339(*noticed) })
            }
            Self::Overlap { job, running_since } => json!({ "job": job, "running_since": rfc3339(*running_since) }),
        }
    }
}

impl fmt::Display for SchedulingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed { job, due, noticed } => {
                let job = shown(job);
                write!(f, "job {job} was due at {} and not started by {}", rfc3339(*due), rfc3339(*noticed))
            }
            Self::Overlap { job, running_since } => {
                let job = shown(job);
                write!(f, "job {job} was due while it was running since {}", rfc3339(*running_since))
            }
        }
    }
}

impl std::error::Error for SchedulingError {}

/// A missed job is `Permanent`: whether it makes sense late is for its owner to say. One that overlaps is `Transient`: the
/// run under way ends.
impl Classify for SchedulingError {
    fn class(&self) -> Class {
        match self {
            Self::Missed { .. } => Class::Permanent,
            Self::Overlap { .. } => Class::Transient,
        }
    }
}

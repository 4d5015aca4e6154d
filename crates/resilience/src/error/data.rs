//! Data that could not be processed, or not all of it.

use std::fmt;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::{Cause, Code};
use crate::redaction::shown;

/// Data that could not be processed, or not all of it.
#[non_exhaustive]
pub struct DataError {
    /// Where the data came from: `quiver live/congresstrading`.
    pub origin: String,
    /// The step that failed: `parse amounts`.
    pub step: String,
    /// How many records were lost in it.
    pub dropped: u64,
    /// How many records came in.
    pub total: u64,
    /// Why the first of them was lost.
    pub source: Option<Cause>,
}

impl DataError {
    /// A step lost `dropped` of `total` records.
    pub fn new(origin: impl Into<String>, step: impl Into<String>, dropped: u64, total: u64) -> Self {
        Self { origin: origin.into(), step: step.into(), dropped, total, source: None }
    }

    /// Adds why the first of them was lost.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Cause>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::DataProcessingFailed
    }

    pub(crate) fn details(&self) -> Value {
        json!({ "origin": self.origin, "step": self.step, "dropped": self.dropped, "total": self.total })
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&format!(
            "{}: {} dropped {} of {} records",
            self.origin, self.step, self.dropped, self.total
        )))
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// `Permanent`: the same data will be read in the same way.
impl Classify for DataError {
    fn class(&self) -> Class {
        Class::Permanent
    }
}

//! Failures of the database, told to code that knows no database.

use std::fmt;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::{Cause, Code};
use crate::redaction::shown;

/// The database failed. Its own error is the source, and decides the class.
#[non_exhaustive]
pub struct DatabaseError {
    /// What was to be done: `insert trade`.
    pub operation: String,
    /// The class of the database's own error.
    pub class: Class,
    /// The database's own error.
    pub source: Cause,
}

impl DatabaseError {
    /// An operation failed with the database's own error.
    pub fn new(
        operation: impl Into<String>,
        source: impl std::error::Error + Classify + Send + Sync + 'static,
    ) -> Self {
        let class = source.class();
        Self { operation: operation.into(), class, source: Box::new(source) }
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.class {
            Class::Unknown => Code::DatabaseOutcomeUnknown,
            Class::Transient | Class::RateLimited { .. } | Class::Permanent => Code::DatabaseFailed,
        }
    }

    pub(crate) fn details(&self) -> Value {
        json!({ "operation": self.operation })
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&format!("database: {} failed", self.operation)))
    }
}

impl std::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl Classify for DatabaseError {
    fn class(&self) -> Class {
        self.class
    }
}

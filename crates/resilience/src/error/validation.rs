//! Values that break a rule.

use std::fmt;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::Code;

/// A value that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationError {
    /// The field, as the user knows it (`order.quantity`).
    pub field: String,
    /// What must hold, as a phrase after "must": `be above zero`.
    pub rule: String,
    /// What was found instead; `None` when there was nothing or when it is a secret, which never belongs here.
    pub found: Option<String>,
}

impl ValidationError {
    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::ValidationFailed
    }

    pub(crate) fn details(&self) -> Value {
        json!({ "field": self.field, "rule": self.rule, "found": self.found })
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, rule, found } = self;
        match found {
            Some(found) => write!(f, "{field} must {rule}, found {found:?}"),
            None => write!(f, "{field} must {rule}"),
        }
    }
}

impl std::error::Error for ValidationError {}

impl Classify for ValidationError {
    fn class(&self) -> Class {
        Class::Permanent
    }
}

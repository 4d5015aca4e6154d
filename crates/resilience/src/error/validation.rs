//! Values that break a rule.

use std::fmt;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::Code;
use crate::redaction::{shown, shown_as};

/// A value that breaks a rule.
///
/// ```
/// use trading_resilience::ValidationError;
///
/// let error = ValidationError::new("order.quantity", "be above zero", "-3");
/// assert_eq!(error.to_string(), "order.quantity must be above zero, found \"-3\"");
/// let error = ValidationError::new("alpaca.secret_key", "have 40 characters", "hush");
/// assert_eq!(error.to_string(), "alpaca.secret_key must have 40 characters, found \"[redacted]\"");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationError {
    /// The field, as the user knows it (`order.quantity`).
    pub field: String,
    /// What must hold, as a phrase after "must": `be above zero`.
    pub rule: String,
    /// What was found instead, redacted and at most 512 bytes; `None` when there was nothing.
    pub found: Option<String>,
}

impl ValidationError {
    /// A value was found that breaks the rule. It is never kept if the name of the field says that it is a secret.
    pub fn new(field: impl Into<String>, rule: impl Into<String>, found: impl fmt::Display) -> Self {
        let field = field.into();
        let found = Some(shown_as(&field, &found.to_string()));
        Self { field, rule: rule.into(), found }
    }

    /// There is no value where the rule asks for one.
    pub fn missing(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { field: field.into(), rule: rule.into(), found: None }
    }

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
        let broken = shown(&format!("{} must {}", self.field, self.rule));
        match &self.found {
            Some(found) => write!(f, "{broken}, found {found:?}"),
            None => f.write_str(&broken),
        }
    }
}

impl std::error::Error for ValidationError {}

impl Classify for ValidationError {
    fn class(&self) -> Class {
        Class::Permanent
    }
}

/// A text that is not a ticker.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidTicker {
    /// What was found, as one line of at most 512 bytes.
    pub found: String,
    /// What a ticker must be, as a phrase after "must": `be 1 to 12 capital letters`.
    pub rule: String,
}

impl InvalidTicker {
    /// A text breaks a rule for tickers.
    pub fn new(found: &str, rule: impl Into<String>) -> Self {
        Self { found: shown(found), rule: rule.into() }
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::TickerInvalid
    }

    pub(crate) fn details(&self) -> Value {
        json!({ "found": self.found, "rule": self.rule })
    }
}

impl fmt::Display for InvalidTicker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a ticker must {}, found {:?}", shown(&self.rule), self.found)
    }
}

impl std::error::Error for InvalidTicker {}

impl Classify for InvalidTicker {
    fn class(&self) -> Class {
        Class::Permanent
    }
}

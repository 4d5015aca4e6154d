//! The system-wide error: one [`Error`] that holds any area's failure, and what every reader of it wants to know.
//!
//! An area has a type of its own with named fields ([`ApiError`], [`TradingError`], [`ValidationError`]), which is
//! what functions of that area return. [`Error`] is for code that calls several areas: `?` converts. It adds context
//! and renders to JSON; [`ErrorKind`] gives the typed error back.

mod api;
mod code;
mod trading;
mod validation;

use std::fmt;

use serde_json::{Map, Value};

use crate::class::{Class, Classify};
use crate::retry::GaveUp;

pub use api::{Api, ApiError, Failure, Method};
pub use code::Code;
pub use trading::TradingError;
pub use validation::ValidationError;

/// Any failure of the system, with its context.
///
/// `Display` is one line without the cause; [`source`](std::error::Error::source) carries the cause. One pointer in
/// size, so that a `Result` stays small.
///
/// ```
/// use trading_resilience::{Code, Error, ErrorKind, TradingError};
///
/// let error = Error::from(TradingError::MarketClosed { next_open: None }).with("agent_id", "pelosi");
/// assert_eq!(error.code(), Code::TradingMarketClosed);
/// assert!(matches!(error.kind(), ErrorKind::Trading(TradingError::MarketClosed { .. })));
/// assert_eq!(
///     error.to_json().to_string(),
///     r#"{"code":"TRADING_MARKET_CLOSED","class":"permanent","message":"market is closed","details":{"next_open":null},"context":{"agent_id":"pelosi"}}"#
/// );
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    class: Class,
    context: Vec<(&'static str, String)>,
}

/// The typed failure inside an [`Error`], by area.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A call to one of the outside APIs.
    Api(ApiError),
    /// A refusal to trade, by the broker or by the market's hours.
    Trading(TradingError),
    /// A value that breaks a rule.
    Validation(ValidationError),
}

impl Error {
    fn new(kind: ErrorKind) -> Self {
        let class = match &kind {
            ErrorKind::Api(error) => error.class(),
            ErrorKind::Trading(error) => error.class(),
            ErrorKind::Validation(error) => error.class(),
        };
        Self(Box::new(Inner { kind, class, context: Vec::new() }))
    }

    /// Returns the typed failure, to be matched on.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match &self.0.kind {
            ErrorKind::Api(error) => error.code(),
            ErrorKind::Trading(error) => error.code(),
            ErrorKind::Validation(error) => error.code(),
        }
    }

    /// Adds a fact about where it happened. A key given again keeps its place and takes the new value.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        let context = &mut self.0.context;
        match context.iter_mut().find(|(present, _)| *present == key) {
            Some((_, present)) => *present = value,
            None => context.push((key, value)),
        }
        self
    }

    /// Returns the facts added by [`with`](Self::with), in the order of their first mention.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// Renders the error as one JSON object.
    ///
    /// Keys, in this order: `code`, `class`, `message` (the `Display`), `details` (the typed fields; their keys
    /// depend on the code, absent values are `null`, amounts are strings, times RFC 3339, durations `…_ms`), `context`
    /// (key → text; absent when empty), `causes` (from the nearest to the root; absent when there are none).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        json.insert("code".to_owned(), self.code().as_str().into());
        json.insert("class".to_owned(), self.0.class.as_str().into());
        json.insert("message".to_owned(), self.to_string().into());
        let details = match &self.0.kind {
            ErrorKind::Api(error) => error.details(),
            ErrorKind::Trading(error) => error.details(),
            ErrorKind::Validation(error) => error.details(),
        };
        json.insert("details".to_owned(), details);
        if !self.0.context.is_empty() {
            let context = self.context().map(|(key, value)| (key.to_owned(), value.into())).collect();
            json.insert("context".to_owned(), Value::Object(context));
        }
        let causes: Vec<Value> = std::iter::successors(std::error::Error::source(self), |&cause| cause.source())
            .map(|cause| cause.to_string().into())
            .collect();
        if !causes.is_empty() {
            json.insert("causes".to_owned(), causes.into());
        }
        Value::Object(json)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            ErrorKind::Api(error) => error.fmt(f),
            ErrorKind::Trading(error) => error.fmt(f),
            ErrorKind::Validation(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    /// Returns what caused the typed failure, not that failure itself, which `Display` has shown.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Api(error) => error.source(),
            ErrorKind::Trading(error) => error.source(),
            ErrorKind::Validation(error) => error.source(),
        }
    }
}

/// The class of the typed failure; after a retry, the class of the whole retry (see [`GaveUp`]).
impl Classify for Error {
    fn class(&self) -> Class {
        self.0.class
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::new(ErrorKind::Api(error))
    }
}

impl From<TradingError> for Error {
    fn from(error: TradingError) -> Self {
        Self::new(ErrorKind::Trading(error))
    }
}

impl From<ValidationError> for Error {
    fn from(error: ValidationError) -> Self {
        Self::new(ErrorKind::Validation(error))
    }
}

/// The last attempt's error, with the story of the retry as context (`operation`, `attempts`, `elapsed_ms`, `gave_up`
/// and, where known, `come_back_after_ms`) and the class of the whole retry.
impl<E: Into<Error>> From<GaveUp<E>> for Error {
    fn from(gave_up: GaveUp<E>) -> Self {
        let class = gave_up.class();
        let GaveUp { operation, attempts, elapsed, reason, come_back_after, source, .. } = gave_up;
        let mut error: Self = (*source).into();
        error.0.class = class;
        error = error
            .with("operation", operation)
            .with("attempts", attempts)
            .with("elapsed_ms", elapsed.as_millis())
            .with("gave_up", reason.as_str());
        match come_back_after {
            Some(after) => error.with("come_back_after_ms", after.as_millis()),
            None => error,
        }
    }
}

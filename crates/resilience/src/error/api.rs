//! Failed calls to the outside APIs, and the one place that judges them.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::Code;

/// The longest kept piece of an answer's body, in characters. Arbitrary: the JSON errors of Alpaca and Quiver fit whole.
const BODY_EXCERPT_CHARS_MAX: usize = 200;

/// An API that the system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Api {
    /// Quiver Quantitative: disclosed trades.
    Quiver,
    /// Alpaca's trading API: account, orders, positions.
    Alpaca,
    /// Prices and bars.
    MarketData,
}

impl Api {
    /// Returns the name used in messages, logs and JSON: `quiver`, `alpaca` or `market_data`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quiver => "quiver",
            Self::Alpaca => "alpaca",
            Self::MarketData => "market_data",
        }
    }
}

/// An HTTP method that the APIs know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes something new: an order.
    Post,
    /// Puts something in a known place.
    Put,
    /// Changes something. Alpaca's `PATCH /v2/orders/{id}` replaces the order by a new one.
    Patch,
    /// Takes something away: cancels an order.
    Delete,
}

impl Method {
    /// Returns the method as it stands in a request: `GET`, `POST`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Tells whether twice is as good as once.
    ///
    /// **Source:** RFC 9110, section 9.2.2.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        match self {
            Self::Get | Self::Put | Self::Delete => true,
            Self::Post | Self::Patch => false,
        }
    }
}

/// How far a failed call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The request never left: no address, no connection, no TLS session.
    NotSent,
    /// The request, or a part of it, left, and no whole answer came: time-out, reset, cut off.
    NoAnswer,
    /// An answer came with this HTTP status. A 2xx is a failure when its body cannot be read.
    Status(u16),
}

/// A failed call to an outside API.
///
/// Its [`class`](Classify::class) is the one judgement of such failures:
///
/// | what came back | repeatable: GET, PUT, DELETE | POST, PATCH |
/// | --- | --- | --- |
/// | not sent | `Transient` | `Transient` |
/// | no answer | `Transient` | `Unknown` |
/// | 429 | `RateLimited` | `RateLimited` |
/// | 408, 5xx | `Transient`, or `RateLimited` when it came with a Retry-After | `Unknown` |
/// | 2xx with an unreadable body | `Permanent` for GET, otherwise `Unknown` | `Unknown` |
/// | everything else: 401, 403, 404, 422, … | `Permanent` | `Permanent` |
///
/// Every 5xx to a POST counts, not 504 alone: a 500 can strike after the order was booked, and gateways answer 502
/// and 503 as well when the connection behind them breaks after the request went through. The judgement depends on
/// the method and not on the API: where the two differ in what a status says (Alpaca's 403 can mean too little buying
/// power, Quiver's that the plan lacks the data set), trying again helps with neither.
///
/// ```
/// use std::time::Duration;
/// use trading_resilience::{Api, ApiError, Class, Classify, Method};
///
/// let error = ApiError::answered(Api::Quiver, Method::Get, "/beta/live/congresstrading", 429)
///     .retry_after(Duration::from_secs(30))
///     .body("slow down");
/// assert_eq!(error.class(), Class::RateLimited { retry_after: Some(Duration::from_secs(30)) });
/// assert_eq!(error.to_string(), "quiver GET /beta/live/congresstrading answered 429: slow down");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ApiError {
    /// Who was called.
    pub api: Api,
    /// What was to be done.
    pub method: Method,
    /// The path, without the query, which may hold what is nobody's business.
    pub endpoint: String,
    /// How far the call came.
    pub failure: Failure,
    /// How long the API asks to be left alone, counted from its answer; `None` when it did not say.
    pub retry_after: Option<Duration>,
    /// The beginning of the answer's body: one line of at most 200 characters; `None` when there was none.
    pub body_excerpt: Option<String>,
    /// What failed below: the connection, the time-out, the parser.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ApiError {
    /// The request never left.
    pub fn not_sent(
        api: Api,
        method: Method,
        endpoint: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { source: Some(source.into()), ..Self::new(api, method, endpoint, Failure::NotSent) }
    }

    /// The request left, and no whole answer came.
    pub fn no_answer(
        api: Api,
        method: Method,
        endpoint: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { source: Some(source.into()), ..Self::new(api, method, endpoint, Failure::NoAnswer) }
    }

    /// An answer came with this HTTP status.
    #[must_use]
    pub fn answered(api: Api, method: Method, endpoint: &str, status: u16) -> Self {
        Self::new(api, method, endpoint, Failure::Status(status))
    }

    fn new(api: Api, method: Method, endpoint: &str, failure: Failure) -> Self {
        let path = endpoint.split_once(['?', '#']).map_or(endpoint, |(path, _)| path);
        Self { api, method, endpoint: path.to_owned(), failure, retry_after: None, body_excerpt: None, source: None }
    }

    /// Adds how long the API asks to be left alone.
    #[must_use]
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Adds the beginning of the answer's body, brought to one line: each run of white space and control characters
    /// becomes a space, and what is beyond 200 characters an ellipsis. An empty body counts as none.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body_excerpt = excerpt(body);
        self
    }

    /// Adds what failed below: for a 2xx, why its body cannot be read.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the HTTP status; `None` when no answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.failure {
            Failure::Status(status) => Some(status),
            Failure::NotSent | Failure::NoAnswer => None,
        }
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match (self.class(), self.status()) {
            (_, Some(429)) => Code::ApiRateLimited,
            (Class::Unknown, _) => Code::ApiOutcomeUnknown,
            (Class::Transient | Class::RateLimited { .. }, _) => Code::ApiUnavailable,
            (Class::Permanent, Some(401)) => Code::ApiUnauthorized,
            (Class::Permanent, Some(403)) => Code::ApiForbidden,
            (Class::Permanent, Some(404)) => Code::ApiNotFound,
            (Class::Permanent, Some(200..=299)) => Code::ApiUnreadable,
            (Class::Permanent, _) => Code::ApiRefused,
        }
    }

    pub(crate) fn details(&self) -> Value {
        json!({
            "api": self.api.as_str(),
            "method": self.method.as_str(),
            "endpoint": self.endpoint,
            "status": self.status(),
            "retry_after_ms": self.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            "body_excerpt": self.body_excerpt,
        })
    }
}

impl Classify for ApiError {
    fn class(&self) -> Class {
        let repeatable = self.method.is_idempotent();
        match self.failure {
            Failure::NotSent => Class::Transient,
            Failure::NoAnswer if repeatable => Class::Transient,
            Failure::NoAnswer => Class::Unknown,
            Failure::Status(429) => Class::RateLimited { retry_after: self.retry_after },
            Failure::Status(408 | 500..=599) => match self.retry_after {
                _ if !repeatable => Class::Unknown,
                Some(_) => Class::RateLimited { retry_after: self.retry_after },
                None => Class::Transient,
            },
            Failure::Status(200..=299) if self.method != Method::Get => Class::Unknown,
            Failure::Status(_) => Class::Permanent,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.api.as_str(), self.method.as_str(), self.endpoint)?;
        match self.failure {
            Failure::NotSent => f.write_str("could not be sent")?,
            Failure::NoAnswer => f.write_str("got no answer")?,
            Failure::Status(status) => write!(f, "answered {status}")?,
        }
        match &self.body_excerpt {
            Some(body) => write!(f, ": {body}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Reads no more of a body than is kept: an answer can be megabytes of HTML.
fn excerpt(body: &str) -> Option<String> {
    let words = body.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut excerpt = String::new();
    let mut chars = 0;
    for (index, word) in words.enumerate() {
        let space = (index > 0).then_some(' ');
        for c in space.into_iter().chain(word.chars()) {
            if chars == BODY_EXCERPT_CHARS_MAX {
                excerpt.push('…');
                return Some(excerpt);
            }
            excerpt.push(c);
            chars += 1;
        }
    }
    (!excerpt.is_empty()).then_some(excerpt)
}

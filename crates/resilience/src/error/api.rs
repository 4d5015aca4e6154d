//! Failed calls to the outside APIs, and the one place that judges them.

use std::any::Any;
use std::fmt;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::body::Body;
use crate::error::judgement::judge;
use crate::error::{Cause, Code, TradingError, millis};
use crate::headers::RateHeaders;
use crate::redaction::masked_path;

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
    /// The request cannot be sent as it is: a wrong address, a certificate that is not trusted, no right to connect.
    CannotSend,
    /// The request never left: no connection, no TLS session.
    NotSent,
    /// The request, or a part of it, left, and no whole answer came: time-out, reset, cut off.
    NoAnswer,
    /// An answer came with this HTTP status. A 2xx is a failure when its body cannot be read.
    Status(u16),
}

/// A failed call to an outside API.
///
/// Its [`class`](Classify::class) and [`code`](Self::code) come from one judgement of API, status, body and method:
///
/// | what came back | repeatable: GET, PUT, DELETE | POST, PATCH |
/// | --- | --- | --- |
/// | cannot be sent | `Permanent` | `Permanent` |
/// | not sent | `Transient` | `Transient` |
/// | no answer | `Transient` | `Unknown` |
/// | 429 | `RateLimited` | `RateLimited` |
/// | 408, 5xx | `Transient`, or `RateLimited` when it came with a Retry-After | `Unknown` |
/// | 2xx with an unreadable body | `Permanent` for GET, otherwise `Unknown` | `Unknown` |
/// | 401; 403: plan, account, buying power; 404; 422; everything else | `Permanent` | `Permanent` |
///
/// Every 5xx to a POST counts, not 504 alone: a 500 can strike after the order was booked, and gateways answer 502
/// and 503 as well when the connection behind them breaks after the request went through. A Retry-After is heeded all the
/// same, when there is a key to try again with.
///
/// Alpaca's 403 and 422 are told apart by their body: too little buying power is `API_BUYING_POWER`, a client order id
/// that was used before is `API_DUPLICATE`. The latter, after an attempt of unknown outcome, means that it arrived.
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
    /// The API's own code, from the body (Alpaca: `40310000`); `None` when the body has none.
    pub body_code: Option<Box<str>>,
    /// The beginning of the answer's body: one line of at most 512 bytes without secrets; `None` when there was none.
    pub body_excerpt: Option<String>,
    /// What failed below: the connection, the time-out, the parser.
    pub source: Option<Cause>,
    /// What the body says that changes the judgement.
    body: Body,
}

impl ApiError {
    /// The request never left.
    pub fn not_sent(api: Api, method: Method, endpoint: &str, source: impl Into<Cause>) -> Self {
        Self::new(api, method, endpoint, Failure::NotSent).caused_by(source)
    }

    /// The request left, and no whole answer came.
    pub fn no_answer(api: Api, method: Method, endpoint: &str, source: impl Into<Cause>) -> Self {
        Self::new(api, method, endpoint, Failure::NoAnswer).caused_by(source)
    }

    /// The connection failed below HTTP. How far the request came is told by the class of the error: `Transient` is not
    /// sent, `Permanent` cannot be sent, and everything else may have been sent. A request that changes something counts as
    /// unsent only for those errors of the system that never come later.
    ///
    /// ```
    /// use std::io;
    /// use trading_resilience::{Api, ApiError, Failure, Method};
    ///
    /// let failed = |kind: io::ErrorKind| ApiError::transport(Api::Alpaca, Method::Get, "/v2/clock", io::Error::from(kind));
    /// assert_eq!(failed(io::ErrorKind::ConnectionRefused).failure, Failure::NotSent);
    /// assert_eq!(failed(io::ErrorKind::TimedOut).failure, Failure::NoAnswer);
    /// ```
    pub fn transport(
        api: Api,
        method: Method,
        endpoint: &str,
        source: impl std::error::Error + Classify + Send + Sync + 'static,
    ) -> Self {
        let may_have_left = method != Method::Get && !only_before_sending(&source);
        let failure = match source.class() {
            _ if may_have_left => Failure::NoAnswer,
            Class::Transient | Class::RateLimited { .. } => Failure::NotSent,
            Class::Unknown => Failure::NoAnswer,
            Class::Permanent => Failure::CannotSend,
        };
        Self::new(api, method, endpoint, failure).caused_by(source)
    }

    /// An answer came with this HTTP status.
    #[must_use]
    pub fn answered(api: Api, method: Method, endpoint: &str, status: u16) -> Self {
        Self::new(api, method, endpoint, Failure::Status(status))
    }

    fn new(api: Api, method: Method, endpoint: &str, failure: Failure) -> Self {
        Self {
            api,
            method,
            endpoint: masked_path(endpoint),
            failure,
            retry_after: None,
            body_code: None,
            body_excerpt: None,
            source: None,
            body: Body::Silent,
        }
    }

    /// Adds how long the API asks to be left alone.
    #[must_use]
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Adds what the answer's headers say about coming back.
    #[must_use]
    pub fn headers(mut self, headers: &RateHeaders) -> Self {
        self.retry_after = headers.come_back_after().or(self.retry_after);
        self
    }

    /// Adds the answer's body: what it says about the reason, and its beginning as one line without secrets. An empty
    /// body counts as none.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        let read = Body::read(body);
        (self.body_excerpt, self.body_code, self.body) = (read.excerpt, read.code, read.meaning);
        self
    }

    /// Adds what failed below: for a 2xx, why its body cannot be read.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Cause>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the HTTP status; `None` when no answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.failure {
            Failure::Status(status) => Some(status),
            Failure::CannotSend | Failure::NotSent | Failure::NoAnswer => None,
        }
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        judge(self.api, self.method, self.failure, &self.body, self.retry_after).1
    }

    /// Returns the broker's refusal of an order: too little money, with the amounts if the body tells both, or the
    /// broker's code and words. `None` when this is something else than a refusal with a code.
    #[must_use]
    pub fn refusal(&self) -> Option<TradingError> {
        match (&self.body, self.failure) {
            (Body::BuyingPower { amounts: Some(amounts) }, _) => {
                let (required, available) = **amounts;
                Some(TradingError::InsufficientFunds { required, available })
            }
            (_, Failure::Status(403 | 422)) if self.api == Api::Alpaca => Some(TradingError::OrderRejected {
                code: self.body_code.clone()?.into(),
                reason: self.body_excerpt.clone()?,
            }),
            _ => None,
        }
    }

    pub(crate) fn details(&self) -> Value {
        json!({
            "api": self.api.as_str(),
            "method": self.method.as_str(),
            "endpoint": self.endpoint,
            "status": self.status(),
            "retry_after_ms": self.retry_after.map(millis),
            "body_code": self.body_code,
            "body_excerpt": self.body_excerpt,
        })
    }
}

/// Whether an error comes only before anything is sent. Of those of the system by a list, since the kinds that stay as
/// they are can come later too: a TLS record or a chunk of the answer that makes no sense is `InvalidData`, a disk that is
/// full `StorageFull`. Other libraries have judged theirs by their class.
fn only_before_sending(source: &(dyn Any + 'static)) -> bool {
    use io::ErrorKind as Kind;
    let Some(error) = source.downcast_ref::<io::Error>() else { return true };
    matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::AddrInUse
            | Kind::AddrNotAvailable
            | Kind::NotFound
            | Kind::PermissionDenied
            | Kind::Unsupported
    )
}

impl Classify for ApiError {
    fn class(&self) -> Class {
        judge(self.api, self.method, self.failure, &self.body, self.retry_after).0
    }

    fn come_back_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.api.as_str(), self.method.as_str(), self.endpoint)?;
        match self.failure {
            Failure::CannotSend => f.write_str("cannot be sent")?,
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

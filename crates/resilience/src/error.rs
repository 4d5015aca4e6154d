//! The system-wide error: one [`Error`] that holds any area's failure, and what every reader of it wants to know.
//!
//! An area has a type of its own with named fields ([`ApiError`], [`TradingError`], …), which is what functions of that
//! area return. [`Error`] is for code that calls several areas: `?` converts. It adds context, knows its time, and
//! renders to JSON or to a line; [`ErrorKind`] gives the typed error back.

mod agent;
mod api;
mod body;
mod chain;
mod code;
mod configuration;
mod data;
mod database;
mod guard;
mod judgement;
mod position;
mod rendering;
mod scheduling;
mod trading;
mod validation;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::class::{Class, Classify};
use crate::redaction::{shown, shown_as};

pub use agent::AgentError;
pub use api::{Api, ApiError, Failure, Method};
pub(crate) use chain::Chain;
use chain::debug_without_secrets;
pub use code::{Code, Severity};
pub use configuration::ConfigurationError;
pub use data::DataError;
pub use database::DatabaseError;
pub use guard::{Refusal, TimedOut};
pub use position::PositionError;
pub use scheduling::SchedulingError;
pub use trading::TradingError;
pub use validation::{InvalidTicker, ValidationError};

debug_without_secrets!(ApiError, AgentError, ConfigurationError, DataError, DatabaseError);
debug_without_secrets!(InvalidTicker, PositionError, SchedulingError, TradingError, ValidationError);

/// What caused an error, of whatever type.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// How many facts an error keeps. Arbitrary: more is a dump, not a context.
const CONTEXT_MAX: usize = 16;

/// Any failure of the system, with its context.
///
/// `Display` is one line without the cause; [`source`](std::error::Error::source) carries the cause. `Debug` is
/// [`report`](Self::report): what a panic shows, or a `main` that returns the error. None of them holds a secret. One
/// pointer in size, so that a `Result` stays small.
///
/// ```
/// use trading_resilience::{Code, Error, ErrorKind, Severity, TradingError};
///
/// let error = Error::from(TradingError::MarketClosed { next_open: None }).with("agent_id", "pelosi");
/// assert_eq!(error.code(), Code::TradingMarketClosed);
/// assert_eq!(error.severity(), Severity::Info);
/// assert!(matches!(error.kind(), ErrorKind::Trading(TradingError::MarketClosed { .. })));
/// assert_eq!(error.report(), "TRADING_MARKET_CLOSED: market is closed (agent_id=pelosi)");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    class: Class,
    come_back_after: Option<Duration>,
    time: DateTime<Utc>,
    backtrace: Backtrace,
    context: Vec<(&'static str, String)>,
    context_dropped: u32,
}

/// Writes [`ErrorKind`] and what each of its types can do from one list, so that no area can be forgotten in one of them.
macro_rules! areas {
    ($($(#[$doc:meta])+ $variant:ident($type:ty),)+) => {
        /// The typed failure inside an [`Error`], by area.
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])+ $variant($type),)+
        }

        /// As `Area(error: cause: cause)`, one line without secrets.
        impl fmt::Debug for ErrorKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let area = match self {
                    $(Self::$variant(_) => stringify!($variant),)+
                };
                f.debug_tuple(area).field(&format_args!("{}", Chain(self.as_error()))).finish()
            }
        }

        impl ErrorKind {
            fn code(&self) -> Code {
                match self {
                    $(Self::$variant(error) => error.code(),)+
                }
            }

            fn details(&self) -> serde_json::Value {
                match self {
                    $(Self::$variant(error) => error.details(),)+
                }
            }

            fn as_error(&self) -> &(dyn std::error::Error + 'static) {
                match self {
                    $(Self::$variant(error) => error,)+
                }
            }
        }

        $(
            impl From<$type> for Error {
                fn from(error: $type) -> Self {
                    let (class, come_back_after) = (error.class(), error.come_back_after());
                    Self::new(ErrorKind::$variant(error), class, come_back_after)
                }
            }
        )+
    };
}

areas! {
    /// A call to one of the outside APIs, its rate limits among them.
    Api(ApiError),
    /// A refusal to trade, by the broker or by the market's hours.
    Trading(TradingError),
    /// An agent that could not do its work.
    Agent(AgentError),
    /// A position that is not what it should be.
    Position(PositionError),
    /// A job that did not run when it should have.
    Scheduling(SchedulingError),
    /// A value that breaks a rule.
    Validation(ValidationError),
    /// A text that is not a ticker.
    InvalidTicker(InvalidTicker),
    /// Data that could not be processed, or not all of it.
    Data(DataError),
    /// A setting that is missing or wrong.
    Configuration(ConfigurationError),
    /// The database.
    Database(DatabaseError),
    /// A call that was given up before its answer came.
    TimedOut(TimedOut),
    /// A call that a guard did not let through.
    Refused(Refusal),
}

impl Error {
    fn new(kind: ErrorKind, class: Class, come_back_after: Option<Duration>) -> Self {
        Self(Box::new(Inner {
            kind,
            class,
            come_back_after,
            time: Utc::now(),
            backtrace: Backtrace::capture(),
            context: Vec::new(),
            context_dropped: 0,
        }))
    }

    /// Returns the typed failure, to be matched on.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.kind.code()
    }

    /// Returns how much the failure matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code().severity()
    }

    /// Returns when it happened: when this error was made, unless [`at`](Self::at) said otherwise.
    #[must_use]
    pub fn time(&self) -> DateTime<Utc> {
        self.0.time
    }

    /// Says when it happened, for those who know better than the system's clock.
    #[must_use]
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.0.time = time;
        self
    }

    /// Adds a fact about where it happened. A key given again keeps its place and takes the new value.
    ///
    /// At most 16 keys are kept, and 512 bytes of each value; the value of a key that names a secret is redacted.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        let value = shown_as(key, &value.to_string());
        let Inner { context, context_dropped, .. } = &mut *self.0;
        let room = context.len() < CONTEXT_MAX;
        match context.iter_mut().find(|(present, _)| *present == key) {
            Some((_, present)) => *present = value,
            None if room => context.push((key, value)),
            None => *context_dropped = context_dropped.saturating_add(1),
        }
        self
    }

    /// Returns the facts added by [`with`](Self::with), in the order of their first mention.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// Takes a backtrace here, whatever the environment says.
    #[must_use]
    pub fn with_backtrace(mut self) -> Self {
        self.0.backtrace = Backtrace::force_capture();
        self
    }

    /// Returns the backtrace of the place where the error became an [`Error`], if `RUST_BACKTRACE` or
    /// `RUST_LIB_BACKTRACE` asked for one, or [`with_backtrace`](Self::with_backtrace) did. It is in no rendering: it
    /// has no bound.
    #[must_use]
    pub fn backtrace(&self) -> Option<&Backtrace> {
        (self.0.backtrace.status() == BacktraceStatus::Captured).then_some(&self.0.backtrace)
    }

    /// Puts what a whole retry means in the place of what the last failure meant.
    pub(crate) fn classed(mut self, class: Class, come_back_after: Option<Duration>) -> Self {
        (self.0.class, self.0.come_back_after) = (class, come_back_after);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0.kind.as_error().to_string()))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report())
    }
}

impl std::error::Error for Error {
    /// Returns what caused the typed failure, not that failure itself, which `Display` has shown.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.kind.as_error().source()
    }
}

/// The class of the typed failure; after a retry, the class of the whole retry (see
/// [`GaveUp`](crate::retry::GaveUp)).
impl Classify for Error {
    fn class(&self) -> Class {
        self.0.class
    }

    fn come_back_after(&self) -> Option<Duration> {
        self.0.come_back_after
    }
}

/// What no calendar holds counts as its beginning.
pub(crate) fn utc(wall: SystemTime) -> DateTime<Utc> {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, since.subsec_nanos()).unwrap_or_default()
}

pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

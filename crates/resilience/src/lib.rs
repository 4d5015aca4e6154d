#![doc = include_str!("../README.md")]

mod breaker;
mod cancel;
mod class;
mod effects;
mod error;
mod headers;
mod limiter;
mod observer;
mod redaction;
pub mod retry;

pub use breaker::{BreakerOptions, BreakerReport, BreakerState, CircuitBreaker, Permit};
pub use cancel::Cancel;
pub use class::{Class, Classify};
pub use effects::{Effects, Started, System};
pub use error::{
    AgentError, Api, ApiError, Code, ConfigurationError, DataError, DatabaseError, Error, ErrorKind, Failure,
    InvalidTicker, Method, PositionError, Refusal, SchedulingError, Severity, TimedOut, TradingError, ValidationError,
};
pub use headers::RateHeaders;
pub use limiter::{LimiterOptions, Priority, Quota, QuotaUse, RateLimiter, Slot};
pub use observer::{Event, LogObserver, Observer};

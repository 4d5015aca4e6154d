#![doc = include_str!("../README.md")]

mod class;
mod error;
mod headers;
mod redaction;
pub mod retry;

pub use class::{Class, Classify};
pub use error::{
    AgentError, Api, ApiError, Code, ConfigurationError, DataError, DatabaseError, Error, ErrorKind, Failure,
    InvalidTicker, Method, PositionError, Refusal, SchedulingError, Severity, TimedOut, TradingError, ValidationError,
};
pub use headers::RateHeaders;

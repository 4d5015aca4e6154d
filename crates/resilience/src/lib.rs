#![doc = include_str!("../README.md")]

mod breaker;
mod budget;
mod bulkhead;
mod call_error;
mod cancel;
mod class;
mod effects;
mod error;
mod guard;
mod headers;
mod limiter;
mod observer;
mod redaction;
pub mod retry;
mod virtual_clock;
mod window;

pub use chrono;
pub use rust_decimal;

pub use breaker::{BreakerOptions, BreakerReport, BreakerState, CircuitBreaker, Permit};
pub use budget::{BudgetOptions, RetryBudget};
pub use bulkhead::{Bulkhead, Entry};
pub use call_error::CallError;
pub use cancel::Cancel;
pub use class::{Class, Classify};
pub use effects::{Effects, Started, System};
pub use error::{
    AgentError, Api, ApiError, Code, ConfigurationError, DataError, DatabaseError, Error, ErrorKind, Failure,
    InvalidTicker, Method, PositionError, Refusal, SchedulingError, Severity, TimedOut, TradingError, ValidationError,
};
pub use guard::{Call, Guard, Outcome, Scenario, Simulation};
pub use headers::RateHeaders;
pub use limiter::{LimiterOptions, Priority, Quota, QuotaUse, RateLimiter, Slot};
pub use observer::{Event, LogObserver, Observer};
pub use virtual_clock::VirtualClock;

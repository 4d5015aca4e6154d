#![doc = include_str!("../README.md")]

mod app;
mod builder;
mod error;
mod record;
mod signals;
mod wiring;

// For programs that depend on this crate alone.
pub use trading_config as config;
pub use trading_logging as logging;
pub use trading_monitoring as monitoring;
pub use trading_resilience as resilience;
pub use trading_storage as storage;

pub use crate::{
    app::{App, Stopped},
    builder::Builder,
    error::Error,
    record::{RecordReport, init_db},
    signals::Signals,
    wiring::api_retry,
};

/// The workspace's README, so that its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

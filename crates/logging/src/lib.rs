#![doc = include_str!("../README.md")]

mod builder;
mod component;
mod console;
mod correlation;
mod error;
mod event;
mod file;
mod folder;
mod handle;
mod housekeeper;
mod line;
mod options;
mod panics;
mod queue;
mod redaction;
mod repeats;
mod shared;
mod sink;
mod standard_error;
mod statistics;
mod timer;
mod writer;

pub use fern;

#[cfg(feature = "tokio")]
pub use crate::timer::timed_async;
pub use crate::{
    builder::Builder,
    correlation::{Correlation, Entered},
    error::Error,
    event::{ApiCall, PerformanceMetric, TradeExecution},
    handle::Logging,
    line::ErrorFields,
    options::{Console, Options},
    statistics::{Statistics, Tally},
    timer::{Timer, timed},
};

#![doc = include_str!("../README.md")]

mod app;
mod builder;
mod error;
mod record;
mod signals;
mod wiring;

pub use crate::{
    app::{App, Stopped},
    builder::Builder,
    error::Error,
    record::{RecordReport, init_db},
    signals::Signals,
};

/// The workspace's README, so that its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#![doc = include_str!("../README.md")]

mod app;
mod builder;
mod error;
mod extension;
mod handles;
mod journal;
mod notify;
mod panels;
mod record;
mod recovery;
mod service;
mod signals;
mod start_checks;
mod task;
mod tasks;
pub mod version;
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
    extension::Extension,
    handles::Handles,
    journal::is_journal,
    notify::{Notification, Notifier},
    record::{RecordReport, SampleData, counted, init_db, open_record},
    signals::{Signals, outlive_file_size_limit},
    start_checks::StartFault,
    task::{Task, TaskContext, TaskError},
    wiring::{api_retry, check_settings, storage_options},
};

/// The workspace's README, so that its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#![doc = include_str!("../README.md")]

mod builder;
mod component;
mod error;
mod file;
mod folder;
mod handle;
mod line;
mod options;
mod queue;
mod redaction;
mod shared;
mod sink;
mod standard_error;
mod statistics;
mod writer;

pub use crate::{
    builder::Builder,
    error::Error,
    handle::Logging,
    options::{Console, Options},
    statistics::Statistics,
};

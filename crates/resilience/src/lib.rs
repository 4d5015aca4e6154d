#![doc = include_str!("../README.md")]

mod class;
mod error;
pub mod retry;

pub use class::{Class, Classify};
pub use error::{Api, ApiError, Code, Error, ErrorKind, Failure, Method, TradingError, ValidationError};

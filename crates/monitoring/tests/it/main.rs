//! The crate as its users see it: over its public API, and over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what the tests share is as much a test as they are"
)]

mod access;
mod bare;
mod browser;
mod checks;
mod chromium;
mod client;
mod embedded;
mod endpoints;
#[cfg(feature = "external")]
mod external;
#[cfg(feature = "facade")]
mod facade;
mod health;
mod hostile;
mod metrics;
mod metrics_page;
mod pages;
mod server;
mod system;
mod transitions;

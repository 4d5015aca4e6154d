//! The crate as its users see it: over its public API, and over real sockets.

mod access;
mod bare;
mod browser;
mod chromium;
mod client;
mod embedded;
mod endpoints;
#[cfg(feature = "external")]
mod external;
mod health;
mod hostile;
mod metrics;
mod pages;
mod server;
mod system;

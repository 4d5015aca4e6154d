//! The crate as its users see it: over its public API, and over real sockets.

mod browser;
mod chromium;
mod client;
mod endpoints;
mod health;
mod metrics;
mod server;
mod system;

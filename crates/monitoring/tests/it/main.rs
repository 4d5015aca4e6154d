//! The crate as its users see it: over its public API, and over real sockets.

mod client;
mod endpoints;
#[cfg(feature = "external")]
mod external;
mod health;
mod metrics;
mod server;
mod system;

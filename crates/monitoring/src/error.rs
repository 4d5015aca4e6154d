//! What can fail when monitoring is set up. Once it runs, nothing here returns an error: a check that fails is a
//! result, a series too many is counted, and a connection that breaks is closed.

use std::io;
use std::net::SocketAddr;

use trading_resilience::{Class, Classify};

/// Why a part of the monitoring could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's address could not be bound.
    #[error("cannot listen on {address}: {}", way_out(source))]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server's runtime, with its timer and its queue of socket events, could not be set up.
    #[error("cannot set up the health server's runtime")]
    Runtime {
        /// What the operating system said.
        source: io::Error,
    },
    /// A background thread could not be started.
    #[error("cannot start the thread {name}")]
    Thread {
        /// The thread's name.
        name: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The machine's figures cannot be read on this system.
    #[error("cannot read the machine's figures")]
    Sampling {
        /// What is missing.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Other machines would see everything that the server shows.
    #[error("refused to listen on {address}: other machines reach it; set a token, or allow it to be unauthenticated")]
    Unprotected {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// An option of the server is out of its range.
    #[error("the option `{option}` {rule}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The pages that the program adds to the server cannot be reached as they were described.
    #[error("the pages under {prefix:?} are refused: {rule}")]
    InvalidPages {
        /// Its prefix.
        prefix: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A check cannot be run as it was described.
    #[error("the health check {name:?} is refused: {rule}")]
    InvalidCheck {
        /// The check's name.
        name: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Self::Runtime { source } | Self::Thread { source, .. } => source.class(),
            Self::Bind { .. }
            | Self::Sampling { .. }
            | Self::Unprotected { .. }
            | Self::InvalidOption { .. }
            | Self::InvalidPages { .. }
            | Self::InvalidCheck { .. } => Class::Permanent,
        }
    }
}

fn way_out(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another port",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; choose one of its own, such as 127.0.0.1",
        io::ErrorKind::PermissionDenied => "not permitted; choose a port from 1024 up",
        _ => "choose another address or port",
    }
}

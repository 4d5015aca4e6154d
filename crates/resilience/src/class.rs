//! What a failure means for whoever asks "again?": the one question that every error of the system answers.

mod foreign;

use std::fmt;
use std::io;
use std::time::Duration;

/// What a failed operation leaves its caller to do.
///
/// Exhaustive on purpose: a `match` without a `_` arm stops compiling when a class is added, so that no retry
/// decides about a class it has never heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing happened, and the same call may succeed in a moment.
    Transient,
    /// Nothing happened, because the other side wants to be left alone for a while.
    RateLimited {
        /// How long it asks to be left alone, counted from its answer; `None` when it did not say.
        retry_after: Option<Duration>,
    },
    /// It may have happened: the request went out and its fate is not known. Sending an order again could buy twice.
    Unknown,
    /// The same call will fail again: something has to be changed first.
    Permanent,
}

impl Class {
    /// Returns the name used in logs and JSON: `transient`, `rate_limited`, `unknown` or `permanent`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unknown => "unknown",
            Self::Permanent => "permanent",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error that knows its [`Class`].
///
/// Implement it without a `_` arm over your own variants, so that a new variant has to be judged. When in doubt between
/// `Transient` and `Unknown`, choose `Unknown`: it costs a retry, the other mistake costs a second order.
///
/// ```
/// use trading_resilience::{Class, Classify};
///
/// enum Error {
///     Busy,
///     CommitFailed,
///     NoSuchTable,
/// }
///
/// impl Classify for Error {
///     fn class(&self) -> Class {
///         match self {
///             Self::Busy => Class::Transient,
///             Self::CommitFailed => Class::Unknown,
///             Self::NoSuchTable => Class::Permanent,
///         }
///     }
/// }
/// assert_eq!(Error::Busy.class(), Class::Transient);
/// ```
pub trait Classify {
    /// Returns what this failure leaves the caller to do. Pure and cheap: it is asked once an attempt.
    fn class(&self) -> Class;

    /// Returns how long the other side asks to be left alone, counted from its answer. An outcome may be unknown and come
    /// with such a wish: a 503 to an order. The default is what [`Class::RateLimited`] says.
    fn come_back_after(&self) -> Option<Duration> {
        match self.class() {
            Class::RateLimited { retry_after } => retry_after,
            Class::Transient | Class::Unknown | Class::Permanent => None,
        }
    }
}

/// Judged by kind alone, without knowing whether a read, a write or a connect failed. Hence what can come after a
/// request was sent is `Unknown`, and so is all that Rust has no name for.
///
/// | class | kinds |
/// | --- | --- |
/// | `Transient` | refused before anything was sent |
/// | `Permanent` | the path, the right, the address or the room is wrong, and stays so for longer than a retry waits |
/// | `Unknown` | time-outs, interruptions, want of memory, resets, unreachable hosts, half-done writes, `Other`, everything unnamed (as `EIO`) |
impl Classify for io::Error {
    fn class(&self) -> Class {
        use io::ErrorKind as Kind;
        match self.kind() {
            Kind::ConnectionRefused | Kind::ExecutableFileBusy => Class::Transient,
            Kind::AddrInUse
            | Kind::AddrNotAvailable
            | Kind::AlreadyExists
            | Kind::ArgumentListTooLong
            | Kind::CrossesDevices
            | Kind::DirectoryNotEmpty
            | Kind::FileTooLarge
            | Kind::InvalidData
            | Kind::InvalidFilename
            | Kind::InvalidInput
            | Kind::IsADirectory
            | Kind::NotADirectory
            | Kind::NotFound
            | Kind::NotSeekable
            | Kind::PermissionDenied
            | Kind::QuotaExceeded
            | Kind::ReadOnlyFilesystem
            | Kind::StaleNetworkFileHandle
            | Kind::StorageFull
            | Kind::TooManyLinks
            | Kind::Unsupported => Class::Permanent,
            // Not `Transient` by default: `WouldBlock` is how Unix reports a read time-out, a signal or a want of memory
            // can strike while an answer is read, after all of the request went out, the unreachable kinds can
            // end an established connection, and a disk's I/O error has no kind of its own.
            _ => Class::Unknown,
        }
    }
}

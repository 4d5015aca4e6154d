//! The errors of libraries that a client of an API meets.

#[cfg(any(feature = "hyper", feature = "tokio"))]
use crate::class::{Class, Classify};

/// Judged without knowing the method. What hyper canceled was still in the queue: nothing was sent, and hyper's own
/// clients send it again. Everything else may have come after the request, or a part of it, went out: also what hyper calls a
/// wrong use of it, which the end of the connection's task is too, whatever had been sent.
#[cfg(feature = "hyper")]
impl Classify for hyper::Error {
    fn class(&self) -> Class {
        if self.is_canceled() { Class::Transient } else { Class::Unknown }
    }
}

/// `Unknown`: what was abandoned may have happened.
#[cfg(feature = "tokio")]
impl Classify for tokio::time::error::Elapsed {
    fn class(&self) -> Class {
        Class::Unknown
    }
}

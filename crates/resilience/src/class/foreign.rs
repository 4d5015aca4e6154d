//! The errors of libraries that a client of an API meets.

#[cfg(any(feature = "hyper", feature = "tokio"))]
use crate::class::{Class, Classify};

/// Judged without knowing the method. What hyper canceled was still in the queue: nothing was sent, and hyper's own
/// clients send it again. A wrong use of the library stays wrong. Everything else came after the request, or a part of
/// it, went out.
#[cfg(feature = "hyper")]
impl Classify for hyper::Error {
    fn class(&self) -> Class {
        if self.is_canceled() {
            Class::Transient
        } else if self.is_user() {
            Class::Permanent
        } else {
            Class::Unknown
        }
    }
}

/// `Unknown`: what was abandoned may have happened.
#[cfg(feature = "tokio")]
impl Classify for tokio::time::error::Elapsed {
    fn class(&self) -> Class {
        Class::Unknown
    }
}

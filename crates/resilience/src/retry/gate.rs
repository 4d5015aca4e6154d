//! What else has a say in whether there is another attempt.

use std::fmt;

#[cfg(feature = "tokio")]
use crate::call_error::CallError;
use crate::retry::Reason;

/// Asked before each wait, after the rules of the class allowed another attempt.
pub trait Gate<E> {
    /// Returns why there shall be no further attempt after the failure of this one, if so.
    fn veto(&self, error: &E, attempt: u32) -> Option<Reason>;
}

/// Nothing else has a say.
#[derive(Debug, Clone, Copy)]
pub struct Always;

impl<E> Gate<E> for Always {
    fn veto(&self, _error: &E, _attempt: u32) -> Option<Reason> {
        None
    }
}

/// What has a say about failures of the call itself, and none when it was abandoned.
#[cfg(feature = "tokio")]
pub(super) struct OfCall<'a, G>(pub(super) &'a G);

#[cfg(feature = "tokio")]
impl<E, G: Gate<E>> Gate<CallError<E>> for OfCall<'_, G> {
    fn veto(&self, error: &CallError<E>, attempt: u32) -> Option<Reason> {
        match error {
            CallError::Failed(error) => self.0.veto(error, attempt),
            CallError::TimedOut(_) | CallError::Refused(_) => None,
        }
    }
}

/// The caller's predicate has.
#[derive(Clone, Copy)]
pub struct OnlyIf<P>(pub(super) P);

impl<P> fmt::Debug for OnlyIf<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnlyIf")
    }
}

impl<E, P: Fn(&E, u32) -> bool> Gate<E> for OnlyIf<P> {
    fn veto(&self, error: &E, attempt: u32) -> Option<Reason> {
        (!(self.0)(error, attempt)).then_some(Reason::Declined)
    }
}

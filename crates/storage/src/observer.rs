//! What the record tells beside its answers.

use std::{fmt, time::Duration};

use crate::{Error, Head};

/// Is told what happens behind the calls. Every method does nothing unless it is written.
///
/// Called on the thread whose transaction it was; it must not begin another.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A commit reached the disk: how many callers shared it, and how long it took.
    fn committed(&self, callers: u32, took: Duration) {
        let _ = (callers, took);
    }

    /// The head of the chain was written beside the database.
    fn anchored(&self, head: &Head) {
        let _ = head;
    }

    /// The head of the chain could not be written; it is tried again with the next one.
    fn anchor_failed(&self, error: &Error) {
        let _ = error;
    }
}

//! A request to stop waiting.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A request to stop waiting, shared by whoever may make it and all who heed it. Clones are the same request.
///
/// A cancelled retry makes no further attempt and gives up at once with
/// [`Reason::Cancelled`](crate::retry::Reason::Cancelled). A call under way is not
/// interrupted, but for an async one, which is abandoned.
///
/// ```
/// use trading_resilience::retry::{self, Reason};
/// use trading_resilience::{Api, ApiError, Cancel, Method};
///
/// let shutdown = Cancel::new();
/// let answer = retry::API.cancelled_by(&shutdown).run("get clock", |_attempt| {
///     shutdown.cancel(); // Somebody else does, while the call is under way.
///     Err::<(), _>(ApiError::answered(Api::Alpaca, Method::Get, "/v2/clock", 503))
/// });
/// assert_eq!(answer.unwrap_err().reason, Reason::Cancelled);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: Mutex<bool>,
    changed: Condvar,
    #[cfg(feature = "tokio")]
    notify: tokio::sync::Notify,
}

impl Cancel {
    /// A request that nobody has made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the request, for good. All waits that heed it end.
    pub fn cancel(&self) {
        *self.0.cancelled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
        #[cfg(feature = "tokio")]
        self.0.notify.notify_waiters();
    }

    /// Tells whether the request was made.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks for `duration`, or until the request is made.
    pub fn wait(&self, duration: Duration) {
        let cancelled = self.0.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(cancelled, duration, |cancelled| !*cancelled);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns when the request is made.
    #[cfg(feature = "tokio")]
    pub async fn cancelled(&self) {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        // Registered before the look, or a request between the two would be missed.
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

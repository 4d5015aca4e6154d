//! Whether a retry is under way on this thread, so that one inside it does not multiply the attempts.

use std::cell::Cell;

thread_local! {
    /// The one global of the crate: a retry cannot see its callers otherwise. It is true while an attempt runs. A task that
    /// the attempt's own `block_on` drives beside it is taken for a part of it: the thread tells nothing else.
    static RETRYING: Cell<bool> = const { Cell::new(false) };
}

/// An attempt under way. Dropped, also by a panic, it restores what was before.
#[derive(Debug)]
pub(super) struct Nesting {
    /// Whether there was a retry around this one.
    pub(super) nested: bool,
}

impl Nesting {
    #[inline]
    pub(super) fn enter() -> Self {
        Self { nested: RETRYING.replace(true) }
    }
}

impl Drop for Nesting {
    #[inline]
    fn drop(&mut self) {
        RETRYING.set(self.nested);
    }
}

/// A future that counts as an attempt whenever it is polled, and on whatever thread.
#[cfg(feature = "tokio")]
pub(super) async fn nested<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let _attempt = Nesting::enter();
        future.as_mut().poll(context)
    })
    .await
}

/// Tells whether the calling code runs inside an attempt.
#[cfg(feature = "tokio")]
pub(super) fn is_nested() -> bool {
    RETRYING.get()
}

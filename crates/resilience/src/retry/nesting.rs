//! Whether a retry is under way in this task, so that one inside it does not multiply the attempts.

use std::cell::Cell;

thread_local! {
    /// The one global of the crate: a retry cannot see its callers otherwise. It says, while an attempt runs, in which task.
    static RETRYING: Cell<Option<Task>> = const { Cell::new(None) };
}

/// Who runs on this thread. A runtime within an attempt has others take turns with it: they are no part of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Task {
    /// `None` outside all tasks of Tokio, as in what its `block_on` is given.
    #[cfg(feature = "tokio")]
    id: Option<tokio::task::Id>,
}

impl Task {
    #[inline]
    fn current() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            id: tokio::task::try_id(),
        }
    }
}

/// An attempt under way. Dropped, also by a panic, it restores what was before.
#[derive(Debug)]
pub(crate) struct Nesting {
    before: Option<Task>,
    /// Whether there was a retry around this one.
    pub(super) nested: bool,
}

impl Nesting {
    #[inline]
    pub(crate) fn enter() -> Self {
        let task = Some(Task::current());
        let before = RETRYING.replace(task);
        Self { before, nested: before == task }
    }
}

impl Drop for Nesting {
    #[inline]
    fn drop(&mut self) {
        RETRYING.set(self.before);
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
    RETRYING.get() == Some(Task::current())
}

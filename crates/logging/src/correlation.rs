//! What belongs together, told by an id on every line.

use std::{cell::RefCell, fmt, marker::PhantomData, sync::Arc};
#[cfg(feature = "tokio")]
use std::{pin::Pin, task::Poll};

thread_local! {
    static CURRENT: RefCell<Option<Correlation>> = const { RefCell::new(None) };
}

/// An id that stands on every line of a scope, as `correlation_id`: of a request, of an order, of a run.
///
/// It belongs to the thread: give [`Correlation::current`] to a thread that works for this one. Scopes may be nested; the
/// innermost counts.
///
/// ```
/// use trading_logging::Correlation;
///
/// Correlation::new("run-7").scope(|| log::info!("is marked with run-7"));
///
/// let _until_the_end_of_the_block = Correlation::new("run-8").enter();
/// assert_eq!(Correlation::current().expect("one is set").as_str(), "run-8");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Correlation(Arc<str>);

impl Correlation {
    /// Takes an id as it is.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// That of the innermost scope of this thread, if it is in one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Marks the lines of this thread until the guard is dropped.
    #[must_use = "the scope ends when the guard is dropped"]
    pub fn enter(&self) -> Entered {
        // A thread that is ending marks nothing any longer.
        let before = CURRENT.try_with(|current| current.replace(Some(self.clone()))).ok().flatten();
        Entered { before, of_this_thread: PhantomData }
    }

    /// Marks the lines that `work` logs on this thread.
    pub fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        work()
    }
}

#[cfg(feature = "tokio")]
impl Correlation {
    /// Marks the lines that a future logs, on whatever threads it is polled, and no others; those of its drop too, if it is
    /// dropped before its end.
    ///
    /// What it spawns is not marked: use [`spawn`](Self::spawn) for that.
    pub async fn scope_async<F: Future>(self, work: F) -> F::Output {
        let mut scoped = Scoped { correlation: &self, work: std::pin::pin!(Some(work)) };
        std::future::poll_fn(|context| {
            let _entered = scoped.correlation.enter();
            // It is there until the end of this function.
            scoped.work.as_mut().as_pin_mut().map_or(Poll::Pending, |work| work.poll(context))
        })
        .await
    }

    /// Spawns a task on the current tokio runtime whose lines are marked.
    ///
    /// # Panics
    ///
    /// As `tokio::spawn`: outside a runtime.
    pub fn spawn<F>(self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        tokio::spawn(self.scope_async(work))
    }
}

/// A future that is dropped in its scope.
#[cfg(feature = "tokio")]
struct Scoped<'a, F> {
    correlation: &'a Correlation,
    work: Pin<&'a mut Option<F>>,
}

#[cfg(feature = "tokio")]
impl<F> Drop for Scoped<'_, F> {
    fn drop(&mut self) {
        let _entered = self.correlation.enter();
        self.work.set(None);
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A scope of a [`Correlation`], until it is dropped. What was before it counts again then.
#[derive(Debug)]
pub struct Entered {
    before: Option<Correlation>,
    /// Dropping it on another thread would end that one's scope.
    of_this_thread: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.try_with(|current| *current.borrow_mut() = self.before.take()).unwrap_or_default();
    }
}

/// Calls with the current id, if there is one.
pub(crate) fn with_current<T>(act: impl FnOnce(&str) -> T) -> Option<T> {
    // Copied out of the cell by a count, so that what is called may log or enter a scope.
    Correlation::current().map(|current| act(current.as_str()))
}

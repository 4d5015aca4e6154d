//! Runs what the program adds, on threads that may block: a few at once, each within a time-out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Places for calls. A call that hangs keeps its place until it comes back.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    places: Arc<Semaphore>,
    limit: Duration,
}

/// Why a call has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    Slow(Duration),
    Panicked,
}

impl Failed {
    pub(super) fn sentence(self) -> String {
        match self {
            Self::Slow(limit) => format!("took longer than {limit:?}"),
            Self::Panicked => "panicked".to_owned(),
        }
    }
}

impl Calls {
    pub(super) fn new(at_once: usize, limit: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))), limit }
    }

    /// Runs it; the time-out counts from now, and so with the wait for a place.
    pub(super) async fn run<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> Result<T, Failed> {
        let places = Arc::clone(&self.places);
        let done = async {
            let place = places.acquire_owned().await.expect("the semaphore is never closed");
            spawn_blocking(move || {
                let result = call();
                drop(place);
                result
            })
            .await
            .map_err(|panic| {
                log::error!("what the program adds to the health server failed: {panic}");
                Failed::Panicked
            })
        };
        timeout(self.limit, done).await.unwrap_or(Err(Failed::Slow(self.limit)))
    }
}

//! The calls for async programs: the work runs on a thread that may block.

use tokio::task::spawn_blocking;

use crate::{Database, Error, ReadOnlyDatabase, Reader, Transaction};

impl Database {
    /// [`read`](Self::read), without blocking the async thread. Dropping the future does not end the read.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// If `work` panics, or outside a Tokio runtime.
    pub async fn read_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let db = self.clone();
        off_thread(move || db.read(work)).await
    }

    /// [`transaction`](Self::transaction), without blocking the async thread. Dropping the future does not undo the
    /// transaction: it ends by itself.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// If `work` panics, or outside a Tokio runtime.
    pub async fn transaction_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let db = self.clone();
        off_thread(move || db.transaction(work)).await
    }
}

impl ReadOnlyDatabase {
    /// [`read`](Self::read), without blocking the async thread. Dropping the future does not end the read.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// If `work` panics, or outside a Tokio runtime.
    pub async fn read_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let db = self.clone();
        off_thread(move || db.read(work)).await
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // A task is only cancelled when the runtime ends before it began.
        Err(error) => Err(Error::aborted(error)),
    })
}

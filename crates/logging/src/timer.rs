//! How long something took, and how it went.

use std::{error::Error, panic::Location, thread, time::Instant};

use log::{Level, Log, kv::Value};

use crate::event;

/// Does some work, and logs how long it took and whether it went well, as [`Timer`] does.
///
/// ```
/// use trading_logging::timed;
///
/// let price = timed("read price", || "12.5".parse::<f64>());
/// assert_eq!(price, Ok(12.5));
/// ```
///
/// # Errors
///
/// That of the work.
#[track_caller]
pub fn timed<T, E: Error + 'static>(operation: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let timer = Timer::start(operation);
    timer.end(work())
}

/// Awaits some work, and logs how long it took and whether it went well, as [`Timer`] does. If it is cancelled, its outcome is
/// `abandoned`.
///
/// # Errors
///
/// That of the work.
#[cfg(feature = "tokio")]
#[track_caller]
pub fn timed_async<T, E: Error + 'static>(
    operation: &str,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    let timer = Timer::start(operation);
    async move {
        let result = work.await;
        timer.end(result)
    }
}

/// Measures from its start on, and logs when it is told how it went, or dropped.
///
/// Target `performance`, from the place of the start. Fields: `operation`, `duration_ms`, `outcome`, `error`. The outcome is
/// `success` (`INFO`), `error` (`WARN`), or without a word `panic` if it is dropped by one and else `abandoned` (`WARN`):
/// an early return by `?` is no success.
///
/// ```
/// use trading_logging::Timer;
///
/// fn rebalance() -> Result<(), std::num::ParseIntError> {
///     let timer = Timer::start("rebalance");
///     let _shares: u32 = "5".parse()?;
///     timer.success();
///     Ok(())
/// }
/// # rebalance().unwrap();
/// ```
#[must_use = "it measures until it is dropped"]
pub struct Timer<'a> {
    logger: &'a dyn Log,
    operation: &'a str,
    place: &'static Location<'static>,
    started: Instant,
    is_told: bool,
}

impl<'a> Timer<'a> {
    /// Begins to measure.
    #[track_caller]
    pub fn start(operation: &'a str) -> Self {
        Self::start_for(log::logger(), operation)
    }

    /// Begins to measure for a logger that is not the installed one.
    #[track_caller]
    pub fn start_for(logger: &'a dyn Log, operation: &'a str) -> Self {
        Self { logger, operation, place: Location::caller(), started: Instant::now(), is_told: false }
    }

    /// It went well.
    pub fn success(mut self) {
        self.tell("success", None);
    }

    /// It failed.
    pub fn error(mut self, error: &(dyn Error + 'static)) {
        self.tell("error", Some(error));
    }

    /// It went as the result says, which comes back.
    ///
    /// # Errors
    ///
    /// That of the result.
    pub fn end<T, E: Error + 'static>(self, result: Result<T, E>) -> Result<T, E> {
        match &result {
            Ok(_) => self.success(),
            Err(error) => self.error(error),
        }
        result
    }

    fn tell(&mut self, outcome: &str, error: Option<&(dyn Error + 'static)>) {
        self.is_told = true;
        let level = if outcome == "success" { Level::Info } else { Level::Warn };
        let fields = [
            ("operation", Value::from(self.operation)),
            ("duration_ms", Value::from(event::millis(self.started.elapsed()))),
            ("outcome", Value::from(outcome)),
            ("error", event::error(error)),
        ];
        event::send(self.logger, level, "performance", "operation timed", &fields, self.place);
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(if thread::panicking() { "panic" } else { "abandoned" }, None);
        }
    }
}

impl std::fmt::Debug for Timer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").field("operation", &self.operation).finish_non_exhaustive()
    }
}

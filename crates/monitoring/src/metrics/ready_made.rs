//! What every trading system records, under the names that the earlier one had.

use std::time::{Duration, Instant};

use super::Metrics;

impl Metrics {
    /// Records how long an operation took, in `execution_time_seconds{operation="…"}`.
    pub fn record_execution_time(&self, operation: &str, duration: Duration) {
        self.timing("execution_time_seconds", &[("operation", operation)]).record(duration);
    }

    /// Records how long an API took to answer, in `api_response_time_seconds{api="…",endpoint="…",status="…"}`. The endpoint is the
    /// route (`/v2/orders/{id}`), not the path: each one is a series.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trading_monitoring::Metrics;
    ///
    /// let metrics = Metrics::default();
    /// metrics.record_api_response_time("alpaca", "/v2/orders", 200, Duration::from_millis(120));
    /// assert!(metrics.prometheus().contains(r#"_count{api="alpaca",endpoint="/v2/orders",status="200"} 1"#));
    /// ```
    pub fn record_api_response_time(&self, api: &str, endpoint: &str, status: u16, duration: Duration) {
        let status = status.to_string();
        let labels = [("api", api), ("endpoint", endpoint), ("status", status.as_str())];
        self.timing("api_response_time_seconds", &labels).record(duration);
    }

    /// Counts an order that was executed or not, in `trade_executions_total{agent="…",ticker="…",success="…"}`.
    pub fn record_trade_execution(&self, agent: &str, ticker: &str, success: bool) {
        let labels = [("agent", agent), ("ticker", ticker), ("success", word(success))];
        self.counter("trade_executions_total", &labels).increment(1);
    }

    /// Calls `work`, and records how long it took and if it succeeded: as [`timer`](Self::timer).
    ///
    /// # Errors
    /// Those of `work`.
    pub fn timed<T, E>(&self, operation: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let timer = self.timer(operation);
        let done = work();
        if done.is_ok() {
            timer.success();
        }
        done
    }

    /// Begins to time an operation. When the guard goes, the time is recorded as by
    /// [`record_execution_time`](Self::record_execution_time), and the outcome in `operations_total{operation="…",success="…"}`:
    /// a success if [`Timer::success`] was called, else (an early return, a panic) not.
    ///
    /// ```
    /// use trading_monitoring::Metrics;
    ///
    /// fn fetch(metrics: &Metrics) -> Result<u32, std::num::ParseIntError> {
    ///     let timer = metrics.timer("fetch");
    ///     let number = "7".parse()?;
    ///     timer.success();
    ///     Ok(number)
    /// }
    ///
    /// let metrics = Metrics::default();
    /// assert_eq!(fetch(&metrics), Ok(7));
    /// assert_eq!(metrics.counter("operations", &[("operation", "fetch"), ("success", "true")]).value(), 1);
    /// ```
    #[must_use = "it records when it goes"]
    pub fn timer<'m>(&'m self, operation: &'m str) -> Timer<'m> {
        Timer { metrics: self, operation, start: Instant::now(), success: false }
    }
}

/// Times an operation until it goes: see [`Metrics::timer`].
#[derive(Debug)]
pub struct Timer<'m> {
    metrics: &'m Metrics,
    operation: &'m str,
    start: Instant,
    success: bool,
}

impl Timer<'_> {
    /// The operation has succeeded, and has ended.
    pub fn success(mut self) {
        self.success = true;
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let labels = [("operation", self.operation), ("success", word(self.success))];
        self.metrics.record_execution_time(self.operation, self.start.elapsed());
        self.metrics.counter("operations_total", &labels).increment(1);
    }
}

fn word(success: bool) -> &'static str {
    if success { "true" } else { "false" }
}

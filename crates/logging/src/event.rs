//! The lines that dashboards and reports look for, with names that stay the same.

use std::{error::Error, fmt, panic::Location, time::Duration};

use log::{
    Level, Log, Record,
    kv::{self, Source, Value, VisitSource},
};

/// An order that was carried out, or was not. Target `trading`; `INFO`, and `ERROR` if it failed.
///
/// Fields: `agent_id`, `ticker`, `side`, `quantity`, `price`, `order_id`, `status`, `error`; `null` where there is nothing to
/// say. Amounts are text, so that no digit is lost.
///
/// ```
/// use trading_logging::TradeExecution;
///
/// TradeExecution {
///     agent_id: "pelosi",
///     ticker: "NVDA",
///     side: "buy",
///     quantity: &"5",
///     price: Some(&"912.30"),
///     order_id: Some("o-1"),
///     status: "filled",
///     error: None,
/// }
/// .log();
/// ```
#[derive(Clone, Copy)]
pub struct TradeExecution<'a> {
    /// The agent that wanted it.
    pub agent_id: &'a str,
    /// What was traded.
    pub ticker: &'a str,
    /// `buy` or `sell`.
    pub side: &'a str,
    /// How many shares.
    pub quantity: &'a dyn fmt::Display,
    /// What a share cost, in dollars.
    pub price: Option<&'a dyn fmt::Display>,
    /// The broker's or our own id of the order.
    pub order_id: Option<&'a str>,
    /// The order's status, as the broker calls it.
    pub status: &'a str,
    /// Why it failed.
    pub error: Option<&'a (dyn Error + 'static)>,
}

impl TradeExecution<'_> {
    /// Logs it.
    #[track_caller]
    pub fn log(&self) {
        self.log_to(log::logger());
    }

    /// Logs it to a logger that is not the installed one.
    #[track_caller]
    pub fn log_to(&self, logger: &dyn Log) {
        let (level, message) =
            if self.error.is_some() { (Level::Error, "trade failed") } else { (Level::Info, "trade executed") };
        let fields = [
            ("agent_id", Value::from(self.agent_id)),
            ("ticker", Value::from(self.ticker)),
            ("side", Value::from(self.side)),
            ("quantity", Value::from_dyn_display(self.quantity)),
            ("price", self.price.map_or_else(Value::null, Value::from_dyn_display)),
            ("order_id", self.order_id.map_or_else(Value::null, Value::from)),
            ("status", Value::from(self.status)),
            ("error", error(self.error)),
        ];
        send(logger, level, "trading", message, &fields, Location::caller());
    }
}

/// A call of an outside service. Target `api`; `INFO`, and `WARN` if it failed or the status is 400 or more.
///
/// Fields: `api`, `method`, `endpoint`, `status`, `duration_ms`, `error`; `null` where there is nothing to say.
///
/// ```
/// use std::time::Duration;
/// use trading_logging::ApiCall;
///
/// let took = Duration::from_millis(120);
/// ApiCall { api: "alpaca", method: "GET", endpoint: "/v2/clock", status: Some(200), took, error: None }.log();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ApiCall<'a> {
    /// Whose service.
    pub api: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The path, without what identifies or authorises anybody.
    pub endpoint: &'a str,
    /// The HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// Why it failed.
    pub error: Option<&'a (dyn Error + 'static)>,
}

impl ApiCall<'_> {
    /// Logs it.
    #[track_caller]
    pub fn log(&self) {
        self.log_to(log::logger());
    }

    /// Logs it to a logger that is not the installed one.
    #[track_caller]
    pub fn log_to(&self, logger: &dyn Log) {
        let failed = self.error.is_some() || self.status.is_none_or(|status| status >= 400);
        let (level, message) = if failed { (Level::Warn, "api call failed") } else { (Level::Info, "api call") };
        let fields = [
            ("api", Value::from(self.api)),
            ("method", Value::from(self.method)),
            ("endpoint", Value::from(self.endpoint)),
            ("status", self.status.map_or_else(Value::null, Value::from)),
            ("duration_ms", Value::from(millis(self.took))),
            ("error", error(self.error)),
        ];
        send(logger, level, "api", message, &fields, Location::caller());
    }
}

/// A figure worth following. Target `performance`, `INFO`.
///
/// Fields: `metric`, `value`, `unit`, and then `context` as it is.
///
/// ```
/// use trading_logging::PerformanceMetric;
///
/// let context = [("agent_id", "pelosi".into())];
/// PerformanceMetric { metric: "daily_return", value: 1.5, unit: "percent", context: &context }.log();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct PerformanceMetric<'a> {
    /// What was measured.
    pub metric: &'a str,
    /// The figure.
    pub value: f64,
    /// What it counts.
    pub unit: &'a str,
    /// More fields.
    pub context: &'a [(&'a str, Value<'a>)],
}

impl PerformanceMetric<'_> {
    /// Logs it.
    #[track_caller]
    pub fn log(&self) {
        self.log_to(log::logger());
    }

    /// Logs it to a logger that is not the installed one.
    #[track_caller]
    pub fn log_to(&self, logger: &dyn Log) {
        send(logger, Level::Info, "performance", "performance metric", self, Location::caller());
    }
}

/// Its fields, in their order.
impl Source for PerformanceMetric<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        visitor.visit_pair("metric".into(), self.metric.into())?;
        visitor.visit_pair("value".into(), self.value.into())?;
        visitor.visit_pair("unit".into(), self.unit.into())?;
        Source::visit(&self.context, visitor)
    }
}

/// Logs from a place that is the caller's.
pub(crate) fn send(
    logger: &dyn Log,
    level: Level,
    target: &str,
    message: &str,
    fields: &dyn Source,
    place: &Location<'_>,
) {
    let mut record = Record::builder();
    record.level(level).target(target).file(Some(place.file())).line(Some(place.line())).key_values(&fields);
    logger.log(&record.args(format_args!("{message}")).build());
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(crate) fn error<'a>(error: Option<&'a (dyn Error + 'static)>) -> Value<'a> {
    error.map_or_else(Value::null, Value::from_dyn_error)
}

impl fmt::Debug for TradeExecution<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TradeExecution")
            .field("agent_id", &self.agent_id)
            .field("ticker", &self.ticker)
            .field("order_id", &self.order_id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

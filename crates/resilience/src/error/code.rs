//! The table of error codes: the names by which logs, dashboards and alerts know a failure.

use std::fmt;

/// How much a failure matters to those who run the system. Ordered: `Info` is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The normal course of things: the market is closed.
    Info,
    /// It may pass by itself, and matters if it goes on.
    Warning,
    /// Something was not done that should have been.
    Error,
    /// Somebody has to act: money or the whole system is concerned.
    Critical,
}

impl Severity {
    /// Returns the name used in JSON: `info`, `warning`, `error` or `critical`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the enum, the list of all codes, their names and severities from one table, so that none can be forgotten.
macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal, $severity:ident;)+) => {
        /// The stable code of a failure.
        ///
        /// A code never changes its meaning and is never given to another failure; new ones may come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the code as it stands in logs and JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns how much a failure of this code matters.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)+
                }
            }
        }
    };
}

codes! {
    /// An API asked to be left alone for a while (429).
    ApiRateLimited = "API_RATE_LIMITED", Warning;
    /// An API could not be reached, broke down or was too slow; nothing happened.
    ApiUnavailable = "API_UNAVAILABLE", Warning;
    /// A request that changes something went out, and its fate is not known: look before sending it again.
    ApiOutcomeUnknown = "API_OUTCOME_UNKNOWN", Critical;
    /// The key is missing, wrong or revoked (401).
    ApiUnauthorized = "API_UNAUTHORIZED", Critical;
    /// The broker says that the account cannot pay for the order (403).
    ApiBuyingPower = "API_BUYING_POWER", Warning;
    /// The key is good but may not do this: the plan or the account does not allow it (403).
    ApiForbidden = "API_FORBIDDEN", Error;
    /// There is no such thing (404).
    ApiNotFound = "API_NOT_FOUND", Warning;
    /// An order with this client order id is there already: look it up.
    ApiDuplicate = "API_DUPLICATE", Warning;
    /// The request is wrong (422 and the other refusals), or cannot be sent as it is.
    ApiRefused = "API_REFUSED", Error;
    /// The API said yes in words that cannot be read.
    ApiUnreadable = "API_UNREADABLE", Error;
    /// The account holds less than the order needs.
    TradingInsufficientFunds = "TRADING_INSUFFICIENT_FUNDS", Warning;
    /// The market is closed.
    TradingMarketClosed = "TRADING_MARKET_CLOSED", Info;
    /// The broker refused the order.
    TradingOrderRejected = "TRADING_ORDER_REJECTED", Error;
    /// An agent could not do its work.
    AgentFailed = "AGENT_FAILED", Error;
    /// There is less of a position than was to be sold.
    PositionInsufficient = "POSITION_INSUFFICIENT", Error;
    /// The record and the broker do not hold the same.
    PositionMismatch = "POSITION_MISMATCH", Critical;
    /// A job was not started when it was due.
    ScheduleMissed = "SCHEDULE_MISSED", Error;
    /// A job was due while it was still running.
    ScheduleOverlap = "SCHEDULE_OVERLAP", Warning;
    /// A value breaks a rule.
    ValidationFailed = "VALIDATION_FAILED", Error;
    /// A text is not a ticker.
    TickerInvalid = "TICKER_INVALID", Warning;
    /// Data could not be processed, or not all of it.
    DataProcessingFailed = "DATA_PROCESSING_FAILED", Error;
    /// A setting is missing or wrong.
    ConfigurationInvalid = "CONFIGURATION_INVALID", Critical;
    /// The database refused; nothing was written.
    DatabaseFailed = "DATABASE_FAILED", Error;
    /// The database did not say whether it wrote: look before writing again.
    DatabaseOutcomeUnknown = "DATABASE_OUTCOME_UNKNOWN", Critical;
    /// A call was given up before its answer came; whether it happened is not known.
    TimedOut = "TIMED_OUT", Error;
    /// The own rate limit has no room for the call in time; nothing was sent.
    GuardQuotaSpent = "GUARD_QUOTA_SPENT", Warning;
    /// The circuit breaker holds calls back; nothing was sent.
    GuardCircuitOpen = "GUARD_CIRCUIT_OPEN", Error;
    /// As many calls as may be are under way; nothing was sent.
    GuardFull = "GUARD_FULL", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

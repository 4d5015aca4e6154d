//! The table of error codes: the names by which logs, dashboards and alerts know a failure.

use std::fmt;

/// Writes the enum, the list of all codes and their names from one table, so that none can be forgotten in one of them.
macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
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
        }
    };
}

codes! {
    /// An API asked to be left alone for a while (429).
    ApiRateLimited = "API_RATE_LIMITED",
    /// An API could not be reached, broke down or was too slow; nothing happened.
    ApiUnavailable = "API_UNAVAILABLE",
    /// A request that changes something went out, and its fate is not known: look before sending it again.
    ApiOutcomeUnknown = "API_OUTCOME_UNKNOWN",
    /// The key is missing, wrong or revoked (401).
    ApiUnauthorized = "API_UNAUTHORIZED",
    /// The key is good but may not do this: plan, account or buying power (403).
    ApiForbidden = "API_FORBIDDEN",
    /// There is no such thing (404).
    ApiNotFound = "API_NOT_FOUND",
    /// The request is wrong (422 and the other refusals).
    ApiRefused = "API_REFUSED",
    /// The API said yes in words that cannot be read.
    ApiUnreadable = "API_UNREADABLE",
    /// The account holds less than the order needs.
    TradingInsufficientFunds = "TRADING_INSUFFICIENT_FUNDS",
    /// The market is closed.
    TradingMarketClosed = "TRADING_MARKET_CLOSED",
    /// The broker refused the order.
    TradingOrderRejected = "TRADING_ORDER_REJECTED",
    /// A value breaks a rule.
    ValidationFailed = "VALIDATION_FAILED",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! Refusals to trade: an answer, not a breakdown.

use std::fmt;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::{Code, rfc3339};
use crate::redaction::shown;

/// An order that was refused, and why.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TradingError {
    /// The account holds less than the order needs.
    InsufficientFunds {
        /// What the order needs, in the account's currency.
        required: Decimal,
        /// What the account could spend, in the account's currency.
        available: Decimal,
    },
    /// The market is closed.
    MarketClosed {
        /// When it opens next; `None` when nobody said.
        next_open: Option<DateTime<Utc>>,
    },
    /// The broker refused the order for a reason of its own.
    OrderRejected {
        /// The broker's code, as the broker writes it (Alpaca: `40310000`).
        code: String,
        /// The broker's words.
        reason: String,
    },
}

impl TradingError {
    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::InsufficientFunds { .. } => Code::TradingInsufficientFunds,
            Self::MarketClosed { .. } => Code::TradingMarketClosed,
            Self::OrderRejected { .. } => Code::TradingOrderRejected,
        }
    }

    pub(crate) fn details(&self) -> Value {
        match self {
            Self::InsufficientFunds { required, available } => {
                json!({ "required": required.to_string(), "available": available.to_string() })
            }
            Self::MarketClosed { next_open } => json!({ "next_open": next_open.map(rfc3339) }),
            Self::OrderRejected { code, reason } => json!({ "broker_code": code, "reason": reason }),
        }
    }
}

impl fmt::Display for TradingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsufficientFunds { required, available } => {
                write!(f, "insufficient funds: {required} required, {available} available")
            }
            Self::MarketClosed { next_open: Some(time) } => write!(f, "market is closed until {}", rfc3339(*time)),
            Self::MarketClosed { next_open: None } => f.write_str("market is closed"),
            Self::OrderRejected { code, reason } => {
                f.write_str(&shown(&format!("order rejected by the broker: {reason} (code {code})")))
            }
        }
    }
}

impl std::error::Error for TradingError {}

/// Always `Permanent`: money, opening hours and the broker's mind do not change within the seconds that a retry waits.
/// An order for a closed market is a matter for the schedule, which has `next_open`.
impl Classify for TradingError {
    fn class(&self) -> Class {
        match self {
            Self::InsufficientFunds { .. } | Self::MarketClosed { .. } | Self::OrderRejected { .. } => Class::Permanent,
        }
    }
}

//! Positions that are not what they should be.

use std::fmt;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::Code;
use crate::redaction::shown;

/// A position that is not what it should be.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PositionError {
    /// There is less of it than was to be sold.
    Insufficient {
        /// Whose position it is.
        agent_id: String,
        /// What it is a position of.
        ticker: String,
        /// How many shares were to be sold.
        wanted: Decimal,
        /// How many shares there are.
        held: Decimal,
    },
    /// The record and the broker do not hold the same.
    Mismatch {
        /// What it is a position of.
        ticker: String,
        /// How many shares the record has.
        recorded: Decimal,
        /// How many shares the broker has.
        at_broker: Decimal,
    },
}

impl PositionError {
    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Insufficient { .. } => Code::PositionInsufficient,
            Self::Mismatch { .. } => Code::PositionMismatch,
        }
    }

    pub(crate) fn details(&self) -> Value {
        match self {
            Self::Insufficient { agent_id, ticker, wanted, held } => {
                json!({ "agent_id": agent_id, "ticker": ticker, "wanted": wanted.to_string(), "held": held.to_string() })
            }
            Self::Mismatch { ticker, recorded, at_broker } => {
                json!({ "ticker": ticker, "recorded": recorded.to_string(), "at_broker": at_broker.to_string() })
            }
        }
    }
}

impl fmt::Display for PositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insufficient { agent_id, ticker, wanted, held } => {
                let (agent, ticker) = (shown(agent_id), shown(ticker));
                write!(f, "agent {agent} cannot sell {wanted} of {ticker}, it holds {held}")
            }
            Self::Mismatch { ticker, recorded, at_broker } => {
                write!(f, "position {}: {recorded} recorded, {at_broker} at the broker", shown(ticker))
            }
        }
    }
}

impl std::error::Error for PositionError {}

/// Always `Permanent`: shares do not appear by asking again.
impl Classify for PositionError {
    fn class(&self) -> Class {
        match self {
            Self::Insufficient { .. } | Self::Mismatch { .. } => Class::Permanent,
        }
    }
}

//! What agents are, hold and earn.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use crate::{AgentId, Ticker};

/// An agent that trades can refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Unique.
    pub id: AgentId,
    /// For people; not empty.
    pub name: String,
    /// What it follows: `committee`, `individual`, …; not empty.
    pub kind: String,
    /// If it is to run.
    pub enabled: bool,
}

/// What an agent holds of a stock: one row an agent and ticker.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// Whose it is.
    pub agent: AgentId,
    /// The stock.
    pub ticker: Ticker,
    /// The number of shares, at most 9 decimals; negative for a short position.
    pub quantity: Decimal,
    /// What a share cost on average, in dollars, at most 6 decimals.
    pub average_cost: Decimal,
    /// What a share costs now, in dollars, at most 6 decimals.
    pub current_price: Decimal,
    /// What all of them are worth now, in dollars, at most 6 decimals.
    pub market_value: Decimal,
    /// What selling them now would earn, in dollars, at most 6 decimals.
    pub unrealized_profit: Decimal,
    /// When this was so.
    pub updated_at: DateTime<Utc>,
}

/// How an agent did on a day: one row an agent and day.
#[derive(Debug, Clone, PartialEq)]
pub struct Performance {
    /// Whose it is.
    pub agent: AgentId,
    /// The trading day.
    pub date: NaiveDate,
    /// What the portfolio is worth at its end, in dollars, at most 6 decimals.
    pub total_value: Decimal,
    /// The change since the trading day before, in percent, at most 6 decimals.
    pub daily_return_percent: Decimal,
    /// The change since the start, in percent, at most 6 decimals.
    pub total_return_percent: Decimal,
}

/// How an agent stands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The agent.
    pub agent: Agent,
    /// The number of its positions.
    pub positions: u64,
    /// What they are worth, in dollars.
    pub market_value: Decimal,
    /// What selling them would earn, in dollars.
    pub unrealized_profit: Decimal,
    /// Its last recorded day.
    pub performance: Option<Performance>,
    /// The day of the trade that was recorded last.
    pub last_trade_date: Option<NaiveDate>,
}

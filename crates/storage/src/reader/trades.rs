//! Trades by what people ask for, a page at a time, and the history of one.

use std::{fmt, ops::Range, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::types::Value;

use super::{Reader, column, order_columns, time, trade};
use crate::{AgentId, Error, OrderStatus, Ticker, Trade, TradeId, amount::Scale, event::TradeEvent};

/// Which trades.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TradeFilter {
    /// All of them.
    All,
    /// Those of an agent.
    Agent(AgentId),
    /// Those in a stock.
    Ticker(Ticker),
    /// Those of a trading day.
    Day(NaiveDate),
    /// Those in a status.
    Status(OrderStatus),
    /// Those recorded from the start of the range on, and before its end.
    Recorded(Range<DateTime<Utc>>),
}

/// A page of trades, newest first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TradePage {
    /// The trades.
    pub trades: Vec<Trade>,
    /// Where the next page begins; `None` if this is the last.
    pub next: Option<Cursor>,
}

/// A place between two trades. As text it can stand in a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    recorded_at: i64,
    id: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.recorded_at, self.id)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (recorded_at, id) = text.rsplit_once('-')?;
            Some(Self { recorded_at: recorded_at.parse().ok()?, id: id.parse().ok()? })
        };
        parse().ok_or_else(|| Error::Name { rule: "a cursor that a page gave", found: text.to_owned() })
    }
}

/// A page's statement: the columns of a trade, the rows by this condition, newest first.
macro_rules! page {
    ($condition:literal, $order:literal) => {
        concat!(
            "SELECT ",
            order_columns!(),
            ", id, created_at, last_updated, event FROM trades WHERE ",
            $condition,
            " ORDER BY ",
            $order,
            " LIMIT ?2"
        )
    };
}

/// Every statement of this file, for the test of their plans. `?1` is the cursor's id, `?2` the number of rows.
#[cfg(test)]
pub(crate) const STATEMENTS: [&str; 8] = [ALL, AGENT, TICKER, DAY, STATUS, RECORDED, OPEN, HISTORY];

const ALL: &str = page!("id < ?1", "id DESC");
const AGENT: &str = page!("agent_id = ?3 AND id < ?1", "id DESC");
const TICKER: &str = page!("ticker = ?3 AND id < ?1", "id DESC");
const DAY: &str = page!("trade_date = ?3 AND id < ?1", "id DESC");
const STATUS: &str = page!("order_status = ?3 AND id < ?1", "id DESC");
const RECORDED: &str =
    page!("created_at >= ?3 AND created_at < ?4 AND (created_at, id) < (?5, ?1)", "created_at DESC, id DESC");
// With the words of the partial index, so that it can be used.
const OPEN: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", id, created_at, last_updated, event FROM trades
     WHERE order_status <> 'filled' AND order_status <> 'canceled' AND order_status <> 'expired'
         AND order_status <> 'replaced' AND order_status <> 'rejected' ORDER BY id"
);
// From the last one back. An event that says it follows a later one was tampered with, and would lead in a circle.
const HISTORY: &str = "WITH RECURSIVE past (event) AS (
         SELECT event FROM trades WHERE id = ?1
         UNION ALL
         SELECT previous FROM past JOIN trade_events ON sequence = event WHERE previous < sequence
     )
     SELECT sequence, order_status, executed_price, alpaca_order_id, execution_date, recorded_at, hash
     FROM past JOIN trade_events ON sequence = event";

impl Reader<'_> {
    /// The newest trades of those that the filter takes: at most `limit`, from a place on, or from the newest on.
    ///
    /// Newest is what was recorded last; of [`TradeFilter::Recorded`], by the clock.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn trades(&self, filter: &TradeFilter, from: Option<Cursor>, limit: u32) -> Result<TradePage, Error> {
        let from = from.unwrap_or(Cursor { recorded_at: i64::MAX, id: i64::MAX });
        let text = |text: &str| Value::from(text.to_owned());
        // A bound may be finer than what is recorded: the first microsecond that is not before it.
        let micros = |time: DateTime<Utc>| {
            let is_between = !time.timestamp_subsec_nanos().is_multiple_of(1_000);
            Value::from(time.timestamp_micros() + i64::from(is_between))
        };
        let (sql, rest) = match filter {
            TradeFilter::All => (ALL, Vec::new()),
            TradeFilter::Agent(agent) => (AGENT, vec![text(agent.as_str())]),
            TradeFilter::Ticker(ticker) => (TICKER, vec![text(ticker.as_str())]),
            TradeFilter::Day(day) => (DAY, vec![text(&day.to_string())]),
            TradeFilter::Status(status) => (STATUS, vec![text(status.as_str())]),
            TradeFilter::Recorded(range) => {
                (RECORDED, vec![micros(range.start), micros(range.end), Value::from(from.recorded_at)])
            }
        };
        // One more than is wanted tells if there is a next page.
        let params = [Value::from(from.id), Value::from(i64::from(limit) + 1)].into_iter().chain(rest);
        let mut trades = self.all("read trades", sql, rusqlite::params_from_iter(params), trade)?;
        let more = trades.len() > limit as usize;
        trades.truncate(limit as usize);
        let place = |trade: &Trade| Cursor { recorded_at: trade.created_at.timestamp_micros(), id: trade.id.0 };
        let next = if more { trades.last().map(place) } else { None };
        Ok(TradePage { trades, next })
    }

    /// The orders without a final result, the oldest first: sent, or to be sent.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn open_orders(&self) -> Result<Vec<Trade>, Error> {
        self.all("read the open orders", OPEN, [], trade)
    }

    /// What became of a trade, from its recording on; empty if there is none with this number.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn history(&self, id: TradeId) -> Result<Vec<TradeEvent>, Error> {
        let mut events = self.all("read the history of a trade", HISTORY, [id.0], |row| {
            let executed_at: Option<i64> = column(row, "execution_date")?;
            Ok(TradeEvent {
                sequence: column(row, "sequence")?,
                status: OrderStatus::stored(&column::<String>(row, "order_status")?)?,
                executed_price: column::<Option<i64>>(row, "executed_price")?.map(|price| Scale::Money.decode(price)),
                broker_order_id: column(row, "alpaca_order_id")?,
                executed_at: executed_at.map(|micros| time(micros, "execution_date")).transpose()?,
                recorded_at: time(column(row, "recorded_at")?, "recorded_at")?,
                hash: column(row, "hash")?,
            })
        })?;
        events.reverse();
        Ok(events)
    }
}

//! Writing. Every method is one step of the transaction that it is called on.

use std::ops::Deref;

use chrono::{DateTime, SubsecRound as _, Utc};
use rusqlite::{ffi, params};

use crate::{
    Agent, AgentId, Error, Order, Performance, Position, Reader, TradeId, amount::Scale, reader::order_columns,
};

/// A transaction that is open: writes, and reads what it has written so far (by way of [`Reader`]).
#[derive(Debug)]
pub struct Transaction<'c> {
    reader: Reader<'c>,
}

impl<'c> Deref for Transaction<'c> {
    type Target = Reader<'c>;

    fn deref(&self) -> &Reader<'c> {
        &self.reader
    }
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(connection: &'c rusqlite::Connection) -> Self {
        Self { reader: Reader::new(connection) }
    }

    /// Registers an agent, or changes its name, kind and switch.
    ///
    /// # Errors
    /// [`Error::Query`].
    pub fn register_agent(&self, agent: &Agent) -> Result<(), Error> {
        let Agent { id, name, kind, enabled } = agent;
        self.execute(
            "register an agent",
            "INSERT INTO agents (id, name, type, enabled, created_at, last_updated) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (id) DO UPDATE
             SET name = excluded.name, type = excluded.type, enabled = excluded.enabled, last_updated = excluded.last_updated
             WHERE (name, type, enabled) <> (excluded.name, excluded.type, excluded.enabled)",
            params![id.as_str(), name, kind, enabled, now().timestamp_micros()],
        )?;
        Ok(())
    }

    /// Records an order, once: if the same order is recorded already, nothing is written and its number is returned.
    ///
    /// Two orders are the same if they have the same [`client_order_id`](Order::client_order_id) and ask for the same
    /// ([`Order::same_intent`]).
    ///
    /// # Errors
    /// [`Error::OrderConflict`] if the id is taken by an order that asks for something else, [`Error::UnknownAgent`],
    /// [`Error::Amount`], [`Error::Query`].
    pub fn insert_trade(&self, order: &Order) -> Result<TradeId, Error> {
        if let Some(recorded) = self.trade_by_client_order_id(&order.client_order_id)? {
            return if recorded.order.same_intent(order) {
                Ok(recorded.id)
            } else {
                Err(Error::OrderConflict {
                    client_order_id: order.client_order_id.clone(),
                    recorded: Box::new(recorded.order),
                    given: Box::new(order.clone()),
                })
            };
        }
        let quantity = Scale::Quantity.encode("quantity", order.quantity)?;
        let price = order.price.map(|price| Scale::Money.encode("price", price)).transpose()?;
        let written = self.execute(
            "record a trade",
            concat!(
                "INSERT INTO trades (",
                order_columns!(),
                ", created_at, last_updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14)"
            ),
            params![
                order.client_order_id.as_str(),
                order.agent.as_str(),
                order.ticker.as_str(),
                order.side.as_str(),
                order.order_type.as_str(),
                quantity,
                price,
                order.status.as_str(),
                order.broker_order_id,
                order.politician,
                order.source_trade_date.map(|date| date.to_string()),
                order.trade_date.to_string(),
                order.executed_at.map(|time| time.timestamp_micros()),
                now().timestamp_micros(),
            ],
        );
        written.map_err(|error| unknown_agent(error, &order.agent))?;
        Ok(TradeId(self.connection().last_insert_rowid()))
    }

    /// Records what an agent holds of a stock, in place of what was recorded before.
    ///
    /// # Errors
    /// [`Error::UnknownAgent`], [`Error::Amount`], [`Error::Query`].
    pub fn update_position(&self, position: &Position) -> Result<(), Error> {
        let written = self.execute(
            "record a position",
            "INSERT INTO agent_positions
                 (agent_id, ticker, quantity, avg_cost, current_price, market_value, unrealized_pnl, last_updated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (agent_id, ticker) DO UPDATE
             SET quantity = excluded.quantity, avg_cost = excluded.avg_cost, current_price = excluded.current_price,
                 market_value = excluded.market_value, unrealized_pnl = excluded.unrealized_pnl,
                 last_updated = excluded.last_updated",
            params![
                position.agent.as_str(),
                position.ticker.as_str(),
                Scale::Quantity.encode("quantity", position.quantity)?,
                Scale::Money.encode("average_cost", position.average_cost)?,
                Scale::Money.encode("current_price", position.current_price)?,
                Scale::Money.encode("market_value", position.market_value)?,
                Scale::Money.encode("unrealized_profit", position.unrealized_profit)?,
                position.updated_at.timestamp_micros(),
            ],
        );
        written.map_err(|error| unknown_agent(error, &position.agent))?;
        Ok(())
    }

    /// Records how an agent did on a day, in place of what was recorded before.
    ///
    /// # Errors
    /// [`Error::UnknownAgent`], [`Error::Amount`], [`Error::Query`].
    pub fn record_performance(&self, performance: &Performance) -> Result<(), Error> {
        let written = self.execute(
            "record a performance",
            "INSERT INTO daily_performance (agent_id, date, total_value, daily_return_pct, total_return_pct, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (agent_id, date) DO UPDATE
             SET total_value = excluded.total_value, daily_return_pct = excluded.daily_return_pct,
                 total_return_pct = excluded.total_return_pct, created_at = excluded.created_at",
            params![
                performance.agent.as_str(),
                performance.date.to_string(),
                Scale::Money.encode("total_value", performance.total_value)?,
                Scale::Money.encode("daily_return_percent", performance.daily_return_percent)?,
                Scale::Money.encode("total_return_percent", performance.total_return_percent)?,
                now().timestamp_micros(),
            ],
        );
        written.map_err(|error| unknown_agent(error, &performance.agent))?;
        Ok(())
    }

    fn execute(&self, operation: &'static str, sql: &str, params: impl rusqlite::Params) -> Result<usize, Error> {
        let mut statement = self.connection().prepare_cached(sql).map_err(Error::query(operation))?;
        statement.execute(params).map_err(Error::query(operation))
    }
}

/// The only foreign key of the tables is the agent's.
fn unknown_agent(error: Error, agent: &AgentId) -> Error {
    let failure = match &error {
        Error::Query { source, .. } => source.sqlite().and_then(rusqlite::Error::sqlite_error),
        _ => None,
    };
    if failure.is_some_and(|failure| failure.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY) {
        return Error::UnknownAgent { agent: agent.clone() };
    }
    error
}

/// The time to record, as exact as the tables hold it.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

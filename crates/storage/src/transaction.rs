//! Writing. Every method is one step of the transaction that it is called on.

mod bulk;

use std::{cell::Cell, ops::Deref};

use chrono::{DateTime, Datelike as _, NaiveDate, SubsecRound as _, Utc};
use rusqlite::{ffi, params};

use crate::{
    Agent, AgentId, Error, Order, Performance, Position, Reader, StatusUpdate, TradeId,
    amount::Scale,
    connection::given_up,
    event::{Event, Head},
    reader::order_columns,
    writer,
};

/// A trade, as it comes.
const INSERT: &str = concat!(
    "INSERT INTO trades (",
    order_columns!(),
    ", created_at, last_updated, event)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
);

/// A trade, if there is none with its id yet.
const INSERT_ONCE: &str = concat!(
    "INSERT INTO trades (",
    order_columns!(),
    ", created_at, last_updated, event)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
     ON CONFLICT (client_order_id) DO NOTHING"
);

/// A transaction that is open: writes, and reads what it has written so far (by way of [`Reader`]).
#[derive(Debug)]
pub struct Transaction<'c> {
    reader: Reader<'c>,
    head: &'c Cell<Head>,
}

impl<'c> Deref for Transaction<'c> {
    type Target = Reader<'c>;

    fn deref(&self) -> &Reader<'c> {
        &self.reader
    }
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(connection: &'c rusqlite::Connection, head: &'c Cell<Head>) -> Self {
        Self { reader: Reader::new(connection), head }
    }

    /// A part of the transaction that can fail alone: what `work` wrote is undone if it returns an error or panics, and what was
    /// written before stays.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Query`].
    pub fn nested<T>(&self, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        writer::execute(self.connection(), "SAVEPOINT part").map_err(Error::query("begin a part"))?;
        let undo = Undo { transaction: self, head: self.head.get() };
        let value = work(self)?;
        writer::execute(self.connection(), "RELEASE part").map_err(Error::query("end a part"))?;
        std::mem::forget(undo);
        Ok(value)
    }

    /// Registers an agent, or changes its name, kind and switch.
    ///
    /// # Errors
    /// [`Error::Name`] if its name or kind is empty, [`Error::Query`].
    pub fn register_agent(&self, agent: &Agent) -> Result<(), Error> {
        let Agent { id, name, kind, enabled } = agent;
        not_empty("the name of an agent (a word or more)", Some(name))?;
        not_empty("the kind of an agent (a word or more)", Some(kind))?;
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
    /// [`Error::Amount`], [`Error::Name`] for a politician or a broker's id that is there and empty, [`Error::Query`].
    pub fn insert_trade(&self, order: &Order) -> Result<TradeId, Error> {
        self.insert_trade_created(order, None)
    }

    /// [`insert_trade`](Self::insert_trade), of a trade that another system recorded at `created_at`. Its event is of now,
    /// since that is when it came into the chain.
    pub(crate) fn insert_trade_created(
        &self,
        order: &Order,
        created_at: Option<DateTime<Utc>>,
    ) -> Result<TradeId, Error> {
        match self.write_trade(INSERT_ONCE, order, created_at)? {
            Some(id) => Ok(id),
            None => self.recorded_before(order),
        }
    }

    /// Writes the row of a trade, and its event. `None` if the statement found that nothing is to be written.
    fn write_trade(
        &self,
        sql: &str,
        order: &Order,
        created_at: Option<DateTime<Utc>>,
    ) -> Result<Option<TradeId>, Error> {
        let quantity = Scale::Quantity.encode_positive("quantity", order.quantity)?;
        let price = order.price.map(|price| Scale::Money.encode_positive("price", price)).transpose()?;
        let executed_price = executed_price(order)?;
        not_empty(A_POLITICIAN, order.politician.as_ref())?;
        not_empty(A_BROKERS_ID, order.broker_order_id.as_ref())?;
        let recorded_at = now().timestamp_micros();
        let created_at = created_at.map_or(recorded_at, |time| time.timestamp_micros());
        let written = self.execute(
            "record a trade",
            sql,
            params![
                order.client_order_id.as_str(),
                order.agent.as_str(),
                order.ticker.as_str(),
                order.side.as_str(),
                order.order_type.as_str(),
                quantity,
                price,
                executed_price,
                order.status.as_str(),
                order.broker_order_id,
                order.politician,
                order.source_trade_date.map(|date| day("source_trade_date", date)).transpose()?,
                day("trade_date", order.trade_date)?,
                order.executed_at.map(|time| time.timestamp_micros()),
                created_at,
                recorded_at,
                self.head.get().sequence + 1,
            ],
        );
        if written.map_err(|error| unknown_agent(error, &order.agent))? == 0 {
            return Ok(None);
        }
        let trade_id = self.connection().last_insert_rowid();
        self.append(&Event { trade_id, previous: None, order, created_at, recorded_at })?;
        Ok(Some(TradeId(trade_id)))
    }

    fn recorded_before(&self, order: &Order) -> Result<TradeId, Error> {
        let recorded = self.trade_by_client_order_id(&order.client_order_id)?;
        let recorded = recorded.expect("the insert met a row with this id, in this transaction");
        if recorded.order.same_intent(order) {
            return Ok(recorded.id);
        }
        Err(Error::OrderConflict {
            client_order_id: order.client_order_id.clone(),
            recorded: Box::new(recorded.order),
            given: Box::new(order.clone()),
        })
    }

    /// Records what became of an order. The same once more changes nothing. Of a final order, what was not known can still be
    /// told: its price, the time, the broker's id.
    ///
    /// # Errors
    /// [`Error::UnknownTrade`]; [`Error::StatusChange`] if the new status cannot follow the old one, or goes back to before an
    /// execution and there is the price of one; if the price or the time of a final order would be another, or the broker's id
    /// of any; [`Error::Amount`]; [`Error::Name`] for a broker's id that is empty; [`Error::Query`].
    pub fn update_trade_status(&self, id: TradeId, update: &StatusUpdate) -> Result<(), Error> {
        not_empty(A_BROKERS_ID, update.broker_order_id.as_ref())?;
        let Some(trade) = self.trade(id)? else { return Err(Error::UnknownTrade { id }) };
        let before = trade.order;
        let mut order = before.clone();
        order.status = update.status;
        order.executed_price = update.executed_price.or(order.executed_price);
        order.broker_order_id = update.broker_order_id.clone().or(order.broker_order_id);
        // As exact as the tables hold it, or the same update again would look like another.
        order.executed_at = update.executed_at.map(as_stored).or(order.executed_at);
        if order == before {
            return Ok(());
        }
        if !order.may_follow(&before) {
            return Err(Error::StatusChange { id, before: Box::new(before), update: Box::new(update.clone()) });
        }
        let recorded_at = now().timestamp_micros();
        self.execute(
            "change a trade",
            "UPDATE trades SET order_status = ?2, executed_price = ?3, alpaca_order_id = ?4, execution_date = ?5, last_updated = ?6,
                 event = ?7
             WHERE id = ?1",
            params![
                id.0,
                order.status.as_str(),
                executed_price(&order)?,
                order.broker_order_id,
                order.executed_at.map(|time| time.timestamp_micros()),
                recorded_at,
                self.head.get().sequence + 1,
            ],
        )?;
        let created_at = trade.created_at.timestamp_micros();
        let previous = Some(trade.last_event);
        self.append(&Event { trade_id: id.0, previous, order: &order, created_at, recorded_at })
    }

    /// Says for good that the trades of this record are made up.
    pub(crate) fn mark_sample(&self, seed: u64) -> Result<(), Error> {
        // The bits of the seed: a column has no unsigned numbers.
        let seed = i64::from_ne_bytes(seed.to_ne_bytes());
        self.execute("mark the record", "UPDATE record SET sample_seed = ?1", [seed]).map(drop)
    }

    fn append(&self, event: &Event<'_>) -> Result<(), Error> {
        let head = self.head.get().after(event)?;
        let order = event.order;
        self.execute(
            "record an event",
            "INSERT INTO trade_events
                 (sequence, trade_id, previous, order_status, executed_price, alpaca_order_id, execution_date, recorded_at, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                head.sequence,
                event.trade_id,
                event.previous,
                order.status.as_str(),
                executed_price(order)?,
                order.broker_order_id,
                order.executed_at.map(|time| time.timestamp_micros()),
                event.recorded_at,
                head.hash,
            ],
        )?;
        self.head.set(head);
        Ok(())
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
                Scale::Money.encode_unsigned("average_cost", position.average_cost)?,
                Scale::Money.encode_unsigned("current_price", position.current_price)?,
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
        self.record_performance_created(performance, now())
    }

    /// [`record_performance`](Self::record_performance), of a day that was recorded at `created_at`.
    pub(crate) fn record_performance_created(
        &self,
        performance: &Performance,
        created_at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let written = self.execute(
            "record a performance",
            "INSERT INTO daily_performance (agent_id, date, total_value, daily_return_pct, total_return_pct, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (agent_id, date) DO UPDATE
             SET total_value = excluded.total_value, daily_return_pct = excluded.daily_return_pct,
                 total_return_pct = excluded.total_return_pct, created_at = excluded.created_at",
            params![
                performance.agent.as_str(),
                day("date", performance.date)?,
                Scale::Money.encode("total_value", performance.total_value)?,
                Scale::Money.encode("daily_return_percent", performance.daily_return_percent)?,
                Scale::Money.encode("total_return_percent", performance.total_return_percent)?,
                created_at.timestamp_micros(),
            ],
        );
        written.map_err(|error| unknown_agent(error, &performance.agent))?;
        Ok(())
    }

    /// [`update_position`](Self::update_position) for many.
    ///
    /// # Errors
    /// As there, of the first that fails.
    pub fn update_positions<'p>(&self, positions: impl IntoIterator<Item = &'p Position>) -> Result<(), Error> {
        positions.into_iter().try_for_each(|position| self.update_position(position))
    }

    /// [`record_performance`](Self::record_performance) for many.
    ///
    /// # Errors
    /// As there, of the first that fails.
    pub fn record_performances<'p>(&self, days: impl IntoIterator<Item = &'p Performance>) -> Result<(), Error> {
        days.into_iter().try_for_each(|day| self.record_performance(day))
    }

    fn execute(&self, operation: &'static str, sql: &str, params: impl rusqlite::Params) -> Result<usize, Error> {
        // Where SQLite gave the transaction up, on a full disk for example, each further statement would be one of its own.
        if self.connection().is_autocommit() {
            return Err(Error::RolledBack { source: given_up() });
        }
        let mut statement = self.connection().prepare_cached(sql).map_err(Error::query(operation))?;
        statement.execute(params).map_err(Error::query(operation))
    }
}

/// Undoes a part of a transaction when it is dropped.
struct Undo<'t, 'c> {
    transaction: &'t Transaction<'c>,
    head: Head,
}

impl Drop for Undo<'_, '_> {
    fn drop(&mut self) {
        let connection = self.transaction.connection();
        self.transaction.head.set(self.head);
        if connection.is_autocommit() {
            return;
        }
        let undone =
            writer::execute(connection, "ROLLBACK TO part").and_then(|()| writer::execute(connection, "RELEASE part"));
        if undone.is_err() {
            // The whole then, and whoever shares it is told so. If this fails too, the commit will.
            drop(writer::execute(connection, "ROLLBACK"));
        }
    }
}

const A_POLITICIAN: &str = "the name of a politician (leave it out where there is none)";
const A_BROKERS_ID: &str = "an id of a broker (leave it out where there is none)";

fn not_empty(rule: &'static str, text: Option<&String>) -> Result<(), Error> {
    match text {
        Some(text) if text.is_empty() => Err(Error::Name { rule, found: text.clone() }),
        _ => Ok(()),
    }
}

/// As the tables hold it, who compare days as texts.
fn day(field: &'static str, date: NaiveDate) -> Result<String, Error> {
    if (0..=9999).contains(&date.year()) {
        return Ok(date.to_string());
    }
    Err(Error::Amount { field, value: date.to_string(), rule: "a year from 0 to 9999".to_owned() })
}

fn executed_price(order: &Order) -> Result<Option<i64>, Error> {
    order.executed_price.map(|price| Scale::Money.encode_positive("executed_price", price)).transpose()
}

/// The only foreign key that a caller can break is the agent's.
fn unknown_agent(error: Error, agent: &AgentId) -> Error {
    let failure = match &error {
        Error::Query { source, .. } => source.as_sqlite().and_then(rusqlite::Error::sqlite_error),
        _ => None,
    };
    if failure.is_some_and(|failure| failure.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY) {
        return Error::UnknownAgent { agent: agent.clone() };
    }
    error
}

/// A time as the tables give it back: in microseconds, of which a leap second has none of its own.
pub(crate) fn as_stored(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

/// The time to record, as exact as the tables hold it.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

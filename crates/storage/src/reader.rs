//! Reading. Every method is one statement, on the moment that the reading began at.

#[cfg(test)]
mod plans;
mod trades;

pub use trades::{Cursor, TradeFilter, TradePage};

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row};
use rust_decimal::Decimal;

use crate::{
    Agent, AgentId, ClientOrderId, Error, Order, OrderStatus, OrderType, Performance, Position, Side, Summary, Ticker,
    Trade, TradeId, amount::Scale,
};

/// The columns of an order, in the order that [`trade`] reads and `insert_trade` writes them.
macro_rules! order_columns {
    () => {
        "client_order_id, agent_id, ticker, side, order_type, quantity, price, executed_price, order_status, alpaca_order_id, \
         source_politician, source_trade_date, trade_date, execution_date"
    };
}
pub(crate) use order_columns;

const TRADE: &str =
    concat!("SELECT ", order_columns!(), ", id, created_at, last_updated, event FROM trades WHERE id = ?1");
const TRADE_BY_CLIENT_ORDER_ID: &str = concat!(
    "SELECT ",
    order_columns!(),
    ", id, created_at, last_updated, event FROM trades WHERE client_order_id = ?1"
);
const AGENTS: &str = "SELECT id, name, type, enabled FROM agents ORDER BY id";
const POSITIONS: &str =
    "SELECT agent_id, ticker, quantity, avg_cost, current_price, market_value, unrealized_pnl, last_updated
     FROM agent_positions WHERE agent_id = ?1 ORDER BY market_value DESC, ticker";
const PERFORMANCE: &str = "SELECT date, total_value, daily_return_pct, total_return_pct
     FROM daily_performance WHERE agent_id = ?1 ORDER BY date DESC LIMIT ?2";
// Sums of dollars and of what is below them: in one number, they could be more than an integer holds.
const SUMMARIES: &str = "SELECT id, name, type, enabled,
         (SELECT count(*) FROM agent_positions WHERE agent_id = agents.id) AS positions,
         (SELECT coalesce(sum(market_value / 1000000), 0) FROM agent_positions WHERE agent_id = agents.id) AS market_value_whole,
         (SELECT coalesce(sum(market_value % 1000000), 0) FROM agent_positions WHERE agent_id = agents.id) AS market_value_rest,
         (SELECT coalesce(sum(unrealized_pnl / 1000000), 0) FROM agent_positions WHERE agent_id = agents.id) AS unrealized_pnl_whole,
         (SELECT coalesce(sum(unrealized_pnl % 1000000), 0) FROM agent_positions WHERE agent_id = agents.id) AS unrealized_pnl_rest,
         date, total_value, daily_return_pct, total_return_pct,
         (SELECT trade_date FROM trades WHERE agent_id = agents.id ORDER BY trades.id DESC LIMIT 1) AS last_trade_date
     FROM agents LEFT JOIN daily_performance AS d ON d.agent_id = agents.id
         AND d.date = (SELECT max(date) FROM daily_performance WHERE agent_id = agents.id)
     ORDER BY id";
const COUNTS: &str = "SELECT (SELECT count(*) FROM agents) AS agents,
     (SELECT coalesce(max(id), 0) FROM trades) AS trades,
     (SELECT coalesce(max(sequence), 0) FROM trade_events) AS events,
     (SELECT count(*) FROM agent_positions) AS positions, (SELECT count(*) FROM daily_performance) AS days";

/// Every statement of this file, for the test of their plans.
#[cfg(test)]
const STATEMENTS: [&str; 7] = [TRADE, TRADE_BY_CLIENT_ORDER_ID, AGENTS, POSITIONS, PERFORMANCE, SUMMARIES, COUNTS];

/// Reads the record.
#[derive(Debug)]
pub struct Reader<'c> {
    connection: &'c Connection,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Registered agents.
    pub agents: u64,
    /// Trades.
    pub trades: u64,
    /// Events of trades.
    pub events: u64,
    /// Positions, of all agents.
    pub positions: u64,
    /// Days of performance, of all agents.
    pub performance_days: u64,
}

impl<'c> Reader<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The trade with this number.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn trade(&self, id: TradeId) -> Result<Option<Trade>, Error> {
        self.optional("read a trade", TRADE, [id.0], trade)
    }

    /// The trade that records the order with this id.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn trade_by_client_order_id(&self, id: &ClientOrderId) -> Result<Option<Trade>, Error> {
        self.optional("read a trade", TRADE_BY_CLIENT_ORDER_ID, [id.as_str()], trade)
    }

    /// The registered agents, by id.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn agents(&self) -> Result<Vec<Agent>, Error> {
        self.all("read the agents", AGENTS, [], agent)
    }

    /// What an agent holds, the most valuable first.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn positions(&self, agent: &AgentId) -> Result<Vec<Position>, Error> {
        self.all("read positions", POSITIONS, [agent.as_str()], |row| {
            Ok(Position {
                agent: AgentId::new(column::<String>(row, "agent_id")?)?,
                ticker: Ticker::new(column::<String>(row, "ticker")?)?,
                quantity: Scale::Quantity.decode(column(row, "quantity")?),
                average_cost: Scale::Money.decode(column(row, "avg_cost")?),
                current_price: Scale::Money.decode(column(row, "current_price")?),
                market_value: Scale::Money.decode(column(row, "market_value")?),
                unrealized_profit: Scale::Money.decode(column(row, "unrealized_pnl")?),
                updated_at: time(column(row, "last_updated")?, "last_updated")?,
            })
        })
    }

    /// How an agent did on its last `days` recorded days, the newest first.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn performance(&self, agent: &AgentId, days: u32) -> Result<Vec<Performance>, Error> {
        self.all("read the performance", PERFORMANCE, (agent.as_str(), days), |row| performance(row, agent.clone()))
    }

    /// How every registered agent stands, by id: also those without positions.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn summaries(&self) -> Result<Vec<Summary>, Error> {
        self.all("read the summaries", SUMMARIES, [], |row| {
            let agent = agent(row)?;
            let performance = match column::<Option<String>>(row, "date")? {
                Some(_) => Some(performance(row, agent.id.clone())?),
                None => None,
            };
            let last_trade_date: Option<String> = column(row, "last_trade_date")?;
            Ok(Summary {
                agent,
                positions: column(row, "positions")?,
                market_value: sum(column(row, "market_value_whole")?, column(row, "market_value_rest")?),
                unrealized_profit: sum(column(row, "unrealized_pnl_whole")?, column(row, "unrealized_pnl_rest")?),
                performance,
                last_trade_date: last_trade_date.map(|date| day(&date, "trade_date")).transpose()?,
            })
        })
    }

    /// How many rows there are. Costs nothing for trades and events, whose numbers have no gaps, and a walk through an
    /// index for the others.
    ///
    /// # Errors
    /// [`Error::Query`].
    pub fn counts(&self) -> Result<Counts, Error> {
        let counts = self.optional("count the rows", COUNTS, [], |row| {
            Ok(Counts {
                agents: column(row, "agents")?,
                trades: column(row, "trades")?,
                events: column(row, "events")?,
                positions: column(row, "positions")?,
                performance_days: column(row, "days")?,
            })
        })?;
        Ok(counts.unwrap_or_default())
    }

    /// When the record was made.
    ///
    /// # Errors
    /// [`Error::Query`], [`Error::Stored`].
    pub fn created_at(&self) -> Result<DateTime<Utc>, Error> {
        let (operation, sql) = ("read when the record was made", "SELECT created_at FROM record");
        let made = self.optional(operation, sql, [], |row| time(column(row, "created_at")?, "created_at"))?;
        made.ok_or_else(|| Error::query(operation)(rusqlite::Error::QueryReturnedNoRows))
    }

    /// The seed of the made-up trades that the record was filled with; `None` if its trades are real.
    ///
    /// # Errors
    /// [`Error::Query`].
    pub fn sample_seed(&self) -> Result<Option<i64>, Error> {
        let seed = self.optional("read the sample's seed", "SELECT sample_seed FROM record", [], |row| {
            column::<Option<i64>>(row, "sample_seed")
        })?;
        Ok(seed.flatten())
    }

    fn optional<T>(
        &self,
        operation: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.connection.prepare_cached(sql).map_err(Error::query(operation))?;
        // Two layers: SQLite's own failure, and that of reading the row.
        let found = statement.query_row(params, |row| Ok(read(row))).optional().map_err(Error::query(operation))?;
        found.transpose()
    }

    fn all<T>(
        &self,
        operation: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.connection.prepare_cached(sql).map_err(Error::query(operation))?;
        let mut rows = statement.query(params).map_err(Error::query(operation))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(Error::query(operation))? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

fn agent(row: &Row<'_>) -> Result<Agent, Error> {
    Ok(Agent {
        id: AgentId::new(column::<String>(row, "id")?)?,
        name: column(row, "name")?,
        kind: column(row, "type")?,
        enabled: column(row, "enabled")?,
    })
}

/// So many dollars and so many millionths.
fn sum(whole: i64, rest: i64) -> Decimal {
    Decimal::from_i128_with_scale(i128::from(whole) * 1_000_000 + i128::from(rest), 6).normalize()
}

fn performance(row: &Row<'_>, agent: AgentId) -> Result<Performance, Error> {
    Ok(Performance {
        agent,
        date: day(&column::<String>(row, "date")?, "date")?,
        total_value: Scale::Money.decode(column(row, "total_value")?),
        daily_return_percent: Scale::Money.decode(column(row, "daily_return_pct")?),
        total_return_percent: Scale::Money.decode(column(row, "total_return_pct")?),
    })
}

pub(crate) fn trade(row: &Row<'_>) -> Result<Trade, Error> {
    let source_trade_date: Option<String> = column(row, "source_trade_date")?;
    let executed_at: Option<i64> = column(row, "execution_date")?;
    let order = Order {
        client_order_id: ClientOrderId::new(column::<String>(row, "client_order_id")?)?,
        agent: AgentId::new(column::<String>(row, "agent_id")?)?,
        ticker: Ticker::new(column::<String>(row, "ticker")?)?,
        side: Side::stored(&column::<String>(row, "side")?)?,
        order_type: OrderType::stored(&column::<String>(row, "order_type")?)?,
        quantity: Scale::Quantity.decode(column(row, "quantity")?),
        price: column::<Option<i64>>(row, "price")?.map(|price| Scale::Money.decode(price)),
        executed_price: column::<Option<i64>>(row, "executed_price")?.map(|price| Scale::Money.decode(price)),
        status: OrderStatus::stored(&column::<String>(row, "order_status")?)?,
        broker_order_id: column(row, "alpaca_order_id")?,
        politician: column(row, "source_politician")?,
        source_trade_date: source_trade_date.map(|date| day(&date, "source_trade_date")).transpose()?,
        trade_date: day(&column::<String>(row, "trade_date")?, "trade_date")?,
        executed_at: executed_at.map(|micros| time(micros, "execution_date")).transpose()?,
    };
    Ok(Trade {
        id: TradeId(column(row, "id")?),
        order,
        created_at: time(column(row, "created_at")?, "created_at")?,
        updated_at: time(column(row, "last_updated")?, "last_updated")?,
        last_event: column(row, "event")?,
    })
}

pub(crate) fn column<T: rusqlite::types::FromSql>(row: &Row<'_>, name: &'static str) -> Result<T, Error> {
    row.get(name).map_err(Error::query("read a column"))
}

fn time(micros: i64, column: &'static str) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| Error::Stored { column, found: micros.to_string() })
}

fn day(text: &str, column: &'static str) -> Result<NaiveDate, Error> {
    text.parse().ok().ok_or_else(|| Error::Stored { column, found: text.to_owned() })
}

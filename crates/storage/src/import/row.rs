//! A row of the source as what the record holds. `None` after its cells have noted why it is not.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};

use super::{ImportOptions, cell, cell::Cells, word};
use crate::{
    Agent, AgentId, ClientOrderId, Order, OrderStatus, OrderType, Performance, Position, Side, Ticker, amount::Scale,
    event::hex,
};

/// What a registered agent follows where the source does not say.
const KIND: &str = "imported";

pub(super) fn agent(cells: &mut Cells<'_, '_>) -> Option<Agent> {
    let id = cells.required("id", agent_id);
    let name = cells.optional("name", cell::text);
    let kind = cells.optional("type", cell::text);
    let enabled = cells.optional("enabled", |value| match value {
        ValueRef::Integer(0) => Ok(false),
        ValueRef::Integer(1) => Ok(true),
        _ => Err("is neither 0 nor 1".to_owned()),
    });
    let (id, name, kind, enabled) = (id?, name?, kind?, enabled?);
    Some(Agent {
        name: name.unwrap_or(id.as_str()).to_owned(),
        kind: kind.unwrap_or(KIND).to_owned(),
        enabled: enabled.unwrap_or(false),
        id,
    })
}

/// An agent that rows refer to, and that nothing more is known of. It is off: nobody said that it is to run.
pub(super) fn unknown_agent(id: &AgentId) -> Agent {
    Agent { id: id.clone(), name: id.to_string(), kind: KIND.to_owned(), enabled: false }
}

/// The order, and when the source recorded it.
pub(super) fn trade(cells: &mut Cells<'_, '_>, options: &ImportOptions) -> Option<(Order, Option<DateTime<Utc>>)> {
    let zone = options.zone;
    let created_as = cells.value("created_at");
    let id = cells.required("id", cell::integer);
    let agent = cells.required("agent_id", agent_id);
    let ticker = cells.required("ticker", ticker);
    let trade_date = cells.required("trade_date", cell::day);
    let executed_at = cells.time("execution_date", zone);
    let order_type = cells.required("order_type", order_type);
    let quantity = cells.positive("quantity", Scale::Quantity);
    let price = cells.optional_positive("price", Scale::Money);
    let status = cells.required("order_status", order_status);
    let broker_order_id = cells.optional("alpaca_order_id", owned);
    let politician = cells.optional("source_politician", owned);
    let source_trade_date = cells.optional("source_trade_date", cell::day);
    let created_at = cells.time("created_at", zone);
    let (side, order_type) = order_type?;
    // The source has one price: what a market order came to, and what another one asked for.
    let (price, executed_price) = if order_type == OrderType::Market { (None, price?) } else { (price?, None) };
    let order = Order {
        client_order_id: client_order_id(&options.name, created_as, id?),
        agent: agent?,
        ticker: ticker?,
        side,
        order_type,
        quantity: quantity?,
        price,
        executed_price,
        status: status?,
        broker_order_id: broker_order_id?,
        politician: politician?,
        source_trade_date: source_trade_date?,
        trade_date: trade_date?,
        executed_at: executed_at?,
    };
    Some((order, created_at?))
}

pub(super) fn position(cells: &mut Cells<'_, '_>, zone: Tz) -> Option<Position> {
    let agent = cells.required("agent_id", agent_id);
    let ticker = cells.required("ticker", ticker);
    let quantity = cells.amount("quantity", Scale::Quantity);
    let average_cost = cells.amount("avg_cost", Scale::Money);
    let current_price = cells.amount("current_price", Scale::Money);
    let market_value = cells.amount("market_value", Scale::Money);
    let unrealized_profit = cells.amount("unrealized_pnl", Scale::Money);
    let updated_at = match cells.time("last_updated", zone) {
        Some(None) => cells.refuse("last_updated", "is missing"),
        Some(time) => time,
        None => None,
    };
    for (column, value) in [("avg_cost", average_cost), ("current_price", current_price)] {
        if value.is_some_and(|value| value.is_sign_negative() && !value.is_zero()) {
            return cells.refuse(column, "is below 0");
        }
    }
    Some(Position {
        agent: agent?,
        ticker: ticker?,
        quantity: quantity?,
        average_cost: average_cost?,
        current_price: current_price?,
        market_value: market_value?,
        unrealized_profit: unrealized_profit?,
        updated_at: updated_at?,
    })
}

/// The day, and when the source recorded it.
pub(super) fn performance(cells: &mut Cells<'_, '_>, zone: Tz) -> Option<(Performance, Option<DateTime<Utc>>)> {
    let agent = cells.required("agent_id", agent_id);
    let date = cells.required("date", cell::day);
    let total_value = cells.amount("total_value", Scale::Money);
    let daily_return_percent = cells.amount("daily_return_pct", Scale::Money);
    let total_return_percent = cells.amount("total_return_pct", Scale::Money);
    let created_at = cells.time("created_at", zone);
    let performance = Performance {
        agent: agent?,
        date: date?,
        total_value: total_value?,
        daily_return_percent: daily_return_percent?,
        total_return_percent: total_return_percent?,
    };
    Some((performance, created_at?))
}

/// The id by which a row is found again: of its number and of when it was created, as the source has them.
///
/// Not of the path, since files are moved and copied, and not of what was ordered, since somebody who corrects that in the
/// source would get a second trade.
fn client_order_id(name: &str, created_at: ValueRef<'_>, id: i64) -> ClientOrderId {
    let mut hash = Sha256::new();
    hash.update(name);
    hash.update([0]);
    match created_at {
        ValueRef::Text(bytes) => hash.update(bytes),
        other => hash.update(cell::show(other)),
    }
    let hash = hex(&hash.finalize());
    let (start, _) = hash.split_at(16);
    ClientOrderId::new(format!("import-{start}-{id}")).expect("44 visible ASCII characters at the most")
}

fn owned(value: ValueRef<'_>) -> Result<String, String> {
    cell::text(value).map(ToOwned::to_owned)
}

/// Not changed to fit: it would not be the agent of the settings any more, where the same rule holds.
fn agent_id(value: ValueRef<'_>) -> Result<AgentId, String> {
    AgentId::new(cell::text(value)?).map_err(|error| error.to_string())
}

fn ticker(value: ValueRef<'_>) -> Result<Ticker, String> {
    Ticker::new(cell::text(value)?.trim().to_ascii_uppercase()).map_err(|error| error.to_string())
}

fn order_type(value: ValueRef<'_>) -> Result<(Side, OrderType), String> {
    word::order_type(cell::text(value)?).ok_or_else(|| "is neither a side nor an order type".to_owned())
}

fn order_status(value: ValueRef<'_>) -> Result<OrderStatus, String> {
    word::order_status(cell::text(value)?).ok_or_else(|| "is not a known order status".to_owned())
}

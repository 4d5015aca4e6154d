//! What becomes of a row that was read, given what the record holds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::OptionalExtension as _;

use super::{ImportTotals, cell::Cells, row, totals::Tally};
use crate::{
    Agent, AgentId, Error, Order, OrderStatus, Performance, Position, StatusUpdate, Ticker, Trade, TradeId,
    Transaction, amount::Scale, transaction::now,
};

/// What became of a row.
pub(super) enum Outcome {
    Added,
    Updated,
    Unchanged,
    Kept,
    /// Its cells say why.
    Refused,
}

/// The record as an import sees and changes it.
pub(super) struct Record<'t, 'c> {
    tx: &'t Transaction<'c>,
    agents: BTreeMap<AgentId, Agent>,
    pub(super) registered: Vec<AgentId>,
    positions: BTreeMap<(AgentId, Ticker), Position>,
    /// What of the source is in the record now.
    trades: BTreeSet<TradeId>,
    held: BTreeSet<(AgentId, Ticker)>,
    days: BTreeSet<(AgentId, NaiveDate)>,
    tally: Tally,
}

impl<'t, 'c> Record<'t, 'c> {
    pub(super) fn new(tx: &'t Transaction<'c>) -> Result<Self, Error> {
        let agents = tx.agents()?;
        let mut positions = BTreeMap::new();
        for agent in &agents {
            let of_agent = tx.positions(&agent.id)?.into_iter();
            positions.extend(of_agent.map(|position| ((position.agent.clone(), position.ticker.clone()), position)));
        }
        let agents = agents.into_iter().map(|agent| (agent.id.clone(), agent)).collect();
        Ok(Self {
            tx,
            agents,
            registered: Vec::new(),
            positions,
            trades: BTreeSet::new(),
            held: BTreeSet::new(),
            days: BTreeSet::new(),
            tally: Tally::default(),
        })
    }

    /// An agent that is registered stays as it is: the settings know better.
    pub(super) fn agent(&mut self, agent: Agent) -> Result<Outcome, Error> {
        match self.agents.get(&agent.id) {
            Some(registered) if *registered == agent => Ok(Outcome::Unchanged),
            Some(_) => Ok(Outcome::Kept),
            None => {
                self.tx.register_agent(&agent)?;
                self.registered.push(agent.id.clone());
                self.agents.insert(agent.id.clone(), agent);
                Ok(Outcome::Added)
            }
        }
    }

    fn refer_to(&mut self, agent: &AgentId) -> Result<(), Error> {
        if !self.agents.contains_key(agent) {
            self.agent(row::unknown_agent(agent))?;
        }
        Ok(())
    }

    /// A trade that was finished in the source since it was imported is finished here, and of one that is still new here
    /// the source knows more; else ours stays.
    pub(super) fn trade(
        &mut self,
        cells: &mut Cells<'_, '_>,
        order: &Order,
        created_at: Option<DateTime<Utc>>,
    ) -> Result<Outcome, Error> {
        let Some(Trade { id, order: ours, .. }) = self.tx.trade_by_client_order_id(&order.client_order_id)? else {
            self.refer_to(&order.agent)?;
            self.trades.insert(self.tx.insert_trade_created(order, created_at)?);
            self.tally.trade(order)?;
            return Ok(Outcome::Added);
        };
        if self.trades.contains(&id) {
            cells.refuse::<()>("id", "is that of another row, created at the same time");
            return Ok(Outcome::Refused);
        }
        if ours == *order {
            self.trades.insert(id);
            self.tally.trade(order)?;
            return Ok(Outcome::Unchanged);
        }
        if !ours.same_intent(order) {
            let different = ours.differences(order);
            cells.refuse::<()>("id", format!("was imported as trade {id} before, which differs: {different}"));
            return Ok(Outcome::Refused);
        }
        let is_another = |(ours, theirs)| ours != theirs;
        if ours.broker_order_id.as_ref().zip(order.broker_order_id.as_ref()).is_some_and(is_another) {
            cells.refuse::<()>("alpaca_order_id", format!("is of another order than trade {id}, which has its number"));
            return Ok(Outcome::Refused);
        }
        self.trades.insert(id);
        // What the source does not know stays as it is here.
        let together = Order {
            executed_price: order.executed_price.or(ours.executed_price),
            broker_order_id: order.broker_order_id.clone().or_else(|| ours.broker_order_id.clone()),
            executed_at: order.executed_at.or(ours.executed_at),
            ..order.clone()
        };
        let knows_more = order.status.is_final() || ours.status == OrderStatus::New;
        if together == ours || !knows_more || ours.status.is_final() || !together.may_follow(&ours) {
            self.tally.trade(&ours)?;
            return Ok(Outcome::Kept);
        }
        self.tally.trade(&together)?;
        let Order { status, executed_price, broker_order_id, executed_at, .. } = together;
        self.tx.update_trade_status(id, &StatusUpdate { status, executed_price, broker_order_id, executed_at })?;
        Ok(Outcome::Updated)
    }

    /// The newer of the two positions stays.
    pub(super) fn position(&mut self, cells: &mut Cells<'_, '_>, position: &Position) -> Result<Outcome, Error> {
        let key = (position.agent.clone(), position.ticker.clone());
        if self.held.contains(&key) {
            cells.refuse::<()>("ticker", "is that of another row of this agent too");
            return Ok(Outcome::Refused);
        }
        let outcome = match self.positions.get(&key) {
            None => Outcome::Added,
            Some(ours) if ours == position => Outcome::Unchanged,
            Some(ours) if ours.updated_at < position.updated_at => Outcome::Updated,
            Some(ours) if ours.updated_at > position.updated_at => Outcome::Kept,
            Some(_) => {
                cells.refuse::<()>("last_updated", "is that of the recorded position too, which has other values");
                return Ok(Outcome::Refused);
            }
        };
        if matches!(outcome, Outcome::Added | Outcome::Updated) {
            self.refer_to(&position.agent)?;
            self.tx.update_position(position)?;
            self.positions.insert(key.clone(), position.clone());
        }
        self.tally.position(self.positions.get(&key).expect("it was there, or was put there"))?;
        self.held.insert(key);
        Ok(outcome)
    }

    /// The day that was recorded later stays.
    pub(super) fn performance(
        &mut self,
        cells: &mut Cells<'_, '_>,
        performance: &Performance,
        created_at: Option<DateTime<Utc>>,
    ) -> Result<Outcome, Error> {
        let key = (performance.agent.clone(), performance.date);
        if self.days.contains(&key) {
            cells.refuse::<()>("date", "is that of another row of this agent too");
            return Ok(Outcome::Refused);
        }
        let values = [
            Scale::Money.encode("total_value", performance.total_value)?,
            Scale::Money.encode("daily_return_percent", performance.daily_return_percent)?,
            Scale::Money.encode("total_return_percent", performance.total_return_percent)?,
        ];
        let ours = self.day(&key)?;
        let outcome = match (&ours, created_at.map(|time| time.timestamp_micros())) {
            (None, _) => Outcome::Added,
            (Some((ours, _)), _) if *ours == values => Outcome::Unchanged,
            (Some((_, ours)), Some(theirs)) if *ours < theirs => Outcome::Updated,
            (Some((_, ours)), Some(theirs)) if *ours == theirs => {
                cells.refuse::<()>("created_at", "is that of the recorded day too, which has other values");
                return Ok(Outcome::Refused);
            }
            (Some(_), _) => Outcome::Kept,
        };
        let [theirs, ..] = values;
        if matches!(outcome, Outcome::Added | Outcome::Updated) {
            self.refer_to(&performance.agent)?;
            self.tx.record_performance_created(performance, created_at.unwrap_or_else(now))?;
            self.tally.day(theirs);
        } else {
            self.tally.day(ours.map_or(theirs, |([ours, ..], _)| ours));
        }
        self.days.insert(key);
        Ok(outcome)
    }

    /// Reads everything back and compares its sums with those of what was read.
    pub(super) fn compare(self) -> Result<ImportTotals, Error> {
        let mut recorded = Tally::default();
        for id in &self.trades {
            if let Some(trade) = self.tx.trade(*id)? {
                recorded.trade(&trade.order)?;
            }
        }
        let agents: BTreeSet<&AgentId> = self.held.iter().map(|(agent, _)| agent).collect();
        for agent in agents {
            for position in self.tx.positions(agent)? {
                if self.held.contains(&(agent.clone(), position.ticker.clone())) {
                    recorded.position(&position)?;
                }
            }
        }
        for key in &self.days {
            if let Some(([total_value, ..], _)) = self.day(key)? {
                recorded.day(total_value);
            }
        }
        self.tally.compare(recorded)
    }

    /// The values of a recorded day, scaled, and when it was recorded.
    fn day(&self, (agent, date): &(AgentId, NaiveDate)) -> Result<Option<([i64; 3], i64)>, Error> {
        let failed = || Error::query("read a day of performance");
        let mut statement = self
            .tx
            .connection()
            .prepare_cached(
                "SELECT total_value, daily_return_pct, total_return_pct, created_at FROM daily_performance
                 WHERE agent_id = ?1 AND date = ?2",
            )
            .map_err(failed())?;
        let read = |row: &rusqlite::Row<'_>| Ok(([row.get(0)?, row.get(1)?, row.get(2)?], row.get(3)?));
        statement.query_row((agent.as_str(), date.to_string()), read).optional().map_err(failed())
    }
}

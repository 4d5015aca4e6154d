//! The judge after every fault: is everything there that was acknowledged, and nothing that cannot be?

use std::{collections::BTreeMap, path::Path};

use trading_storage::{Database, Options, Order, OrderStatus, TradeFilter};

use super::scenario;

/// What the subject was told, and what it may have been writing when it ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// The orders that were acknowledged, and if their results were too.
    acknowledged: BTreeMap<u64, bool>,
    /// How many transactions may have been on their way.
    pub(super) in_flight: u64,
}

/// What the judge found, all of it good.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    pub(super) acknowledgements: u64,
}

impl Expected {
    pub(super) fn new(in_flight: u64) -> Self {
        Self { acknowledged: BTreeMap::new(), in_flight }
    }

    /// Learns from what the subject said.
    pub(super) fn hear<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["ack", number, what] = words.as_slice() {
                let number = number.parse().expect("a number");
                *self.acknowledged.entry(number).or_default() |= *what == "filled";
            }
        }
    }

    /// What stands in the record now counts as known from here on.
    pub(super) fn adopt(&mut self, path: &Path) {
        let db = Database::open(&Options::at(path)).expect("was judged good");
        for (number, order) in orders(&db).expect("was judged good") {
            *self.acknowledged.entry(number).or_default() |= order.status == OrderStatus::Filled;
        }
    }

    pub(super) fn acknowledgements(&self) -> u64 {
        self.acknowledged.values().map(|filled| 1 + u64::from(*filled)).sum()
    }

    /// Opens the record at `path` and says what is wrong with it, or what was found; and has the work go on.
    pub(super) fn judge(&self, path: &Path) -> Result<Found, String> {
        let (found, last) = self.look(path)?;
        // The rest is for a record that is there.
        if let Some(last) = last {
            let db = Database::open(&Options::at(path)).map_err(|error| format!("it does not open again: {error}"))?;
            let text = |error: trading_storage::Error| format!("work does not go on: {error}");
            db.transaction(|tx| tx.register_agent(&scenario::agent()?)).map_err(text)?;
            db.transaction(|tx| tx.insert_trade(&scenario::order(last + 1_000)?)).map_err(text)?;
        }
        Ok(found)
    }

    /// The judgement alone, with the number of the last order.
    pub(super) fn look(&self, path: &Path) -> Result<(Found, Option<u64>), String> {
        let db = match Database::open(&Options::at(path)) {
            Ok(db) => db,
            // Death before the record was ever there.
            Err(trading_storage::Error::Missing { .. }) if self.acknowledged.is_empty() => {
                return Ok((Found::default(), None));
            }
            Err(error) => return Err(format!("it does not open: {error} ({error:?})")),
        };
        let proof = db.verify(|_, _| {}).map_err(|error| format!("it is not whole: {error}"))?;
        let orders = orders(&db)?;
        for (number, filled) in &self.acknowledged {
            let order = orders.get(number).ok_or_else(|| format!("order {number} was acknowledged, and is gone"))?;
            if *filled && order.status != OrderStatus::Filled {
                return Err(format!("the result of order {number} was acknowledged, and is gone"));
            }
        }
        let acknowledgements = self.acknowledgements();
        if proof.events < acknowledgements || proof.events > acknowledgements + self.in_flight {
            let in_flight = self.in_flight;
            return Err(format!("{} events, of {acknowledgements} acknowledged, {in_flight} in flight", proof.events));
        }
        let last = orders.keys().last().copied().unwrap_or(0);
        Ok((Found { acknowledgements }, Some(last)))
    }
}

/// All orders by number: each equal to what was asked for, the trades without gap or double.
fn orders(db: &Database) -> Result<BTreeMap<u64, Order>, String> {
    let mut found = BTreeMap::new();
    let mut expected_id = db.read(|r| r.counts()).map_err(|error| error.to_string())?.trades;
    let mut cursor = None;
    loop {
        let page = db.read(|r| r.trades(&TradeFilter::All, cursor, 500)).map_err(|error| error.to_string())?;
        for trade in page.trades {
            if u64::try_from(trade.id.get()) != Ok(expected_id) {
                return Err(format!("trade {} stands where {expected_id} should", trade.id));
            }
            expected_id -= 1;
            let number = scenario::number(&trade.order)?;
            if trade.order != expected(number, trade.order.status)? {
                return Err(format!("order {number} is another one: {:?}", trade.order));
            }
            if found.insert(number, trade.order).is_some() {
                return Err(format!("order {number} is there twice"));
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return if expected_id == 0 { Ok(found) } else { Err(format!("trade {expected_id} is missing")) },
        }
    }
}

fn expected(number: u64, status: OrderStatus) -> Result<Order, String> {
    let mut order = scenario::order(number).map_err(|error| error.to_string())?;
    if status == OrderStatus::Filled && scenario::is_filled(number) {
        let update = scenario::filled(number);
        (order.status, order.executed_price) = (update.status, update.executed_price);
        order.broker_order_id = update.broker_order_id;
    }
    Ok(order)
}

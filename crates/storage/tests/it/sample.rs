//! The sample data: reproducible, and in agreement with itself.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use trading_storage::{Agent, Database, Error, Order, OrderStatus, Sample, SampleReport, Side, Trade, TradeFilter};

use crate::{agent, database, day, order};

fn sample(seed: u64) -> Sample {
    let agents = ["a", "b", "c", "d", "e"].map(agent).to_vec();
    Sample { seed, agents, last_day: day("2026-11-22"), trades: None }
}

fn silent(_: u64, _: u64) {}

fn trades(db: &Database) -> Vec<Trade> {
    let mut page = db.read(|r| r.trades(&TradeFilter::All, None, u32::MAX)).expect("is read");
    page.trades.reverse();
    page.trades
}

#[test]
fn the_same_seed_makes_the_same_data_and_a_second_time_adds_nothing() {
    let ((_f1, one), (_f2, two), (_f3, other)) = (database(), database(), database());
    let report = one.insert_sample(&sample(7), silent).expect("is recorded").expect("is made");
    assert_eq!(two.insert_sample(&sample(7), silent).expect("is recorded"), Some(report));
    other.insert_sample(&sample(8), silent).expect("is made");
    let orders = |db: &Database| trades(db).into_iter().map(|trade| trade.order).collect::<Vec<_>>();
    assert_eq!(orders(&one), orders(&two));
    assert_ne!(orders(&one), orders(&other));
    for agent in sample(7).agents {
        let state = |db: &Database| db.read(|r| Ok((r.positions(&agent.id)?, r.performance(&agent.id, 400)?)));
        assert_eq!(state(&one).expect("is read"), state(&two).expect("is read"));
    }

    let counts = one.read(|r| r.counts()).expect("is read");
    let again = Sample { last_day: day("2026-11-23"), ..sample(7) };
    assert_eq!(one.insert_sample(&again, silent).expect("is refused"), None);
    assert_eq!(one.read(|r| r.counts()).expect("is read"), counts);
    assert_eq!((counts.agents, counts.trades, counts.positions), (5, 400, report.positions));
    assert_eq!(counts.performance_days, 5 * 250, "a year of trading days each");
}

#[test]
fn there_are_as_many_trades_as_were_asked_for() {
    for wanted in [0, 1, 7, 20_001] {
        let (_folder, db) = database();
        let report = db.insert_sample(&Sample { trades: Some(wanted), ..sample(7) }, silent).expect("is made");
        let counts = db.read(|r| r.counts()).expect("is read");
        assert_eq!((counts.trades, counts.performance_days), (wanted, 1_250));
        let expected = SampleReport { trades: wanted, positions: counts.positions, performance_days: 1_250 };
        assert_eq!(report, Some(expected));
    }
    let (_folder, db) = database();
    let nobody = Sample { agents: Vec::new(), trades: Some(10), ..sample(7) };
    assert_eq!(db.insert_sample(&nobody, silent).expect("is made"), Some(SampleReport::default()));
}

#[test]
fn on_some_days_an_agent_does_nothing() {
    for wanted in [None, Some(30_000)] {
        let (_folder, db) = database();
        db.insert_sample(&Sample { trades: wanted, ..sample(7) }, silent).expect("is made");
        let mut turns: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for Trade { order, .. } in trades(&db) {
            turns.entry(order.agent.to_string()).or_default().insert(order.trade_date);
        }
        assert_eq!(turns.len(), 5, "everybody does something");
        for (agent, days) in turns {
            assert!((20..=130).contains(&days.len()), "{agent} trades on {} of 250 days", days.len());
        }
    }
}

#[test]
fn large_data_is_several_transactions_with_progress_and_each_leaves_a_record_that_agrees() {
    let (_folder, db) = database();
    let wanted = Sample { trades: Some(45_000), ..sample(7) };
    let mut told = Vec::new();
    let report = db.insert_sample(&wanted, |done, total| {
        assert_eq!(db.read(|r| r.counts()).expect("is read").trades, done, "it is recorded by then");
        agrees(&db, &wanted.agents);
        told.push((done, total));
    });
    assert_eq!(report.expect("is made").expect("is made").trades, 45_000);
    assert_eq!(told.len(), 3, "{told:?}");
    for (before, after) in told.iter().zip(told.iter().skip(1)) {
        assert!(before.0 < after.0 && after.0 - before.0 < 22_000, "{told:?}");
    }
    assert_eq!(told.last(), Some(&(45_000, 45_000)));
}

#[test]
fn nobody_else_may_trade_meanwhile() {
    let (_folder, db) = database();
    let wanted = Sample { trades: Some(45_000), ..sample(7) };
    let mut recorded = 0;
    let error = db.insert_sample(&wanted, |done, _| {
        db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
        recorded = done + 1;
    });
    assert!(matches!(error, Err(Error::Aborted { .. })), "{error:?}");
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, recorded, "and nothing more came");
}

#[test]
fn positions_and_performance_follow_from_the_trades() {
    let (_folder, db) = database();
    db.insert_sample(&sample(7), silent).expect("is made");
    agrees(&db, &sample(7).agents);
}

/// Works positions and performance out from the trades, and compares.
#[track_caller]
fn agrees(db: &Database, agents: &[Agent]) {
    let trades = trades(db);
    assert!(trades.iter().any(|trade| trade.order.side == Side::Sell), "some are sold");
    for agent in agents {
        let mut account = Account { cash: 100_000.into(), held: BTreeMap::new() };
        for trade in trades.iter().filter(|trade| trade.order.agent == agent.id) {
            account.book(&trade.order);
        }
        let positions = db.read(|r| r.positions(&agent.id)).expect("is read");
        assert_eq!(positions.len(), account.held.len());
        for position in &positions {
            let (quantity, cost) = *account.held.get(position.ticker.as_str()).expect("it was bought");
            assert_eq!(position.quantity, quantity);
            assert_eq!(position.average_cost, (cost / quantity).round_dp(6));
            assert_eq!(position.market_value, (quantity * position.current_price).round_dp(6));
            assert_eq!(position.unrealized_profit, position.market_value - cost.round_dp(6));
        }
        let days = db.read(|r| r.performance(&agent.id, 400)).expect("is read");
        let prices = positions.iter().map(|p| (p.ticker.to_string(), p.current_price)).collect();
        let value = account.value(&prices).expect("every position has a price");
        let last = days.first().expect("there are days");
        assert_eq!(last.total_value, value.round_dp(6));
        assert_eq!(last.total_return_percent, percent(value, 100_000.into()).round_dp(6));
        for (day, before) in days.iter().zip(days.iter().skip(1)) {
            // The recorded values are rounded to a millionth of a dollar themselves.
            let difference = day.daily_return_percent - percent(day.total_value, before.total_value);
            assert!(difference.abs() < Decimal::new(1, 5), "{} {difference}", day.date);
        }
    }
}

/// What an agent has, by its trades.
struct Account {
    cash: Decimal,
    /// Quantity and cost, by ticker.
    held: BTreeMap<String, (Decimal, Decimal)>,
}

impl Account {
    #[track_caller]
    fn book(&mut self, order: &Order) {
        assert_eq!(order.status, OrderStatus::Filled);
        let value = order.quantity * order.executed_price.expect("it was filled");
        let (quantity, cost) = self.held.entry(order.ticker.to_string()).or_default();
        match order.side {
            Side::Buy => {
                *quantity += order.quantity;
                *cost += value;
                self.cash -= value;
            }
            Side::Sell => {
                *cost -= (*cost * order.quantity / *quantity).round_dp(6);
                *quantity -= order.quantity;
                self.cash += value;
            }
        }
        assert!(self.cash >= Decimal::ZERO, "nobody spends what it has not");
        assert!(*quantity > Decimal::ZERO, "nobody sells what it has not");
    }

    /// `None` if a price is not known.
    fn value(&self, prices: &BTreeMap<String, Decimal>) -> Option<Decimal> {
        let values = self.held.iter().map(|(ticker, (quantity, _))| Some(quantity * prices.get(ticker)?));
        Some(self.cash + values.sum::<Option<Decimal>>()?)
    }
}

fn percent(value: Decimal, base: Decimal) -> Decimal {
    (value - base) / base * Decimal::ONE_HUNDRED
}

#[test]
fn every_day_is_worth_what_the_trades_until_then_are() {
    let (_folder, db) = database();
    // So many that somebody trades each stock on most days: a day's price is in its trades.
    db.insert_sample(&Sample { trades: Some(19_000), ..sample(7) }, silent).expect("is made");
    let trades = trades(&db);
    let mut prices: BTreeMap<_, BTreeMap<String, Decimal>> = BTreeMap::new();
    for Trade { order, .. } in &trades {
        let price = order.executed_price.expect("it was filled");
        let before = prices.entry(order.trade_date).or_default().insert(order.ticker.to_string(), price);
        assert!(before.is_none_or(|before| before == price), "one price a day");
    }
    let mut proven = 0;
    for agent in sample(7).agents {
        let mut account = Account { cash: 100_000.into(), held: BTreeMap::new() };
        let mut trades = trades.iter().filter(|trade| trade.order.agent == agent.id).peekable();
        let days = db.read(|r| r.performance(&agent.id, 400)).expect("is read");
        for day in days.iter().rev() {
            while let Some(trade) = trades.next_if(|trade| trade.order.trade_date == day.date) {
                account.book(&trade.order);
            }
            if let Some(value) = prices.get(&day.date).and_then(|prices| account.value(prices)) {
                assert_eq!(day.total_value, value.round_dp(6), "{} {}", agent.id, day.date);
                assert_eq!(day.total_return_percent, percent(value, 100_000.into()).round_dp(6));
                proven += 1;
            }
        }
        assert_eq!(trades.next(), None, "every trade is of a recorded day");
    }
    assert!(proven > 500, "{proven} of 1250 days");
}

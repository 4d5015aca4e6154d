//! The sample data: reproducible, and in agreement with itself.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use trading_storage::{Database, OrderStatus, Sample, Side, Trade};

use crate::{agent, database, day};

fn sample(seed: u64) -> Sample {
    let agents = ["a", "b", "c", "d", "e"].map(agent).to_vec();
    Sample { seed, agents, last_day: day("2026-11-22") }
}

fn trades(db: &Database) -> Vec<Trade> {
    let mut trades = db.read(|r| r.newest_trades(u32::MAX)).expect("is read");
    trades.reverse();
    trades
}

#[test]
fn the_same_seed_makes_the_same_data_and_a_second_time_adds_nothing() {
    let ((_f1, one), (_f2, two), (_f3, other)) = (database(), database(), database());
    let report = one.insert_sample(&sample(7)).expect("is recorded").expect("is made");
    assert_eq!(two.insert_sample(&sample(7)).expect("is recorded"), Some(report));
    other.insert_sample(&sample(8)).expect("is made");
    let orders = |db: &Database| trades(db).into_iter().map(|trade| trade.order).collect::<Vec<_>>();
    assert_eq!(orders(&one), orders(&two));
    assert_ne!(orders(&one), orders(&other));

    let counts = one.read(|r| r.counts()).expect("is read");
    assert_eq!(one.insert_sample(&Sample { last_day: day("2026-11-23"), ..sample(7) }).expect("is refused"), None);
    assert_eq!(one.read(|r| r.counts()).expect("is read"), counts);
    assert_eq!((counts.agents, counts.trades, counts.positions), (5, report.trades, report.positions));
    assert_eq!(counts.performance_days, 5 * 260, "a year of Mondays to Fridays each");
    assert!(report.trades > 100, "{report:?}");
}

#[test]
fn positions_and_performance_follow_from_the_trades() {
    let (_folder, db) = database();
    db.insert_sample(&sample(7)).expect("is made");
    let trades = trades(&db);
    assert!(trades.iter().any(|trade| trade.order.side == Side::Sell), "some are sold");
    for agent in sample(7).agents {
        let mut cash = Decimal::from(100_000);
        let mut held: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
        for Trade { order, .. } in trades.iter().filter(|trade| trade.order.agent == agent.id) {
            assert_eq!(order.status, OrderStatus::Filled);
            let value = order.quantity * order.price.expect("it was filled");
            let (quantity, cost) = held.entry(order.ticker.to_string()).or_default();
            match order.side {
                Side::Buy => {
                    *quantity += order.quantity;
                    *cost += value;
                    cash -= value;
                }
                Side::Sell => {
                    *cost -= (*cost * order.quantity / *quantity).round_dp(6);
                    *quantity -= order.quantity;
                    cash += value;
                }
            }
            assert!(cash >= Decimal::ZERO, "nobody spends what it has not");
        }
        let positions = db.read(|r| r.positions(&agent.id)).expect("is read");
        assert_eq!(positions.len(), held.len());
        for position in &positions {
            let (quantity, cost) = held[position.ticker.as_str()];
            assert_eq!(position.quantity, quantity);
            assert_eq!(position.average_cost, (cost / quantity).round_dp(6));
            assert_eq!(position.market_value, (quantity * position.current_price).round_dp(6));
            assert_eq!(position.unrealized_profit, position.market_value - cost.round_dp(6));
        }
        let days = db.read(|r| r.performance(&agent.id, 400)).expect("is read");
        let worth: Decimal = positions.iter().map(|p| p.quantity * p.current_price).sum();
        assert_eq!(days[0].total_value, (cash + worth).round_dp(6));
        let percent = |value: Decimal, base: Decimal| (value - base) / base * Decimal::ONE_HUNDRED;
        assert_eq!(days[0].total_return_percent, percent(cash + worth, 100_000.into()).round_dp(6));
        for pair in days.windows(2) {
            // The recorded values are rounded to a millionth of a dollar themselves.
            let difference = pair[0].daily_return_percent - percent(pair[0].total_value, pair[1].total_value);
            assert!(difference.abs() < Decimal::new(1, 5), "{} {difference}", pair[0].date);
        }
    }
}

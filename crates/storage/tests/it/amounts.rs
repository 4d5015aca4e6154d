//! Amounts come back as they were given, or are refused.

use proptest::{
    prelude::{Strategy, any},
    prop_assert, prop_assert_eq,
    test_runner::{Config, RngSeed, TestRunner},
};
use rust_decimal::Decimal;
use trading_storage::{Error, Performance, Position, Ticker};

use crate::{agent, database, day};

fn config() -> Config {
    Config { cases: 300, failure_persistence: None, rng_seed: RngSeed::Fixed(20_261_120), ..Config::default() }
}

/// Decimals of all sizes, most of them near what fits.
fn decimal() -> impl Strategy<Value = Decimal> {
    let any_size =
        (-(1_i128 << 96) + 1..1_i128 << 96, 0_u32..=28).prop_map(|(m, s)| Decimal::from_i128_with_scale(m, s));
    let usual = (any::<i64>(), 0_u32..=10).prop_map(|(m, s)| Decimal::new(m, s));
    let small = (-1_000_000_000_i64..1_000_000_000, 0_u32..=10).prop_map(|(m, s)| Decimal::new(m, s));
    proptest::prop_oneof![1 => any_size, 2 => usual, 3 => small]
}

/// If a value has no more than so many decimals and its digits are an `i64`: by its text, not by arithmetic.
fn fits(value: Decimal, decimals: usize) -> bool {
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    fraction.len() <= decimals && format!("{whole}{fraction:0<decimals$}").parse::<i64>().is_ok()
}

#[test]
fn positions_come_back_exactly_or_are_refused_whole() {
    let (_folder, db) = database();
    let before = Position {
        agent: agent("a").id,
        ticker: Ticker::new("NVDA").expect("a ticker"),
        quantity: 1.into(),
        average_cost: 1.into(),
        current_price: 1.into(),
        market_value: 1.into(),
        unrealized_profit: 0.into(),
        updated_at: chrono::DateTime::UNIX_EPOCH,
    };
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    let values = (decimal(), decimal(), decimal(), decimal(), decimal());
    let done = TestRunner::new(config()).run(&values, |(quantity, cost, price, market_value, unrealized_profit)| {
        let given = Position {
            quantity,
            average_cost: cost.abs(),
            current_price: price.abs(),
            market_value,
            unrealized_profit,
            ..before.clone()
        };
        let fields = [
            ("quantity", given.quantity, 9),
            ("average_cost", given.average_cost, 6),
            ("current_price", given.current_price, 6),
            ("market_value", given.market_value, 6),
            ("unrealized_profit", given.unrealized_profit, 6),
        ];
        let misfit = fields.into_iter().find(|(_, value, decimals)| !fits(*value, *decimals));
        db.transaction(|tx| tx.update_position(&before)).expect("is recorded");
        let done = db.transaction(|tx| tx.update_position(&given));
        let found = db.read(|r| r.positions(&before.agent)).expect("is read");
        match (misfit, done) {
            (None, Ok(())) => prop_assert_eq!(found, [given]),
            (Some((misfit, _, _)), Err(Error::Amount { field, .. })) => {
                prop_assert_eq!(field, misfit);
                prop_assert_eq!(&found, std::slice::from_ref(&before));
            }
            (misfit, done) => prop_assert!(false, "{:?} should misfit, and {:?}", misfit, done),
        }
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn single_amounts_come_back_exactly_or_are_refused() {
    let (_folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    let (mut kept, mut refused) = (0, 0);
    let (kept, refused) = (std::cell::Cell::from_mut(&mut kept), std::cell::Cell::from_mut(&mut refused));
    let done = TestRunner::new(config()).run(&decimal(), |value| {
        let given = Performance {
            agent: agent("a").id,
            date: day("2026-11-20"),
            total_value: value,
            daily_return_percent: 0.into(),
            total_return_percent: 0.into(),
        };
        let done = db.transaction(|tx| tx.record_performance(&given));
        prop_assert_eq!(done.is_ok(), fits(value, 6), "{}: {:?}", value, done);
        if done.is_ok() {
            kept.set(kept.get() + 1);
            prop_assert_eq!(db.read(|r| r.performance(&agent("a").id, 1)).expect("is read"), [given]);
        } else {
            refused.set(refused.get() + 1);
        }
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
    assert!(kept.get() > 50 && refused.get() > 50, "{kept:?} kept, {refused:?} refused");
}

#[test]
fn the_bounds_of_every_column_are_kept() {
    let (_folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    let trade = |id: &str, quantity: &str, price: &str| {
        let mut order = crate::order(id);
        order.quantity = quantity.parse().expect("a number");
        order.price = Some(price.parse().expect("a number"));
        let id = db.transaction(|tx| tx.insert_trade(&order))?;
        let found = db.read(|r| r.trade(id))?.expect("is there").order;
        assert_eq!(found, order);
        Ok::<_, Error>(())
    };
    trade("1", "9223372036.854775807", "9223372036854.775807").expect("fits");
    trade("2", "0.000000001", "0.000001").expect("fits");
    for (quantity, price, expected) in [
        ("9223372036.854775808", "1", "quantity 9223372036.854775808 does not fit"),
        ("1", "9223372036854.775808", "price 9223372036854.775808 does not fit"),
        ("1", "0.0000001", "price 0.0000001 does not fit"),
    ] {
        let error = trade("3", quantity, price).expect_err("does not fit").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    for (quantity, price) in [("0", "1"), ("-1", "1"), ("1", "0"), ("1", "-0.01")] {
        trade("3", quantity, price).expect_err("is no order");
    }
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 2);
}

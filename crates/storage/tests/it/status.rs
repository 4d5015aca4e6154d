//! The states of an order, against a model of them.

use chrono::{DateTime, Utc};
use proptest::{
    prelude::{Just, Strategy},
    prop_assert, prop_assert_eq,
    sample::select,
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};
use rust_decimal::Decimal;
use trading_storage::{Database, Error, OrderStatus, StatusUpdate, TradeId};

use crate::{agent, database, order, with_a_trade};

const FINAL: [&str; 5] = ["filled", "canceled", "expired", "replaced", "rejected"];
/// What an order of which a part was executed cannot be any more.
const BEFORE_EXECUTION: [&str; 6] = ["new", "accepted", "pending_new", "accepted_for_bidding", "held", "rejected"];

fn may_follow(from: OrderStatus, to: OrderStatus) -> bool {
    let (from, to) = (from.as_str(), to.as_str());
    let executed = from == "partially_filled" && BEFORE_EXECUTION.contains(&to);
    from == to || !(FINAL.contains(&from) || executed)
}

#[test]
fn final_is_final_and_what_was_executed_stays_so() {
    for from in OrderStatus::ALL {
        assert_eq!(from.is_final(), FINAL.contains(&from.as_str()), "{from}");
        for to in OrderStatus::ALL {
            assert_eq!(from.may_become(to), may_follow(from, to), "{from} to {to}");
        }
    }
}

/// What a trade should be, and should have been.
#[derive(Debug, Clone, PartialEq)]
struct State {
    status: OrderStatus,
    executed_price: Option<Decimal>,
    broker_order_id: Option<String>,
    executed_at: Option<DateTime<Utc>>,
}

impl State {
    fn after(&self, update: &StatusUpdate) -> Result<Self, ()> {
        let StatusUpdate { status, executed_price, broker_order_id, executed_at } = update.clone();
        let next = Self {
            status,
            executed_price: executed_price.or(self.executed_price),
            broker_order_id: broker_order_id.clone().or(self.broker_order_id.clone()),
            executed_at: executed_at.or(self.executed_at),
        };
        let other_broker = self.broker_order_id.is_some() && next.broker_order_id != self.broker_order_id;
        let before = |status: OrderStatus| BEFORE_EXECUTION.contains(&status.as_str());
        let unexecuted = before(next.status) && !before(self.status);
        let legal =
            may_follow(self.status, next.status) && !other_broker && !(unexecuted && next.executed_price.is_some());
        // What was not known of a final order can still be told.
        let changed = self.executed_price.is_some() && next.executed_price != self.executed_price
            || self.executed_at.is_some() && next.executed_at != self.executed_at;
        let settled = FINAL.contains(&self.status.as_str()) && changed;
        if next == *self || legal && !settled { Ok(next) } else { Err(()) }
    }
}

/// Few values, so that they meet again.
fn update() -> impl Strategy<Value = StatusUpdate> {
    let option = |values: Vec<i64>| select(values).prop_map(|value| if value == 0 { None } else { Some(value) });
    // The states of every day more often than the others.
    let usual =
        select(vec![OrderStatus::New, OrderStatus::Accepted, OrderStatus::PartiallyFilled, OrderStatus::Filled]);
    let status = proptest::prop_oneof![usual, select(OrderStatus::ALL.to_vec())];
    (status, option(vec![0, 0, 1, 2]), option(vec![0, 0, 0, 1, 1, 1, 2]), option(vec![0, 0, 1, 2])).prop_map(
        |(status, price, broker, time)| StatusUpdate {
            status,
            executed_price: price.map(|price| Decimal::new(price, 6)),
            broker_order_id: broker.map(|broker| format!("b-{broker}")),
            executed_at: time.and_then(DateTime::from_timestamp_micros),
        },
    )
}

fn history(db: &Database, id: TradeId) -> Vec<State> {
    let events = db.read(|r| r.history(id)).expect("is read");
    let state = |event: trading_storage::TradeEvent| State {
        status: event.status,
        executed_price: event.executed_price,
        broker_order_id: event.broker_order_id,
        executed_at: event.executed_at,
    };
    events.into_iter().map(state).collect()
}

#[test]
fn a_trade_goes_the_way_of_the_model_and_its_history_tells_every_step() {
    let (_folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    let config =
        Config { cases: 100, failure_persistence: None, rng_seed: RngSeed::Fixed(20_261_120), ..Config::default() };
    let mut number = 0;
    let number = std::cell::Cell::from_mut(&mut number);
    let updates = proptest::collection::vec(update(), 0..25);
    let done = TestRunner::new(config).run(&(Just(()), updates), |((), updates)| {
        number.set(number.get() + 1);
        let given = order(&number.get().to_string());
        let id = db.transaction(|tx| tx.insert_trade(&given)).expect("is recorded");
        let mut model =
            vec![State { status: OrderStatus::New, executed_price: None, broker_order_id: None, executed_at: None }];
        for update in updates {
            let now = model.last().expect("it has a state");
            let done = db.transaction(|tx| tx.update_trade_status(id, &update));
            match now.after(&update) {
                Ok(next) => {
                    prop_assert!(done.is_ok(), "{:?} refused {:?}: {:?}", now, update, done);
                    if next != *now {
                        model.push(next);
                    }
                }
                Err(()) => {
                    let Err(Error::StatusChange { before, .. }) = done else {
                        return Err(TestCaseError::fail(format!("{now:?} took {update:?}: {done:?}")));
                    };
                    prop_assert_eq!(before.status, now.status);
                }
            }
        }
        prop_assert_eq!(&history(&db, id), &model);
        let trade = db.read(|r| r.trade(id)).expect("is read").expect("is there");
        let events = db.read(|r| r.history(id)).expect("is read");
        prop_assert_eq!(Some(trade.updated_at), events.last().map(|event| event.recorded_at));
        let now = model.last().expect("it has a state").clone();
        let expected = trading_storage::Order {
            status: now.status,
            executed_price: now.executed_price,
            broker_order_id: now.broker_order_id,
            executed_at: now.executed_at,
            ..given
        };
        prop_assert_eq!(trade.order, expected);
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
    let proven = db.verify(|_, _| ()).expect("the chain is whole");
    assert_eq!(proven.trades, number.get());
    assert!(proven.events > 3 * proven.trades, "the walks are long enough: {proven:?}");
}

#[test]
fn a_result_that_comes_in_parts_is_completed_and_then_kept() {
    let (_folder, db, id) = with_a_trade();
    let update = |update: &StatusUpdate| db.transaction(|tx| tx.update_trade_status(id, update));
    let filled = StatusUpdate::new(OrderStatus::Filled);
    update(&filled).expect("the stream was faster than the answer");
    let told = StatusUpdate {
        executed_price: Some(Decimal::new(5, 0)),
        broker_order_id: Some("b-1".to_owned()),
        executed_at: DateTime::from_timestamp(1_700_000_000, 0),
        ..filled.clone()
    };
    update(&told).expect("what was not known");
    for other in [
        StatusUpdate { executed_price: Some(Decimal::new(6, 0)), ..filled.clone() },
        StatusUpdate { broker_order_id: Some("b-2".to_owned()), ..filled.clone() },
        StatusUpdate { executed_at: DateTime::from_timestamp(1_700_000_001, 0), ..filled.clone() },
        StatusUpdate::new(OrderStatus::Canceled),
    ] {
        let error = update(&other).expect_err("it is settled").to_string();
        let is = "trade 1 is filled (price 5, broker's id b-1, executed 2023-11-14T22:13:20Z)";
        assert_eq!(error, format!("{is}, and cannot become {other}"));
    }
    assert_eq!(history(&db, id).len(), 3);
}

#[test]
fn what_was_executed_is_not_forgotten_on_a_way_round() {
    let (_folder, db, id) = with_a_trade();
    let update = |update: &StatusUpdate| db.transaction(|tx| tx.update_trade_status(id, update));
    let part =
        StatusUpdate { executed_price: Some(Decimal::new(5, 0)), ..StatusUpdate::new(OrderStatus::PartiallyFilled) };
    update(&part).expect("a part");
    update(&StatusUpdate::new(OrderStatus::PendingCancel)).expect("may follow");
    for status in [OrderStatus::New, OrderStatus::Accepted, OrderStatus::Held, OrderStatus::Rejected] {
        update(&StatusUpdate::new(status)).expect_err("there is a price of an execution");
    }
    update(&StatusUpdate::new(OrderStatus::Canceled)).expect("the rest is");
}

#[test]
fn a_leap_second_is_recorded_once() {
    let (_folder, db, id) = with_a_trade();
    let day = chrono::NaiveDate::from_ymd_opt(2016, 12, 31).expect("a day");
    let leap = day.and_hms_milli_opt(23, 59, 59, 1_500).expect("a leap second").and_utc();
    for _ in 0..3 {
        let update = StatusUpdate { executed_at: Some(leap), ..StatusUpdate::new(OrderStatus::Filled) };
        db.transaction(|tx| tx.update_trade_status(id, &update)).expect("is the same");
    }
    assert_eq!(history(&db, id).len(), 2);
}

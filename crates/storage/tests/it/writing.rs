//! What is written, what is refused, and what is undone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use trading_storage::{
    Agent, Counts, Database, Error, OrderStatus, OrderType, Performance, Position, StatusUpdate, Ticker, TradeFilter,
};

use crate::{agent, database, day, order};

fn with_agent() -> (tempfile::TempDir, Database) {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    (folder, db)
}

fn newest(db: &Database) -> Vec<i64> {
    let page = db.read(|r| r.trades(&TradeFilter::All, None, 3)).expect("is read");
    page.trades.iter().map(|trade| trade.id.get()).collect()
}

#[test]
fn a_trade_comes_back_as_it_was_recorded() {
    let (_folder, db) = with_agent();
    let mut given = order("1");
    given.order_type = OrderType::Limit;
    given.price = Some("470.123456".parse().expect("a price"));
    given.executed_price = Some("470.12".parse().expect("a price"));
    given.status = OrderStatus::PartiallyFilled;
    given.broker_order_id = Some("b-1".to_owned());
    given.politician = Some("Nancy Pelosi'; DROP TABLE trades; --\u{0}\u{202e}".to_owned());
    given.source_trade_date = Some(day("2024-02-29"));
    given.executed_at = chrono::DateTime::from_timestamp_micros(1_763_672_400_123_456);
    let id = db.transaction(|tx| tx.insert_trade(&given)).expect("is recorded");
    let found = db.read(|r| r.trade(id)).expect("is read").expect("is there");
    assert_eq!(found.order, given);
    assert_eq!((found.id, found.created_at), (id, found.updated_at));
    assert_eq!(db.read(|r| r.trade_by_client_order_id(&given.client_order_id)).expect("is read"), Some(found));
}

#[test]
fn the_same_order_is_recorded_once() {
    let (_folder, db) = with_agent();
    let first = db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    assert_eq!(db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is the same"), first);
    // A result is no other intent.
    let mut filled = order("1");
    filled.status = OrderStatus::Filled;
    filled.executed_price = Some("1".parse().expect("a price"));
    assert_eq!(db.transaction(|tx| tx.insert_trade(&filled)).expect("is the same"), first);
    assert_eq!(
        db.transaction(|tx| Ok((tx.insert_trade(&order("2"))?, tx.insert_trade(&order("2"))?)))
            .map(|(a, b)| a == b)
            .ok(),
        Some(true)
    );
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 2);
}

#[test]
fn another_order_under_the_same_id_is_a_conflict() {
    let (_folder, db) = with_agent();
    db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    let mut other = order("1");
    other.quantity = "2".parse().expect("a number");
    let error = db.transaction(|tx| tx.insert_trade(&other)).expect_err("is another");
    assert_eq!(error.to_string(), "order 1 is recorded with quantity 1.5 and not 2");
    let Error::OrderConflict { recorded, given, .. } = error else { panic!("{error}") };
    assert_eq!((*recorded, *given), (order("1"), other));
}

#[test]
fn what_is_there_is_not_empty_and_no_price_is_below_zero() {
    let (_folder, db) = with_agent();
    let refused = |work: &dyn Fn(&trading_storage::Transaction<'_>) -> Result<(), Error>, expected: &str| {
        assert_eq!(db.transaction(work).expect_err("is refused").to_string(), expected);
    };
    let nobody = trading_storage::Order { politician: Some(String::new()), ..order("1") };
    let name = "\"\" is not the name of a politician (leave it out where there is none)";
    refused(&|tx| tx.insert_trade(&nobody).map(drop), name);
    let id = "\"\" is not an id of a broker (leave it out where there is none)";
    let without = trading_storage::Order { broker_order_id: Some(String::new()), ..order("1") };
    refused(&|tx| tx.insert_trade(&without).map(drop), id);
    let recorded = db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    let update = StatusUpdate { broker_order_id: Some(String::new()), ..StatusUpdate::new(OrderStatus::Accepted) };
    refused(&|tx| tx.update_trade_status(recorded, &update), id);
    let named = |name: &str, kind: &str| Agent { name: name.to_owned(), kind: kind.to_owned(), ..agent("b") };
    refused(&|tx| tx.register_agent(&named("", "k")), "\"\" is not the name of an agent (a word or more)");
    refused(&|tx| tx.register_agent(&named("n", "")), "\"\" is not the kind of an agent (a word or more)");
    let position = Position {
        agent: agent("a").id,
        ticker: Ticker::new("NVDA").expect("a ticker"),
        quantity: 1.into(),
        average_cost: (-1).into(),
        current_price: 1.into(),
        market_value: 1.into(),
        unrealized_profit: 0.into(),
        updated_at: "2026-11-20T00:00:00Z".parse().expect("a time"),
    };
    refused(&|tx| tx.update_position(&position), "average_cost -1 does not fit: it takes 0 or more");
}

#[test]
fn what_one_order_does_not_say_is_no_word_of_another() {
    let (_folder, db) = with_agent();
    db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    for word in ["nothing", "none", "None", "NULL"] {
        let other = trading_storage::Order { politician: Some(word.to_owned()), ..order("1") };
        let error = db.transaction(|tx| tx.insert_trade(&other)).expect_err("is another");
        assert!(matches!(error, Error::OrderConflict { .. }), "{error}");
    }
}

#[test]
fn agents_must_be_registered_first() {
    let (_folder, db) = database();
    let position = Position {
        agent: agent("a").id,
        ticker: Ticker::new("NVDA").expect("a ticker"),
        quantity: 1.into(),
        average_cost: 1.into(),
        current_price: 1.into(),
        market_value: 1.into(),
        unrealized_profit: 0.into(),
        updated_at: chrono::DateTime::UNIX_EPOCH,
    };
    let performance = Performance {
        agent: agent("a").id,
        date: day("2026-11-20"),
        total_value: 1.into(),
        daily_return_percent: 0.into(),
        total_return_percent: 0.into(),
    };
    for error in [
        db.transaction(|tx| tx.insert_trade(&order("1")).map(drop)),
        db.transaction(|tx| tx.update_position(&position)),
        db.transaction(|tx| tx.record_performance(&performance)),
    ] {
        assert_eq!(error.expect_err("is unknown").to_string(), "there is no agent a");
    }
    assert_eq!(db.read(|r| r.counts()).expect("is read"), Counts::default());
}

#[test]
fn positions_and_performance_are_replaced() {
    let (_folder, db) = with_agent();
    let position = |ticker: &str, value: i64| Position {
        agent: agent("a").id,
        ticker: Ticker::new(ticker).expect("a ticker"),
        quantity: "0.000000001".parse().expect("a number"),
        average_cost: "0.000001".parse().expect("a number"),
        current_price: "1.5".parse().expect("a number"),
        market_value: value.into(),
        unrealized_profit: (-value).into(),
        updated_at: chrono::DateTime::UNIX_EPOCH,
    };
    let performance = |date: &str, value: i64| Performance {
        agent: agent("a").id,
        date: day(date),
        total_value: value.into(),
        daily_return_percent: "-0.5".parse().expect("a number"),
        total_return_percent: "12.345678".parse().expect("a number"),
    };
    db.transaction(|tx| {
        for position in [position("A", 1), position("B", 3), position("C", 2), position("A", 4)] {
            tx.update_position(&position)?;
        }
        for performance in [performance("2026-11-19", 1), performance("2026-11-20", 2), performance("2026-11-20", 3)] {
            tx.record_performance(&performance)?;
        }
        Ok(())
    })
    .expect("is recorded");
    let (positions, days) =
        db.read(|r| Ok((r.positions(&agent("a").id)?, r.performance(&agent("a").id, 1)?))).expect("is read");
    assert_eq!(positions, [position("A", 4), position("B", 3), position("C", 2)], "by value");
    assert_eq!(days, [performance("2026-11-20", 3)], "the newest, as it was recorded last");
}

#[test]
fn amounts_that_do_not_fit_are_refused_with_their_field() {
    let (_folder, db) = with_agent();
    let mut order = order("1");
    order.quantity = "0.0000000001".parse().expect("a number");
    let error = db.transaction(|tx| tx.insert_trade(&order)).expect_err("too fine").to_string();
    assert_eq!(error, "quantity 0.0000000001 does not fit: it takes 9 decimals at the most, and less than 9223372036");
    order.quantity = (-1).into();
    let error = db.transaction(|tx| tx.insert_trade(&order)).expect_err("is no order").to_string();
    assert_eq!(error, "quantity -1 does not fit: it takes more than 0");
}

#[test]
fn an_error_or_a_panic_undoes_the_whole_transaction() {
    let (_folder, db) = with_agent();
    let given_up = db.transaction(|tx| {
        tx.insert_trade(&order("1"))?;
        assert!(tx.trade_by_client_order_id(&order("1").client_order_id)?.is_some(), "it sees what it wrote");
        Err::<(), _>(Error::aborted("changed my mind"))
    });
    assert!(matches!(given_up, Err(Error::Aborted { .. })));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        db.transaction(|tx| {
            tx.insert_trade(&order("2"))?;
            panic!("in the middle");
            #[expect(unreachable_code, reason = "gives the closure its type")]
            Ok(())
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 0);
    db.transaction(|tx| tx.insert_trade(&order("3"))).expect("the next one works");
}

#[test]
fn readers_and_writers_do_not_wait_for_each_other() {
    let (_folder, db) = with_agent();
    db.transaction(|tx| {
        tx.insert_trade(&order("1"))?;
        // On another connection, in the middle of the transaction: the moment before it.
        assert_eq!(db.read(|r| r.counts())?.trades, 0);
        Ok(())
    })
    .expect("is recorded");
    db.read(|r| {
        let before = r.counts()?;
        db.transaction(|tx| tx.insert_trade(&order("2")))?;
        assert_eq!(r.counts()?, before, "a reading is of one moment");
        Ok(())
    })
    .expect("is read");
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 2);
}

#[test]
fn trades_are_never_deleted() {
    let (folder, db) = with_agent();
    db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    drop(db);
    #[expect(clippy::disallowed_methods, reason = "plays another program")]
    let other = rusqlite::Connection::open(folder.path().join("record.db")).expect("opens");
    let error = other.execute("DELETE FROM trades", []).expect_err("is refused").to_string();
    assert_eq!(error, "trades are never deleted");
}

#[test]
fn many_threads_share_one_handle() {
    let (_folder, db) = with_agent();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let db = db.clone();
            scope.spawn(move || {
                for number in 0..25 {
                    // Every other id is also another thread's.
                    let id = if number % 2 == 0 { format!("shared-{number}") } else { format!("{thread}-{number}") };
                    db.transaction(|tx| tx.insert_trade(&order(&id))).expect("is recorded");
                    newest(&db);
                }
            });
        }
    });
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 13 + 4 * 12);
    assert_eq!(newest(&db), [61, 60, 59]);
}

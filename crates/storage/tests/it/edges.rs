//! Edges that were walked over once: each of these was wrong.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use chrono::{DateTime, NaiveDate};
use rust_decimal::Decimal;
use trading_storage::{
    Database, Error, Migration, MigrationSet, Options, Order, OrderStatus, OrderType, Position, StatusUpdate, sqlite,
};

use crate::{agent, database, options, order, tamper};

fn with_agent() -> (tempfile::TempDir, Database) {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    (folder, db)
}

#[test]
fn a_limit_order_keeps_the_price_that_it_asked_for() {
    let (_folder, db) = with_agent();
    let limit = Order { order_type: OrderType::Limit, price: Some(470.into()), ..order("1") };
    let id = db.transaction(|tx| tx.insert_trade(&limit)).expect("is recorded");
    let better = StatusUpdate { executed_price: Some(469.into()), ..StatusUpdate::new(OrderStatus::Filled) };
    db.transaction(|tx| tx.update_trade_status(id, &better)).expect("is filled");
    let recorded = db.read(|r| r.trade(id)).expect("is read").expect("a trade").order;
    assert_eq!((recorded.price, recorded.executed_price), (Some(470.into()), Some(469.into())));
    assert_eq!(db.transaction(|tx| tx.insert_trade(&limit)).expect("is the same intent"), id);
}

#[test]
fn an_update_with_nanoseconds_is_the_same_the_second_time() {
    let (_folder, db) = with_agent();
    let id = db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    let executed_at = DateTime::from_timestamp(1, 1_500);
    let filled = StatusUpdate { executed_at, ..StatusUpdate::new(OrderStatus::Filled) };
    for _ in 0..2 {
        db.transaction(|tx| tx.update_trade_status(id, &filled)).expect("is the same");
    }
    assert_eq!(db.read(|r| r.history(id)).expect("is read").len(), 2);
}

#[test]
fn a_set_may_neither_drop_our_views_nor_lay_triggers_on_our_tables() {
    const DROPS: &[Migration] = &[Migration { version: 1, name: "drops", sql: "DROP VIEW trades_view" }];
    const LAYS: &[Migration] = &[Migration {
        version: 1,
        name: "lays",
        sql: "CREATE TEMP TRIGGER quiver_t BEFORE INSERT ON trades BEGIN SELECT RAISE (IGNORE); END",
    }];
    let (folder, db) = database();
    drop(db);
    for migrations in [DROPS, LAYS] {
        let set = MigrationSet { component: "quiver", migrations };
        let error = Database::open(&Options { migrations: vec![set], ..options(&folder) }).expect_err("is refused");
        assert!(matches!(error, Error::Migration { component: "quiver", .. }), "{error}");
    }
}

#[test]
fn a_newer_set_is_named_by_its_newest_step() {
    const STEPS: &[Migration] = &[
        Migration { version: 1, name: "a", sql: "CREATE TABLE q_a (a);" },
        Migration { version: 2, name: "b", sql: "CREATE TABLE q_b (a);" },
    ];
    let (folder, db) = database();
    drop(db);
    let with =
        |migrations| Options { migrations: vec![MigrationSet { component: "q", migrations }], ..options(&folder) };
    drop(Database::open(&with(STEPS)).expect("opens"));
    let error = Database::open(&with(&[])).expect_err("is newer");
    assert!(matches!(error, Error::Newer { found: 2, known: 0, .. }), "{error}");
}

#[test]
fn writes_beside_it_do_not_look_like_damage_to_verify() {
    let (_folder, db) = with_agent();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20_000 {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                db.transaction(|tx| tx.insert_trade(&order(&number.to_string()))).expect("is recorded");
            }
        });
        let found: Vec<_> =
            (0..100).filter_map(|_| db.verify(|_, _| ()).err()).map(|error| error.to_string()).collect();
        stop.store(true, Ordering::SeqCst);
        assert!(found.is_empty(), "{found:?}");
    });
}

#[test]
fn a_commit_within_a_transaction_is_a_rollback_and_is_told_as_one() {
    let (_folder, db) = with_agent();
    for sql in ["COMMIT", "COMMIT; BEGIN", "RELEASE part; COMMIT", "ROLLBACK"] {
        let error = db.transaction(|tx| {
            tx.insert_trade(&order("1"))?;
            // What they say themselves does not matter: the work goes on as if nothing had been.
            sql.split(';').for_each(|sql| drop(sqlite::connection(tx).execute_batch(sql)));
            Ok(())
        });
        let error = error.expect_err(sql);
        assert!(matches!(error, Error::RolledBack { .. }), "{sql}: {error:?}");
        assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 0, "{sql}");
    }
    db.transaction(|tx| tx.insert_trade(&order("1"))).expect("goes on");
    assert_eq!(db.verify(|_, _| ()).expect("is whole").trades, 1);
}

#[test]
fn no_trade_or_event_goes_by_being_replaced() {
    let (_folder, db) = with_agent();
    db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    for (sql, why) in [
        ("REPLACE INTO trades SELECT * FROM trades", "trades are never deleted"),
        ("UPDATE OR REPLACE trades SET id = id + 1", "what an order asked for is never changed"),
        ("REPLACE INTO trade_events SELECT * FROM trade_events", "events are never deleted"),
    ] {
        let replace = |tx: &trading_storage::Transaction<'_>| {
            sqlite::connection(tx).execute_batch(sql).map_err(|error| Error::aborted(error.to_string()))
        };
        let error = db.transaction(replace).expect_err(sql);
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        assert!(cause.starts_with(why), "{sql}: {cause}");
    }
}

#[test]
fn a_year_that_the_tables_do_not_hold_is_refused_by_name() {
    let (_folder, db) = with_agent();
    let year = |year| NaiveDate::from_ymd_opt(year, 1, 2).expect("a day");
    for accepted in [0, 9_999] {
        let order = Order { trade_date: year(accepted), ..order(&format!("y{accepted}")) };
        let id = db.transaction(|tx| tx.insert_trade(&order)).expect("fits");
        assert_eq!(db.read(|r| r.trade(id)).expect("is read").expect("a trade").order, order);
    }
    for (order, field, shown) in [
        (Order { trade_date: year(10_000), ..order("1") }, "trade_date", "+10000-01-02"),
        (Order { source_trade_date: Some(year(-1)), ..order("1") }, "source_trade_date", "-0001-01-02"),
    ] {
        let error = db.transaction(|tx| tx.insert_trade(&order)).expect_err("does not fit").to_string();
        assert_eq!(error, format!("{field} {shown} does not fit: it takes a year from 0 to 9999"));
    }
}

#[test]
fn a_sum_may_be_more_than_any_of_its_parts_can() {
    let (_folder, db) = with_agent();
    let most: Decimal = "9223372036854.775807".parse().expect("a number");
    let position = |ticker: &str, value: Decimal| Position {
        agent: trading_storage::AgentId::new("a").expect("an id"),
        ticker: trading_storage::Ticker::new(ticker).expect("a ticker"),
        quantity: 1.into(),
        average_cost: 1.into(),
        current_price: 1.into(),
        market_value: value,
        unrealized_profit: -value,
        updated_at: DateTime::UNIX_EPOCH,
    };
    db.transaction(|tx| tx.update_positions(&[position("A", most), position("B", most), position("C", -Decimal::ONE)]))
        .expect("is recorded");
    let summary = db.read(|r| r.summaries()).expect("is read").remove(0);
    let sum: Decimal = "18446744073708.551614".parse().expect("a number");
    assert_eq!((summary.positions, summary.market_value, summary.unrealized_profit), (3, sum, -sum));
}

#[test]
fn verify_names_what_of_the_schema_is_not_as_it_was_made() {
    for (sql, expected) in [
        ("DROP TRIGGER trades_are_kept", "the trigger trades_are_kept is gone"),
        (
            "DROP INDEX trades_of_day; CREATE INDEX trades_of_day ON trades (side)",
            "the index trades_of_day was changed",
        ),
        ("DROP VIEW trades_view", "the view trades_view is gone"),
        (
            "CREATE TRIGGER theirs AFTER INSERT ON agents BEGIN SELECT 1; END",
            "the trigger theirs is not ours, and stands on our tables",
        ),
    ] {
        let (folder, db) = with_agent();
        drop(db);
        let path = folder.path().join("record.db");
        tamper(&path, sql);
        let db = Database::open(&options(&folder)).expect("opens");
        let error = db.verify(|_, _| ()).expect_err(sql).to_string();
        assert_eq!(error, format!("the database {} is damaged: {expected}", path.display()));
    }
}

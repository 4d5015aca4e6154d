//! Edges that were walked over once: each of these was wrong.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use chrono::DateTime;
use trading_storage::{Database, Error, Migration, MigrationSet, Options, Order, OrderStatus, OrderType, StatusUpdate};

use crate::{agent, database, options, order};

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
    let better = StatusUpdate { price: Some(469.into()), ..StatusUpdate::new(OrderStatus::Filled) };
    let error = db.transaction(|tx| tx.update_trade_status(id, &better)).expect_err("is another price").to_string();
    assert_eq!(error, "price 469 does not fit: it takes nothing but the price that a limit order asked for");
    db.transaction(|tx| tx.update_trade_status(id, &StatusUpdate::new(OrderStatus::Filled))).expect("is filled");
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

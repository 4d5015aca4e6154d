//! The chain of events, and the walk along it.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use trading_storage::{Database, Error, Head, OrderStatus, StatusUpdate};

use crate::{agent, database, options, order, tamper};

pub(crate) fn head_path(folder: &TempDir) -> PathBuf {
    folder.path().join("record.db.head")
}

/// A record with three trades, of which the first was filled; closed.
pub(crate) fn with_trades() -> (TempDir, Head) {
    let (folder, db) = database();
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        let first = tx.insert_trade(&order("1"))?;
        tx.insert_trade(&order("2"))?;
        tx.update_trade_status(first, &StatusUpdate::new(OrderStatus::Filled))?;
        tx.insert_trade(&order("3"))
    })
    .expect("is recorded");
    let head = db.head();
    assert_eq!(head.sequence, 4);
    (folder, head)
}

#[test]
fn the_head_goes_on_with_every_event_and_with_nothing_else() {
    let (_folder, db) = database();
    let mut before = db.head();
    assert_eq!(before.sequence, 0);
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    assert_eq!(db.head(), before, "an agent is no event");
    let mut step = |name: &str, expected: u64, work: &dyn Fn() -> Result<(), Error>| {
        let done = work();
        let head = db.head();
        assert_eq!(head.sequence, before.sequence + expected, "{name}: {done:?}");
        assert_eq!(head.hash == before.hash, expected == 0, "{name}");
        before = head;
    };
    let id = std::cell::Cell::new(None);
    step("a trade", 1, &|| db.transaction(|tx| tx.insert_trade(&order("1"))).map(|new| id.set(Some(new))));
    step("the same trade", 0, &|| db.transaction(|tx| tx.insert_trade(&order("1"))).map(drop));
    let filled = StatusUpdate::new(OrderStatus::Filled);
    let fill = || db.transaction(|tx| tx.update_trade_status(id.get().expect("is recorded"), &filled));
    step("its result", 1, &fill);
    step("the same result", 0, &fill);
    step("an error", 0, &|| {
        db.transaction(|tx| {
            tx.insert_trade(&order("2"))?;
            Err(Error::aborted("no"))
        })
    });
    step("a part that fails", 2, &|| {
        db.transaction(|tx| {
            tx.insert_trade(&order("3"))?;
            let part = tx.nested(|tx| {
                tx.insert_trade(&order("4"))?;
                Err::<(), _>(Error::aborted("no"))
            });
            assert!(part.is_err());
            tx.insert_trade(&order("5")).map(drop)
        })
    });
    let proven = db.verify(|_, _| ()).expect("is whole");
    assert_eq!((proven.events, proven.trades, proven.head), (4, 3, before));
}

#[test]
fn each_database_has_a_chain_of_its_own() {
    let ((_f1, one), (_f2, two)) = (database(), database());
    assert_ne!(one.instance_id(), two.instance_id());
    assert_ne!(one.head().hash, two.head().hash, "also before the first event");
    assert_eq!(one.verify(|_, _| ()).expect("is whole").head, one.head());
}

#[test]
fn verify_names_the_first_event_that_is_wrong() {
    const CHANGED: &str = "it, or the order of its trade, was changed";
    const NOT_AS: &str = "it is the last of its trade, and the trade is not as it says";
    for (sql, sequence, what) in [
        ("UPDATE trades SET quantity = quantity + 1 WHERE id = 2", 2, CHANGED),
        ("UPDATE trades SET agent_id = 'b' WHERE id = 1", 1, CHANGED),
        ("UPDATE trades SET source_politician = 'x' WHERE id = 3", 4, CHANGED),
        ("UPDATE trades SET order_status = 'canceled' WHERE id = 1", 3, NOT_AS),
        ("UPDATE trades SET executed_price = 1 WHERE id = 3", 4, NOT_AS),
        ("UPDATE trades SET last_updated = last_updated + 1 WHERE id = 2", 2, NOT_AS),
        ("UPDATE trade_events SET executed_price = 1 WHERE sequence = 2", 2, CHANGED),
        ("UPDATE trade_events SET recorded_at = recorded_at + 1 WHERE sequence = 3", 3, CHANGED),
        ("UPDATE trade_events SET order_status = 'nonsense' WHERE sequence = 3", 3, "it, or its trade, cannot be read"),
        ("UPDATE trade_events SET trade_id = 3 WHERE sequence = 1", 1, CHANGED),
        ("UPDATE trade_events SET hash = zeroblob(32) WHERE sequence = 2", 2, CHANGED),
        ("DELETE FROM trade_events WHERE sequence = 2; DELETE FROM trades WHERE id = 2", 2, "it is missing"),
        ("DELETE FROM trade_events WHERE sequence = 1", 1, "it is missing"),
        (
            "INSERT INTO trades SELECT 4, 'new', agent_id, ticker, side, order_type, quantity, price, executed_price, order_status,
                 alpaca_order_id, source_politician, source_trade_date, trade_date, execution_date, created_at, last_updated, event
             FROM trades WHERE id = 3",
            4,
            "1 of 4 trades have no event",
        ),
        // Two that change places.
        (
            "UPDATE trade_events SET sequence = 9 WHERE sequence = 1; UPDATE trade_events SET sequence = 1 WHERE sequence = 2;
             UPDATE trade_events SET sequence = 2 WHERE sequence = 9",
            1,
            CHANGED,
        ),
    ] {
        let (folder, _) = with_trades();
        let triggers = "trades_are_kept trades_keep_their_intent trade_events_are_kept trade_events_are_not_changed";
        let drops: Vec<_> = triggers.split(' ').map(|trigger| format!("DROP TRIGGER {trigger};")).collect();
        tamper(
            &folder.path().join("record.db"),
            &format!("{} INSERT INTO agents VALUES ('b', 'B', 'x', 1, 0, 0); {sql}", drops.concat()),
        );
        // The head beside it is not what is tested here.
        fs::remove_file(head_path(&folder)).expect("is there");
        let db = Database::open(&options(&folder)).expect("opens");
        let error = db.verify(|_, _| ()).expect_err(sql);
        assert_eq!(error.to_string(), format!("the record is damaged at event {sequence}: {what}"), "{sql}");
        assert!(matches!(error, Error::ChainBroken { sequence: found, .. } if found == sequence));
        assert!(error.way_out().is_some());
    }
}

#[test]
fn a_row_that_refers_to_none_is_damage() {
    let (folder, _) = with_trades();
    tamper(&folder.path().join("record.db"), "PRAGMA foreign_keys = OFF; DELETE FROM agents");
    let db = Database::open(&options(&folder)).expect("opens");
    let error = db.verify(|_, _| ()).expect_err("is seen").to_string();
    assert!(error.ends_with("/record.db is damaged: a row refers to one that is not there"), "{error}");
}

#[test]
fn verify_tells_how_far_it_is_and_what_it_proved() {
    let (_folder, db) = database();
    let mut told = Vec::new();
    assert_eq!(db.verify(|done, total| told.push((done, total))).expect("is whole").events, 0);
    assert_eq!(told, [(0, 0)]);
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        (0..20_500).try_for_each(|number| tx.insert_trade(&order(&number.to_string())).map(drop))
    })
    .expect("is recorded");
    told.clear();
    let proven = db.verify(|done, total| told.push((done, total))).expect("is whole");
    assert_eq!(told, [(10_000, 20_500), (20_000, 20_500), (20_500, 20_500)]);
    assert_eq!((proven.events, proven.trades, proven.head), (20_500, 20_500, db.head()));
}

//! Importing once more: nothing is doubled, and nothing newer is overwritten.

use std::fs;

use trading_storage::{ImportCounts, ImportOptions, Order, OrderStatus, Performance, StatusUpdate};

use super::{AGENTS, Earlier, ROWS, TABLES, counts, decimal, faults, id, import, open, time, trades};
use crate::{database, day};

/// Lets the source go on: a trade is finished, one is new, prices move, a day passes.
const LATER: &str = "
    UPDATE trades SET order_status = 'filled', execution_date = '2024-01-08 14:30:01', alpaca_order_id = 'b-2' WHERE id = 2;
    INSERT INTO trades VALUES (8, 'nancy_pelosi', 'AAPL', '2024-01-08', NULL, 'buy', 1, 180.5, 'filled', 'b-8', NULL,
        NULL, '2024-01-08 14:30:00');
    UPDATE agent_positions SET current_price = 500, market_value = 105.15, last_updated = '2024-01-08 21:00:00' WHERE id = 1;
    UPDATE daily_performance SET total_value = 100001, created_at = '2024-01-05 22:00:00' WHERE id = 2;
    INSERT INTO daily_performance VALUES (3, 'nancy_pelosi', '2024-01-08', 100002, 0, 0, '2024-01-08 21:05:00');";

#[test]
fn a_second_import_adds_nothing_and_says_so() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, AGENTS, ROWS]);
    let first = import(&db, &earlier);
    let (before, head) = (trades(&db), db.head());
    let second = import(&db, &earlier);
    assert!(!second.has_changed());
    assert_eq!((second.agents, second.trades), (counts(2, 0, 2), counts(3, 0, 3)));
    assert_eq!((second.positions, second.performance_days), (counts(2, 0, 2), counts(2, 0, 2)));
    assert_eq!((second.agents_registered.len(), second.totals), (0, first.totals));
    assert_eq!((trades(&db), db.head()), (before, head), "not even an event");
}

#[test]
fn a_leap_second_is_imported_once() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, AGENTS, ROWS]);
    earlier.run(
        "UPDATE trades SET execution_date = '2016-12-31 23:59:60', created_at = '2016-12-31 23:59:60';
         UPDATE agent_positions SET last_updated = '2016-12-31 23:59:60';
         UPDATE daily_performance SET created_at = '2016-12-31 23:59:60';",
    );
    import(&db, &earlier);
    for _ in 0..2 {
        let report = import(&db, &earlier);
        assert!(!report.has_changed());
        assert_eq!((report.trades, report.positions), (counts(3, 0, 3), counts(2, 0, 2)));
    }
}

#[test]
fn a_source_that_grew_adds_what_is_new() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, AGENTS, ROWS]);
    import(&db, &earlier);
    earlier.run(LATER);
    let report = import(&db, &earlier);
    let one_updated = |counts: ImportCounts| ImportCounts { updated: 1, ..counts };
    assert_eq!(report.trades, one_updated(counts(4, 1, 2)));
    assert_eq!(report.positions, one_updated(counts(2, 0, 1)));
    assert_eq!(report.performance_days, one_updated(counts(3, 1, 1)));
    assert!(report.has_changed() && report.faults.is_empty());

    let finished = trades(&db).remove(1);
    assert_eq!(finished.order.status, OrderStatus::Filled);
    assert_eq!(finished.order.broker_order_id.as_deref(), Some("b-2"));
    assert_eq!(finished.order.executed_at, Some(time("2024-01-08T14:30:01Z")));
    assert_eq!(db.read(|r| r.history(finished.id)).expect("is read").len(), 2, "the change is an event");
    let (positions, days) =
        db.read(|r| Ok((r.positions(&id("nancy_pelosi"))?, r.performance(&id("nancy_pelosi"), 9)?))).expect("is read");
    assert_eq!((positions.len(), positions[0].current_price), (1, decimal("500")));
    let values: Vec<_> = days.iter().map(|day| day.total_value).collect();
    assert_eq!(values, ["100002", "100001", "100000"].map(decimal));
    db.verify(|_, _| {}).expect("the chain is whole");
    assert!(!import(&db, &earlier).has_changed(), "and then there is nothing new");
}

#[test]
fn what_is_newer_here_stays() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, ROWS]);
    import(&db, &earlier);
    let position = db.read(|r| r.positions(&id("nancy_pelosi"))).expect("is read").remove(0);
    let ours =
        trading_storage::Position { quantity: decimal("7"), updated_at: time("2026-11-20T21:00:00Z"), ..position };
    let performance = Performance {
        agent: id("nancy_pelosi"),
        date: day("2024-01-05"),
        total_value: decimal("5"),
        daily_return_percent: decimal("0"),
        total_return_percent: decimal("0"),
    };
    let open_trade = trades(&db).remove(1);
    let canceled = StatusUpdate::new(OrderStatus::Canceled);
    db.transaction(|tx| {
        tx.update_position(&ours)?;
        tx.record_performance(&performance)?;
        tx.update_trade_status(open_trade.id, &canceled)
    })
    .expect("is written");
    let before = trades(&db);

    earlier.run(LATER);
    let report = import(&db, &earlier);
    let one_kept = |counts: ImportCounts| ImportCounts { kept: 1, ..counts };
    assert_eq!(report.trades, one_kept(counts(4, 1, 2)));
    assert_eq!(report.positions, one_kept(counts(2, 0, 1)));
    assert_eq!(report.performance_days, one_kept(counts(3, 1, 1)));
    assert_eq!(faults(&report), Vec::<String>::new());
    assert_eq!(trades(&db)[..3], before);
    let (positions, days) =
        db.read(|r| Ok((r.positions(&id("nancy_pelosi"))?, r.performance(&id("nancy_pelosi"), 9)?))).expect("is read");
    assert_eq!((&positions[0], &days[1]), (&ours, &performance));
}

#[test]
fn an_open_trade_of_the_source_does_not_open_ours_again() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, ROWS]);
    import(&db, &earlier);
    let id = trades(&db)[1].id;
    db.transaction(|tx| tx.update_trade_status(id, &StatusUpdate::new(OrderStatus::Accepted))).expect("is written");
    let report = import(&db, &earlier);
    assert_eq!(report.trades, ImportCounts { kept: 1, ..counts(3, 0, 2) });
    assert_eq!(trades(&db)[1].order.status, OrderStatus::Accepted);
}

#[test]
fn what_the_source_learns_of_a_new_trade_is_taken() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, ROWS]);
    import(&db, &earlier);
    for (sql, status) in [
        ("UPDATE trades SET alpaca_order_id = 'b-2' WHERE id = 2", OrderStatus::New),
        ("UPDATE trades SET order_status = 'accepted' WHERE id = 2", OrderStatus::Accepted),
    ] {
        earlier.run(sql);
        assert_eq!(import(&db, &earlier).trades, ImportCounts { updated: 1, ..counts(3, 0, 2) });
        let order = trades(&db).remove(1).order;
        assert_eq!((order.status, order.broker_order_id.as_deref()), (status, Some("b-2")));
        assert!(!import(&db, &earlier).has_changed());
    }
}

#[test]
fn a_market_order_with_a_price_goes_on_whatever_becomes_of_it() {
    for status in ["accepted", "rejected", "filled", "partially_filled"] {
        let (_folder, db) = database();
        let earlier = Earlier::of(&[TABLES, ROWS]);
        earlier.run("UPDATE trades SET order_type = 'buy', price = 10.5, order_status = 'new' WHERE id = 2");
        import(&db, &earlier);
        earlier.run(&format!("UPDATE trades SET order_status = '{status}' WHERE id = 2"));
        let report = import(&db, &earlier);
        assert_eq!(report.trades, ImportCounts { updated: 1, ..counts(3, 0, 2) }, "{status}");
        assert_eq!(trades(&db)[1].order.status.as_str(), status);
    }
}

#[test]
fn what_only_the_record_knows_of_a_new_trade_stays() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, ROWS]);
    earlier.run("UPDATE trades SET order_type = 'market', price = NULL WHERE id = 2");
    import(&db, &earlier);
    let ours = StatusUpdate {
        broker_order_id: Some("b-2".to_owned()),
        executed_at: Some(time("2024-01-04T14:30:01Z")),
        ..StatusUpdate::new(OrderStatus::New)
    };
    let id = trades(&db)[1].id;
    db.transaction(|tx| tx.update_trade_status(id, &ours)).expect("is written");
    let report = import(&db, &earlier);
    assert_eq!(report.trades, ImportCounts { kept: 1, ..counts(3, 0, 2) });

    earlier.run("UPDATE trades SET order_status = 'filled' WHERE id = 2");
    assert_eq!(import(&db, &earlier).trades, ImportCounts { updated: 1, ..counts(3, 0, 2) });
    let order = trades(&db).remove(1).order;
    let filled = StatusUpdate { status: OrderStatus::Filled, ..ours };
    let Order { status, executed_price, broker_order_id, executed_at, .. } = order;
    assert_eq!(StatusUpdate { status, executed_price, broker_order_id, executed_at }, filled);
    assert!(!import(&db, &earlier).has_changed());
}

#[test]
fn rows_that_were_changed_past_their_result_are_reported() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, ROWS]);
    import(&db, &earlier);
    let before = trades(&db);
    earlier.run(
        "UPDATE trades SET quantity = 4, ticker = 'BRK.A' WHERE id = 2;
         UPDATE trades SET alpaca_order_id = 'b-9' WHERE id = 7;
         UPDATE agent_positions SET quantity = 9 WHERE id = 1;
         UPDATE daily_performance SET total_value = 9 WHERE id = 1;",
    );
    let report = import(&db, &earlier);
    let expected = [
        "trades 2 id: 2 was imported as trade 2 before, which differs: ticker BRK.B and not BRK.A, quantity 3 and not 4",
        "trades 7 alpaca_order_id: b-9 is of another order than trade 3, which has its number",
        "agent_positions 1 last_updated: 2024-01-05 21:00:00 is that of the recorded position too, which has other values",
        "daily_performance 1 created_at: 2024-01-04 21:05:00 is that of the recorded day too, which has other values",
    ];
    assert_eq!(faults(&report), expected);
    assert!(!report.has_changed());
    assert_eq!(trades(&db), before);
}

#[test]
fn a_source_is_known_wherever_it_stands() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, ROWS]);
    import(&db, &earlier);
    let copy = earlier.folder.path().join("copy.db");
    fs::copy(&earlier.path, &copy).expect("is copied");
    // Rewritten from the first page to the last, as a restored dump would be.
    open(&copy).execute_batch("DELETE FROM trades WHERE id = 1; VACUUM;").expect("is rewritten");
    let report = db.import(&ImportOptions::of(&copy), |_, _| {}).expect("is imported");
    assert_eq!((report.trades, report.has_changed()), (counts(2, 0, 2), false));
}

#[test]
fn two_sources_do_not_collide() {
    let (_folder, db) = database();
    import(&db, &Earlier::of(&[TABLES, ROWS]));
    let other = Earlier::of(&[TABLES, ROWS]);
    other.run("UPDATE trades SET created_at = datetime(created_at, '1 second'), quantity = 5");
    assert_eq!(import(&db, &other).trades, counts(3, 3, 0));
    assert_eq!(trades(&db).len(), 6);

    // Other trades of the same second: refused, until the source has a name.
    other.run("DELETE FROM trades WHERE id > 1; UPDATE trades SET created_at = '2024-01-03 14:30:00'");
    let report = import(&db, &other);
    let expected = "trades 1 id: 1 was imported as trade 1 before, which differs: quantity 0.2103 and not 5";
    assert_eq!(faults(&report), [expected]);
    let named = ImportOptions { name: "live".to_owned(), ..other.options() };
    assert_eq!(db.import(&named, |_, _| {}).expect("is imported").trades, counts(1, 1, 0));
    assert_eq!(db.import(&named, |_, _| {}).expect("is imported").trades, counts(1, 0, 1));
}

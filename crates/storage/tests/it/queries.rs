//! What the record answers: positions, performance, summaries, open orders, counts.

use trading_storage::{
    AgentId, Counts, Database, Error, Order, OrderStatus, Performance, Position, StatusUpdate, Ticker,
};

use crate::{agent, database, day, order};

/// Sixty trades of two agents in three stocks on four days, in all statuses.
pub(crate) fn with_trades() -> (tempfile::TempDir, Database) {
    let (folder, db) = database();
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.register_agent(&agent("b"))?;
        let orders: Vec<_> = (0..60).map(numbered).collect();
        tx.insert_trades(&orders)
    })
    .expect("is recorded");
    (folder, db)
}

fn numbered(number: usize) -> Order {
    let pick = |from: &[&'static str]| *from.iter().cycle().nth(number).expect("there are some");
    Order {
        agent: agent(pick(&["a", "b", "a", "a", "a"])).id,
        ticker: Ticker::new(pick(&["NVDA", "BRK.B", "A"])).expect("a ticker"),
        trade_date: day(pick(&["2026-11-17", "2026-11-20", "2026-11-18", "2026-11-19"])),
        status: OrderStatus::ALL.into_iter().cycle().nth(number).expect("there are some"),
        ..order(&format!("q-{number}"))
    }
}

fn position(agent: AgentId, ticker: &str, market_value: &str, profit: &str) -> Position {
    Position {
        agent,
        ticker: Ticker::new(ticker).expect("a ticker"),
        quantity: 1.into(),
        average_cost: 1.into(),
        current_price: 1.into(),
        market_value: market_value.parse().expect("a number"),
        unrealized_profit: profit.parse().expect("a number"),
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn performance(agent: AgentId, date: &str, value: i64) -> Performance {
    Performance {
        agent,
        date: day(date),
        total_value: value.into(),
        daily_return_percent: "-0.25".parse().expect("a number"),
        total_return_percent: "1.5".parse().expect("a number"),
    }
}

#[test]
fn summaries_are_of_all_agents_also_of_those_without_anything() {
    let (_folder, db) = database();
    let (rich, poor, idle) = (agent("b-rich"), agent("a-poor"), agent("c-idle"));
    db.transaction(|tx| {
        for agent in [&rich, &poor, &idle] {
            tx.register_agent(agent)?;
        }
        tx.update_position(&position(rich.id.clone(), "A", "100.5", "10.25"))?;
        tx.update_position(&position(rich.id.clone(), "B", "0.000001", "-20.000001"))?;
        tx.update_position(&position(rich.id.clone(), "C", "-50", "0"))?;
        tx.update_position(&position(poor.id.clone(), "A", "7", "-1"))?;
        for (date, value) in [("2026-11-19", 3), ("2026-11-20", 4), ("2026-11-18", 5)] {
            tx.record_performance(&performance(rich.id.clone(), date, value))?;
        }
        // Recorded last, though of an earlier day.
        for (id, date) in [("1", "2026-11-20"), ("2", "2026-11-18")] {
            tx.insert_trade(&Order { agent: rich.id.clone(), trade_date: day(date), ..order(id) })?;
        }
        Ok(())
    })
    .expect("is recorded");
    let summaries = db.read(|r| r.summaries()).expect("is read");
    let said: Vec<_> = summaries
        .iter()
        .map(|s| (&s.agent, s.positions, s.market_value.to_string(), s.unrealized_profit.to_string()))
        .collect();
    assert_eq!(
        said,
        [
            (&poor, 1, "7".to_owned(), "-1".to_owned()),
            (&rich, 3, "50.500001".to_owned(), "-9.750001".to_owned()),
            (&idle, 0, "0".to_owned(), "0".to_owned()),
        ]
    );
    let rest: Vec<_> = summaries.into_iter().map(|s| (s.performance, s.last_trade_date)).collect();
    let newest = performance(rich.id, "2026-11-20", 4);
    assert_eq!(rest, [(None, None), (Some(newest), Some(day("2026-11-18"))), (None, None)]);
}

#[test]
fn positions_are_by_value_and_performance_by_day_of_one_agent() {
    let (_folder, db) = database();
    let (a, b) = (agent("a").id, agent("b").id);
    let held = [("D", "-5"), ("B", "2"), ("A", "2"), ("C", "1000000")];
    let dates = ["2026-01-02", "2025-12-31", "2026-11-20", "2026-02-01"];
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.register_agent(&agent("b"))?;
        for id in [&a, &b] {
            for (ticker, value) in held {
                tx.update_position(&position(id.clone(), ticker, value, "0"))?;
            }
            for date in dates {
                tx.record_performance(&performance(id.clone(), date, 1))?;
            }
        }
        Ok(())
    })
    .expect("is recorded");
    let positions = db.read(|r| r.positions(&a)).expect("is read");
    let expected = [("C", "1000000"), ("A", "2"), ("B", "2"), ("D", "-5")];
    assert_eq!(positions, expected.map(|(ticker, value)| position(a.clone(), ticker, value, "0")));
    for (days, expected) in [(0, 0), (3, 3), (4, 4), (u32::MAX, 4)] {
        let found = db.read(|r| r.performance(&b, days)).expect("is read");
        let sorted = ["2026-11-20", "2026-02-01", "2026-01-02", "2025-12-31"];
        let expected: Vec<_> = sorted.iter().take(expected).map(|date| performance(b.clone(), date, 1)).collect();
        assert_eq!(found, expected);
    }
    let nobody = AgentId::new("nobody").expect("an id");
    let none = db.read(|r| Ok((r.positions(&nobody)?, r.performance(&nobody, 9)?))).expect("is read");
    assert_eq!(none, (Vec::new(), Vec::new()));
}

#[test]
fn open_orders_are_those_without_a_final_result_oldest_first() {
    let (_folder, db) = with_trades();
    let open = |db: &Database| {
        let open = db.read(|r| r.open_orders()).expect("is read");
        open.into_iter().map(|trade| trade.order.client_order_id.to_string()).collect::<Vec<_>>()
    };
    let finals = ["filled", "canceled", "expired", "replaced", "rejected"];
    let expected: Vec<_> = (0..60)
        .map(numbered)
        .filter(|order| !finals.contains(&order.status.as_str()))
        .map(|order| order.client_order_id.to_string())
        .collect();
    assert_eq!(open(&db), expected);
    let first = db.read(|r| r.open_orders()).expect("is read").remove(0).id;
    let filled = StatusUpdate::new(OrderStatus::Filled);
    db.transaction(|tx| tx.update_trade_status(first, &filled)).expect("is filled");
    assert_eq!(open(&db), expected[1..]);
}

#[test]
fn rows_are_counted() {
    let (_folder, db) = database();
    assert_eq!(db.read(|r| r.counts()).expect("is read"), Counts::default());
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.register_agent(&agent("b"))?;
        let id = tx.insert_trade(&order("1"))?;
        tx.insert_trade(&order("2"))?;
        tx.insert_trade(&order("3"))?;
        tx.update_trade_status(id, &StatusUpdate::new(OrderStatus::Filled))?;
        tx.update_position(&position(agent("a").id, "A", "1", "0"))?;
        tx.record_performances(&[
            performance(agent("a").id, "2026-11-20", 1),
            performance(agent("b").id, "2026-11-20", 1),
        ])
    })
    .expect("is recorded");
    let expected = Counts { agents: 2, trades: 3, events: 4, positions: 1, performance_days: 2 };
    assert_eq!(db.read(|r| r.counts()).expect("is read"), expected);
}

#[test]
fn agents_are_registered_once_and_changed_after_that() {
    let (_folder, db) = with_trades();
    let renamed = trading_storage::Agent { name: "Another".to_owned(), enabled: false, ..agent("a") };
    db.transaction(|tx| tx.register_agent(&renamed)).expect("is changed");
    assert_eq!(db.read(|r| r.agents()).expect("is read"), [renamed, agent("b")]);
}

#[test]
fn what_is_not_there_is_nothing_and_cannot_change() {
    let (_folder, db) = with_trades();
    let id = db.read(|r| r.open_orders()).expect("is read")[0].id;
    drop(db);
    let (_folder, empty) = database();
    let unknown = order("unknown").client_order_id;
    let none = empty.read(|r| Ok((r.trade(id)?, r.trade_by_client_order_id(&unknown)?, r.history(id)?)));
    assert_eq!(none.expect("is read"), (None, None, Vec::new()));
    let error = empty.transaction(|tx| tx.update_trade_status(id, &StatusUpdate::new(OrderStatus::Filled)));
    let error: Error = error.expect_err("is unknown");
    assert_eq!(error.to_string(), "there is no trade 1");
}

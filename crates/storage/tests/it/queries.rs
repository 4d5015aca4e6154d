//! What the record answers: pages of trades, positions, performance, summaries, open orders, counts.

use trading_storage::{
    AgentId, Counts, Cursor, Database, Error, Order, OrderStatus, Performance, Position, StatusUpdate, Ticker, Trade,
    TradeFilter,
};

use crate::{agent, chain::tamper, database, day, options, order};

/// Sixty trades of two agents in three stocks on four days, in all statuses.
fn with_trades() -> (tempfile::TempDir, Database) {
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

/// Every page of a filter from the newest on; `between` is called after each.
fn walk(db: &Database, filter: &TradeFilter, limit: u32, mut between: impl FnMut()) -> Vec<Trade> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = db.read(|r| r.trades(filter, from, limit)).expect("is read");
        assert!(page.trades.len() <= limit as usize);
        assert!(page.next.is_none() || page.trades.len() == limit as usize, "only the last page is short");
        assert!(from.is_none() || !page.trades.is_empty(), "no page is promised where there is none");
        found.extend(page.trades);
        let Some(next) = page.next else { return found };
        // By way of its text, as through a link.
        from = Some(next.to_string().parse::<Cursor>().expect("comes back"));
        assert_eq!(from, Some(next));
        between();
    }
}

/// What a filter takes.
type Takes = Box<dyn Fn(&Trade) -> bool>;

fn filters(all: &[Trade]) -> Vec<(TradeFilter, Takes)> {
    let mut filters: Vec<(TradeFilter, Takes)> = vec![(TradeFilter::All, Box::new(|_| true))];
    for id in ["a", "b", "nobody"] {
        let id = AgentId::new(id).expect("an id");
        filters.push((TradeFilter::Agent(id.clone()), Box::new(move |trade| trade.order.agent == id)));
    }
    for ticker in ["NVDA", "BRK.B", "A", "NONE"] {
        let ticker = Ticker::new(ticker).expect("a ticker");
        filters.push((TradeFilter::Ticker(ticker.clone()), Box::new(move |trade| trade.order.ticker == ticker)));
    }
    for date in ["2026-11-17", "2026-11-20", "1999-01-01"] {
        let date = day(date);
        filters.push((TradeFilter::Day(date), Box::new(move |trade| trade.order.trade_date == date)));
    }
    for status in OrderStatus::ALL {
        filters.push((TradeFilter::Status(status), Box::new(move |trade| trade.order.status == status)));
    }
    for (start, end) in [(49, 10), (59, 0), (20, 20)] {
        let time = |index: usize| all.get(index).expect("there are sixty").created_at;
        let range = time(start)..time(end);
        filters.push((TradeFilter::Recorded(range.clone()), Box::new(move |trade| range.contains(&trade.created_at))));
    }
    filters
}

#[test]
fn every_filter_gives_its_trades_newest_first_page_by_page() {
    let (_folder, db) = with_trades();
    let all = walk(&db, &TradeFilter::All, 1_000, || ());
    let ids: Vec<_> = all.iter().map(|trade| trade.id.get()).collect();
    assert_eq!(ids, (1..=60).rev().collect::<Vec<_>>());
    for (filter, takes) in filters(&all) {
        let expected: Vec<_> = all.iter().filter(|trade| takes(trade)).cloned().collect();
        for limit in [1, 3, 7, 60, u32::MAX] {
            assert_eq!(walk(&db, &filter, limit, || ()), expected, "{filter:?} by {limit}");
        }
    }
    let none = db.read(|r| r.trades(&TradeFilter::All, None, 0)).expect("is read");
    assert_eq!((none.trades.len(), none.next), (0, None));
}

#[test]
fn trades_of_one_moment_and_of_a_clock_that_went_back_are_met_once_each() {
    let (folder, db) = with_trades();
    drop(db);
    tamper(
        &folder.path().join("record.db"),
        "DROP TRIGGER trades_keep_their_intent; UPDATE trades SET created_at = (id * 7 % 5) * 1000",
    );
    let db = Database::open(&options(&folder)).expect("opens");
    let mut expected = walk(&db, &TradeFilter::All, 100, || ());
    expected.sort_by_key(|trade| std::cmp::Reverse((trade.created_at, trade.id)));
    let (start, end) =
        (chrono::DateTime::UNIX_EPOCH, chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::milliseconds(4));
    expected.retain(|trade| trade.created_at < end);
    assert_eq!(expected.len(), 48);
    for limit in [1, 2, 5, 100] {
        assert_eq!(walk(&db, &TradeFilter::Recorded(start..end), limit, || ()), expected, "by {limit}");
    }
}

#[test]
fn a_walk_meets_each_trade_once_while_others_are_recorded() {
    for filter in [
        TradeFilter::All,
        TradeFilter::Agent(agent("a").id),
        TradeFilter::Ticker(Ticker::new("NVDA").expect("a ticker")),
        TradeFilter::Day(day("2026-11-17")),
        TradeFilter::Status(OrderStatus::New),
        TradeFilter::Status(OrderStatus::Filled),
        TradeFilter::Recorded(chrono::DateTime::UNIX_EPOCH..chrono::DateTime::<chrono::Utc>::MAX_UTC),
    ] {
        let (_folder, db) = with_trades();
        let before = walk(&db, &filter, u32::MAX, || ());
        let mut number = 1_000;
        let met = walk(&db, &filter, 2, || {
            // One that the filter takes too.
            number += 1;
            let client_order_id = order(&number.to_string()).client_order_id;
            let later = Order { client_order_id, ..before[0].order.clone() };
            db.transaction(|tx| tx.insert_trade(&later)).expect("is recorded");
        });
        assert_eq!(met, before, "{filter:?}");
        assert!(walk(&db, &filter, u32::MAX, || ()).len() > met.len(), "the others are there");
    }
}

#[test]
fn texts_that_are_no_cursor_are_refused() {
    for text in ["", "-", "1", "1-", "-1", "a-1", "1-a", "1 -1", "1-1-x", "9223372036854775808-1", "1-1;"] {
        let error = text.parse::<Cursor>().expect_err("is none").to_string();
        assert_eq!(error, format!("{text:?} is not a cursor that a page gave"));
    }
    // Of a time before 1970.
    assert_eq!("-5-3".parse::<Cursor>().expect("is one").to_string(), "-5-3");
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

//! Pages of trades: each filter, newest first, and nothing twice or left out, whatever happens in between.

use trading_storage::{AgentId, Cursor, Database, Order, OrderStatus, Ticker, Trade, TradeFilter};

use crate::{agent, day, options, order, queries::with_trades, tamper};

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
fn a_bound_between_two_microseconds_takes_what_is_on_its_side() {
    let (_folder, db) = with_trades();
    let trade = walk(&db, &TradeFilter::All, 1, || ()).remove(29);
    let (time, nanosecond) = (trade.created_at, chrono::TimeDelta::nanoseconds(1));
    let found = |range| walk(&db, &TradeFilter::Recorded(range), 100, || ()).contains(&trade);
    assert!(found(time - nanosecond..time + nanosecond));
    assert!(!found(time - nanosecond..time) && !found(time + nanosecond..time + nanosecond * 2));
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

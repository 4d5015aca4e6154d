//! Many trades in one call, where the indexes are made anew.

use trading_storage::{AgentId, Database, Error, Order, TradeFilter, sqlite};

use crate::{agent, database, order};

/// From so many on.
const MANY: usize = 10_000;

fn orders(count: usize) -> Vec<Order> {
    (1..=count).map(|number| order(&format!("bulk-{number}"))).collect()
}

fn with_agent() -> (tempfile::TempDir, Database) {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    (folder, db)
}

/// The indexes that there are, with the pages of each: one that was dropped and made has other pages.
fn indexes(db: &Database) -> Vec<(String, i64)> {
    let sql = "SELECT name, rootpage FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
    db.read(|r| {
        let mut statement = sqlite::connection(r).prepare(sql).map_err(Error::aborted)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(Error::aborted)?;
        rows.collect::<Result<_, _>>().map_err(Error::aborted)
    })
    .expect("is read")
}

fn names(db: &Database) -> Vec<String> {
    indexes(db).into_iter().map(|(name, _)| name).collect()
}

#[track_caller]
fn check_whole(db: &Database, trades: u64) {
    assert_eq!(db.verify(|_, _| {}).expect("is whole").trades, trades);
    let of_agent = TradeFilter::Agent(AgentId::new("a").expect("an id"));
    let page = db.read(|r| r.trades(&of_agent, None, 2)).expect("is read");
    assert_eq!(page.trades.len() as u64, trades.min(2), "by an index");
}

#[test]
fn a_large_part_of_the_whole_is_recorded_as_trades_one_by_one_are() {
    let (_folder, db) = with_agent();
    let (orders, before) = (orders(MANY), indexes(&db));
    let ids = db.transaction(|tx| tx.insert_trades(&orders)).expect("is recorded");
    assert!(ids.iter().map(|id| id.get()).eq(1..=10_000));
    assert_ne!(indexes(&db), before, "the indexes were made anew");
    check_whole(&db, 10_000);
    let again = db.transaction(|tx| tx.insert_trades(&orders)).expect("is the same");
    assert_eq!(again, ids);
    check_whole(&db, 10_000);
}

#[test]
fn an_order_that_is_there_already_is_found_in_a_large_part_too() {
    let (_folder, db) = with_agent();
    let recorded = db.transaction(|tx| tx.insert_trade(&order("bulk-7"))).expect("is recorded");
    let mut orders = orders(MANY);
    orders.push(order("bulk-9"));
    let (before, ids) = (names(&db), db.transaction(|tx| tx.insert_trades(&orders)).expect("is recorded"));
    assert_eq!(ids[6], recorded, "of before");
    assert_eq!(ids[MANY], ids[8], "of the same part");
    assert_eq!(names(&db), before);
    check_whole(&db, 10_000);
}

#[test]
fn a_large_part_with_two_orders_under_an_id_is_refused_whole() {
    let (_folder, db) = with_agent();
    let mut orders = orders(MANY);
    orders.push(Order { quantity: 77.into(), ..order("bulk-9") });
    let before = names(&db);
    let error = db.transaction(|tx| tx.insert_trades(&orders)).expect_err("is another order");
    let Error::OrderConflict { recorded, given, .. } = error else { panic!("{error}") };
    assert_eq!((recorded.quantity, given.quantity), (orders[8].quantity, 77.into()));
    assert_eq!(names(&db), before);
    check_whole(&db, 0);
}

#[test]
fn a_small_part_leaves_the_indexes_alone() {
    let (_folder, db) = with_agent();
    let (few, before) = (orders(MANY - 1), indexes(&db));
    db.transaction(|tx| tx.insert_trades(&few)).expect("is recorded");
    assert_eq!(indexes(&db), before, "too few");
    let more = orders(MANY + 1);
    db.transaction(|tx| tx.insert_trades(&more)).expect("is recorded");
    let made = indexes(&db);
    assert_ne!(made, before, "more than there were");
    let others: Vec<_> = (0..MANY).map(|number| order(&format!("other-{number}"))).collect();
    db.transaction(|tx| tx.insert_trades(&others)).expect("is recorded");
    assert_eq!(indexes(&db), made, "fewer than there were");
    check_whole(&db, 20_001);
}

#[test]
fn a_part_that_fails_leaves_nothing_of_it_and_every_index() {
    let (_folder, db) = with_agent();
    let (mut orders, before) = (orders(MANY), names(&db));
    orders[MANY - 1].agent = AgentId::new("nobody").expect("an id");
    db.transaction(|tx| {
        let error = tx.insert_trades(&orders).expect_err("is nobody's");
        assert!(matches!(error, Error::UnknownAgent { .. }), "{error}");
        tx.insert_trade(&order("1")).map(drop)
    })
    .expect("is recorded");
    assert_eq!(names(&db), before);
    check_whole(&db, 1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let panics = orders.iter().inspect(|order| assert_eq!(order.agent.as_str(), "a"));
        db.transaction(|tx| tx.insert_trades(panics).map(drop))
    }));
    assert!(panicked.is_err());
    assert_eq!(names(&db), before);
    check_whole(&db, 1);
}

#[test]
fn indexes_that_are_in_use_stay() {
    let (_folder, db) = with_agent();
    let (orders, before) = (orders(MANY), indexes(&db));
    db.transaction(|tx| {
        let mut statement = sqlite::connection(tx).prepare("SELECT id FROM agents").map_err(Error::aborted)?;
        let mut rows = statement.query([]).map_err(Error::aborted)?;
        assert!(rows.next().map_err(Error::aborted)?.is_some());
        tx.insert_trades(&orders).map(drop)
    })
    .expect("is recorded");
    assert_eq!(indexes(&db), before);
    check_whole(&db, 10_000);
}

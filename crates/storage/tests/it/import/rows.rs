//! What is read from a cell, and what is reported instead.

use trading_storage::{Agent, ImportCounts, ImportOptions};

use super::{Earlier, TABLES, counts, decimal, faults, id, import, time, trades};
use crate::{agent, database};

/// Trades with one cell each that is not as it should be.
const BAD_TRADES: &str = "
    INSERT INTO trades VALUES
        (1, 'Nancy Pelosi', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (2, 'a', 'NVDA Corp', '2024-01-03', NULL, 'buy', 1, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (3, 'a', 'NVDA', '03.01.2024', NULL, 'buy', 1, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (4, 'a', 'NVDA', '2024-01-03', 1704292200, 'buy', 1, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (5, 'a', 'NVDA', '2024-01-03', NULL, 'short', 1, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (6, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 5e-10, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (7, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 0, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (8, 'a', 'NVDA', '2024-01-03', NULL, 'buy', -1.5, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (9, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 'ten', 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (10, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 9e999, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (11, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1e200, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (12, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 0, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (13, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1, 'lost', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (14, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1, 'filled', x'00ff', NULL, NULL, '2024-01-03 14:30:00'),
        (15, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1, 'filled', NULL, CAST(x'ff' AS TEXT), NULL, '2024-01-03'),
        (16, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1, 'filled', NULL, NULL, 'soon', '2024-01-03 14:30:00'),
        (17, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1, 'filled', NULL, NULL, NULL, 'then'),
        (18, '', '', '', '', '', '', '', '', '', '', '', ''),
        (19, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1e10, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00'),
        (20, 'a', 'NVDA', '2024-01-03', NULL, 'buy', 1, 1, 'filled', NULL, NULL, NULL, '2024-01-03 14:30:00');";

#[test]
fn each_cell_that_cannot_be_read_is_reported_and_the_others_are_brought_over() {
    let (_folder, db) = database();
    let report = import(&db, &Earlier::of(&[TABLES, BAD_TRADES]));
    let name = "is not an agent id (1 to 64 of a-z, 0-9, _ and -)";
    let ticker = "is not a ticker (1 to 16 of A-Z, 0-9, . and -, beginning with a letter)";
    let number = "is not a number of at most 28 digits";
    let expected = [
        format!("trades 1 agent_id: Nancy Pelosi \"Nancy Pelosi\" {name}"),
        format!("trades 2 ticker: NVDA Corp \"NVDA CORP\" {ticker}"),
        "trades 3 trade_date: 03.01.2024 is not a day (YYYY-MM-DD)".to_owned(),
        "trades 4 execution_date: 1704292200 is not a time (YYYY-MM-DD HH:MM:SS.ffffff)".to_owned(),
        "trades 5 order_type: short is neither a side nor an order type".to_owned(),
        "trades 6 quantity: 0.0000000005 is not above 0".to_owned(),
        "trades 7 quantity: 0 is not above 0".to_owned(),
        "trades 8 quantity: -1.5 is not above 0".to_owned(),
        format!("trades 9 quantity: ten {number}"),
        format!("trades 10 quantity: inf {number}"),
        format!("trades 11 price: 1{} {number}", "0".repeat(99)),
        "trades 12 price: 0 is not above 0".to_owned(),
        "trades 13 order_status: lost is not a known order status".to_owned(),
        "trades 14 alpaca_order_id: 2 bytes is not a text".to_owned(),
        "trades 15 source_politician: \u{fffd} is not a text: invalid utf-8 sequence of 1 bytes from index 0"
            .to_owned(),
        "trades 16 source_trade_date: soon is not a day (YYYY-MM-DD)".to_owned(),
        "trades 17 created_at: then is not a time (YYYY-MM-DD HH:MM:SS.ffffff)".to_owned(),
        format!("trades 18 agent_id:  \"\" {name}"),
        format!("trades 18 ticker:  \"\" {ticker}"),
        "trades 18 trade_date:  is not a day (YYYY-MM-DD)".to_owned(),
        "trades 18 order_type:  is neither a side nor an order type".to_owned(),
        format!("trades 18 quantity:  {number}"),
        "trades 18 order_status:  is not a known order status".to_owned(),
        "trades 19 quantity: 10000000000 does not fit: it takes 9 decimals at the most, and less than 9223372036"
            .to_owned(),
    ];
    assert_eq!(faults(&report), expected);
    assert_eq!(report.trades, ImportCounts { refused: 19, ..counts(20, 1, 0) });
    assert_eq!((report.totals.trades, report.totals.quantity), (1, decimal("1")));
    assert_eq!(trades(&db).len(), 1);
}

#[test]
fn positions_and_days_that_cannot_be_read_are_reported() {
    let (_folder, db) = database();
    let report = import(
        &db,
        &Earlier::of(&[
            TABLES,
            "INSERT INTO agent_positions VALUES
                (1, 'a', 'A', 1e10, 1, 1, 1, 1, '2024-01-05'), (2, 'a', 'B', 1, -1, 1, 1, 1, '2024-01-05'),
                (3, 'a', 'C', 1, 1, -1, 1, 1, '2024-01-05'), (4, 'a', 'D', 1, 1, NULL, 1, 1, '2024-01-05'),
                (5, 'a', 'E', 1, 1, 1, 'much', 1, '2024-01-05'), (6, 'a', 'F', 1, 1, 1, 1, 1, NULL),
                (7, 'a', 'G', 1, 1, 1, 1e13, 1, '2024-01-05'), (8, 'a', 'h', 1, 1, 1, 1, 1, '2024-01-05'),
                (9, 'a', 'H', 2, 2, 2, 2, 2, '2024-01-06');
             INSERT INTO daily_performance VALUES
                (1, 'a', 'today', 1, 1, 1, NULL), (2, 'a', '2024-01-05', NULL, 1, 1, NULL),
                (3, 'a', '2024-01-06', 1, 1, 1, NULL), (4, 'a', '2024-01-06 00:00:00', 2, 2, 2, NULL);",
        ]),
    );
    let expected = [
        "agent_positions 1 quantity: 10000000000 does not fit: it takes 9 decimals at the most, and less than \
         9223372036",
        "agent_positions 2 avg_cost: -1 is below 0",
        "agent_positions 3 current_price: -1 is below 0",
        "agent_positions 4 current_price: NULL is missing",
        "agent_positions 5 market_value: much is not a number of at most 28 digits",
        "agent_positions 6 last_updated: NULL is missing",
        "agent_positions 7 market_value: 10000000000000 does not fit: it takes 6 decimals at the most, and less than \
         9223372036854",
        "agent_positions 9 ticker: H is that of another row of this agent too",
        "daily_performance 1 date: today is not a day (YYYY-MM-DD)",
        "daily_performance 2 total_value: NULL is missing",
        "daily_performance 4 date: 2024-01-06 00:00:00 is that of another row of this agent too",
    ];
    assert_eq!(faults(&report), expected);
    assert_eq!(report.positions, ImportCounts { refused: 8, ..counts(9, 1, 0) });
    assert_eq!(report.performance_days, ImportCounts { refused: 3, ..counts(4, 1, 0) });
}

#[test]
fn derived_values_are_rounded_half_to_even_and_counted() {
    let (_folder, db) = database();
    let report = import(
        &db,
        &Earlier::of(&[
            TABLES,
            "INSERT INTO agent_positions VALUES
                (1, 'a', 'A', 1, 0.0000005, 1, 0.0000015, -0.0000025, '2024-01-05'),
                (2, 'a', 'B', 1, 1.5, 1, 0.3, 1e-30, '2024-01-05'),
                (3, 'a', 'C', 1, 2 / 3.0, 'x', 1, 1, '2024-01-05');",
        ]),
    );
    let positions = db.read(|r| r.positions(&id("a"))).expect("is read");
    let values: Vec<_> = positions.iter().map(|p| (p.average_cost, p.market_value, p.unrealized_profit)).collect();
    let expected = [("1.5", "0.3", "0"), ("0", "0.000002", "-0.000002")];
    assert_eq!(values, expected.map(|(cost, value, profit)| (decimal(cost), decimal(value), decimal(profit))));
    assert_eq!((report.values_rounded, report.faults.len()), (4, 1), "what is refused was not rounded");
}

#[test]
fn what_a_division_or_a_sum_left_is_rounded_and_not_refused() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[
        TABLES,
        "INSERT INTO trades VALUES
            (1, 'a', 'A', '2024-01-03', NULL, 'buy', 100 / 82.28, 0.1 + 0.2, 'filled', NULL, NULL, NULL, '2024-01-03'),
            (2, 'a', 'A', '2024-01-03', NULL, 'limit', 1.123456789, 82.123456, 'filled', NULL, NULL, NULL, '2024-01-03');
         INSERT INTO agent_positions VALUES (1, 'a', 'A', 0.1 + 0.2, 1, 1.0000005, 1, 1, '2024-01-05');",
    ]);
    let report = import(&db, &earlier);
    assert_eq!((report.values_rounded, report.faults.len()), (4, 0));
    let [first, second] = &trades(&db)[..] else { panic!("there are two") };
    assert_eq!((first.order.quantity, first.order.executed_price), (decimal("1.215362178"), Some(decimal("0.3"))));
    assert_eq!((second.order.quantity, second.order.price), (decimal("1.123456789"), Some(decimal("82.123456"))));
    let position = db.read(|r| r.positions(&id("a"))).expect("is read").remove(0);
    assert_eq!((position.quantity, position.current_price), (decimal("0.3"), decimal("1")));
    assert!(!import(&db, &earlier).has_changed());
}

#[test]
fn times_are_of_the_zone_that_is_given() {
    let earlier = Earlier::of(&[
        TABLES,
        "INSERT INTO trades VALUES
            (1, 'a', 'A', '2024-11-03', '2024-11-03 01:30:00', 'buy', 1, 1, 'filled', NULL, NULL, NULL, '2024-11-02'),
            (2, 'a', 'A', '2024-03-10', '2024-03-10 02:30:00', 'buy', 1, 1, 'filled', NULL, NULL, NULL, NULL),
            (3, 'a', 'A', '2024-03-10', '2024-03-10 02:30:00Z', 'buy', 1, 1, 'filled', NULL, NULL, NULL, NULL);",
    ]);
    let (_folder, db) = database();
    let options = ImportOptions { zone: "US/Eastern".parse().expect("a zone"), ..earlier.options() };
    let report = db.import(&options, |_, _| {}).expect("is imported");
    assert_eq!(
        faults(&report),
        ["trades 2 execution_date: 2024-03-10 02:30:00 is a time that US/Eastern did not have"]
    );
    assert_eq!(report.times_ambiguous, 1);
    let executed: Vec<_> = trades(&db).into_iter().filter_map(|trade| trade.order.executed_at).collect();
    assert_eq!(executed, ["2024-11-03T05:30:00Z", "2024-03-10T02:30:00Z"].map(time));
    assert_eq!(trades(&db)[0].created_at, time("2024-11-02T04:00:00Z"));
    assert!(trades(&db)[1].created_at > time("2026-01-01T00:00:00Z"), "now, where the source does not say");
}

#[test]
fn agents_are_registered_once_and_the_record_knows_better() {
    let earlier = Earlier::of(&[
        TABLES,
        "CREATE TABLE agents (id TEXT, name TEXT, type TEXT, enabled BOOLEAN);
         INSERT INTO agents VALUES
            ('a', 'Another name', 'committee', 0), ('b', 'B', 'individual', 1), ('c', NULL, '', NULL),
            ('D', 'D', 'individual', 1), ('e', 'E', 'individual', 'maybe');
         INSERT INTO daily_performance VALUES
            (1, 'a', '2024-01-05', 1, 1, 1, NULL), (2, 'e', '2024-01-05', 1, 1, 1, NULL), (3, 'f', '2024-01-05', 'x', 1, 1, NULL);",
    ]);
    let (_folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    let report = import(&db, &earlier);
    let expected = [
        "agents D id: D \"D\" is not an agent id (1 to 64 of a-z, 0-9, _ and -)",
        "agents e enabled: maybe is neither 0 nor 1",
        "daily_performance 3 total_value: x is not a number of at most 28 digits",
    ];
    assert_eq!(faults(&report), expected);
    assert_eq!(report.agents, ImportCounts { kept: 1, refused: 2, ..counts(5, 2, 0) });
    assert_eq!(report.agents_registered, ["b", "c", "e"].map(id));
    let unknown =
        |name: &str| Agent { id: id(name), name: name.to_owned(), kind: "imported".to_owned(), enabled: false };
    assert_eq!(db.read(|r| r.agents()).expect("is read"), [agent("a"), agent("b"), unknown("c"), unknown("e")]);
}

#[test]
fn tables_and_columns_without_a_place_are_named() {
    let (_folder, db) = database();
    let report = import(
        &db,
        &Earlier::of(&[
            TABLES,
            super::AGENTS,
            super::ROWS,
            "CREATE TABLE notes (text); ALTER TABLE trades ADD COLUMN Fees DECIMAL(10,2); CREATE TABLE \"a b\" (c);",
        ]),
    );
    assert_eq!(report.tables_left, ["a b", "notes"]);
    let agents = ["description", "politicians", "parameters", "created_at", "last_updated"];
    let expected = agents.map(|column| format!("agents.{column}")).into_iter().chain(["trades.Fees".to_owned()]);
    assert_eq!(report.columns_left, expected.collect::<Vec<_>>());
    assert_eq!(report.trades, counts(3, 3, 0));
}

#[test]
fn tables_of_early_versions_are_read() {
    let (_folder, db) = database();
    let report = import(
        &db,
        &Earlier::of(&["
            CREATE TABLE Trades (ID, agent_id, ticker, trade_date, order_type, quantity, order_status);
            INSERT INTO Trades VALUES
                (1, 'a', ' nvda ', '2024-01-03', 'BUY', '1.50', 'FILLED'), (1, 'a', 'X', '2024-01-03', 'BUY', 2, 'FILLED'),
                ('one', 'a', 'X', '2024-01-03', 'BUY', 2, 'FILLED'), (NULL, 'a', 'X', '2024-01-03', 'BUY', 2, 'FILLED');
            CREATE TABLE agent_positions (id, agent_id, ticker, quantity, avg_cost, current_price, market_value,
                unrealized_pnl, last_updated);
            CREATE TABLE daily_performance (id, agent_id, date, total_value, daily_return_pct, total_return_pct);
            INSERT INTO daily_performance VALUES (NULL, 'a', '2024-01-03', '1e5', '-0.50', 0);"]),
    );
    let expected = [
        "trades NULL id: NULL is missing",
        "trades 1 id: 1 is that of another row, created at the same time",
        "trades one id: one is not a whole number",
    ];
    assert_eq!(faults(&report), expected);
    let order = trades(&db).remove(0).order;
    assert_eq!((order.ticker.as_str(), order.quantity), ("NVDA", decimal("1.5")));
    assert_eq!(db.read(|r| r.performance(&id("a"), 1)).expect("is read")[0].total_value, decimal("100000"));
}

#[test]
fn faults_are_listed_to_the_limit_and_then_counted() {
    let earlier = Earlier::of(&[TABLES, BAD_TRADES]);
    for (faults_max, listed, unlisted) in [(0, 0, 24), (23, 23, 1), (24, 24, 0), (25, 24, 0)] {
        let (_folder, db) = database();
        let report = db.import(&ImportOptions { faults_max, ..earlier.options() }, |_, _| {}).expect("is imported");
        assert_eq!((report.faults.len(), report.faults_unlisted, report.trades.refused), (listed, unlisted, 19));
    }
    assert_eq!(earlier.options().faults_max, 10_000);
}

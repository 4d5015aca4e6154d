//! Bringing a database of the earlier Python system over.

mod again;
mod refusal;
mod rows;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use rust_decimal::Decimal;
use tempfile::TempDir;
use trading_storage::{
    AgentId, Database, ImportCounts, ImportFault, ImportOptions, ImportReport, Order, OrderStatus, OrderType,
    Performance, Position, Side, Ticker, Trade, TradeFilter,
};

use crate::{database, day};

/// The tables as the earlier system declared them, without those of its late versions.
const TABLES: &str = "
    CREATE TABLE trades (
        id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL, ticker TEXT NOT NULL, trade_date DATE NOT NULL,
        execution_date TIMESTAMP, order_type TEXT NOT NULL, quantity DECIMAL(10,4) NOT NULL, price DECIMAL(10,2),
        order_status TEXT NOT NULL, alpaca_order_id TEXT, source_politician TEXT, source_trade_date DATE,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE agent_positions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL, ticker TEXT NOT NULL,
        quantity DECIMAL(10,4) NOT NULL, avg_cost DECIMAL(10,2), current_price DECIMAL(10,2),
        market_value DECIMAL(12,2), unrealized_pnl DECIMAL(12,2), last_updated TIMESTAMP,
        UNIQUE (agent_id, ticker));
    CREATE TABLE daily_performance (
        id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL, date DATE NOT NULL, total_value DECIMAL(12,2),
        daily_return_pct DECIMAL(8,4), total_return_pct DECIMAL(8,4), created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        UNIQUE (agent_id, date));";

const AGENTS: &str = "
    CREATE TABLE agents (
        id TEXT PRIMARY KEY, name TEXT, type TEXT, description TEXT, politicians TEXT, enabled BOOLEAN DEFAULT 1,
        parameters TEXT, created_at TIMESTAMP, last_updated TIMESTAMP);
    INSERT INTO agents VALUES
        ('nancy_pelosi', 'Nancy Pelosi Agent', 'individual', 'Follows', '[]', 1, '{}', '2024-01-01', '2024-01-01'),
        ('idle', 'Idle Agent', 'committee', NULL, '[]', 0, '{}', '2024-01-01', '2024-01-01');";

/// Three trades, two positions, two days, of two agents.
const ROWS: &str = "
    INSERT INTO trades VALUES
        (1, 'nancy_pelosi', 'NVDA', '2024-01-03', '2024-01-03 14:30:05.123456', 'market', 0.2103, 475.6, 'filled',
         'b-1', 'Nancy Pelosi', '2023-12-20', '2024-01-03 14:30:00'),
        (2, 'josh_gottheimer', 'BRK.B', '2024-01-04', NULL, 'limit', 3, 100.1, 'pending', NULL, NULL, NULL,
         '2024-01-04 14:30:00.5'),
        (7, 'nancy_pelosi', 'NVDA', '2024-01-05', '2024-01-05 14:30:00', 'sell', 0.1, NULL, 'cancelled', 'b-7', '', NULL,
         '2024-01-05 14:30:00');
    INSERT INTO agent_positions VALUES
        (1, 'nancy_pelosi', 'NVDA', 0.2103, 475.6, 480.25, 100.996575, 0.977475000001, '2024-01-05 21:00:00'),
        (2, 'josh_gottheimer', 'BRK.B', -3, 100.1, 0, 0, -12.5, '2024-01-05 21:00:00');
    INSERT INTO daily_performance VALUES
        (1, 'nancy_pelosi', '2024-01-04', 100000, 0, 0, '2024-01-04 21:05:00'),
        (2, 'nancy_pelosi', '2024-01-05', 100000.9774750002, 0.00097747500001, -1.5, '2024-01-05 21:05:00');";

/// A database of the earlier system in a folder of its own.
struct Earlier {
    folder: TempDir,
    path: PathBuf,
}

impl Earlier {
    fn of(sql: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("trading_automation.db");
        let earlier = Self { folder, path };
        sql.iter().for_each(|sql| earlier.run(sql));
        earlier
    }

    /// The earlier system at work, until it ends.
    fn run(&self, sql: &str) {
        open(&self.path).execute_batch(sql).expect("is run");
    }

    fn options(&self) -> ImportOptions {
        ImportOptions::of(&self.path)
    }
}

#[expect(clippy::disallowed_methods, reason = "plays the earlier system")]
fn open(path: &Path) -> Connection {
    Connection::open(path).expect("opens")
}

fn import(db: &Database, earlier: &Earlier) -> ImportReport {
    db.import(&earlier.options(), |_, _| {}).expect("is imported")
}

fn trades(db: &Database) -> Vec<Trade> {
    let mut page = db.read(|r| r.trades(&TradeFilter::All, None, u32::MAX)).expect("is read");
    page.trades.reverse();
    page.trades
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn id(agent: &str) -> AgentId {
    AgentId::new(agent).expect("an id")
}

fn counts(read: u64, added: u64, unchanged: u64) -> ImportCounts {
    ImportCounts { read, added, unchanged, ..ImportCounts::default() }
}

fn faults(report: &ImportReport) -> Vec<String> {
    let line = |fault: &ImportFault| {
        let ImportFault { table, row, column, found, reason, .. } = fault;
        format!("{table} {row} {column}: {found} {reason}")
    };
    report.faults.iter().map(line).collect()
}

#[test]
fn everything_is_brought_over() {
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, AGENTS, ROWS]);
    let report = import(&db, &earlier);

    let trades = trades(&db);
    let orders: Vec<&Order> = trades.iter().map(|trade| &trade.order).collect();
    let ticker = |text: &str| Ticker::new(text).expect("a ticker");
    let order = |number: usize, agent, side, quantity, of, date| {
        Order::market(orders[number].client_order_id.clone(), id(agent), side, decimal(quantity), ticker(of), day(date))
    };
    let first = Order {
        executed_price: Some(decimal("475.6")),
        status: OrderStatus::Filled,
        broker_order_id: Some("b-1".to_owned()),
        politician: Some("Nancy Pelosi".to_owned()),
        source_trade_date: Some(day("2023-12-20")),
        executed_at: Some(time("2024-01-03T14:30:05.123456Z")),
        ..order(0, "nancy_pelosi", Side::Buy, "0.2103", "NVDA", "2024-01-03")
    };
    let second = Order {
        order_type: OrderType::Limit,
        price: Some(decimal("100.1")),
        ..order(1, "josh_gottheimer", Side::Buy, "3", "BRK.B", "2024-01-04")
    };
    let third = Order {
        status: OrderStatus::Canceled,
        broker_order_id: Some("b-7".to_owned()),
        executed_at: Some(time("2024-01-05T14:30:00Z")),
        ..order(2, "nancy_pelosi", Side::Sell, "0.1", "NVDA", "2024-01-05")
    };
    assert_eq!(orders, [&first, &second, &third]);
    let created: Vec<_> = trades.iter().map(|trade| trade.created_at).collect();
    assert_eq!(created, ["2024-01-03T14:30:00Z", "2024-01-04T14:30:00.5Z", "2024-01-05T14:30:00Z"].map(time));
    assert!(trades.iter().all(|trade| trade.updated_at > time("2026-01-01T00:00:00Z")), "they entered the chain now");
    let ids: Vec<_> = orders.iter().map(|order| order.client_order_id.as_str()).collect();
    assert_eq!(ids, ["import-b9475e6d9ce4484a-1", "import-becb1897c9d493b7-2", "import-b24ec2d07883d8b7-7"]);

    let (positions, days) =
        db.read(|r| Ok((r.positions(&id("nancy_pelosi"))?, r.performance(&id("nancy_pelosi"), 9)?))).expect("is read");
    let position = Position {
        agent: id("nancy_pelosi"),
        ticker: ticker("NVDA"),
        quantity: decimal("0.2103"),
        average_cost: decimal("475.6"),
        current_price: decimal("480.25"),
        market_value: decimal("100.996575"),
        unrealized_profit: decimal("0.977475"),
        updated_at: time("2024-01-05T21:00:00Z"),
    };
    assert_eq!(positions, [position]);
    let performance = |date: &str, value: &str, daily: &str, total: &str| Performance {
        agent: id("nancy_pelosi"),
        date: day(date),
        total_value: decimal(value),
        daily_return_percent: decimal(daily),
        total_return_percent: decimal(total),
    };
    let expected =
        [performance("2024-01-05", "100000.977475", "0.000977", "-1.5"), performance("2024-01-04", "100000", "0", "0")];
    assert_eq!(days, expected);

    assert_eq!((report.agents, report.trades), (counts(2, 2, 0), counts(3, 3, 0)));
    assert_eq!((report.positions, report.performance_days), (counts(2, 2, 0), counts(2, 2, 0)));
    assert_eq!(report.agents_registered, ["idle", "nancy_pelosi", "josh_gottheimer"].map(id));
    assert_eq!((report.values_rounded, report.times_ambiguous, faults(&report)), (3, 0, vec![]));
    assert!(report.has_changed());
    db.verify(|_, _| {}).expect("the chain is whole");
}

#[test]
fn totals_are_those_of_the_record() {
    let (_folder, db) = database();
    let totals = import(&db, &Earlier::of(&[TABLES, ROWS])).totals;
    assert_eq!((totals.trades, totals.positions, totals.performance_days), (3, 2, 2));
    assert_eq!(totals.trades_of.into_iter().collect::<Vec<_>>(), [(id("josh_gottheimer"), 1), (id("nancy_pelosi"), 2)]);
    // 0.2103 + 3 + 0.1, and 0.2103 × 475.6 + 3 × 100.1.
    assert_eq!((totals.quantity, totals.value), (decimal("3.3103"), decimal("400.31868")));
    assert_eq!((totals.quantity_held, totals.market_value), (decimal("-2.7897"), decimal("100.996575")));
    assert_eq!(totals.total_value, decimal("200000.977475"));
}

#[test]
fn a_record_that_does_not_hold_what_was_read_is_rolled_back() {
    for (trigger, expected) in [
        (
            "CREATE TRIGGER lies AFTER INSERT ON trades
                 BEGIN UPDATE trades SET executed_price = executed_price + 1 WHERE id = new.id; END",
            "what was read and what was recorded differ in the value of all trades: 400.31868 and 400.3186802103",
        ),
        (
            "CREATE TRIGGER lies AFTER INSERT ON agent_positions BEGIN DELETE FROM agent_positions WHERE ticker = 'NVDA'; END",
            "what was read and what was recorded differ in the number of positions: 2 and 1",
        ),
        (
            "CREATE TRIGGER lies AFTER INSERT ON daily_performance BEGIN UPDATE daily_performance SET total_value = 1; END",
            "what was read and what was recorded differ in the total value of all days: 200000.977475 and 0.000002",
        ),
    ] {
        let (folder, db) = database();
        drop(db);
        open(&folder.path().join("record.db")).execute_batch(trigger).expect("is made");
        let db = Database::open(&crate::options(&folder)).expect("opens");
        let error = db.import(&Earlier::of(&[TABLES, ROWS]).options(), |_, _| {}).expect_err("is found");
        assert_eq!(error.to_string(), expected);
        assert_eq!(db.read(|r| r.counts()).expect("is read"), trading_storage::Counts::default());
    }
}

#[test]
fn many_rows_are_brought_over_with_progress() {
    const MANY: &str = "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
        INSERT INTO trades SELECT i, 'agent_' || (i % 5), 'NVDA', '2024-01-03', NULL, 'market', i / 10000.0, i / 100.0,
            'filled', 'b-' || i, NULL, NULL, '2024-01-03 14:30:00' FROM n";
    let (_folder, db) = database();
    let earlier = Earlier::of(&[TABLES, MANY]);
    let mut told = Vec::new();
    let report = db.import(&earlier.options(), |done, total| told.push((done, total))).expect("is imported");
    assert_eq!(told, [10_000, 20_000, 30_000, 40_000, 50_000].map(|done| (done, 50_000)));
    assert_eq!((report.trades, faults(&report)), (counts(50_000, 50_000, 0), vec![]));
    // The sums of i and of i², for i up to 50,000.
    assert_eq!(report.totals.quantity, decimal("1250025000") / decimal("10000"));
    assert_eq!(report.totals.value, decimal("41667916675000") / decimal("1000000"));
    assert_eq!(report.totals.trades_of.into_values().collect::<Vec<_>>(), [10_000; 5]);
}

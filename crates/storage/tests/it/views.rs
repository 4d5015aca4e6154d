//! What people see with `sqlite3`, and what the tables refuse whoever asks.

use rust_decimal::Decimal;
use trading_storage::{
    Database, Order, OrderStatus, OrderType, Performance, Position, Side, StatusUpdate, Ticker,
    sqlite::rusqlite::{self, types::Value},
};

use crate::{agent, database, day, order, with_a_trade};

/// A record with a row of each, closed, and opened by another program.
fn with_rows() -> (tempfile::TempDir, rusqlite::Connection) {
    let (folder, db) = database();
    fill(&db);
    drop(db);
    #[expect(clippy::disallowed_methods, reason = "plays another program")]
    let connection = rusqlite::Connection::open(folder.path().join("record.db")).expect("opens");
    (folder, connection)
}

fn number(text: &str) -> Decimal {
    text.parse().expect("a number")
}

fn fill(db: &Database) {
    let time = chrono::DateTime::from_timestamp_micros(1_763_672_400_123_000);
    let position = |ticker: &str, quantity, value, profit| Position {
        agent: agent("a").id,
        ticker: Ticker::new(ticker).expect("a ticker"),
        quantity: number(quantity),
        average_cost: number("470.1"),
        current_price: number("0.000001"),
        market_value: number(value),
        unrealized_profit: number(profit),
        updated_at: time.expect("a time"),
    };
    let performance = |date: &str, value, daily, total| Performance {
        agent: agent("a").id,
        date: day(date),
        total_value: number(value),
        daily_return_percent: number(daily),
        total_return_percent: number(total),
    };
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))?;
        let second = tx.insert_trade(&Order {
            side: Side::Sell,
            order_type: OrderType::StopLimit,
            quantity: number("10.000000001"),
            price: Some(number("470.05")),
            politician: Some("Nancy Pelosi".to_owned()),
            source_trade_date: Some(day("2026-10-01")),
            ..order("2")
        })?;
        tx.update_trade_status(
            second,
            &StatusUpdate {
                executed_price: Some(number("470.1")),
                broker_order_id: Some("b-2".to_owned()),
                executed_at: time,
                ..StatusUpdate::new(OrderStatus::Filled)
            },
        )?;
        tx.update_position(&position("A", "-0.5", "-0.000001", "-1.5"))?;
        tx.update_position(&position("B", "2", "12.5", "0"))?;
        tx.update_position(&position("C", "-12.25", "-1000000.000001", "0.25"))?;
        tx.record_performance(&performance("2026-11-19", "-0.25", "-0.000001", "-100"))?;
        tx.record_performance(&performance("2026-11-20", "100000", "0.05", "-3.000001"))
    })
    .expect("is recorded");
}

/// A view as text, a row a line; `~` is a missing value.
fn shown(connection: &rusqlite::Connection, sql: &str) -> String {
    let mut statement = connection.prepare(sql).expect("is understood");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cell = |index| {
            Ok(match row.get(index)? {
                Value::Null => "~".to_owned(),
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => text,
                other => panic!("{other:?} is not for people"),
            })
        };
        (0..columns).map(cell).collect::<Result<Vec<_>, rusqlite::Error>>()
    });
    let rows = rows.expect("is asked").map(|row| row.expect("a row").join(" | "));
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_views_show_decimals_signs_times_and_what_is_missing() {
    let (_folder, connection) = with_rows();
    let trades = "SELECT id, agent_id, ticker, side, order_type, quantity, price, executed_price, order_status,
            alpaca_order_id, client_order_id, source_politician, source_trade_date, trade_date, execution_date FROM trades_view";
    assert_eq!(
        shown(&connection, trades),
        "1 | a | NVDA | buy | market | 1.500000000 | ~ | ~ | new | ~ | 1 | ~ | ~ | 2026-11-20 | ~\n\
         2 | a | NVDA | sell | stop_limit | 10.000000001 | 470.050000 | 470.100000 | filled | b-2 | 2 | Nancy Pelosi | \
         2026-10-01 | 2026-11-20 | 2025-11-20T21:00:00.123Z"
    );
    assert_eq!(
        shown(&connection, "SELECT * FROM agent_positions_view"),
        "a | A | -0.500000000 | 470.100000 | 0.000001 | -0.000001 | -1.500000 | 2025-11-20T21:00:00.123Z\n\
         a | B | 2.000000000 | 470.100000 | 0.000001 | 12.500000 | 0.000000 | 2025-11-20T21:00:00.123Z\n\
         a | C | -12.250000000 | 470.100000 | 0.000001 | -1000000.000001 | 0.250000 | 2025-11-20T21:00:00.123Z"
    );
    let performance =
        "SELECT agent_id, date, total_value, daily_return_pct, total_return_pct FROM daily_performance_view";
    assert_eq!(
        shown(&connection, performance),
        "a | 2026-11-19 | -0.250000 | -0.000001 | -100.000000\n\
         a | 2026-11-20 | 100000.000000 | 0.050000 | -3.000001"
    );
    let events = "SELECT sequence, trade_id, order_status, executed_price, alpaca_order_id, execution_date FROM trade_events_view";
    assert_eq!(
        shown(&connection, events),
        "1 | 1 | new | ~ | ~ | ~\n\
         2 | 2 | new | ~ | ~ | ~\n\
         3 | 2 | filled | 470.100000 | b-2 | 2025-11-20T21:00:00.123Z"
    );
}

#[test]
fn the_views_show_the_times_and_hashes_of_the_tables() {
    let (_folder, connection) = with_rows();
    for (view, column, table, of_table) in [
        ("trades_view", "created_at", "trades", "created_at"),
        ("trades_view", "last_updated", "trades", "last_updated"),
        ("daily_performance_view", "created_at", "daily_performance", "created_at"),
        ("trade_events_view", "recorded_at", "trade_events", "recorded_at"),
    ] {
        let times = shown(&connection, &format!("SELECT {column} FROM {view}"));
        let micros = shown(&connection, &format!("SELECT {of_table} FROM {table}"));
        for (time, micros) in times.lines().zip(micros.lines()) {
            let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time");
            let micros: i64 = micros.parse().expect("a number");
            assert!((time.timestamp_micros() - micros).abs() <= 1_000, "{view}.{column}");
        }
    }
    let hashes = shown(&connection, "SELECT hash FROM trade_events_view");
    assert!(hashes.lines().all(|hash| hash.len() == 64 && hash.bytes().all(|b| b"0123456789abcdef".contains(&b))));
}

#[test]
fn views_cannot_be_written() {
    let (_folder, connection) = with_rows();
    let error = connection.execute("UPDATE trades_view SET price = '1'", []).expect_err("is refused").to_string();
    assert_eq!(error, "cannot modify trades_view because it is a view");
}

#[track_caller]
fn refused(connection: &rusqlite::Connection, sql: &str, expected: &str) {
    let error = connection.execute(sql, []).expect_err(sql).to_string();
    assert_eq!(error, expected, "{sql}");
}

#[test]
fn no_trade_is_deleted_none_asks_for_something_else_and_no_event_changes() {
    let (_folder, connection) = with_rows();
    let before = shown(&connection, "SELECT * FROM trades_view");
    refused(&connection, "DELETE FROM trades WHERE id = 1", "trades are never deleted");
    for (column, value) in [
        ("id", "9"),
        ("client_order_id", "'x'"),
        ("agent_id", "'a'"),
        ("ticker", "'X'"),
        ("side", "'sell'"),
        ("order_type", "'limit'"),
        ("quantity", "1"),
        ("source_politician", "'x'"),
        ("source_trade_date", "'2026-01-01'"),
        ("trade_date", "'2026-01-01'"),
        ("created_at", "1"),
    ] {
        refused(
            &connection,
            &format!("UPDATE trades SET {column} = {value}"),
            "what an order asked for is never changed",
        );
    }
    refused(&connection, "DELETE FROM trade_events", "events are never deleted");
    refused(&connection, "DELETE FROM trade_events WHERE sequence = 3", "events are never deleted");
    let columns = "sequence trade_id order_status executed_price alpaca_order_id execution_date recorded_at hash";
    for column in columns.split(' ') {
        refused(&connection, &format!("UPDATE trade_events SET {column} = {column}"), "events are never changed");
    }
    assert_eq!(shown(&connection, "SELECT * FROM trades_view"), before);
    assert_eq!(shown(&connection, "SELECT count(*) FROM trade_events"), "3");
}

#[test]
fn the_tables_refuse_values_that_make_no_sense() {
    let (_folder, connection) = with_rows();
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("is set");
    for sql in [
        "UPDATE trades SET order_status = 'done'",
        "UPDATE trades SET executed_price = 0",
        "UPDATE trades SET executed_price = -1",
        "UPDATE trades SET executed_price = 1.5",
        "UPDATE trades SET executed_price = '12 dollars'",
        "UPDATE trades SET alpaca_order_id = ''",
        "UPDATE agents SET id = ''",
        "UPDATE agents SET name = ''",
        "UPDATE agents SET type = ''",
        "UPDATE agents SET enabled = 2",
        "DELETE FROM agents",
        "UPDATE agent_positions SET avg_cost = -1",
        "UPDATE agent_positions SET current_price = -1",
        "UPDATE agent_positions SET agent_id = 'nobody'",
        "UPDATE agent_positions SET ticker = ''",
        "UPDATE agent_positions SET ticker = 'A'",
        "UPDATE daily_performance SET date = 'today'",
        "UPDATE daily_performance SET date = '2026-11-20'",
        "UPDATE daily_performance SET total_value = 'much'",
        "UPDATE daily_performance SET agent_id = 'nobody'",
        "INSERT INTO record SELECT 2, instance_id, created_at, NULL FROM record",
        "INSERT INTO trade_events VALUES (4, 9, NULL, 'new', NULL, NULL, NULL, 0, zeroblob(32))",
        "INSERT INTO trade_events VALUES (4, 1, NULL, 'new', NULL, NULL, NULL, 0, zeroblob(31))",
        "INSERT INTO trade_events VALUES (0, 1, NULL, 'new', NULL, NULL, NULL, 0, zeroblob(32))",
    ] {
        let error = connection.execute(sql, []).expect_err(sql);
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ConstraintViolation), "{sql}: {error}");
    }
    let strict =
        "SELECT group_concat(name) FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND NOT strict
        AND name NOT LIKE 'sqlite_%'";
    assert_eq!(shown(&connection, strict), "~", "every table is strict");
}

#[test]
fn the_views_show_decimals() {
    let (folder, db, _) = with_a_trade();
    drop(db);
    let path = folder.path().join("record.db");
    #[expect(clippy::disallowed_methods, reason = "plays another program")]
    let connection = rusqlite::Connection::open(path).expect("opens");
    let shown: (String, Option<String>) = connection
        .query_row("SELECT quantity, price FROM trades_view", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("is shown");
    assert_eq!(shown, ("1.500000000".to_owned(), None));
}

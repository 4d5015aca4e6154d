//! B5: the trail is tampered with, past the program. `verify` names the first bad event; what it cannot see, the head beside
//! the database does.

use std::{fs, path::Path};

use tempfile::TempDir;
use trading_storage::{Database, Error, Options, sqlite::rusqlite};

use super::{say, scenario, scratch};

const TRADES: u64 = 6;

/// A closed record: trades 1 to 6, of which 1 and 4 are filled, so events 1 to 8.
fn record() -> TempDir {
    let folder = scratch();
    let db = Database::create(&Options::at(folder.path().join("record.db"))).expect("creates");
    db.transaction(|tx| tx.register_agent(&scenario::agent()?)).expect("is registered");
    for number in 0..TRADES {
        let id = db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).expect("is recorded");
        if scenario::is_filled(number) {
            db.transaction(|tx| tx.update_trade_status(id, &scenario::filled(number))).expect("is recorded");
        }
    }
    drop(db);
    folder
}

#[expect(clippy::disallowed_methods, reason = "plays another program")]
fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).expect("opens")
}

/// Changes a copy of the record with SQL, triggers and references off and then on again, and says what the program says of it.
fn tampered(record: &TempDir, sql: &str) -> Result<(), Error> {
    let folder = scratch();
    for file in ["record.db", "record.db.head"] {
        fs::copy(record.path().join(file), folder.path().join(file)).expect("is copied");
    }
    let path = folder.path().join("record.db");
    let connection = raw(&path);
    let triggers: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .expect("is read");
    for (trigger, _) in &triggers {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).expect("is dropped");
    }
    connection.execute_batch("PRAGMA foreign_keys = OFF").expect("is off");
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    triggers.iter().for_each(|(_, sql)| connection.execute_batch(sql).expect("is made again"));
    // The control: SQLite's own check has nothing against any of this.
    let control: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("is checked");
    assert_eq!(control, "ok", "{sql}");
    connection.close().expect("closes");
    let db = Database::open(&Options::at(&path))?;
    db.verify(|_, _| {}).map(drop)
}

#[track_caller]
fn check(record: &TempDir, sql: &str, expected: &str) {
    let found = match tampered(record, sql) {
        Ok(()) => "all is well".to_owned(),
        Err(error @ Error::HeadMismatch { .. }) => {
            let text = error.to_string();
            text.split_once("before: ").map_or(text.clone(), |(_, what)| format!("the head: {what}"))
        }
        Err(Error::Damaged { what, .. }) => format!("the file: {what}"),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{sql}");
}

const CHANGED: &str = "it, or the order of its trade, was changed";
const STALE: &str = "it is the last of its trade, and the trade is not as it says";

#[test]
fn b5_nothing_is_found_where_nothing_was_done() {
    check(&record(), "SELECT 1", "all is well");
}

#[test]
fn b5_each_edited_column_is_found() {
    let record = record();
    let mut edits = 0;
    let mut edit = |table: &str, row: &str, column: &str, value: &str, expected: String| {
        edits += 1;
        check(&record, &format!("UPDATE {table} SET {column} = {value} WHERE {row}"), &expected);
    };
    // Trade 5 has one event, the seventh.
    for (column, value) in [
        ("client_order_id", "'another'"),
        ("ticker", "'TSLA'"),
        ("side", "iif(side = 'buy', 'sell', 'buy')"),
        ("order_type", "'stop'"),
        ("quantity", "quantity + 1"),
        ("source_politician", "NULL"),
        ("source_trade_date", "'2026-01-01'"),
        ("trade_date", "'2026-01-01'"),
        ("price", "1"),
    ] {
        edit("trades", "id = 5", column, value, format!("the record is damaged at event 7: {CHANGED}"));
    }
    for (column, value) in [
        ("order_status", "'filled'"),
        ("executed_price", "1"),
        ("alpaca_order_id", "'b'"),
        ("execution_date", "1"),
        ("last_updated", "1"),
        ("event", "3"),
    ] {
        edit("trades", "id = 5", column, value, format!("the record is damaged at event 7: {STALE}"));
    }
    for (column, value) in [
        ("order_status", "'new'"),
        ("executed_price", "1"),
        ("alpaca_order_id", "'b'"),
        ("execution_date", "1"),
        ("recorded_at", "1"),
        ("hash", "zeroblob(32)"),
        ("trade_id", "4"),
        ("previous", "NULL"),
    ] {
        edit("trade_events", "sequence = 2", column, value, format!("the record is damaged at event 2: {CHANGED}"));
    }
    say("B5", format_args!("{edits} columns edited, each found; control (integrity_check): ok each time"));
}

#[test]
fn b5_an_edited_time_of_recording_is_found() {
    let record = record();
    let edit = "UPDATE trades SET created_at = 1 WHERE id = 5";
    check(&record, edit, &format!("the record is damaged at event 7: {CHANGED}"));
}

#[test]
fn b5_a_trail_that_was_cut_reordered_or_added_to_is_found() {
    let record = record();
    let cut = "DELETE FROM trade_events WHERE sequence = 8; DELETE FROM trades WHERE id = 6";
    check(&record, cut, "the head: event 8 and what followed is gone");
    check(&record, "DELETE FROM trade_events WHERE sequence = 8", "the head: event 8 and what followed is gone");
    check(&record, "DELETE FROM trade_events", "the head: event 8 and what followed is gone");
    check(
        &record,
        "DELETE FROM trade_events WHERE sequence = 3; DELETE FROM trades WHERE id = 2",
        "the record is damaged at event 3: it is missing",
    );
    check(&record, "DELETE FROM trade_events WHERE sequence = 2", "the record is damaged at event 2: it is missing");
    check(&record, "DELETE FROM trade_events WHERE sequence = 1", "the record is damaged at event 1: it is missing");
    check(
        &record,
        "DELETE FROM trades WHERE id = 2",
        // SQLite's check of references is asked first.
        "the file: a row refers to one that is not there",
    );
    check(
        &record,
        "UPDATE trade_events SET sequence = 100 WHERE sequence = 4;
         UPDATE trade_events SET sequence = 4 WHERE sequence = 3;
         UPDATE trade_events SET sequence = 3 WHERE sequence = 100",
        &format!("the record is damaged at event 3: {CHANGED}"),
    );
    check(
        &record,
        "INSERT INTO trade_events SELECT 9, trade_id, previous, order_status, executed_price, alpaca_order_id, execution_date, recorded_at, hash
         FROM trade_events WHERE sequence = 8",
        &format!("the record is damaged at event 9: {CHANGED}"),
    );
    check(
        &record,
        "INSERT INTO trades SELECT 7, 'planted', agent_id, ticker, side, order_type, quantity, price, executed_price, order_status,
             alpaca_order_id, source_politician, source_trade_date, trade_date, execution_date, created_at, last_updated, event
         FROM trades WHERE id = 6",
        "the record is damaged at event 8: 1 of 7 trades have no event",
    );
}

#[test]
fn b5_a_trail_that_was_recomputed_whole_is_caught_by_the_head() {
    let record = record();
    let path = record.path().join("record.db");
    let head = fs::read(path.with_extension("db.head")).expect("is there");
    // The forger has the program itself, and all hashes of the new trail are right.
    let connection = raw(&path);
    let triggers = ["trade_events_are_kept", "trades_are_kept"].map(|name| {
        let sql: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0))
            .expect("is there");
        connection.execute_batch(&format!("DROP TRIGGER {name}")).expect("is dropped");
        sql
    });
    connection.execute_batch("DELETE FROM trade_events; DELETE FROM trades;").expect("is cleared");
    connection.execute_batch(&triggers.join(";")).expect("is as it was");
    drop(connection);
    fs::remove_file(path.with_extension("db.head")).expect("is removed");
    let forged = Database::open(&Options::at(&path)).expect("has nothing to compare with");
    for number in 0..2 * TRADES {
        forged.transaction(|tx| tx.insert_trade(&scenario::order(100 + number)?)).expect("is recorded");
    }
    forged.verify(|_, _| {}).expect("the control: the chain alone is right");
    drop(forged);
    fs::write(path.with_extension("db.head"), head).expect("is put back");
    let error = Database::open(&Options::at(&path)).expect_err("is refused").to_string();
    assert!(error.contains("is not the one that was here before: event 8 is another one ("), "{error}");
    say("B5", "a trail recomputed whole is refused; control (the chain without the head): it passes");
}

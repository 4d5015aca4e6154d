//! The record, through its public face.

mod amounts;
#[cfg(feature = "tokio")]
mod asynchronous;
mod backup;
mod bulk;
mod chain;
mod edges;
mod errors;
mod extension;
mod faults;
mod groups;
mod heads;
mod import;
mod lifecycle;
mod pages;
mod queries;
mod reading;
mod sample;
mod status;
mod views;
mod writing;

use std::path::Path;

use chrono::NaiveDate;
use tempfile::TempDir;
use trading_storage::{Agent, AgentId, ClientOrderId, Database, Options, Order, Side, Ticker, TradeId};

/// A new database in a folder of its own.
fn database() -> (TempDir, Database) {
    let folder = TempDir::new().expect("a temporary folder");
    let db = Database::create(&options(&folder)).expect("creates");
    (folder, db)
}

fn options(folder: &TempDir) -> Options {
    Options::at(folder.path().join("record.db"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn agent(id: &str) -> Agent {
    Agent {
        id: AgentId::new(id).expect("an id"),
        name: id.to_uppercase(),
        kind: "individual".to_owned(),
        enabled: true,
    }
}

/// Changes a closed database behind the program's back.
#[expect(clippy::disallowed_methods, reason = "plays another program")]
fn tamper(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    connection.execute_batch(sql).expect("is changed");
}

/// A database with the agent "a" and its order "1", opened anew after it was made.
fn with_a_trade() -> (TempDir, Database, TradeId) {
    let (folder, db) = database();
    let recorded = db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))
    });
    drop(db);
    let db = Database::open(&options(&folder)).expect("opens");
    (folder, db, recorded.expect("is recorded"))
}

/// An order of the agent "a" for 1.5 shares of NVDA.
fn order(client_order_id: &str) -> Order {
    let id = ClientOrderId::new(client_order_id).expect("an id");
    let ticker = Ticker::new("NVDA").expect("a ticker");
    Order::market(id, agent("a").id, Side::Buy, "1.5".parse().expect("a number"), ticker, day("2026-11-20"))
}

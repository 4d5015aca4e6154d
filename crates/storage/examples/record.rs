//! The record from end to end: create it, record a trade and what became of it, read it, prove it.
//!
//! `cargo run --package trading-storage --example record`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use trading_storage::{
    Agent, AgentId, ClientOrderId, Database, Error, Options, Order, OrderStatus, Side, StatusUpdate, Ticker,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let options = Options::at(folder.path().join("record.db"));
    let db = Database::create(&options)?;
    println!("created   {:?}", db.origin());

    let agent = AgentId::new("nancy_pelosi")?;
    let order = Order {
        politician: Some("Nancy Pelosi".to_owned()),
        ..Order::market(
            ClientOrderId::new("nvda-2026-11-20")?,
            agent.clone(),
            Side::Buy,
            "1.5".parse()?,
            Ticker::new("NVDA")?,
            "2026-11-20".parse()?,
        )
    };
    // The intent is on the disk before the order is sent: that is what tells, after a crash, what to ask the broker about.
    let id = db.transaction(|tx| {
        tx.register_agent(&Agent { id: agent, name: "Nancy Pelosi".into(), kind: "individual".into(), enabled: true })?;
        tx.insert_trade(&order)
    })?;
    println!("recorded  trade {id}, {} open", db.read(|r| r.open_orders())?.len());

    // Started again, the program records the same order: it is there, and there is still one.
    assert_eq!(db.transaction(|tx| tx.insert_trade(&order))?, id);

    let filled = StatusUpdate { executed_price: Some("470.25".parse()?), ..StatusUpdate::new(OrderStatus::Filled) };
    db.transaction(|tx| tx.update_trade_status(id, &filled))?;
    // What cannot be is refused, and nothing of its transaction stays.
    let refused = db.transaction(|tx| tx.update_trade_status(id, &StatusUpdate::new(OrderStatus::New)));
    assert!(matches!(refused, Err(Error::StatusChange { .. })));

    let trade = db.read(|r| r.trade(id))?.ok_or("it was recorded")?;
    println!(
        "read      {} {} of {}, {}",
        trade.order.side, trade.order.quantity, trade.order.ticker, trade.order.status
    );
    assert_eq!(trade.order.status, OrderStatus::Filled);

    let proof = db.verify(|_done, _of| {})?;
    println!("verified  {} trades, {} events, head {}", proof.trades, proof.events, proof.head.hash_hex());
    assert_eq!((proof.trades, proof.events), (1, 2));
    drop(db);

    let again = Database::open(&options)?;
    println!("reopened  {:?}", again.origin());
    assert_eq!(again.head(), proof.head);
    Ok(())
}

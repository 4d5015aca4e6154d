#![doc = include_str!("../README.md")]

mod amount;
mod connection;
mod database;
mod error;
mod identifier;
mod migration;
mod options;
mod order;
mod pool;
mod position;
mod reader;
mod sample;
mod transaction;

pub use crate::{
    database::{Database, Origin},
    error::{Cause, Error},
    identifier::{AgentId, ClientOrderId, Ticker, TradeId},
    options::Options,
    order::{Order, OrderStatus, OrderType, Side, Trade},
    position::{Agent, Performance, Position},
    reader::{Counts, Reader},
    sample::{Sample, SampleReport},
    transaction::Transaction,
};

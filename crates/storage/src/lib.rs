#![doc = include_str!("../README.md")]

mod amount;
#[cfg(feature = "tokio")]
mod asynchronous;
mod backup;
mod connection;
mod database;
mod error;
mod event;
mod head_file;
mod identifier;
mod identity;
mod import;
mod lock;
mod migration;
mod observer;
mod options;
mod order;
mod pool;
mod position;
mod read_only;
mod reader;
mod sample;
pub mod sqlite;
mod transaction;
mod verification;
mod writer;

pub use chrono;
pub use chrono_tz;
pub use rust_decimal;

pub use crate::{
    backup::{
        Backup, BackupOptions, Contents, Decryption, Encryption, Fingerprint, Manifest, Progress, RestoreOptions,
        Restored, Stage,
    },
    database::{Database, Origin, Sizes},
    error::{Cause, Error},
    event::{Head, TradeEvent},
    identifier::{AgentId, ClientOrderId, Ticker, TradeId},
    import::{ImportCounts, ImportFault, ImportOptions, ImportReport, ImportTotals},
    migration::{Migration, MigrationSet},
    observer::Observer,
    options::Options,
    order::{Order, OrderStatus, OrderType, Side, StatusUpdate, Trade},
    position::{Agent, Performance, Position, Summary},
    read_only::ReadOnlyDatabase,
    reader::{Counts, Cursor, Reader, TradeFilter, TradePage},
    sample::{Sample, SampleReport},
    transaction::Transaction,
    verification::Verification,
};

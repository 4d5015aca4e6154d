//! The proof that the record is whole: SQLite's own checks, and a walk along the chain.

use std::path::Path;

use rusqlite::{Connection, Row};

use crate::{
    Error,
    event::{Event, Head},
    head_file::HeadFile,
    migration,
    reader::{self, column},
};

/// What was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Events that were walked, all of them good.
    pub events: u64,
    /// Trades, each of which is as its last event says.
    pub trades: u64,
    /// The end of the chain.
    pub head: Head,
}

/// Each event with its trade as the event left it, and with the trade as it is now.
///
/// A price and so on of the event stand where the trade's own would, so that one function reads both.
const WALK: &str = "SELECT e.sequence, e.trade_id, e.previous, e.recorded_at, e.hash,
         t.id, client_order_id, agent_id, ticker, side, order_type, quantity, price, source_politician, source_trade_date, trade_date,
         e.order_status, e.executed_price, e.alpaca_order_id, e.execution_date, t.created_at, e.recorded_at AS last_updated, t.event,
         t.order_status IS e.order_status AND t.executed_price IS e.executed_price AND t.alpaca_order_id IS e.alpaca_order_id
             AND t.execution_date IS e.execution_date AND t.last_updated IS e.recorded_at AS is_now
     FROM trade_events AS e LEFT JOIN trades AS t ON t.id = e.trade_id ORDER BY e.sequence";

/// All of it, at one moment, beside whoever writes.
///
/// `connection` is of its own: it takes longer than a read may, and is not one of the few.
pub(crate) fn whole(
    connection: &Connection,
    path: &Path,
    head_file: &HeadFile,
    progress: impl FnMut(u64, u64),
) -> Result<Verification, Error> {
    // Of one moment, or the writes beside it would look like damage.
    let moment = connection.unchecked_transaction().map_err(Error::query("begin to verify"))?;
    integrity(&moment, path)?;
    let verification = chain(&moment, head_file.instance_id(), progress)?;
    schema(&moment, path)?;
    // Read after the moment, so at another: events that are missing from it now were written since.
    drop(moment);
    head_file.check(connection)?;
    Ok(verification)
}

/// SQLite's own checks: of the pages, the indexes, the constraints and the references.
pub(crate) fn integrity(connection: &Connection, path: &Path) -> Result<(), Error> {
    let damaged = |what: String| Error::Damaged { path: path.to_owned(), what };
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| damaged(error.to_string()))?;
    if found != "ok" {
        // SQLite puts a banner above what it found.
        let said: Vec<_> = found.lines().filter(|line| !line.starts_with("***")).collect();
        return Err(damaged(said.join(", ")));
    }
    let dangling: bool = connection
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut statement| statement.exists([]))
        .map_err(|error| damaged(error.to_string()))?;
    if dangling { Err(damaged("a row refers to one that is not there".to_owned())) } else { Ok(()) }
}

/// That our tables are as they were made, with all that watches over them.
pub(crate) fn schema(connection: &Connection, path: &Path) -> Result<(), Error> {
    match migration::first_difference(connection, path)? {
        Some(what) => Err(Error::Damaged { path: path.to_owned(), what }),
        None => Ok(()),
    }
}

/// Walks the chain from its first event to its last. `progress` is told how many events are done and how many there are.
pub(crate) fn chain(
    connection: &Connection,
    instance_id: &str,
    mut progress: impl FnMut(u64, u64),
) -> Result<Verification, Error> {
    const REPORT_EVERY: u64 = 10_000;
    let failed = || Error::query("walk the chain");
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).map_err(failed());
    let (total, trades) = (count("SELECT count(*) FROM trade_events")?, count("SELECT count(*) FROM trades")?);
    let mut head = Head::of_instance(instance_id);
    let mut statement = connection.prepare(WALK).map_err(failed())?;
    let mut rows = statement.query([]).map_err(failed())?;
    let mut known = 0;
    // Told after the walk: where an event is missing, that is the first bad one, and not the one before it of its trade.
    let mut stale = None;
    while let Some(row) = rows.next().map_err(failed())? {
        head = step(head, row)?;
        let last: u64 = column(row, "event")?;
        known += u64::from(head.sequence == last);
        let is_as_it_says = head.sequence < last || (head.sequence == last && column::<bool>(row, "is_now")?);
        if stale.is_none() && !is_as_it_says {
            stale = Some(head.sequence);
        }
        if head.sequence.is_multiple_of(REPORT_EVERY) {
            progress(head.sequence, total);
        }
    }
    if let Some(sequence) = stale {
        let what = "it is the last of its trade, and the trade is not as it says".to_owned();
        return Err(Error::ChainBroken { sequence, what });
    }
    if known != trades {
        let what = format!("{} of {trades} trades have no event", trades.saturating_sub(known));
        return Err(Error::ChainBroken { sequence: head.sequence, what });
    }
    progress(total, total);
    Ok(Verification { events: head.sequence, trades, head })
}

fn step(before: Head, row: &Row<'_>) -> Result<Head, Error> {
    let expected = before.sequence + 1;
    let sequence: u64 = column(row, "sequence")?;
    let broken = |what: &str| Err(Error::ChainBroken { sequence: expected, what: what.to_owned() });
    if sequence != expected {
        return broken("it is missing");
    }
    if column::<Option<i64>>(row, "id")?.is_none() {
        return broken("its trade is missing");
    }
    let Ok(trade) = reader::trade(row) else { return broken("it, or its trade, cannot be read") };
    let event = Event {
        trade_id: trade.id.0,
        previous: column(row, "previous")?,
        order: &trade.order,
        created_at: trade.created_at.timestamp_micros(),
        recorded_at: column(row, "recorded_at")?,
    };
    let head = before.after(&event)?;
    if column::<[u8; 32]>(row, "hash")? != head.hash {
        return broken("it, or the order of its trade, was changed");
    }
    Ok(head)
}

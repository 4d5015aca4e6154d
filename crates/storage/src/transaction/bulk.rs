//! Many trades at once: without the indexes meanwhile, where keeping them up costs more than making them anew.

use rusqlite::{ErrorCode, ffi};

use super::{INSERT, Transaction};
use crate::{Error, Order, TradeId};

/// From how many trades on indexes are made anew. **Source:** the bench; with fewer, there is little to win.
const BULK_TRADES_MIN: usize = 10_000;

/// Which indexes of trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Indexes {
    All,
    /// Those that refuse nothing.
    Plain,
}

impl Transaction<'_> {
    /// [`insert_trade`](Self::insert_trade) for many, in their order: the number of each.
    ///
    /// A large part of the whole is recorded fastest in one call: the indexes are made when all of it is there. Takes 8 bytes of
    /// memory a trade, and 8 for its number.
    ///
    /// # Errors
    /// As there, of the first that fails.
    pub fn insert_trades<'o>(&self, orders: impl IntoIterator<Item = &'o Order>) -> Result<Vec<TradeId>, Error> {
        let orders: Vec<&Order> = orders.into_iter().collect();
        let each = |tx: &Self| orders.iter().map(|order| tx.insert_trade(order)).collect();
        if !self.is_bulk(orders.len())? {
            return each(self);
        }
        // Most often none is there already, and then nothing has to be looked up: making the index of ids tells.
        let all_new = |tx: &Self| {
            let written = orders.iter().filter_map(|order| tx.write_trade(INSERT, order, None).transpose());
            written.collect::<Result<Vec<_>, _>>()
        };
        match self.without(Indexes::All, all_new) {
            Err(error) if is_there_twice(&error) => self.without(Indexes::Plain, each),
            recorded => recorded,
        }
    }

    /// Runs `work`, which records so many trades one by one.
    pub(crate) fn in_bulk<T>(&self, trades: usize, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.is_bulk(trades)? { self.without(Indexes::Plain, work) } else { work(self) }
    }

    fn is_bulk(&self, trades: usize) -> Result<bool, Error> {
        let recorded = usize::try_from(self.counts()?.trades).unwrap_or(usize::MAX);
        Ok(trades >= BULK_TRADES_MIN && trades >= recorded)
    }

    /// Runs `work` without these indexes, which are made again after it.
    fn without<T>(&self, indexes: Indexes, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        self.nested(|tx| {
            let dropped = tx.drop_indexes(indexes)?;
            let value = work(tx)?;
            dropped.iter().try_for_each(|sql| tx.execute("make an index", sql, []).map(drop))?;
            Ok(value)
        })
    }

    /// Drops indexes of trades, and says how to make them.
    fn drop_indexes(&self, indexes: Indexes) -> Result<Vec<String>, Error> {
        let failed = || Error::query("drop an index");
        let mut statement = self
            .connection()
            .prepare_cached(
                r#"SELECT name, sql FROM pragma_index_list('trades') JOIN sqlite_schema USING (name)
                 WHERE sql IS NOT NULL AND (?1 OR NOT "unique")"#,
            )
            .map_err(failed())?;
        let rows =
            statement.query_map([indexes == Indexes::All], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed())?;
        let found: Vec<(String, String)> = rows.collect::<Result<_, _>>().map_err(failed())?;
        drop(statement);
        let mut dropped = Vec::new();
        for (name, sql) in found {
            match self.connection().execute(&format!("DROP INDEX {name}"), []) {
                Ok(_) => dropped.push(sql),
                // Somebody reads on this connection meanwhile: what is in use stays.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseLocked) => break,
                Err(error) => return Err(failed()(error)),
            }
        }
        Ok(dropped)
    }
}

/// If an order's id is taken. No other index of trades is a unique one.
fn is_there_twice(error: &Error) -> bool {
    let Error::Query { source, .. } = error else { return false };
    let failure = source.as_sqlite().and_then(rusqlite::Error::sqlite_error);
    failure.is_some_and(|failure| failure.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE)
}

//! What an import did.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::AgentId;

/// What was read, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImportReport {
    /// Rows of the table `agents`, of which only late versions have one.
    pub agents: ImportCounts,
    /// Agents that were registered: from the table, or because a row refers to them.
    pub agents_registered: Vec<AgentId>,
    /// Rows of `trades`.
    pub trades: ImportCounts,
    /// Rows of `agent_positions`.
    pub positions: ImportCounts,
    /// Rows of `daily_performance`.
    pub performance_days: ImportCounts,
    /// Amounts that had more decimals than the record has, and were rounded, half to even.
    pub values_rounded: u64,
    /// Times in the hour that a zone has twice a year; the first of the two was taken.
    pub times_ambiguous: u64,
    /// What was not brought over, and why: a line for each cell, in the order of the source.
    pub faults: Vec<ImportFault>,
    /// How many more faults there are than [`ImportOptions::faults_max`](crate::ImportOptions::faults_max).
    pub faults_unlisted: u64,
    /// Tables that the record has no place for, by name.
    pub tables_left: Vec<String>,
    /// Columns that the record has no place for, as `table.column`.
    pub columns_left: Vec<String>,
    /// The sums of what was read and not refused. Those of the record are the same, or nothing was imported.
    pub totals: ImportTotals,
}

impl ImportReport {
    /// If the record is another one than before. A second import of the same database changes nothing.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        let tables = [self.agents, self.trades, self.positions, self.performance_days];
        !self.agents_registered.is_empty() || tables.iter().any(|counts| counts.added + counts.updated > 0)
    }
}

/// What became of the rows of a table: `read` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// Rows that the source has.
    pub read: u64,
    /// Rows that are new in the record.
    pub added: u64,
    /// Rows that an earlier import brought, and that changed in the source since.
    pub updated: u64,
    /// Rows that the record had already, with the same content.
    pub unchanged: u64,
    /// Rows that the record has with other, newer content, which stayed.
    pub kept: u64,
    /// Rows that could not be brought over; [`ImportReport::faults`] says why.
    pub refused: u64,
}

/// A cell because of which its row was not brought over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportFault {
    /// The table of the source.
    pub table: &'static str,
    /// The row's `id`.
    pub row: String,
    /// The column.
    pub column: &'static str,
    /// What it holds, as text, at most 100 characters of it.
    pub found: String,
    /// What is wrong with that, as a clause.
    pub reason: String,
}

/// Sums over what was imported, now or before. Exact, unless a sum has more than 28 digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImportTotals {
    /// The number of trades.
    pub trades: u64,
    /// The number of trades of each agent.
    pub trades_of: BTreeMap<AgentId, u64>,
    /// Shares in all trades.
    pub quantity: Decimal,
    /// Dollars: quantity × price over the trades that have a price.
    pub value: Decimal,
    /// The number of positions.
    pub positions: u64,
    /// Shares in all positions.
    pub quantity_held: Decimal,
    /// Dollars: what the positions are worth.
    pub market_value: Decimal,
    /// The number of days of performance, counted for each agent.
    pub performance_days: u64,
    /// Dollars: the total values of all these days.
    pub total_value: Decimal,
}

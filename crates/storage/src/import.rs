//! Bringing over what the earlier Python system recorded.
//!
//! The source is read row by row, each cell for what it is, and what cannot be read is reported and left. A row is found
//! again by an id that is made of the row itself, so a second import adds only what is new.

mod cell;
mod record;
mod report;
mod row;
mod source;
mod totals;
mod word;

use std::{path::PathBuf, time::Duration};

use chrono_tz::Tz;

pub use report::{ImportCounts, ImportFault, ImportReport, ImportTotals};

use crate::{Database, Error, Transaction, database::folder};
use cell::Cells;
use record::{Outcome, Record};
use source::{Kind, Source};

/// What to import, and how to read it.
///
/// ```
/// use trading_storage::ImportOptions;
///
/// let eastern = "US/Eastern".parse()?;
/// let options = ImportOptions { zone: eastern, ..ImportOptions::of("old/trading_automation.db") };
/// assert_eq!(ImportOptions::of("old.db").zone, chrono_tz::UTC);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The database of the earlier system.
    pub path: PathBuf,
    /// The zone of its times, where they do not say. Default UTC: SQLite's own clock is in UTC, and so were the machines of the
    /// earlier system, whose jobs fired at 09:30 UTC. Always give one source the same.
    pub zone: Tz,
    /// A word that sets this source apart from another one whose rows have the same numbers and times of creation, so that
    /// its trades are refused as differing. Default empty. Always give one source the same: under another word its trades
    /// are other trades.
    pub name: String,
    /// How many faults the report lists; more are counted. Default 10,000 (arbitrary: nobody reads more, and it is a few
    /// megabytes).
    pub faults_max: usize,
    /// How long to wait for a source that is being written. Default 5 s, as for everything else.
    pub busy_timeout: Duration,
}

impl ImportOptions {
    /// The defaults, for the database at `path`.
    #[must_use]
    pub fn of(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            zone: Tz::UTC,
            name: String::new(),
            faults_max: 10_000,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl Database {
    /// Brings over what a database of the earlier Python system has, in one transaction: all that can be read, or nothing.
    ///
    /// Imported again, nothing is doubled: rows that are new in the source are added, trades that were finished there since
    /// are finished here (and of those that are still `new` here its results are taken), and of positions and days the newer
    /// one stays. The source is not changed; it is read from a copy in a folder `.unfinished-…` beside the record, which
    /// needs as much space and goes with the call; if the process is killed, with the next import.
    ///
    /// What is read how:
    /// - An amount is taken exactly, REAL by its shortest decimal form. One that needs more decimals than the record has (six, and
    ///   nine for a number of shares) was worked out from others: it is rounded half to even, and counted. One that is too large is a
    ///   fault.
    /// - `order_type` is a side (then it is a market order), a type (then it is a purchase), or both. `order_status` is a
    ///   word of Alpaca's in any case; pending, submitted, open, created and placed are `new`; executed, complete and completed
    ///   `filled`; partial and partially executed `partially_filled`; cancelled `canceled`; failed and error `rejected`.
    /// - Tickers may be in lower case. An agent's id that breaks the rule is a fault, as it is in the settings.
    /// - A trade was created when the source says, or now where it does not; its event in the chain is of now.
    /// - Agents that are not registered are: as the source's table says, or under their id, as `imported` and not to run.
    /// - Empty texts count as missing.
    ///
    /// Other writers wait until it is done, and give up after [`Options::busy_timeout`](crate::Options::busy_timeout): it
    /// brings over about 30,000 trades a second. `progress` is told how many rows are done, of how many.
    ///
    /// **Source:** 200,000 trades in 6.4 s, and 4.1 s when they were all there, on two shared cores.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Emptied`], [`Error::NotAFile`], [`Error::NotADatabase`], [`Error::Damaged`],
    /// [`Error::NotEarlier`] and [`Error::Ours`] if the source is not what it should be; [`Error::MadeUp`] if the record has made-up
    /// trades; [`Error::Changing`] if it is being
    /// written all the time; [`Error::ImportCopy`] if it cannot be copied; [`Error::ImportMismatch`] if the record does not
    /// hold what was read; else as [`transaction`](Self::transaction). Nothing was imported then.
    pub fn import(&self, options: &ImportOptions, mut progress: impl FnMut(u64, u64)) -> Result<ImportReport, Error> {
        let source = Source::open(&options.path, folder(self.path()), options.busy_timeout)?;
        let total = source.count()?;
        // Nearly all rows are trades.
        self.transaction(|tx| {
            if tx.sample_seed()?.is_some() {
                return Err(Error::MadeUp { path: self.path().to_owned() });
            }
            let import = |tx: &Transaction<'_>| Import::new(tx, options, total, &mut progress)?.run(&source);
            tx.in_bulk(usize::try_from(total).unwrap_or(usize::MAX), import)
        })
    }
}

/// How many rows there are between two reports of progress.
const PROGRESS_EVERY: u64 = 10_000;

struct Import<'i, 'c> {
    options: &'i ImportOptions,
    record: Record<'i, 'c>,
    report: ImportReport,
    progress: &'i mut dyn FnMut(u64, u64),
    done: u64,
    total: u64,
}

impl<'i, 'c> Import<'i, 'c> {
    fn new(
        tx: &'i Transaction<'c>,
        options: &'i ImportOptions,
        total: u64,
        progress: &'i mut dyn FnMut(u64, u64),
    ) -> Result<Self, Error> {
        Ok(Self { options, record: Record::new(tx)?, report: ImportReport::default(), progress, done: 0, total })
    }

    fn run(mut self, source: &Source) -> Result<ImportReport, Error> {
        for table in &source.tables {
            source.rows(table, |row| {
                let mut cells = Cells::new(table.name, row);
                let outcome = self.row(table.kind, &mut cells)?;
                self.note(table.kind, cells, &outcome);
                Ok(())
            })?;
        }
        let Self { record, mut report, progress, total, .. } = self;
        progress(total, total);
        report.tables_left.clone_from(&source.tables_left);
        report.columns_left.clone_from(&source.columns_left);
        report.agents_registered.clone_from(&record.registered);
        report.totals = record.compare()?;
        Ok(report)
    }

    fn row(&mut self, kind: Kind, cells: &mut Cells<'_, '_>) -> Result<Outcome, Error> {
        let (record, options) = (&mut self.record, self.options);
        let outcome = match kind {
            Kind::Agent => row::agent(cells).map(|agent| record.agent(agent)),
            Kind::Trade => {
                row::trade(cells, options).map(|(order, created_at)| record.trade(cells, &order, created_at))
            }
            Kind::Position => row::position(cells, options.zone).map(|position| record.position(cells, &position)),
            Kind::Day => row::performance(cells, options.zone)
                .map(|(day, created_at)| record.performance(cells, &day, created_at)),
        };
        outcome.unwrap_or(Ok(Outcome::Refused))
    }

    fn note(&mut self, kind: Kind, cells: Cells<'_, '_>, outcome: &Outcome) {
        let report = &mut self.report;
        let counts = match kind {
            Kind::Agent => &mut report.agents,
            Kind::Trade => &mut report.trades,
            Kind::Position => &mut report.positions,
            Kind::Day => &mut report.performance_days,
        };
        counts.read += 1;
        *match outcome {
            Outcome::Added => &mut counts.added,
            Outcome::Updated => &mut counts.updated,
            Outcome::Unchanged => &mut counts.unchanged,
            Outcome::Kept => &mut counts.kept,
            Outcome::Refused => &mut counts.refused,
        } += 1;
        if !matches!(outcome, Outcome::Refused) {
            report.values_rounded += cells.rounded;
            report.times_ambiguous += cells.ambiguous;
        }
        for fault in cells.faults {
            if report.faults.len() < self.options.faults_max {
                report.faults.push(fault);
            } else {
                report.faults_unlisted += 1;
            }
        }
        self.done += 1;
        if self.done.is_multiple_of(PROGRESS_EVERY) && self.done < self.total {
            (self.progress)(self.done, self.total);
        }
    }
}

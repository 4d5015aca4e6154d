//! The record at start: opened, created where that is allowed, and filled with samples where that is wanted.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use trading_config::{Agent, Environment, Settings};
use trading_storage::{Counts, Database, Options, Origin, Sample, SampleReport};

use crate::{Error, storage_options, wiring};

/// What was done to have a database. `Display` says it in two lines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordReport {
    /// The file, as the operator wrote it.
    pub path: PathBuf,
    /// How it came to be open.
    pub origin: Origin,
    /// If sample data was asked for.
    pub sample_wanted: bool,
    /// The sample data that was put in, if any was.
    pub sample: Option<SampleReport>,
    /// How many trades there are now.
    pub trades: u64,
    /// How many bytes of the write-ahead log the last run left, which did not end in order; what it had committed was recovered from them.
    pub recovered_bytes: u64,
    /// How many orders were sent, or were about to be, and have no result yet: whoever trades asks the broker for each.
    pub unresolved: usize,
}

impl fmt::Display for RecordReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.origin {
            Origin::Created { version } => writeln!(f, "created {path}, schema version {version}")?,
            Origin::Migrated { from, to } => writeln!(f, "migrated {path} from schema version {from} to {to}")?,
            Origin::Current { version } => writeln!(f, "{path} has schema version {version}: nothing was needed")?,
        }
        match self.sample {
            Some(SampleReport { trades, positions, performance_days, .. }) => {
                let (trades, positions) = (counted(trades, "trade"), counted(positions, "position"));
                write!(f, "sample data: {trades}, {positions}, {} of performance", counted(performance_days, "day"))
            }
            None if self.sample_wanted => {
                write!(f, "{}; sample data only goes into a record that has none", counted(self.trades, "trade"))
            }
            None => f.write_str(&counted(self.trades, "trade")),
        }?;
        if self.recovered_bytes > 0 {
            write!(f, "\nthe last run did not end in order: what it had committed was recovered")?;
        }
        Ok(())
    }
}

/// So many of something, for people: `1 trade`, `2 trades`.
#[must_use]
pub fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// If a record without trades is filled with made-up ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleData {
    /// No.
    None,
    /// With some: 80 an agent.
    Some,
    /// With so many, of all agents together.
    Trades(u64),
}

/// Creates the database of these settings, or migrates it, or finds that nothing is needed; fills a record that has no trades
/// with made-up ones if that is said. The agents of the settings are registered. `progress` is told how much of the sample data is
/// there, and of how much.
///
/// # Errors
/// [`Error::Storage`]; [`Error::SampleInProduction`].
pub fn init_db(
    settings: &Settings,
    sample_data: SampleData,
    progress: impl FnMut(u64, u64),
) -> Result<RecordReport, Error> {
    if sample_data != SampleData::None && settings.environment == Environment::Production {
        return Err(Error::SampleInProduction);
    }
    let init = || {
        let database = Database::open_or_create(&storage_options(settings))?;
        refuse_sample_in_production(settings, &database)?;
        fill(settings, &database, sample_data, progress)
    };
    init().map_err(|error: Error| error.with_record(settings))
}

/// Opens the database of these settings for a run. Outside production a missing one is created; in development, with
/// a paper account, a new one gets sample data.
pub(crate) fn open(settings: &Settings, options: &Options) -> Result<(Database, RecordReport), Error> {
    try_open(settings, options).map_err(|error| error.with_record(settings))
}

fn try_open(settings: &Settings, options: &Options) -> Result<(Database, RecordReport), Error> {
    let recovered_bytes = left_in_log(&options.path);
    let database = match settings.environment {
        // In production a missing database is a lost one until somebody says otherwise.
        Environment::Production => Database::open(options),
        Environment::Development | Environment::Test => Database::open_or_create(options),
    }?;
    refuse_sample_in_production(settings, &database)?;
    // Not by whether it was created just now: a start that was killed right after that left it empty.
    let is_new = database.read(|r| r.counts())? == Counts::default();
    let playing = settings.environment == Environment::Development && settings.api.alpaca.paper;
    let sample_data = if is_new && playing { SampleData::Some } else { SampleData::None };
    let report = fill(settings, &database, sample_data, |_, _| {})?;
    Ok((database, RecordReport { recovered_bytes, ..report }))
}

/// How much the write-ahead log has, which a run that ends in order folds into the file. Asked before opening, which does that too; by
/// `stat`, since the file belongs to SQLite.
fn left_in_log(database: &Path) -> u64 {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// Opens the database of these settings, which must be there, for a command.
///
/// # Errors
/// [`Error::Storage`], [`Error::Damaged`].
pub fn open_record(settings: &Settings) -> Result<Database, Error> {
    Database::open(&storage_options(settings)).map_err(|error| Error::of_record(error, settings))
}

fn refuse_sample_in_production(settings: &Settings, database: &Database) -> Result<(), Error> {
    if settings.environment == Environment::Production && database.read(|r| r.sample_seed())?.is_some() {
        return Err(Error::SampleInProduction);
    }
    Ok(())
}

fn fill(
    settings: &Settings,
    database: &Database,
    sample_data: SampleData,
    progress: impl FnMut(u64, u64),
) -> Result<RecordReport, Error> {
    let agents = wiring::agents(settings.agents().list())?;
    // First, and together with the agents that it is of: a record without agents is one that nobody finished filling.
    let made_up = |trades| database.insert_sample(&Sample { trades, ..wiring::sample(agents) }, progress);
    let sample = match sample_data {
        SampleData::None => None,
        SampleData::Some => made_up(None)?,
        SampleData::Trades(trades) => made_up(Some(trades))?,
    };
    register(database, settings.agents().list())?;
    let (trades, unresolved) = database.read(|r| Ok((r.counts()?.trades, r.open_orders()?.len())))?;
    let path = settings.database.path.as_written().to_owned();
    let (origin, sample_wanted) = (database.origin(), sample_data != SampleData::None);
    Ok(RecordReport { path, origin, sample_wanted, sample, trades, recovered_bytes: 0, unresolved })
}

/// Has the record know these agents. One that it knows beside them stays, since its trades do; but it is not to run.
pub(crate) fn register(database: &Database, agents: &[Agent]) -> Result<(), trading_storage::Error> {
    let agents = wiring::agents(agents)?;
    database.transaction(|tx| {
        agents.iter().try_for_each(|agent| tx.register_agent(agent))?;
        let known = |id| agents.iter().any(|agent| agent.id == id);
        for gone in tx.agents()?.into_iter().filter(|agent| agent.enabled && !known(agent.id.clone())) {
            tx.register_agent(&trading_storage::Agent { enabled: false, ..gone })?;
        }
        Ok(())
    })
}

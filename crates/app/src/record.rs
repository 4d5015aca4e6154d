//! The record at start: opened, created where that is allowed, and filled with samples where that is wanted.

use std::{fmt, path::PathBuf};

use trading_config::{Environment, Settings};
use trading_storage::{Database, Error, Origin, SampleReport};

use crate::wiring;

/// What was done to have a database. `Display` says it in a line or two.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordReport {
    /// The file, as the operator wrote it.
    pub path: PathBuf,
    /// How it came to be open.
    pub origin: Origin,
    /// The sample data that was put in, if any was.
    pub sample: Option<SampleReport>,
    /// How many trades there are now.
    pub trades: u64,
}

impl fmt::Display for RecordReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.origin {
            Origin::Created { version } => write!(f, "created {path}, schema version {version}")?,
            Origin::Migrated { from, to } => write!(f, "migrated {path} from schema version {from} to {to}")?,
            Origin::Current { version } => write!(f, "{path} is there, schema version {version}: nothing was needed")?,
        }
        match self.sample {
            Some(SampleReport { trades, positions, performance_days }) => {
                write!(
                    f,
                    "\nsample data: {trades} trades, {positions} positions, {performance_days} days of performance"
                )
            }
            None => write!(f, "\n{} trades", self.trades),
        }
    }
}

/// Creates the database of these settings, or migrates it, or finds that nothing is needed; with `sample_data`, fills a
/// record that has no trades with made-up ones. The agents of the settings are registered.
///
/// # Errors
/// As [`Database::create`], [`Database::open`] and [`Database::insert_sample`].
pub fn init_db(settings: &Settings, sample_data: bool) -> Result<RecordReport, Error> {
    let database = open_or_create(settings)?;
    fill(settings, &database, sample_data)
}

/// Opens the database of these settings for a run. Outside production a missing one is created; in development a new
/// one gets sample data.
pub(crate) fn open(settings: &Settings) -> Result<(Database, RecordReport), Error> {
    let database = match settings.environment {
        // In production a missing database is a lost one until somebody says otherwise.
        Environment::Production => Database::open(&wiring::storage(settings))?,
        Environment::Development | Environment::Test => open_or_create(settings)?,
    };
    let created = matches!(database.origin(), Origin::Created { .. });
    let report = fill(settings, &database, created && settings.environment == Environment::Development)?;
    Ok((database, report))
}

fn open_or_create(settings: &Settings) -> Result<Database, Error> {
    let options = wiring::storage(settings);
    match Database::open(&options) {
        Err(Error::Missing { .. }) => match Database::create(&options) {
            // Another process was faster, between the two calls.
            Err(Error::Exists { .. }) => Database::open(&options),
            created => created,
        },
        opened => opened,
    }
}

fn fill(settings: &Settings, database: &Database, sample_data: bool) -> Result<RecordReport, Error> {
    let agents = wiring::agents(settings)?;
    database.transaction(|tx| agents.iter().try_for_each(|agent| tx.register_agent(agent)))?;
    let sample = if sample_data { database.insert_sample(&wiring::sample(settings, agents))? } else { None };
    let trades = database.read(|r| r.counts())?.trades;
    Ok(RecordReport { path: settings.database.path.as_written().to_owned(), origin: database.origin(), sample, trades })
}

//! What the settings mean to each part: the one place where both are known.

mod observers;

pub(crate) use observers::{RetryObserver, StorageObserver};

use std::{io, io::IsTerminal as _, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};
use log::LevelFilter;
use trading_config::{Agent, AgentsWatch, Console, Level, Settings};
use trading_monitoring::{Check, Metrics, Outcome, ServerOptions, System, SystemOptions, UsageLimits};
use trading_resilience::retry::{self, Policy};
use trading_storage::{AgentId, Backup, Database, Error, Sample, Sizes};

use crate::{Handles, task::Tasks};

/// The seed of the sample data. Arbitrary; the same for all, so that people see the same data.
const SAMPLE_SEED: u64 = 1;

pub(crate) fn storage(settings: &Settings) -> trading_storage::Options {
    trading_storage::Options {
        readers: settings.database.readers,
        busy_timeout: settings.database.busy_timeout,
        backups: Some(settings.backup.path.full()),
        ..trading_storage::Options::at(settings.database.full_path())
    }
}

#[expect(clippy::disallowed_methods, reason = "asks whether standard error is a terminal, and writes nothing")]
pub(crate) fn logging(settings: &Settings) -> trading_logging::Options {
    trading_logging::Options {
        level: match settings.logging.level {
            Level::Error => LevelFilter::Error,
            Level::Warn => LevelFilter::Warn,
            Level::Info => LevelFilter::Info,
            Level::Debug => LevelFilter::Debug,
            Level::Trace => LevelFilter::Trace,
        },
        console: match settings.logging.console {
            Console::Text => trading_logging::Console::Text,
            Console::Json => trading_logging::Console::Json,
            Console::Off => trading_logging::Console::Off,
        },
        colour: settings.logging.no_color.is_none() && io::stderr().is_terminal(),
        retention_days: settings.logging.retention_days,
        queue_bytes: usize::try_from(settings.logging.queue_bytes.get()).unwrap_or(usize::MAX),
        ..trading_logging::Options::at(settings.logging.path.full())
    }
}

/// How calls of outside services are tried again: the settings `api.retry_*`.
///
/// ```
/// use trading_app::{api_retry, config::Settings, resilience::retry};
///
/// let folder = tempfile::tempdir()?;
/// let settings = |set| Settings::loader().root(folder.path()).environment(set).load();
/// assert_eq!(api_retry(&settings(vec![])?), retry::API);
/// assert_eq!(api_retry(&settings(vec![("RETRY_MAX_ATTEMPTS", "5")])?).attempts_max, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn api_retry(settings: &Settings) -> Policy {
    Policy {
        attempts_max: settings.api.retry_attempts_max,
        base: settings.api.retry_wait,
        factor: settings.api.retry_backoff_factor,
        cap: settings.api.retry_wait_max,
        ..retry::API
    }
}

pub(crate) fn server(settings: &Settings) -> ServerOptions {
    ServerOptions::at(SocketAddr::new(settings.monitoring.host, settings.monitoring.port))
}

/// The figures of the machine, with the disk that the database is on.
pub(crate) fn system(settings: &Settings) -> SystemOptions {
    let database = settings.database.full_path();
    let data_dir = database.parent().map_or_else(|| settings.root.clone(), PathBuf::from);
    SystemOptions { data_dir, ..SystemOptions::default() }
}

pub(crate) fn checks(handles: &Handles, system: &System, tasks: &Tasks) -> Vec<Check> {
    let Handles { settings, database, metrics, agents, .. } = handles;
    let interval = settings.monitoring.check_interval;
    let mut checks = vec![
        database_check(database.clone(), metrics.clone())
            .every(interval)
            // A call waits for the database itself this long; what takes longer hangs.
            .timeout(settings.database.busy_timeout + Duration::from_secs(1))
            .critical(true),
        Check::disk_space(system, UsageLimits::default()).every(interval),
        Check::memory(system, UsageLimits::default()).every(interval),
        configuration_check(agents.clone()).every(interval),
    ];
    if settings.backup.enabled {
        checks.push(backups_check(settings.backup.path.full(), database.instance_id().to_owned()).every(interval));
    }
    checks.extend(tasks.probes().into_iter().map(|(name, probe)| Check::new(name, probe).every(interval)));
    checks
}

/// How many days may pass without a backup: one was missed.
const BACKUP_DAYS_MAX: i64 = 2;

fn backups_check(folder: PathBuf, instance_id: String) -> Check {
    Check::new("backups", move || {
        let backups = match Backup::list(&folder) {
            Ok(backups) => backups,
            Err(error) => return Outcome::unhealthy(error.to_string()),
        };
        let ours = |b: &&Backup| b.manifest.as_ref().is_ok_and(|m| m.contents.instance_id == instance_id);
        let newest = backups.iter().filter(ours).find(|backup| backup.is_proven());
        let bytes: u64 = backups.iter().map(|backup| backup.size_bytes).sum();
        let outcome = match newest {
            // The first one is made a minute after the start; its task tells if that fails.
            None => Outcome::healthy("there is none yet"),
            Some(backup) => {
                let hours = (Utc::now() - backup.created_at).num_hours();
                let message = format!("the newest is {hours} h old");
                let outcome =
                    if hours < BACKUP_DAYS_MAX * 24 { Outcome::healthy(message) } else { Outcome::degraded(message) };
                outcome.detail("newest", backup.path.display().to_string())
            }
        };
        outcome.detail("backups", backups.len()).detail("bytes", bytes)
    })
}

fn configuration_check(agents: Arc<AgentsWatch>) -> Check {
    Check::new("configuration", move || {
        let state = agents.state();
        let current = agents.current();
        let outcome = match state.rejected {
            None => Outcome::healthy("the agents file is good"),
            Some(error) => {
                Outcome::degraded(format!("the agents stay as they were, since their file is not good: {error}"))
            }
        };
        let outcome = outcome.detail("agents", current.list().len()).detail("callback_panics", state.panics);
        match state.notify_error {
            Some(error) => outcome.detail("changes_are_polled_for", error),
            None => outcome,
        }
    })
}

fn database_check(database: Database, metrics: Metrics) -> Check {
    metrics.describe("database_trades", "Trades in the record.");
    metrics.describe("database_file_bytes", "Size of the database file.");
    metrics.describe("database_wal_bytes", "Size of the write-ahead log.");
    Check::new("database", move || {
        let counts = match database.read(|r| r.counts()) {
            Ok(counts) => counts,
            Err(error) => return Outcome::unhealthy(error.to_string()),
        };
        let Sizes { file_bytes, wal_bytes, .. } = match database.sizes() {
            Ok(sizes) => sizes,
            Err(error) => return Outcome::unhealthy(error.to_string()),
        };
        if database.is_stopped() {
            return Outcome::unhealthy("takes no more writes, since a commit was not confirmed");
        }
        for (name, value) in
            [("database_trades", counts.trades), ("database_file_bytes", file_bytes), ("database_wal_bytes", wal_bytes)]
        {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, exact up to 2^53")]
            metrics.gauge(name, &[]).set(value as f64);
        }
        Outcome::healthy("answers")
            .detail("agents", counts.agents)
            .detail("trades", counts.trades)
            .detail("positions", counts.positions)
            .detail("performance_days", counts.performance_days)
            .detail("file_bytes", file_bytes)
            .detail("wal_bytes", wal_bytes)
    })
}

/// The agents of the settings as the record has them.
pub(crate) fn agents(agents: &[Agent]) -> Result<Vec<trading_storage::Agent>, Error> {
    let agent = |agent: &Agent| {
        Ok(trading_storage::Agent {
            id: AgentId::new(&agent.id)?,
            name: agent.name.clone(),
            kind: agent.kind.to_string(),
            enabled: agent.enabled,
        })
    };
    agents.iter().map(agent).collect()
}

pub(crate) fn sample(agents: Vec<trading_storage::Agent>) -> Sample {
    // The last day whose market has closed, at 21:00 UTC.
    let last_day = (Utc::now() - TimeDelta::hours(21)).date_naive();
    Sample { seed: SAMPLE_SEED, agents, last_day, trades: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_retry_that_the_settings_allow_is_a_valid_policy() {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = ["RETRY_MAX_ATTEMPTS", "RETRY_BACKOFF_FACTOR", "API__RETRY_WAIT", "API__RETRY_WAIT_MAX"];
        for values in [["1", "1", "10ms", "10ms"], ["10", "10", "1m", "1h"], ["3", "2", "1s", "1m"]] {
            let set = variables.into_iter().zip(values);
            let settings = Settings::loader().root(folder.path()).environment(set).load().expect("is allowed");
            let policy = api_retry(&settings).validated().expect("is valid");
            assert_eq!(
                (policy.attempts_max.to_string(), policy.factor.to_string()),
                (values[0].into(), values[1].into())
            );
            assert_eq!((policy.base, policy.cap), (settings.api.retry_wait, settings.api.retry_wait_max));
        }
    }
}

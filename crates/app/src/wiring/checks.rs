//! What is looked at: the record, the machine, the log, the backups, the services, and each task.

use std::{path::PathBuf, sync::Weak, time::Duration};

use secrecy::ExposeSecret as _;
use trading_config::{Api, Authorization, Settings};
use trading_logging::Logging;
use trading_monitoring::{Check, Endpoint, LogSink, Metrics, Outcome, System, UsageLimits};
use trading_storage::{Backup, Database, Error, Sizes};

use super::LogCounters;
use crate::{
    Handles,
    recovery::Recovery,
    start_checks::{folder_of, free_bytes},
    task::Tasks,
};

/// How often it is asked if the record still takes writes: `/ready` says no within this time of a commit that was not confirmed.
pub(crate) const WRITES: Duration = Duration::from_millis(250);

/// With less room than this the next commit, or the fold of the write-ahead log, is refused. Arbitrary; a commit of a hundred trades takes less.
const ROOM_MIN: u64 = 1 << 20;

/// A busy machine is none to worry about; one that is busy all the time is.
const BUSY: UsageLimits = UsageLimits { degraded_percent: 98.0, unhealthy_percent: f64::INFINITY };

pub(crate) fn checks(
    handles: &Handles,
    system: &System,
    tasks: &Tasks,
    recovery: &Recovery,
    logging: Option<Weak<Logging>>,
) -> Result<Vec<Check>, Error> {
    let Handles { settings, database, metrics, agents, .. } = handles;
    let interval = settings.monitoring.check_interval;
    let mut checks = vec![
        database_check(database.clone(), metrics.clone())
            .every(interval)
            // A call waits for the database itself this long; what takes longer hangs.
            .timeout(settings.database.busy_timeout + Duration::from_secs(1)),
        writes_check(database.clone(), recovery.clone()),
        Check::disk_space(system, UsageLimits::default()).every(interval),
        Check::memory(system, UsageLimits::default()).every(interval),
        Check::cpu(system, BUSY).every(interval),
        Check::clock().every(interval),
        Check::configuration({
            let agents = agents.clone();
            move || agents.state().rejected
        })
        .every(interval),
    ];
    if let Some(logging) = logging {
        checks.push(log_check(logging, metrics).every(interval));
    }
    if settings.backup.enabled {
        checks.push(backup_check(settings.backup.path.full(), database, metrics.clone())?);
    }
    if settings.monitoring.external_checks {
        checks.extend(external_checks(settings));
    }
    checks.extend(tasks.probes().into_iter().map(|(name, probe)| Check::new(name, probe).every(interval)));
    Ok(checks)
}

fn database_check(database: Database, metrics: Metrics) -> Check {
    metrics.describe("database_trades", "Trades in the record.");
    metrics.describe("database_file_bytes", "Size of the database file.");
    metrics.describe("database_wal_bytes", "Size of the write-ahead log.");
    Check::database(move || {
        let counts = database.read(|r| r.counts())?;
        let Sizes { file_bytes, wal_bytes, .. } = database.sizes()?;
        for (name, value) in
            [("database_trades", counts.trades), ("database_file_bytes", file_bytes), ("database_wal_bytes", wal_bytes)]
        {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, exact up to 2^53")]
            metrics.gauge(name, &[]).set(value as f64);
        }
        let outcome = Outcome::healthy("answers")
            .detail("agents", counts.agents)
            .detail("trades", counts.trades)
            .detail("positions", counts.positions)
            .detail("performance_days", counts.performance_days)
            .detail("file_bytes", file_bytes)
            .detail("wal_bytes", wal_bytes);
        Ok::<_, Error>(outcome)
    })
}

fn writes_check(database: Database, recovery: Recovery) -> Check {
    let folder = folder_of(database.path());
    let look = move || {
        let stopped = database.is_stopped();
        recovery.saw(stopped);
        let full = free_bytes(&folder).filter(|free| *free < ROOM_MIN);
        match (stopped, full) {
            (true, _) => {
                Outcome::unhealthy("no more writes are taken, since a commit was not confirmed; it is opened anew")
            }
            (false, Some(free)) => {
                let why = format!("the disk is full: {} KiB are left at {}", free >> 10, folder.display());
                Outcome::unhealthy(why).detail("free_bytes", free)
            }
            (false, None) => Outcome::healthy("writes are taken"),
        }
    };
    Check::new("database_writes", look).every(WRITES).critical(true)
}

/// Tells how the log fares, and counts what it wrote.
fn log_check(logging: Weak<Logging>, metrics: &Metrics) -> Check {
    let mut counters = LogCounters::new(metrics);
    if let Some(logging) = logging.upgrade() {
        counters.count(&logging.statistics());
    }
    let mut latest = LogSink::default();
    Check::log_sink(move || {
        // When it ended, so did the whole.
        if let Some(logging) = logging.upgrade() {
            let statistics = logging.statistics();
            counters.count(&statistics);
            latest = LogSink {
                lines: statistics.lines_written,
                dropped: statistics.lines_dropped,
                errors: statistics.write_errors,
            };
        }
        latest
    })
}

/// How old the newest backup may be: one was missed.
const BACKUP_AGE_MAX: Duration = Duration::from_secs(48 * 3600);

fn backup_check(folder: PathBuf, database: &Database, metrics: Metrics) -> Result<Check, Error> {
    let (instance_id, since) = (database.instance_id().to_owned(), database.read(|r| r.created_at())?);
    metrics
        .describe("backup_newest_timestamp_seconds", "When the newest proven backup was made; 0 while there is none.");
    // There from the start: who has none at all is to be seen as well.
    metrics.gauge("backup_newest_timestamp_seconds", &[]).set(0.0);
    Ok(Check::backup_age(BACKUP_AGE_MAX, since, move || {
        let created_at = Backup::newest_proven(&folder, &instance_id)?.map(|backup| backup.created_at);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, exact up to 2^53")]
        let at = created_at.map_or(0.0, |at| at.timestamp() as f64);
        metrics.gauge("backup_newest_timestamp_seconds", &[]).set(at);
        Ok::<_, Error>(created_at)
    }))
}

/// What is known of the outside services. They decide nothing about this process: it is ready without them.
fn external_checks(settings: &Settings) -> Vec<Check> {
    let Api { quiver, alpaca, timeout, .. } = &settings.api;
    let check = |name: &str, endpoint: Endpoint| Check::external(name, Endpoint { timeout: *timeout, ..endpoint });
    let mut checks = Vec::new();
    if let (Some(key), Some(secret_key)) = (&alpaca.key, &alpaca.secret_key) {
        let endpoint = Endpoint::alpaca(&alpaca.base_url.to_string(), key.clone(), secret_key.clone());
        checks.push(check("alpaca", endpoint));
    }
    if let Some(key) = &quiver.key {
        let word = match quiver.authorization {
            Authorization::Bearer => "Bearer",
            Authorization::Token => "Token",
        };
        let authorization = format!("{word} {}", key.expose_secret());
        checks.push(check("quiver", Endpoint::quiver(&quiver.base_url.to_string(), authorization.into())));
    }
    checks
}

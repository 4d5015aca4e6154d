//! What an app does by itself, beside what it is asked.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use trading_config::Settings;
use trading_logging::Logging;
use trading_storage::{Backup, BackupOptions, Database};

use crate::{Handles, Task, TaskContext, TaskError, record, wiring::StorageObserver};

/// How often the head of the chain is written beside the database, if there is something new.
const ANCHOR: Duration = Duration::from_secs(60);

/// How often it is asked if the write-ahead log should be folded into the file.
const CHECKPOINT: Duration = Duration::from_secs(30);

/// How often it is asked if the agents are other ones.
const AGENTS: Duration = Duration::from_secs(1);

/// How often it is looked for what is kept no longer: its age is counted in days.
const RETENTION: Duration = Duration::from_secs(3600);

/// How long after the start that is done which was missed before it: the start has enough to do.
const AFTER_START: Duration = Duration::from_secs(60);

/// How much of a large task may pass without a sign of life: an hour, for a record of many gigabytes on a slow disk.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn all(
    settings: &Settings,
    database: &Database,
    commits: Arc<StorageObserver>,
    logging: Option<Weak<Logging>>,
) -> Vec<Task> {
    let mut tasks = vec![
        Task::every("agents", AGENTS, agents()),
        Task::every("anchoring", ANCHOR, anchoring()),
        Task::every("checkpoint", CHECKPOINT, checkpoint(commits)),
        Task::every("retention", RETENTION, retention(logging)).first_after(AFTER_START).silent_for_at_most(LONG),
    ];
    if settings.backup.enabled {
        tasks.extend([backup(settings, database), proof(settings)]);
    }
    tasks
}

/// Registers the agents of the file in the record, as the file changes, and says when it turned bad.
fn agents() -> impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static {
    let (mut registered, mut rejected) = (None, None);
    move |context| {
        let Handles { settings, database, agents, .. } = context.handles();
        let fault = agents.state().rejected.map(|error| error.to_string());
        if let Some(fault) = fault.as_ref().filter(|&fault| rejected.as_ref() != Some(fault)) {
            log::warn!(target: "agents", fault = fault.as_str(); "the agents file is bad: the agents stay as they were");
        }
        rejected = fault;
        let current = agents.current();
        let known = registered.get_or_insert_with(|| Arc::new(settings.agents().clone()));
        if **known != *current {
            record::register(database, current.list())?;
            let ids = |agents: &trading_config::Agents| -> BTreeSet<String> {
                agents.list().iter().map(|agent| agent.id.clone()).collect()
            };
            let (before, after) = (ids(known), ids(&current));
            let join =
                |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>().join(", ");
            let (added, removed) = (join(&after, &before), join(&before, &after));
            log::info!(target: "agents", agents = current.list().len(), added, removed; "the agents are other ones now");
            *known = current;
        }
        Ok(())
    }
}

fn anchoring() -> impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static {
    let mut anchored = None;
    move |context| {
        let database = context.handles().database();
        if anchored.as_ref() != Some(&database.head()) {
            anchored = Some(database.anchor()?);
        }
        Ok(())
    }
}

/// Folds the write-ahead log into the file while nobody writes, so that neither the log grows nor a writer has to do it.
fn checkpoint(commits: Arc<StorageObserver>) -> impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static {
    let mut seen = 0;
    move |context| {
        let database = context.handles().database();
        let now = commits.commits();
        let idle = now == seen;
        seen = now;
        if idle && database.sizes()?.wal_bytes > 0 {
            database.checkpoint()?;
        }
        Ok(())
    }
}

fn backup(settings: &Settings, database: &Database) -> Task {
    let (time, zone) = (settings.backup.time, settings.scheduling.timezone);
    let task = Task::daily("backup", time, zone, make_backup).silent_for_at_most(LONG);
    // One that fails to be read counts as none, and the task says why.
    let newest = Backup::newest_proven(settings.backup.path.full(), database.instance_id()).ok().flatten();
    let missed = newest.is_none_or(|backup| Utc::now() - backup.created_at > TimeDelta::days(1));
    if missed { task.first_after(AFTER_START) } else { task }
}

fn make_backup(context: &TaskContext) -> Result<(), TaskError> {
    let Handles { settings, database, .. } = context.handles();
    let folder = settings.backup.path.full();
    let options = BackupOptions { compress: settings.backup.compress, ..BackupOptions::to(&folder) };
    let began = Instant::now();
    let made = database.backup(&options, |_| context.beat())?;
    let took_ms = began.elapsed().as_millis();
    log::info!(path:% = made.path.display(), bytes = made.size_bytes, took_ms; "backup made and proven");
    Ok(())
}

/// Lets go of what is kept no longer: backups, and log files, of which the log's own writer only says on standard error what it
/// cannot delete. Samples of metrics take as much room however old they are, and those that are too old are told to nobody.
fn retention(logging: Option<Weak<Logging>>) -> impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static {
    move |context| {
        // One that fails keeps the other from nothing.
        let backups = prune_backups(context.handles());
        if let Some(logging) = logging.as_ref().and_then(Weak::upgrade) {
            logging.apply_retention()?;
        }
        backups
    }
}

fn prune_backups(Handles { settings, database, .. }: &Handles) -> Result<(), TaskError> {
    if !settings.backup.enabled {
        return Ok(());
    }
    let days = settings.backup.retention_days;
    for path in Backup::prune(settings.backup.path.full(), database.instance_id(), days, Utc::now())? {
        log::info!(path:% = path.display(), days; "backup removed, as old as that");
    }
    Ok(())
}

/// Reads the newest backup again, twelve hours after it was made: what the disk gives back then is what it would give back when it is
/// needed.
fn proof(settings: &Settings) -> Task {
    let time = settings.backup.time.overflowing_add_signed(TimeDelta::hours(12)).0;
    let prove = |context: &TaskContext| {
        let Handles { settings, database, .. } = context.handles();
        let folder = settings.backup.path.full();
        let Some(newest) = Backup::newest_proven(&folder, database.instance_id())? else {
            return Err(format!("there is no backup of this record in {}", folder.display()).into());
        };
        let began = Instant::now();
        newest.verify(None, |_| context.beat())?;
        log::info!(path:% = newest.path.display(), took_ms = began.elapsed().as_millis(); "backup proven again");
        Ok(())
    };
    Task::daily("backup_proof", time, settings.scheduling.timezone, prove).silent_for_at_most(LONG)
}

#[cfg(test)]
mod tests;

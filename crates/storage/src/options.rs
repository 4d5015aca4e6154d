//! What the caller of the record chooses.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{MigrationSet, Observer};

/// How to open a database.
///
/// ```
/// use trading_storage::Options;
///
/// let options = Options { readers: 8, ..Options::at("data/trading_automation.db") };
/// assert_eq!(options.busy_timeout.as_secs(), 5);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// The file. Where it is a link, what belongs to the database stands beside the file that the link leads to.
    pub path: PathBuf,
    /// How many connections serve reads at the same time. Default 4; at least 1.
    pub readers: u32,
    /// How long a call waits for its turn to write, for a lock, or for a free connection. Default 5 s: long enough for any
    /// transaction of ours, short enough for a person to wait.
    pub busy_timeout: Duration,
    /// How long a read may take. Default 30 s: an older one keeps the write-ahead log from being folded into the file.
    pub read_age_max: Duration,
    /// How many callers share a commit at the most. Default 256 (arbitrary: well above the threads of one process, and the
    /// first of them waits for the last).
    pub group_max: u32,
    /// How old the head of the chain beside the database may be when something is written. Default 60 s: what was
    /// recorded since then could be cut off unseen after a crash. A commit writes it where it is due; for what comes last before a
    /// quiet time, call [`anchor`](crate::Database::anchor) on a timer, as the app does.
    pub anchor_every: Duration,
    /// The tables of others, which are created and migrated together with ours. Default none.
    pub migrations: Vec<MigrationSet>,
    /// Where a backup is put before an existing database is migrated. Default the folder `backups` beside the database;
    /// `None` migrates without one.
    pub backups: Option<PathBuf>,
    /// Who is told what happens behind the calls. Default nobody.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Options {
    /// The defaults, for the database at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            backups: Some(path.with_file_name("backups")),
            path,
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            read_age_max: Duration::from_secs(30),
            group_max: 256,
            anchor_every: Duration::from_secs(60),
            migrations: Vec::new(),
            observer: None,
        }
    }
}

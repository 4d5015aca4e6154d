//! What the caller of the record chooses.

use std::{path::PathBuf, time::Duration};

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
    /// The file.
    pub path: PathBuf,
    /// How many connections serve reads at the same time. Default 4; at least 1.
    pub readers: u32,
    /// How long a call waits for a lock or a free connection. Default 5 s: long enough for any transaction of ours, short
    /// enough for a person to wait.
    pub busy_timeout: Duration,
}

impl Options {
    /// The defaults, for the database at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readers: 4, busy_timeout: Duration::from_secs(5) }
    }
}

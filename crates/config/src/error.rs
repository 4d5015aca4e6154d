//! What can be wrong with a configuration.
//!
//! Two kinds: a folder or file that cannot be used at all ([`Error::Root`], [`Error::Read`], [`Error::Malformed`]) ends the load at once, since
//! nothing behind it can be judged; everything else is a [`Fault`], and all faults are collected before the load fails. An agents file
//! of that kind is one fault more where there are others.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why the settings could not be loaded. No variant ever holds the value of a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder that was named as the project root, or that the search for it starts in, is none.
    #[error("the project root {} is not a folder", path.display())]
    Root {
        /// What was named.
        path: PathBuf,
    },
    /// A file that should hold settings exists but cannot be read.
    #[error("cannot read {}: check that it is a regular text file, and who may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A TOML or JSON file is not in its format, so nothing in it can be trusted.
    #[error("{}:{line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong and how it should look; never a value.
        reason: String,
    },
    /// A setting was asked for that there is not.
    #[error("there is no setting {name}; did you mean {nearest}?")]
    UnknownKey {
        /// What was asked for.
        name: String,
        /// The key that is most like it.
        nearest: String,
    },
    /// Every value that breaks a rule, sorted by key.
    #[error("the configuration has {}{}", count(faults), lines(faults))]
    Invalid {
        /// At least one.
        faults: Vec<Fault>,
    },
    /// A thread cannot be started.
    #[error("cannot start the thread {name}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn malformed(path: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), line, reason: reason.into() }
    }
}

fn count(faults: &[Fault]) -> String {
    match faults.len() {
        1 => "1 fault".to_owned(),
        n => format!("{n} faults"),
    }
}

/// One goes into the line of the error; of several, each has its own.
fn lines(faults: &[Fault]) -> String {
    if let [fault] = faults {
        return format!(": {fault}");
    }
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// One value that breaks a rule.
///
/// Shown as `key: rule; found …, from …; hint`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Fault {
    /// The key, as in `database.path`, or both keys where the fault lies between two; the name of a `.env` with a line that is none.
    pub key: String,
    /// What a good value is: `must be a whole number from 1 to 65535`.
    pub rule: String,
    /// What was there, quoted; of a secret only that it was there.
    pub found: String,
    /// Where it came from: `variable LOG_LEVEL`, `.env:3 LOG_LEVEL`, `config/production.toml`, `default`.
    pub source: String,
    /// The way out, with an example.
    pub hint: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, rule, found, source, hint } = self;
        write!(f, "{key}: {rule}; found {found}, from {source}; {hint}")
    }
}

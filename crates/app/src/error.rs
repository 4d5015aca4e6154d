//! Why the whole did not start: the part that failed, and its own error.

use std::{error::Error as _, fmt::Write as _, io, path::PathBuf, process::ExitCode};

use trading_config::Settings;
use trading_storage::Backup;

use crate::StartFault;

/// What can fail when the whole is started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] trading_config::Error),
    /// The record.
    #[error(transparent)]
    Storage(#[from] trading_storage::Error),
    /// The record is damaged or gone, and there is a proven backup.
    #[error("{source}")]
    Damaged {
        /// What is wrong with the record.
        source: trading_storage::Error,
        /// The newest proven backup of it; of all where it cannot be told which are.
        backup: PathBuf,
    },
    /// What was to be imported.
    #[error(transparent)]
    Import {
        /// What is wrong with it.
        source: trading_storage::Error,
    },
    /// Real money, and a record of made-up trades, do not go together.
    #[error("made-up trades do not go into production")]
    SampleInProduction,
    /// The log.
    #[error(transparent)]
    Logging(#[from] trading_logging::Error),
    /// The health checks or their server.
    #[error(transparent)]
    Monitoring(#[from] trading_monitoring::Error),
    /// The machine is not as it must be.
    #[error("this machine is not ready{}", listed(.faults))]
    Machine {
        /// All that is wrong.
        faults: Vec<StartFault>,
    },
    /// A thread could not be started.
    #[error("cannot start the thread {name}")]
    Thread {
        /// What it is for.
        name: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// It was ended, since it could not go on.
    #[error("it could not go on: {reason}")]
    GaveUp {
        /// Why.
        reason: String,
    },
    /// The signals that end the process could not be caught.
    #[error("cannot catch signals")]
    Signals {
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// What failed with the record of these settings; where it is damaged or gone, with the backup that it can be restored from.
    #[must_use]
    pub fn of_record(error: trading_storage::Error, settings: &Settings) -> Self {
        use trading_storage::Error as E;
        let error = match error {
            // What a statement stumbles over does not say in which file.
            E::Query { .. } | E::Migration { .. } | E::Stored { .. } if error.is_damage() => {
                E::Damaged { path: settings.database.full_path(), what: chain(&error) }
            }
            error => error,
        };
        let is_lost = error.is_damage() || matches!(error, E::Missing { .. } | E::Leftover { .. });
        let backup = || {
            let instance = Backup::instance_at(settings.database.full_path());
            let is_ours =
                |backup: &Backup| instance.as_ref().is_none_or(|instance| backup.is_of(instance) == Some(true));
            let backups = Backup::list(settings.backup.path.full()).ok()?;
            backups.into_iter().find(|backup| backup.is_proven() && is_ours(backup))
        };
        match is_lost.then(backup).flatten() {
            Some(backup) => Self::Damaged { source: error, backup: backup.path },
            None => Self::Storage(error),
        }
    }

    /// Of what failed while the record of these settings was used, as [`of_record`](Self::of_record).
    pub(crate) fn with_record(self, settings: &Settings) -> Self {
        match self {
            Self::Storage(error) => Self::of_record(error, settings),
            other => other,
        }
    }

    /// The exit code of a program that ends with this error: 2 for the settings, which the operator wrote, else 1.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        let of_settings =
            matches!(self, Self::Settings(_) | Self::Logging(trading_logging::Error::UnknownComponent { .. }));
        ExitCode::from(if of_settings { 2 } else { 1 })
    }

    /// What can be done about it, as a clause; `None` where nothing can be said.
    #[must_use]
    pub fn way_out(&self) -> Option<String> {
        let text = match self {
            Self::Settings(trading_config::Error::Malformed { .. }) => "correct that line",
            Self::Damaged { source, backup } => {
                use trading_storage::Error as E;
                let first = match source {
                    E::Missing { .. } => "",
                    E::Leftover { .. } => "keep what is left as it is, and ",
                    _ => "keep the file as it is, and ",
                };
                let backup = backup.display();
                return Some(format!("{first}restore the newest proven backup: `trading restore {backup}`"));
            }
            Self::Storage(trading_storage::Error::Missing { .. }) => {
                "create it with `trading init-db`, or set DATABASE_PATH to where it is"
            }
            Self::Storage(error) => {
                use trading_storage::Error as E;
                // Of another file than the record.
                let elsewhere = matches!(
                    error,
                    E::Ours { .. }
                        | E::NotEarlier { .. }
                        | E::Changing { .. }
                        | E::ImportCopy { .. }
                        | E::BackupFile { .. }
                        | E::BackupDamaged { .. }
                        | E::BackupKey { .. }
                );
                let setting = if elsewhere { "" } else { "; the path is the setting DATABASE_PATH" };
                return error.way_out().map(|text| format!("{text}{setting}"));
            }
            Self::Import { source } => {
                use trading_storage::Error as E;
                match source {
                    E::Missing { .. }
                    | E::NotAFile { .. }
                    | E::NotADatabase { .. }
                    | E::Emptied { .. }
                    | E::Foreign { .. } => {
                        "name the database of the earlier system; its DATABASE_PATH said where it is"
                    }
                    source => return source.way_out().map(str::to_owned),
                }
            }
            Self::SampleInProduction => "set DATABASE_PATH to another database",
            Self::Logging(trading_logging::Error::UnknownComponent { .. }) => {
                "correct LOGGING__LEVELS: it may name agents, api, trading, performance, trading_automation, and what a program adds"
            }
            Self::Logging(_) => "the folder is the setting LOG_PATH",
            Self::GaveUp { .. } => "check the disk, and start it again: a start looks at everything anew",
            Self::Monitoring(trading_monitoring::Error::Bind { .. }) => "set MONITORING__PORT or MONITORING__HOST",
            Self::Settings(_)
            | Self::Monitoring(_)
            | Self::Machine { .. }
            | Self::Thread { .. }
            | Self::Signals { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// The error for people: what failed, why, and the way out, in one line where there is one fault.
    #[must_use]
    pub fn line(&self) -> String {
        let mut text = format!("error: {self}");
        if let Some(cause) = self.causes().into_iter().next() {
            write!(text, ": {cause}").expect("a String takes all");
        }
        if let Some(way_out) = self.way_out() {
            write!(text, "; way out: {way_out}").expect("a String takes all");
        }
        text
    }

    /// The error for people: what failed, all its causes, and the way out, a line each, without a final line end.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = format!("error: {self}");
        for cause in self.causes() {
            write!(text, "\n  cause: {cause}").expect("a String takes all");
        }
        if let Some(way_out) = self.way_out() {
            write!(text, "\n  way out: {way_out}").expect("a String takes all");
        }
        text
    }

    /// The texts of its causes, without those that say nothing new.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut said = self.to_string();
        let mut causes = Vec::new();
        let mut cause = self.source();
        while let Some(error) = cause {
            let reason = error.to_string();
            // Libraries often repeat their source in their own text.
            if !said.contains(&reason) {
                causes.push(reason.clone());
            }
            said = reason;
            cause = error.source();
        }
        causes
    }
}

/// One goes into the line of the error; of several, each has its own.
fn listed(faults: &[StartFault]) -> String {
    if let [fault] = faults {
        return format!(": {fault}");
    }
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Libraries often repeat their source in their own text.
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

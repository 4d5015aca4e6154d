//! Why the whole did not start: the part that failed, and its own error.

use crate::StartFault;
use std::{error::Error as _, fmt::Write as _, io, process::ExitCode};

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
    /// The signals that end the process could not be caught.
    #[error("cannot catch signals")]
    Signals {
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// The exit code of a program that ends with this error: 2 for the settings, which the operator wrote, else 1.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Settings(_)) { 2 } else { 1 })
    }

    /// The error for people: what failed, its causes, and the way out, a line each, without a final line end.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = format!("error: {self}");
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let reason = error.to_string();
            // Libraries often repeat their source in their own text.
            if !said.contains(&reason) {
                write!(text, "\n  cause: {reason}").expect("a String takes all");
            }
            said = reason;
            cause = error.source();
        }
        let way_out = match self {
            Self::Settings(trading_config::Error::Malformed { .. }) => Some("correct that line"),
            Self::Storage(trading_storage::Error::Missing { .. }) => {
                Some("create it with `trading init-db`, or set DATABASE_PATH to where it is")
            }
            Self::Storage(error) => error.way_out(),
            Self::SampleInProduction => Some("set DATABASE_PATH to another database"),
            Self::Logging(_) => Some("the folder is the setting LOG_PATH"),
            Self::Monitoring(trading_monitoring::Error::Bind { .. }) => {
                Some("set MONITORING__PORT or MONITORING__HOST")
            }
            Self::Settings(_)
            | Self::Monitoring(_)
            | Self::Machine { .. }
            | Self::Thread { .. }
            | Self::Signals { .. } => None,
        };
        if let Some(way_out) = way_out {
            write!(text, "\n  way out: {way_out}").expect("a String takes all");
            if matches!(self, Self::Storage(error) if !matches!(error, trading_storage::Error::Missing { .. })) {
                text.push_str("; the path is the setting DATABASE_PATH");
            }
        }
        text
    }
}

fn listed(faults: &[StartFault]) -> String {
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

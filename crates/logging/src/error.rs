//! Why logging could not be started, or do what its handle was asked. Who logs never gets an error: what goes wrong there is
//! counted ([`Statistics`](crate::Statistics)) and said on standard error.

use std::{io, path::PathBuf};

/// What can fail when logging is built or installed, or its handle is asked for something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value that cannot work.
    #[error("logging option `{option}` is {found}: {rule}")]
    Option {
        /// The field of [`Options`](crate::Options).
        option: &'static str,
        /// The value, as given.
        found: String,
        /// What would be right.
        rule: &'static str,
    },
    /// The folder is missing and could not be made.
    #[error(
        "cannot create the log folder {}; create it for this user, or choose another log folder",
        path.display()
    )]
    CreateFolder {
        /// The folder of the options, absolute where that could be told.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder is there, but files in it cannot be made or written.
    #[error("cannot write {}; give this user the right to write it, or choose another log folder", path.display())]
    Write {
        /// The folder, or the log file in it that cannot be written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The process has a logger already. Nothing was changed: no thread, no folder and no file is left behind.
    #[error("cannot install the logger: this process already has one; install once, or use `build` for a second")]
    AlreadyInstalled {
        /// What the `log` façade said.
        source: log::SetLoggerError,
    },
    /// No component has this name.
    #[error("no log component is called {name:?}; those of the options are known, and `trading_automation`")]
    UnknownComponent {
        /// The name, as given.
        name: String,
    },
    /// A log file that is too old, or too much, cannot be deleted.
    #[error("cannot delete the old log {}; give this user the right to write its folder", path.display())]
    Retention {
        /// The file, or the folder if that cannot be read.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refused the writer's thread.
    #[error("cannot start the thread that writes the logs")]
    Thread {
        /// What the operating system said.
        source: io::Error,
    },
}

//! The signals that end the process in order.

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals as Caught,
};

use crate::Error;

/// Catches SIGINT, SIGTERM and SIGHUP from its making on, so that none is missed while the whole starts.
#[derive(Debug)]
pub struct Signals {
    caught: Caught,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Stop { signal: &'static str },
    ReopenLogs,
}

impl Signals {
    /// Begins to catch them, for the whole process.
    ///
    /// # Errors
    /// [`Error::Signals`] if the system does not allow it.
    #[expect(clippy::disallowed_methods, reason = "the one place where signals are caught")]
    pub fn catch() -> Result<Self, Error> {
        let caught = Caught::new([SIGINT, SIGTERM, SIGHUP]).map_err(|source| Error::Signals { source })?;
        Ok(Self { caught })
    }

    /// Blocks until one comes, or returns the one that came already.
    pub(crate) fn wait(&mut self) -> Request {
        match self.caught.forever().next() {
            Some(SIGHUP) => Request::ReopenLogs,
            Some(SIGINT) => Request::Stop { signal: "SIGINT" },
            _ => Request::Stop { signal: "SIGTERM" },
        }
    }
}

//! The signals that end the process in order.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
    iterator::Signals as Caught,
};

use crate::Error;

/// How long a stop goes on after somebody asked for it a second time.
const PATIENCE: Duration = Duration::from_secs(1);

/// Catches SIGINT, SIGTERM and SIGHUP from its making on, so that none is missed while the whole starts. SIGXFSZ, which would end the
/// process at a limit of file sizes, does nothing from then on: the write fails, and is told as one.
#[derive(Debug)]
pub struct Signals {
    caught: Caught,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Stop { signal: &'static str },
    Reload,
}

impl Signals {
    /// Begins to catch them, for the whole process.
    ///
    /// # Errors
    /// [`Error::Signals`] if the system does not allow it.
    #[expect(clippy::disallowed_methods, reason = "the one place where signals are caught")]
    pub fn catch() -> Result<Self, Error> {
        let failed = |source| Error::Signals { source };
        let caught = Caught::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(failed)?;
        Ok(Self { caught })
    }

    /// Blocks until one comes, or returns the one that came already.
    pub(crate) fn wait(&mut self) -> Request {
        match self.caught.forever().next() {
            Some(SIGHUP) => Request::Reload,
            Some(SIGINT) => Request::Stop { signal: "SIGINT" },
            Some(_) => Request::Stop { signal: "SIGTERM" },
            None => Request::Stop { signal: "none" },
        }
    }

    /// From now on a signal to stop ends the process, in [`PATIENCE`] at the latest: what was acknowledged is on the disk already.
    pub(crate) fn be_impatient(mut self) -> io::Result<()> {
        let end = move || {
            while self.wait() == Request::Reload {}
            log::warn!("asked a second time to stop: ending at once");
            thread::sleep(PATIENCE);
            end_process();
        };
        thread::Builder::new().name("second-signal".to_owned()).spawn(end).map(drop)
    }
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "somebody asked twice, and what should end does not")]
fn end_process() -> ! {
    std::process::exit(1)
}

//! The way out that is left when the log files are not.

use std::{
    fmt,
    io::Write,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The least time between two complaints. Arbitrary: often enough to be seen, too seldom to fill a terminal.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Standard error, or what a test put in its place.
pub(crate) struct StandardError(Mutex<State>);

struct State {
    out: Box<dyn Write + Send>,
    complained: Option<Instant>,
}

impl StandardError {
    pub(crate) fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Mutex::new(State { out, complained: None }))
    }

    /// Writes a whole line that has no other place.
    pub(crate) fn write(&self, line: &str) {
        self.with(|state| write_line(&mut state.out, format_args!("{line}")));
    }

    /// Says what is wrong with logging itself, at most once a minute.
    pub(crate) fn complain(&self, complaint: fmt::Arguments<'_>) {
        self.with(|state| {
            let now = Instant::now();
            if state.complained.is_none_or(|last| now.duration_since(last) >= COMPLAIN_EVERY) {
                state.complained = Some(now);
                write_line(&mut state.out, format_args!("logging: {complaint}\n"));
            }
        });
    }

    fn with(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for StandardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandardError").finish_non_exhaustive()
    }
}

fn write_line(out: &mut dyn Write, line: fmt::Arguments<'_>) {
    // One write a line, so that other writers of standard error do not split it. If it fails, nobody is left to tell.
    let done = out.write_all(line.to_string().as_bytes()).and_then(|()| out.flush());
    drop(done);
}

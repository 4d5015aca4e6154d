//! The console: written by a thread of its own, so that one that stands still (a terminal that is held, a pipe that nobody reads)
//! holds up neither the files nor, by a full queue, who logs.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use log::Level;

/// Appends whole lines, each after its priority.
///
/// **Source:** sd-daemon(3).
pub(crate) fn prioritise(out: &mut String, levels: impl Iterator<Item = Level>, lines: &str) {
    for (level, line) in levels.zip(lines.split_inclusive('\n')) {
        out.push_str(match level {
            Level::Error => "<3>",
            Level::Warn => "<4>",
            Level::Info => "<6>",
            Level::Debug | Level::Trace => "<7>",
        });
        out.push_str(line);
    }
}

/// What became of some lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// They are on the console.
    Yes,
    /// The console stands still, and did not get them.
    No,
    /// It refused them.
    Failed,
    /// Whoever read it has gone, for good.
    Gone,
}

/// The writer's side.
#[derive(Debug)]
pub(crate) struct Console {
    desk: Arc<Desk>,
    /// How long lines wait for the console.
    wait: Duration,
}

/// Where lines are handed over, one batch at a time.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: String,
    /// The lines are being written.
    is_busy: bool,
    is_closed: bool,
    /// How the last ones fared.
    result: Option<io::Result<()>>,
}

impl Console {
    /// Starts the thread.
    pub(crate) fn start(out: Box<dyn Write + Send>, wait: Duration) -> io::Result<Self> {
        let desk = Arc::<Desk>::default();
        let theirs = Arc::clone(&desk);
        thread::Builder::new().name("log-console".into()).spawn(move || theirs.work(out))?;
        Ok(Self { desk, wait })
    }

    /// Shows whole lines, and waits for it. What waited too long stays in the console's hand, and until it goes on no more is given.
    pub(crate) fn show(&self, lines: &str) -> Shown {
        let mut state = self.desk.lock();
        if state.is_busy {
            return Shown::No;
        }
        state.lines.push_str(lines);
        state.is_busy = true;
        self.desk.changed.notify_all();
        let waited = self.desk.changed.wait_timeout_while(state, self.wait, |state| state.is_busy);
        match waited.unwrap_or_else(PoisonError::into_inner).0.result.take() {
            None | Some(Ok(())) => Shown::Yes,
            Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Shown::Gone,
            Some(Err(_)) => Shown::Failed,
        }
    }
}

impl Drop for Console {
    /// The thread ends when it has nothing in hand; one that stands still ends with the process.
    fn drop(&mut self) {
        self.desk.lock().is_closed = true;
        self.desk.changed.notify_all();
    }
}

impl Desk {
    fn work(&self, mut out: Box<dyn Write + Send>) {
        let mut lines = String::new();
        loop {
            let mut state = self.lock();
            state = self
                .changed
                .wait_while(state, |state| !state.is_busy && !state.is_closed)
                .unwrap_or_else(PoisonError::into_inner);
            if !state.is_busy {
                return;
            }
            mem::swap(&mut lines, &mut state.lines);
            drop(state);
            let result = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
            lines.clear();
            let mut state = self.lock();
            (state.is_busy, state.result) = (false, Some(result));
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The console: written by a thread of its own, so that one that stands still (a terminal that is held, a pipe that nobody reads)
//! holds up neither the files nor, by a full queue, who logs.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

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
    stands_still: bool,
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
        Ok(Self { desk, wait, stands_still: false })
    }

    /// Shows whole lines, and waits for it. One that let lines wait too long is not waited for again until it goes on.
    pub(crate) fn show(&mut self, lines: &str) -> Shown {
        let wait = if self.stands_still { Duration::ZERO } else { self.wait };
        let mut state = self.desk.wait_while_busy(wait);
        if !state.is_busy {
            state.lines.push_str(lines);
            (state.is_busy, state.result) = (true, None);
            self.desk.changed.notify_all();
            drop(state);
            state = self.desk.wait_while_busy(self.wait);
            self.stands_still = state.is_busy;
            // What it has in hand will be shown, if it ever goes on.
            return match state.result.take() {
                None | Some(Ok(())) => Shown::Yes,
                Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Shown::Gone,
                Some(Err(_)) => Shown::Failed,
            };
        }
        self.stands_still = true;
        Shown::No
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

    fn wait_while_busy(&self, wait: Duration) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_timeout_while(self.lock(), wait, |state| state.is_busy);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

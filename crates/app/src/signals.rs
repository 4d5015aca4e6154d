//! What is asked of the running whole: by signals, and by its own parts.

use std::{
    ffi::c_int,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
    iterator::{Handle, Signals as Caught},
};

use crate::Error;

/// How long a stop goes on after somebody asked for it a second time.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the start may go on after somebody asked for the end: most starts are over sooner, and end in order then. One that waits for
/// somebody else, or migrates, is cut off, as it may be at any moment.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// How many requests may wait. Arbitrary: signals of a kind that come together are one.
const QUEUE: usize = 16;

/// Catches SIGINT, SIGTERM and SIGHUP from its making on, so that none is missed while the whole starts, and does what
/// [`outlive_file_size_limit`] does.
///
/// One that asks for the end is met by [`App::run_until`](crate::App::run_until); where that is not called within two seconds, since the start
/// takes longer, the process ends with 128 + its number, as shells have it. So it does a second after another one. What was acknowledged is
/// on the disk, and the next start takes up the rest. Dropped, it does nothing more.
#[derive(Debug)]
pub struct Signals {
    handle: Handle,
    way: Arc<Way>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Stop { signal: &'static str },
    Reload,
    GiveUp { reason: String },
}

impl Signals {
    /// Begins to catch them, for the whole process.
    ///
    /// # Errors
    /// [`Error::Signals`] if the system does not allow it.
    #[expect(clippy::disallowed_methods, reason = "the one place where signals are caught")]
    pub fn catch() -> Result<Self, Error> {
        let caught = Caught::new([SIGINT, SIGTERM, SIGHUP]).map_err(|source| Error::Signals { source })?;
        outlive_file_size_limit()?;
        let way = Arc::new(Way::default());
        let signals = Self { handle: caught.handle(), way: Arc::clone(&way) };
        let relay = move || relay(caught, &way);
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(relay);
        thread.map_err(|source| Error::Signals { source })?;
        Ok(signals)
    }

    /// Has requests made of them, and of those that came before.
    pub(crate) fn lead_to(&self, requests: Requests) {
        let mut end = self.way.end();
        if let End::Open(early) = &mut *end {
            early.drain(..).for_each(|request| requests.send(request));
        }
        *end = End::Met(requests);
        self.way.changed.notify_all();
    }

    /// From now on a signal to stop ends the process, in [`PATIENCE`] at the latest: what was acknowledged is on the disk already.
    pub(crate) fn be_impatient(&self) {
        self.way.is_stopping.store(true, Ordering::Release);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        *self.way.end() = End::Closed;
        self.way.changed.notify_all();
    }
}

/// The way from signals to requests.
#[derive(Debug, Default)]
struct Way {
    is_stopping: AtomicBool,
    end: Mutex<End>,
    changed: Condvar,
}

/// Where it leads.
#[derive(Debug)]
enum End {
    /// Nowhere yet: what came, each kind once.
    Open(Vec<Request>),
    Met(Requests),
    Closed,
}

impl Default for End {
    fn default() -> Self {
        Self::Open(Vec::new())
    }
}

impl Way {
    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, request: Request) {
        match &mut *self.end() {
            End::Open(early) if early.contains(&request) => {}
            End::Open(early) => early.push(request),
            End::Met(requests) => requests.send(request),
            End::Closed => {}
        }
    }

    /// Waits as long as `goes_on`, and at most so long; says if it still does.
    fn outlasts(&self, limit: Duration, goes_on: impl Fn(&End) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.end(), limit, |end| goes_on(end));
        let (end, _) = waited.unwrap_or_else(PoisonError::into_inner);
        goes_on(&end)
    }
}

fn relay(mut caught: Caught, way: &Arc<Way>) {
    for signal in &mut caught {
        let request = match signal {
            SIGHUP => Request::Reload,
            SIGINT => Request::Stop { signal: "SIGINT" },
            _ => Request::Stop { signal: "SIGTERM" },
        };
        if request != Request::Reload {
            if way.is_stopping.swap(true, Ordering::AcqRel) {
                log::warn!("asked a second time to stop: ending at once");
                if way.outlasts(PATIENCE, |end| !matches!(end, End::Closed)) {
                    end_process(signal);
                }
            }
            if let Err(error) = limit_start(signal, way) {
                log::error!(error:% = error; "only a second signal ends the start before it is through");
            }
        }
        way.send(request);
    }
}

/// Ends the process if nobody meets its requests soon.
fn limit_start(signal: c_int, way: &Arc<Way>) -> io::Result<()> {
    if !matches!(*way.end(), End::Open(_)) {
        return Ok(());
    }
    let way = Arc::clone(way);
    let wait = move || {
        if way.outlasts(START_PATIENCE, |end| matches!(end, End::Open(_))) {
            log::warn!("asked to stop while it starts: ending at once");
            end_process(signal);
        }
    };
    thread::Builder::new().name("start-limit".to_owned()).spawn(wait).map(drop)
}

/// Where requests wait until they are met. Clones are the same place.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    sender: SyncSender<Request>,
    receiver: Arc<Mutex<Receiver<Request>>>,
}

impl Requests {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        Self { sender, receiver: Arc::new(Mutex::new(receiver)) }
    }

    /// One that finds the queue full is not needed: there is a reason to act in it already.
    pub(crate) fn send(&self, request: Request) {
        if let Err(refused) = self.sender.try_send(request) {
            log::warn!(request:? = refused; "too much is asked at once");
        }
    }

    /// Blocks until one comes.
    pub(crate) fn next(&self) -> Request {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.recv().expect("the sender is beside it")
    }
}

/// Has SIGXFSZ, which ends a process at its limit of file sizes, do nothing from then on: the write fails, and is told as one.
///
/// # Errors
/// [`Error::Signals`] if the system does not allow it.
#[expect(clippy::disallowed_methods, reason = "as in `Signals`")]
pub fn outlive_file_size_limit() -> Result<(), Error> {
    let nothing = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, nothing).map(drop).map_err(|source| Error::Signals { source })
}

/// With the exit code that shells give to what a signal ended.
#[expect(clippy::exit, clippy::disallowed_methods, reason = "somebody asked for the end, and what should end does not")]
fn end_process(signal: c_int) -> ! {
    std::process::exit(128 + signal)
}

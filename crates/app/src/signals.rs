//! What is asked of the running whole: by signals, and by its own parts.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
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

/// How many requests may wait. Arbitrary: signals of a kind that come together are one.
const QUEUE: usize = 16;

/// Catches SIGINT, SIGTERM and SIGHUP from its making on, so that none is missed while the whole starts, and does what
/// [`outlive_file_size_limit`] does.
#[derive(Debug)]
pub struct Signals {
    caught: Caught,
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
        Ok(Self { caught })
    }

    /// Has requests made of them, by a thread of its own, until what is returned is dropped.
    pub(crate) fn relay(self, requests: Requests) -> io::Result<Relay> {
        let handle = self.caught.handle();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let relay = Relay { handle: handle.clone(), is_stopping: Arc::clone(&is_stopping) };
        let mut caught = self.caught;
        let pass_on = move || {
            for signal in &mut caught {
                let request = match signal {
                    SIGHUP => Request::Reload,
                    SIGINT => Request::Stop { signal: "SIGINT" },
                    _ => Request::Stop { signal: "SIGTERM" },
                };
                let stops = request != Request::Reload;
                if stops && is_stopping.swap(true, Ordering::AcqRel) {
                    log::warn!("asked a second time to stop: ending at once");
                    thread::sleep(PATIENCE);
                    if !handle.is_closed() {
                        end_process();
                    }
                }
                requests.send(request);
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(pass_on)?;
        Ok(relay)
    }
}

/// The way from signals to requests. Dropped, it leads nowhere any more.
#[derive(Debug)]
pub(crate) struct Relay {
    handle: Handle,
    is_stopping: Arc<AtomicBool>,
}

impl Relay {
    /// From now on a signal to stop ends the process, in [`PATIENCE`] at the latest: what was acknowledged is on the disk already.
    pub(crate) fn be_impatient(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.handle.close();
    }
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

#[expect(clippy::exit, clippy::disallowed_methods, reason = "somebody asked twice, and what should end does not")]
fn end_process() -> ! {
    std::process::exit(1)
}

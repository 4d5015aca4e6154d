//! What happens to files once they are set aside: they are compressed, and deleted when they are too old or too much.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread,
    time::Duration,
};

use chrono::NaiveDate;

use crate::{
    file::archive::{Archive, Failure},
    shared::Shared,
};

/// How long the end of the logging waits for a file that is being compressed. Arbitrary: short ones are finished, and what is
/// given up is done at the next start.
const END_WAIT: Duration = Duration::from_secs(1);

/// Keeps the folder in order. Deleting is done at once, compressing on a thread of its own, because lines cannot wait for it.
pub(crate) struct Housekeeper {
    shared: Arc<Shared>,
    archive: Archive,
    gzip: bool,
    /// Disconnected when the thread has ended.
    working: Option<Receiver<()>>,
    stop: Arc<AtomicBool>,
    /// What is to be done once the thread has ended.
    next: Option<NaiveDate>,
}

impl Housekeeper {
    pub(crate) fn new(shared: Arc<Shared>, archive: Archive, gzip: bool) -> Self {
        Self { shared, archive, gzip, working: None, stop: Arc::default(), next: None }
    }

    /// Keeps house, now or as soon as it can be done.
    pub(crate) fn keep(&mut self, today: NaiveDate) {
        self.next = Some(today);
        self.go_on();
    }

    /// Begins what had to wait.
    pub(crate) fn go_on(&mut self) {
        let is_working = |working: &Receiver<()>| working.try_recv() == Err(TryRecvError::Empty);
        if self.working.as_ref().is_some_and(is_working) {
            return;
        }
        self.working = None;
        let Some(today) = self.next.take() else { return };
        if !self.gzip {
            tell(&self.shared, self.archive.sweep());
            tell(&self.shared, self.archive.prune(today));
            return;
        }
        let archive = self.archive.clone();
        let (shared, stop) = (Arc::clone(&self.shared), Arc::clone(&self.stop));
        let (ended, working) = channel();
        let work = move || {
            let _ended = ended;
            tell(&shared, archive.sweep());
            tell(&shared, archive.compress(&stop));
            tell(&shared, archive.prune(today));
        };
        match thread::Builder::new().name("log-archiver".into()).spawn(work) {
            Ok(_detached) => self.working = Some(working),
            Err(error) => tell(&self.shared, vec![(self.archive.folder().to_owned(), error)]),
        }
    }

    /// Waits a while for what is under way, and gives the rest up.
    pub(crate) fn end(self) {
        if let Some(working) = &self.working {
            // Nothing is ever sent: this ends with the thread, or with the time.
            working.recv_timeout(END_WAIT).unwrap_or_default();
        }
        self.stop.store(true, Relaxed);
    }
}

fn tell(shared: &Shared, failures: Vec<Failure>) {
    for (path, error) in failures {
        shared.counters.errors.fetch_add(1, Relaxed);
        let complaint = format_args!("cannot compress or delete the old log {}: {error}", path.display());
        shared.standard_error.complain(complaint);
    }
}

//! The thread of the watch: waits, reads, judges.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Instant,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::{
    Shared, WatchOptions,
    settling::{Look, Settling},
};
use crate::{
    Error, ProjectPath,
    agents::{self, Agents, BUILT_IN_NAME},
    sources,
};

/// What the thread is told.
pub(super) enum Message {
    /// Something may have changed, or it is time to stop.
    Wake,
    /// Look at once; dropping the sender says that it is done.
    Check(SyncSender<()>),
}

pub(super) struct Follower {
    file: PathBuf,
    shown: String,
    notify: bool,
    shared: Arc<Shared>,
    messages: SyncSender<Message>,
    settling: Settling<Found>,
    notifier: Option<RecommendedWatcher>,
}

/// What is at the path, in a form that two looks can compare.
#[derive(PartialEq)]
enum Found {
    Text(String),
    Nothing,
    Unreadable(io::ErrorKind, String),
}

impl Follower {
    pub(super) fn new(
        path: &ProjectPath,
        options: WatchOptions,
        shared: Arc<Shared>,
        messages: SyncSender<Message>,
    ) -> Self {
        Self {
            file: path.full(),
            shown: path.as_written().display().to_string(),
            notify: options.notify,
            shared,
            messages,
            settling: Settling::new(options.interval, options.debounce, Instant::now()),
            notifier: None,
        }
    }

    pub(super) fn run(&mut self, received: &Receiver<Message>) {
        // The first look judges at once: there is no earlier content that it could be a half-written change of.
        self.renew_notifier();
        self.look(true);
        while !self.shared.stopping.load(Ordering::Acquire) {
            let wait = self.settling.wait(Instant::now());
            // Looks come first, or a folder that is never quiet would put them off for ever.
            if wait.is_zero() {
                self.look(false);
                continue;
            }
            match received.recv_timeout(wait) {
                Ok(Message::Wake) => self.settling.wake(Instant::now()),
                Ok(Message::Check(done)) => {
                    self.look(true);
                    drop(done);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, at_once: bool) {
        if self.notifier.is_none() {
            self.renew_notifier();
        }
        let found = find(&self.file);
        let now = Instant::now();
        let verdict = match self.settling.look(found, at_once, now) {
            Look::Same => None,
            Look::Moving => {
                // The folder may be another one by now, or the link lead elsewhere. Before the look that decides, so that it finds
                // what changed in between.
                self.renew_notifier();
                None
            }
            Look::Settled(found) => Some(judge(found, &self.file, &self.shown, &self.shared.current())),
        };
        self.shared.state().checked_at = now;
        if let Some(verdict) = verdict {
            self.shared.accept(verdict);
        }
    }

    fn renew_notifier(&mut self) {
        if self.notify {
            let made = notifier(&self.file, self.messages.clone());
            self.shared.state().notify_error = made.as_ref().err().map(ToString::to_string);
            self.notifier = made.ok();
        }
    }
}

/// Watches the folder that the file is in, and the one that it really is in if it is a link: a watch on the file itself would stay with
/// the file that was renamed over.
fn notifier(file: &Path, messages: SyncSender<Message>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if is_news(&event) {
            // If there is no room, a message is there already.
            let _woken = messages.try_send(Message::Wake);
        }
    })?;
    let folder = file.parent().unwrap_or(file);
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    if let Ok(real) = file.canonicalize()
        && let Some(real) = real.parent()
        && folder.canonicalize().is_ok_and(|folder| folder != real)
    {
        watcher.watch(real, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn is_news(event: &notify::Result<notify::Event>) -> bool {
    // Our own reading is an event too, and would keep us busy for ever. An error may stand for lost events.
    !event.as_ref().is_ok_and(|event| event.kind.is_access())
}

fn find(file: &Path) -> Found {
    match sources::read(file) {
        Ok(Some(text)) => Found::Text(text),
        Ok(None) => Found::Nothing,
        Err(Error::Read { source, .. }) => Found::Unreadable(source.kind(), source.to_string()),
        Err(error) => Found::Unreadable(io::ErrorKind::Other, error.to_string()),
    }
}

fn judge(found: &Found, file: &Path, shown: &str, held: &Arc<Agents>) -> Result<Arc<Agents>, Error> {
    let unreadable = |source| Error::Read { path: file.to_owned(), source };
    match found {
        Found::Text(text) => {
            let (agents, mut faults) = agents::parse(text, file, shown)?;
            if faults.is_empty() {
                return Ok(Arc::new(agents));
            }
            faults.sort();
            Err(Error::Invalid { faults })
        }
        // There was none from the beginning, and that was in order.
        Found::Nothing if held.source() == BUILT_IN_NAME => Ok(Arc::clone(held)),
        Found::Nothing => Err(unreadable(io::ErrorKind::NotFound.into())),
        Found::Unreadable(kind, text) => Err(unreadable(io::Error::new(*kind, text.clone()))),
    }
}

#[cfg(test)]
mod tests {
    use notify::{
        Event, EventKind,
        event::{AccessKind, CreateKind, Flag, ModifyKind, RemoveKind},
    };

    use super::is_news;

    #[test]
    fn reading_is_no_news_and_everything_else_is() {
        assert!(!is_news(&Ok(Event::new(EventKind::Access(AccessKind::Any)))));
        for kind in [
            EventKind::Any,
            EventKind::Create(CreateKind::Any),
            EventKind::Modify(ModifyKind::Any),
            EventKind::Remove(RemoveKind::Any),
        ] {
            assert!(is_news(&Ok(Event::new(kind))), "{kind:?}");
        }
        assert!(is_news(&Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))), "events were lost");
        assert!(is_news(&Err(notify::Error::generic("lost"))));
    }
}

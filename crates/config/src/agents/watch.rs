//! Follows the agents file while the process runs.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::Agents;
use crate::{Error, Settings};
use follower::{Follower, Message};

mod follower;
mod settling;

/// How closely the agents file is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchOptions {
    /// The file is looked at this often even if nothing was notified: file systems of other machines notify nothing, and
    /// notifications can be lost or unavailable. At least 1 ms; default 5 s. Arbitrary: a look reads one small file.
    pub interval: Duration,
    /// A new content counts once it has stayed the same for this long, so that a file in the middle of being written is not judged. At
    /// least 1 ms; default 200 ms. Arbitrary: an editor writes and renames within a few.
    pub debounce: Duration,
    /// If the operating system is asked to notify changes, so that they are seen at once; default true. Without, the file is only looked
    /// at every `interval`.
    pub notify: bool,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), debounce: Duration::from_millis(200), notify: true }
    }
}

/// What subscribers are told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WatchEvent {
    /// The file is good and other than before. All three lists are empty if the agents are the same, which is so if something
    /// beside them changed (their order, `global_parameters`), or if a rejected file was put right.
    Changed {
        /// What [`AgentsWatch::current`] gives from now on.
        agents: Arc<Agents>,
        /// Ids that were not there before, in the order of the file.
        added: Vec<String>,
        /// Ids that are no more, in the order of the earlier file.
        removed: Vec<String>,
        /// Ids whose agent differs in any field, in the order of the file.
        changed: Vec<String>,
    },
    /// The file is bad, or gone. The agents stay as they were. Told once for each content.
    Rejected {
        /// What is wrong: the error that a start with this file would give.
        error: Arc<Error>,
    },
}

/// How the watch is doing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WatchState {
    /// What is wrong with the file as it is now; `None` if it is the one in use.
    pub rejected: Option<Arc<Error>>,
    /// Why changes are not notified and only seen at the next look; `None` if they are notified, or were not asked for.
    pub notify_error: Option<String>,
    /// When the file was last looked at.
    pub checked_at: Instant,
    /// How many calls of subscribers ended in a panic.
    pub panics: u64,
}

type Subscriber = Mutex<dyn FnMut(&WatchEvent) + Send>;

/// Keeps a subscriber told; dropping it ends that, after a call that may be running.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    _subscriber: Arc<Subscriber>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// The agents as the file has them now: re-read when it changes, and kept when it turns bad.
///
/// It follows the path, not the file: it does not matter if the file is written in place, renamed over, deleted and made anew, or is a
/// symbolic link that is turned elsewhere. One thread, `agents-watch`, reads and calls the subscribers; where notifications are to be
/// had, the system's watcher has another. Memory is bounded: three contents of at most 1 MiB each.
///
/// ```
/// use std::{fs, sync::mpsc};
/// use trading_config::{AgentsWatch, Settings, WatchEvent, WatchOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # fs::create_dir(folder.path().join("config"))?;
/// # let file = folder.path().join("config/agents.json");
/// fs::write(&file, r#"{"agents": [{"id": "a", "name": "A", "type": "technical"}]}"#)?;
/// let settings = Settings::loader().root(folder.path()).environment([("", ""); 0]).load()?;
/// let watch = AgentsWatch::start(&settings, WatchOptions::default())?;
/// let (sender, events) = mpsc::channel();
/// let _subscription = watch.subscribe(move |event| sender.send(event.clone()).expect("the receiver lives"));
///
/// let new = folder.path().join("new.json");
/// fs::write(&new, r#"{"agents": [{"id": "b", "name": "B", "type": "technical"}]}"#)?;
/// fs::rename(&new, &file)?;
/// let Ok(WatchEvent::Changed { added, removed, .. }) = events.recv() else { panic!("the file is good") };
/// assert_eq!((added, removed), (vec!["b".to_owned()], vec!["a".to_owned()]));
/// assert!(watch.current().agent("b").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AgentsWatch {
    shared: Arc<Shared>,
    messages: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl AgentsWatch {
    /// Begins to follow the agents file of `settings`, and looks at it once: [`current`](Self::current) and [`state`](Self::state) are
    /// those of the file as it is now.
    ///
    /// # Errors
    /// [`Error::Thread`] if the thread cannot be started. A file that is bad or missing is none: the agents of `settings` are kept.
    pub fn start(settings: &Settings, options: WatchOptions) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            agents: RwLock::new(Arc::new(settings.agents().clone())),
            state: Mutex::new(WatchState { rejected: None, notify_error: None, checked_at: Instant::now(), panics: 0 }),
            subscribers: Mutex::new(Vec::new()),
            stopping: AtomicBool::new(false),
        });
        // One message is enough: whatever the others would say, the look that follows finds it.
        let (messages, received) = sync_channel(1);
        let path = &settings.trading.agents_path;
        let mut follower = Follower::new(path, options, Arc::clone(&shared), messages.clone());
        let thread = thread::Builder::new()
            .name("agents-watch".to_owned())
            .spawn(move || follower.run(&received))
            .map_err(|source| Error::Thread { name: "agents-watch", source })?;
        let watch = Self { shared, messages, thread: Some(thread) };
        watch.check_now();
        Ok(watch)
    }

    /// The agents of the last good file. Never waits for a file or a subscriber, and what it gave never changes.
    #[must_use]
    pub fn current(&self) -> Arc<Agents> {
        self.shared.current()
    }

    /// How the watch is doing.
    #[must_use]
    pub fn state(&self) -> WatchState {
        self.shared.state().clone()
    }

    /// Has `subscriber` called with what happens from now on, in order, on the thread of the watch: while it runs, no file is read and
    /// nobody else told. Whoever subscribes first and then reads [`current`](Self::current) misses nothing. A panic in it is counted, and it
    /// is called again the next time.
    pub fn subscribe(&self, subscriber: impl FnMut(&WatchEvent) + Send + 'static) -> Subscription {
        let subscriber: Arc<Subscriber> = Arc::new(Mutex::new(subscriber));
        let mut subscribers = lock(&self.shared.subscribers);
        subscribers.retain(|other| other.strong_count() > 0);
        subscribers.push(Arc::downgrade(&subscriber));
        Subscription { _subscriber: subscriber }
    }

    /// Looks at the file now, without waiting for it to settle, and returns when the subscribers have been told. In a subscriber it does
    /// nothing.
    pub fn check_now(&self) {
        if self.is_own_thread() {
            return;
        }
        let (done, wait) = sync_channel(1);
        // Nothing is ever sent: the wait ends when the thread drops `done`, or if there is no thread.
        let _done = self.messages.send(Message::Check(done)).map(|()| wait.recv());
    }

    fn is_own_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|own| own.thread().id() == thread::current().id())
    }
}

impl fmt::Debug for AgentsWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentsWatch").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// Stops, and waits for the thread, and so for a subscriber that is being called.
impl Drop for AgentsWatch {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // If there is no room, a message is there already that wakes the thread. Never wait here: this may be that thread.
        let _woken = self.messages.try_send(Message::Wake);
        if !self.is_own_thread()
            && let Some(thread) = self.thread.take()
        {
            // Its panic was printed when it happened, and a panic here would end the process.
            let _ended = thread.join();
        }
    }
}

/// What the thread and the callers both see.
struct Shared {
    agents: RwLock<Arc<Agents>>,
    state: Mutex<WatchState>,
    subscribers: Mutex<Vec<Weak<Subscriber>>>,
    stopping: AtomicBool,
}

impl Shared {
    fn current(&self) -> Arc<Agents> {
        Arc::clone(&self.agents.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> MutexGuard<'_, WatchState> {
        lock(&self.state)
    }

    /// Puts the verdict on a new content in force, and tells it.
    fn accept(&self, verdict: Result<Arc<Agents>, Error>) {
        match verdict {
            Ok(agents) => {
                let was_rejected = self.state().rejected.take().is_some();
                let held = self.current();
                if agents == held && !was_rejected {
                    return;
                }
                *self.agents.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&agents);
                self.tell(&changed(&held, agents));
            }
            Err(error) => {
                let error = Arc::new(error);
                self.state().rejected = Some(Arc::clone(&error));
                self.tell(&WatchEvent::Rejected { error });
            }
        }
    }

    fn tell(&self, event: &WatchEvent) {
        // Not under the lock: a subscriber may subscribe another.
        let subscribers: Vec<_> = lock(&self.subscribers).iter().filter_map(Weak::upgrade).collect();
        for subscriber in subscribers {
            let call = || (*lock(&subscriber))(event);
            if catch_unwind(AssertUnwindSafe(call)).is_err() {
                self.state().panics += 1;
            }
        }
    }
}

fn changed(held: &Agents, agents: Arc<Agents>) -> WatchEvent {
    let ids = |of: &Agents, wanted: &dyn Fn(&super::Agent) -> bool| {
        of.list().iter().filter(|agent| wanted(agent)).map(|agent| agent.id.clone()).collect()
    };
    WatchEvent::Changed {
        added: ids(&agents, &|agent| held.agent(&agent.id).is_none()),
        removed: ids(held, &|agent| agents.agent(&agent.id).is_none()),
        changed: ids(&agents, &|agent| held.agent(&agent.id).is_some_and(|earlier| earlier != agent)),
        agents,
    }
}

/// A panic under one of these locks leaves what it protects whole.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

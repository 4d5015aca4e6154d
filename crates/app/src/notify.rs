//! Who is told when something is wrong: one message a change, never more than a few an hour, and nobody waits for it.

mod channel;
#[cfg(feature = "email")]
mod email;
mod ledger;
mod webhook;

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use trading_config::Settings;
use trading_monitoring::{Metrics, Status};
use trading_resilience::Cancel;

use channel::{Channel, Effort};
use ledger::Ledger;

use crate::wiring::RetryObserver;

/// How many changes may wait to be looked at. More is dropped and counted; arbitrary, and far above the number of components.
const QUEUE: usize = 256;

/// How something is now, as people are told it.
///
/// ```
/// use trading_app::{Notification, monitoring::Status};
///
/// let changed = Notification::new("quiver", Status::Unhealthy, "the key is refused").detail("status", 401);
/// # drop(changed);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    pub(crate) subject: String,
    pub(crate) status: Status,
    pub(crate) message: String,
    pub(crate) details: Map<String, Value>,
    pub(crate) time: DateTime<Utc>,
}

impl Notification {
    /// Says how `subject`, a component or a task, is now, with a sentence for people. No secrets: it leaves the machine.
    pub fn new(subject: impl Into<String>, status: Status, message: impl Into<String>) -> Self {
        Self { subject: subject.into(), status, message: message.into(), details: Map::new(), time: Utc::now() }
    }

    /// Adds a figure or a text that programs can read. A second one of the same key replaces the first.
    #[must_use]
    pub fn detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }
}

/// Tells people how things are, by the webhook and the e-mail of the settings, and by a log line where neither is set. Each way has a thread
/// of its own, so that one that is slow, or down, delays no other.
///
/// By each way, a subject is told of when its status is another than was last told of it, at most once in five minutes, and all together at most
/// 30 times an hour; what could not be told waits, and the latest wins. A message that cannot be delivered is tried again, by the webhook five
/// times and by e-mail three times, after growing pauses that are half a minute to two minutes together (or as long as the server asks for, up
/// to five); and then with the next change or five minutes later. A stop ends the pauses. Clones tell the same people.
#[derive(Clone)]
pub struct Notifier {
    shared: Arc<Shared>,
}

struct Shared {
    ways: Vec<Way>,
    dropped: AtomicU64,
    cancel: Cancel,
}

/// What leads to a channel.
struct Way {
    queue: SyncSender<Message>,
    ended: Mutex<Receiver<()>>,
}

enum Message {
    Changed(Arc<Notification>),
    Stop,
}

impl Notifier {
    pub(crate) fn start(settings: &Settings, metrics: &Metrics) -> io::Result<Self> {
        Self::start_with(channel::channels(settings), metrics)
    }

    fn start_with(channels: Vec<Box<dyn Channel>>, metrics: &Metrics) -> io::Result<Self> {
        metrics.describe("notifications_total", "Messages to people, by channel and success.");
        let cancel = Cancel::new();
        let way = |channel: Box<dyn Channel>| {
            let (queue, received) = mpsc::sync_channel(QUEUE);
            let (end, ended) = mpsc::channel();
            let (metrics, cancel) = (metrics.clone(), cancel.clone());
            thread::Builder::new().name(format!("notifier-{}", channel.name())).spawn(move || {
                let observer = RetryObserver::new(&metrics);
                Teller { channel, ledger: Ledger::default(), metrics, cancel, observer }.run(&received);
                // Nobody waits any more if the app was dropped meanwhile.
                let _nobody = end.send(());
            })?;
            Ok(Way { queue, ended: Mutex::new(ended) })
        };
        let ways = channels.into_iter().map(way).collect::<io::Result<_>>()?;
        Ok(Self { shared: Arc::new(Shared { ways, dropped: AtomicU64::new(0), cancel }) })
    }

    /// Takes note of how something is, and returns at once.
    pub fn notify(&self, notification: Notification) {
        let notification = Arc::new(notification);
        for way in &self.shared.ways {
            let sent = way.queue.try_send(Message::Changed(Arc::clone(&notification)));
            if let Err(mpsc::TrySendError::Full(_)) = sent {
                let dropped = self.shared.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                log::error!(dropped; "a notification was dropped: too many wait to be sent");
            }
        }
    }

    /// Ends it: what is due is tried once more, until something fails, and nobody waits to try again. Returns when that is done; `false` if it
    /// was not in time.
    pub(crate) fn shutdown(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        self.shared.cancel.cancel();
        // One that finds the queue full wakes nobody who sleeps.
        self.shared.ways.iter().for_each(|way| drop(way.queue.try_send(Message::Stop)));
        let ended = |way: &Way| {
            let ended = way.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
        };
        self.shared.ways.iter().all(ended)
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

/// What is told by a channel, on its thread.
struct Teller {
    channel: Box<dyn Channel>,
    ledger: Ledger,
    metrics: Metrics,
    cancel: Cancel,
    observer: RetryObserver,
}

impl Teller {
    fn run(&mut self, received: &Receiver<Message>) {
        loop {
            let now = Instant::now();
            let message = match self.ledger.next_due(now) {
                Some(due) => match received.recv_timeout(due.saturating_duration_since(now)) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match received.recv() {
                    Ok(message) => Some(message),
                    Err(_) => return,
                },
            };
            self.note(message);
            let stops = self.cancel.is_cancelled();
            if stops {
                received.try_iter().for_each(|message| self.note(Some(message)));
            }
            let given_up = !self.tell_what_is_due();
            if stops || given_up {
                return;
            }
        }
    }

    fn note(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Changed(notification)) => self.ledger.note(Arc::unwrap_or_clone(notification)),
            Some(Message::Stop) | None => {}
        }
    }

    /// `false` if something could not be told, and there is no time to try others.
    fn tell_what_is_due(&mut self) -> bool {
        while let Some(told) = self.ledger.take_due(Instant::now()) {
            let delivered = self.deliver(&told);
            self.ledger.told(told, delivered, Instant::now());
            if !delivered && self.cancel.is_cancelled() {
                return false;
            }
        }
        true
    }

    fn deliver(&mut self, told: &ledger::Told) -> bool {
        let name = self.channel.name();
        let done = self.channel.deliver(told, Effort { cancel: &self.cancel, observer: &self.observer });
        let success = if done.is_ok() { "true" } else { "false" };
        self.metrics.counter("notifications_total", &[("channel", name), ("success", success)]).increment(1);
        if let Err(error) = &done {
            let subject = told.notification.subject.as_str();
            log::error!(channel = name, subject, error = error.as_str(); "a notification could not be delivered");
        }
        done.is_ok()
    }
}

#[cfg(test)]
mod tests;

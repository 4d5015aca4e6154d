//! What systemd is told: that it is ready, that it stops, and that its parts are alive.

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
};

use sd_notify::NotifyState;

/// Tells the service manager, if there is one, while the whole runs.
#[derive(Debug)]
pub(crate) struct Service {
    /// Dropped, it ends the watchdog's thread.
    _watchdog: Option<Sender<()>>,
}

impl Service {
    /// Says that it is ready; and then, if the manager wants it, that it is alive, as long as `hanging` names nobody.
    pub(crate) fn ready(hanging: impl Fn() -> Option<String> + Send + 'static) -> io::Result<Self> {
        tell(&[NotifyState::Ready]);
        let Some(interval) = sd_notify::watchdog_enabled() else { return Ok(Self { _watchdog: None }) };
        let (sender, ended) = mpsc::channel::<()>();
        let feed = move || {
            // Twice as often as it must be, so that one that comes late does no harm.
            while ended.recv_timeout(interval / 2) == Err(RecvTimeoutError::Timeout) {
                match hanging() {
                    None => tell(&[NotifyState::Watchdog]),
                    Some(task) => log::error!(task; "a task hangs: the service manager is not told that all is well"),
                }
            }
        };
        thread::Builder::new().name("watchdog".to_owned()).spawn(feed)?;
        Ok(Self { _watchdog: Some(sender) })
    }

    pub(crate) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(crate) fn reloaded(&self) {
        tell(&[NotifyState::Ready]);
    }

    pub(crate) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!(error:% = error; "the service manager could not be told");
    }
}

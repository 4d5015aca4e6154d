//! The running whole: its handles, and its end.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use trading_config::Settings;
use trading_logging::Logging;
use trading_monitoring::{Drained, Health, Lifecycle, Metrics, Phase, Server};
use trading_storage::Database;

use crate::{
    Builder, Error, Handles, RecordReport, Signals, counted, service::Service, signals::Request, task::Tasks,
    wiring::StorageObserver,
};

/// How long a stop may take, from the signal on: half of the ten seconds that container engines leave before they kill.
const STOP_LIMIT: Duration = Duration::from_secs(5);

const UNTIL_IT_STOPS: &str = "its parts are there until it stops";

/// The running whole. Dropping it stops it too, without a report.
#[derive(Debug)]
pub struct App {
    /// There until it stops.
    parts: Option<Parts>,
}

/// In the order in which they end.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) record: RecordReport,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) server: Server,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    pub(crate) handles: Handles,
    /// Gone when the record is closed.
    pub(crate) record_is_open: Weak<StorageObserver>,
    pub(crate) logging: Option<Arc<Logging>>,
}

/// How a stop went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// How long it took.
    pub took: Duration,
    /// How the connections of the health server ended.
    pub connections: Drained,
    /// The tasks that had not ended, and were left behind: they hold the record open until the process ends.
    pub tasks_left: Vec<String>,
    /// The health checks that had not come back, and were left behind.
    pub checks_left: Vec<String>,
    /// If no message to people was cut off while it was being delivered.
    pub notifications_complete: bool,
    /// If the record was closed, its write-ahead log folded into the file. Somebody who still has a handle of it keeps it open.
    pub record_closed: bool,
    /// If every log line reached its file.
    pub logs_complete: bool,
}

impl App {
    /// Starts the whole; the same as [`builder`](Self::builder)`(settings).start()`.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start(settings: Settings) -> Result<Self, Error> {
        Self::builder(settings).start()
    }

    /// A builder, to say how.
    pub fn builder(settings: Settings) -> Builder {
        Builder::new(settings)
    }

    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts: Some(parts) }
    }

    /// The settings it runs on.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        self.parts().handles.settings()
    }

    /// The record.
    #[must_use]
    pub fn database(&self) -> &Database {
        self.parts().handles.database()
    }

    /// The parts, for what is to outlive a borrow of this.
    #[must_use]
    pub fn handles(&self) -> &Handles {
        &self.parts().handles
    }

    /// What was done at the start to have the record.
    #[must_use]
    pub fn record(&self) -> &RecordReport {
        &self.parts().record
    }

    /// The metrics, to add to.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.parts().handles.metrics()
    }

    /// The health checks.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.parts().health
    }

    /// The address that the health server listens on, with the real port where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.parts().server.address()
    }

    /// Blocks until SIGINT or SIGTERM comes, then stops; a second one ends the process within a second. SIGHUP has the log files
    /// opened anew and the agents file read again. systemd is told of all of it, and fed its watchdog while no task hangs.
    ///
    /// # Errors
    /// [`Error::GaveUp`] if a part found that it cannot go on, after a stop in order; [`Error::Thread`].
    pub fn run_until(self, signals: Signals) -> Result<Stopped, Error> {
        let failed = |name| move |source| Error::Thread { name, source };
        let requests = self.parts().handles.requests.clone();
        signals.lead_to(requests.clone());
        let service = Service::ready(self.parts().tasks.hanging()).map_err(failed("watchdog"))?;
        let gave_up = loop {
            match requests.next() {
                Request::Stop { signal } => {
                    log::info!(signal, pid = std::process::id(); "stopping");
                    break None;
                }
                Request::GiveUp { reason } => {
                    log::error!(reason = reason.as_str(), pid = std::process::id(); "stopping, since it cannot go on");
                    break Some(reason);
                }
                Request::Reload => {
                    service.reloading();
                    self.reload();
                    service.reloaded();
                }
            }
        };
        service.stopping();
        signals.be_impatient();
        let stopped = self.shutdown(STOP_LIMIT);
        // Until here they are heard.
        drop(signals);
        match gave_up {
            None => Ok(stopped),
            Some(reason) => Err(Error::GaveUp { reason }),
        }
    }

    /// Has the log files opened anew and the agents file read again, as SIGHUP does.
    pub fn reload(&self) {
        if self.parts().logging.as_deref().is_some_and(Logging::reopen) {
            log::info!("log files opened anew");
        }
        self.parts().handles.agents.check_now();
        match self.parts().handles.agents.state().rejected {
            None => log::info!(agents = self.parts().handles.agents().list().len(); "agents file read again"),
            Some(error) => log::error!(error:% = error; "the agents file is not good; the agents stay as they were"),
        }
    }

    /// [`run_until`](Self::run_until), with signals that are caught from now on.
    ///
    /// # Errors
    /// [`Error::Signals`], and as [`run_until`](Self::run_until).
    pub fn run_until_signal(self) -> Result<Stopped, Error> {
        let signals = Signals::catch()?;
        self.run_until(signals)
    }

    /// Stops in order, within `limit` and the time that the log takes to be written: not ready any more, no further requests, no
    /// further tasks, no further checks, what people are being told, the record closed, the log last.
    ///
    /// The record is closed when the last clone of [`database`](Self::database) is gone.
    #[must_use]
    pub fn shutdown(mut self, limit: Duration) -> Stopped {
        self.take().shutdown(limit)
    }

    fn take(&mut self) -> Parts {
        self.parts.take().expect(UNTIL_IT_STOPS)
    }

    fn parts(&self) -> &Parts {
        self.parts.as_ref().expect(UNTIL_IT_STOPS)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            parts.shutdown(STOP_LIMIT).cut_off().iter().for_each(|sentence| log::warn!("{sentence}"));
        }
    }
}

impl Parts {
    fn shutdown(self, limit: Duration) -> Stopped {
        let start = Instant::now();
        let left = || limit.saturating_sub(start.elapsed());
        let Parts { lifecycle, server, mut tasks, health, handles, record_is_open, logging, .. } = self;
        lifecycle.advance(Phase::Stopping);
        // Nobody has all of what is left: those who come after need some too.
        let connections = server.shutdown(left() / 2);
        let tasks_left = tasks.shutdown(left() / 2);
        let checks_left = health.shutdown(left() / 2);
        let notifications_complete = handles.notifier.shutdown(left() / 2);
        drop((tasks, health, handles));
        let record_closed = record_is_open.strong_count() == 0;
        log::info!(
            pid = std::process::id(),
            took_ms = start.elapsed().as_millis(),
            connections_in_order = connections.in_order,
            requests_cut_off = connections.cut_off,
            tasks_left = tasks_left.join(", "),
            checks_left = checks_left.join(", "),
            record_closed;
            "stopped"
        );
        // A check that was left behind may be looking at it.
        let logs_complete = logging.is_none_or(|logging| match Arc::try_unwrap(logging) {
            Ok(logging) => logging.shutdown(),
            Err(logging) => logging.flush(),
        });
        let took = start.elapsed();
        Stopped { took, connections, tasks_left, checks_left, notifications_complete, record_closed, logs_complete }
    }
}

impl Stopped {
    /// What was cut off, a sentence each; nothing if all ended in order.
    #[must_use]
    pub fn cut_off(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.connections.cut_off > 0 {
            let requests = counted(self.connections.cut_off as u64, "request");
            sentences.push(format!("the health server cut off {requests}"));
        }
        for (what, left) in [("tasks", &self.tasks_left), ("checks", &self.checks_left)] {
            if !left.is_empty() {
                sentences.push(format!("these {what} did not end in time: {}", left.join(", ")));
            }
        }
        for (well, sentence) in [
            (self.notifications_complete, "a message to people was cut off"),
            (self.record_closed, "the record was still in use; the next start folds its write-ahead log"),
            (self.logs_complete, "some log lines did not reach their files"),
        ] {
            if !well {
                sentences.push(sentence.to_owned());
            }
        }
        sentences
    }
}

/// What was started, where to look, and how to stop it.
impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (settings, record) = (self.settings(), &self.parts().record);
        let (all, enabled) = (settings.agents().list().len(), settings.enabled_agents().count());
        writeln!(f, "trading {} is running: {}", env!("CARGO_PKG_VERSION"), settings.environment)?;
        let alpaca = &settings.api.alpaca;
        let money = if alpaca.paper { "paper account" } else { "REAL MONEY" };
        writeln!(f, "  broker    {money}, {}", alpaca.base_url)?;
        writeln!(f, "  agents    {enabled} of {all} enabled, from {}", settings.agents().source())?;
        writeln!(f, "  database  {}", record.to_string().replace('\n', "\n            "))?;
        if self.parts().logging.is_some() {
            writeln!(f, "  logs      {}/trading_automation.log", settings.logging.path.as_written().display())?;
        }
        writeln!(f, "  page      http://{}/", self.address())?;
        write!(f, "  stop      Ctrl-C, or kill -TERM {}", std::process::id())
    }
}

//! The parts of an app, for what is added to it.

use std::{fmt, sync::Arc};

use trading_config::{Agents, AgentsWatch, Settings};
use trading_monitoring::Metrics;
use trading_resilience::Observer;
use trading_storage::Database;

use crate::{
    Notifier,
    signals::{Request, Requests},
    wiring,
};

/// The parts of an app, for what is added to it: its tasks, and what [`Builder::extend`](crate::Builder::extend) makes. Clones are
/// of the same parts.
///
/// The record stays open, and locked, while there is a clone somewhere.
#[derive(Clone)]
pub struct Handles {
    pub(crate) settings: Arc<Settings>,
    pub(crate) database: Database,
    pub(crate) metrics: Metrics,
    pub(crate) agents: Arc<AgentsWatch>,
    pub(crate) notifier: Notifier,
    pub(crate) requests: Requests,
}

impl Handles {
    /// The settings it runs on.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The record.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The metrics, to add to.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The agents as their file has them now; those of [`settings`](Self::settings) are those of the start.
    #[must_use]
    pub fn agents(&self) -> Arc<Agents> {
        self.agents.current()
    }

    /// Tells people what is wrong.
    #[must_use]
    pub fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Asks for the end of the whole, since it cannot go on: [`App::run_until`](crate::App::run_until) stops in order then, and fails with
    /// [`Error::GaveUp`](crate::Error::GaveUp), so that whoever started the program starts it again. Returns at once.
    pub fn give_up(&self, reason: impl Into<String>) {
        self.requests.send(Request::GiveUp { reason: reason.into() });
    }

    /// What counts and logs the retries of calls that it is given to:
    /// `api_retry(settings).observed_by(&handles.retry_observer()).run(…)`.
    #[must_use]
    pub fn retry_observer(&self) -> impl Observer + use<> {
        wiring::RetryObserver::new(&self.metrics)
    }
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles").field("database", &self.database.path()).finish_non_exhaustive()
    }
}

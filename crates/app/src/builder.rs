//! How the whole is put together, in its order.

use std::{
    fmt,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use trading_config::{AgentsWatch, Settings, WatchOptions};
use trading_logging::Logging;
use trading_monitoring::{
    Check, ComponentReport, Health, Lifecycle, Metrics, Pages, Phase, Server, ServerOptions, Sources, Status, System,
    Transition,
};
use trading_storage::{Database, MigrationSet};

use crate::{
    App, Error, Extension, Handles, Notification, Notifier, RecordReport, StartFault, Task,
    app::Parts,
    panels, record,
    recovery::Recovery,
    signals::Requests,
    start_checks,
    task::{self, Tasks},
    tasks, wiring,
};

/// How long the start waits for the first results of the critical health checks, so that the first request gets true answers.
const FIRST_CHECKS_LIMIT: Duration = Duration::from_secs(2);

/// How often it is asked for them.
const FIRST_CHECKS_LOOK: Duration = Duration::from_millis(2);

/// How long a start that fails waits for the tasks, and for the checks, that it began.
const UNDO_LIMIT: Duration = Duration::from_secs(5);

type Extend = Box<dyn FnOnce(&Handles) -> Extension + Send>;

/// Says how to start an [`App`].
#[must_use = "nothing is started before `start`"]
pub struct Builder {
    settings: Settings,
    logging: bool,
    listener: Option<TcpListener>,
    migrations: Vec<MigrationSet>,
    log_components: Vec<String>,
    extension: Extension,
    extends: Vec<Extend>,
}

impl Builder {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            logging: true,
            listener: None,
            migrations: Vec::new(),
            log_components: Vec::new(),
            extension: Extension::default(),
            extends: Vec::new(),
        }
    }

    /// Installs no logger and writes no log files: lines go to the logger that the process has, if it has one. For a
    /// program that brings its own, and for a second app in one process.
    pub fn without_logging(mut self) -> Self {
        self.logging = false;
        self
    }

    /// Has the health server answer on this listener, whatever address the settings say: one that was bound with other rights, or
    /// that somebody else handed over.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Adds tables of others, which are created and migrated together with ours.
    pub fn migrations(mut self, set: MigrationSet) -> Self {
        self.migrations.push(set);
        self
    }

    /// Adds a log component, with a file of its own: what is logged under a target that begins with `name`.
    pub fn log_component(mut self, name: impl Into<String>) -> Self {
        self.log_components.push(name.into());
        self
    }

    /// Adds a health check.
    pub fn check(mut self, check: Check) -> Self {
        self.extension = self.extension.check(check);
        self
    }

    /// Adds a supervised task.
    pub fn task(mut self, task: Task) -> Self {
        self.extension = self.extension.task(task);
        self
    }

    /// Adds routes to the health server, and panels to its page.
    pub fn pages(mut self, pages: Pages) -> Self {
        self.extension = self.extension.pages(pages);
        self
    }

    /// Adds what needs the record or the metrics to be made: `extend` is called when they are there, and nothing runs yet.
    pub fn extend(mut self, extend: impl FnOnce(&Handles) -> Extension + Send + 'static) -> Self {
        self.extends.push(Box::new(extend));
        self
    }

    /// Starts the parts, each after those that it needs: the machine is looked at, the address is taken, the record opened, logging
    /// started, the health checks begun, their server opened, and the tasks let go.
    ///
    /// Whatever can be refused is asked before anything is made, so that a start that fails leaves nothing behind; the record
    /// comes before the log for the same reason.
    ///
    /// # Errors
    /// Of the part that failed; those that were started are stopped again.
    pub fn start(self) -> Result<App, Error> {
        let log_options = wiring::logging(&self.settings, self.log_components);
        if self.logging {
            log_options.validate()?;
        }
        let warnings = start_checks::look(&self.settings, self.logging, Utc::now()).into_warnings()?;
        let options = wiring::server(&self.settings)?;
        let listener = match self.listener {
            Some(listener) => listener,
            None => options.bind().map_err(|error| address_taken(error, &self.settings))?,
        };
        if self.logging {
            log_options.check()?;
        }
        let metrics = wiring::metrics(&self.settings);
        let observer = Arc::new(wiring::StorageObserver::new(&metrics));
        let record_is_open = Arc::downgrade(&observer);
        let storage = trading_storage::Options {
            migrations: self.migrations,
            observer: Some(observer.clone()),
            ..wiring::storage_options(&self.settings)
        };
        let (database, record) = record::open(&self.settings, &storage)?;
        drop(storage);
        let install = || wiring::logger(&self.settings, log_options).install();
        let logging = self.logging.then(install).transpose()?.map(Arc::new);

        let handles = handles(self.settings, database, metrics)?;
        let mut extension = self.extension;
        for extend in self.extends {
            extension.join(extend(&handles));
        }
        let Extension { checks, tasks: added, mut pages } = extension;
        let recovery = Recovery::new(&handles.metrics);
        let weak = logging.as_ref().map(Arc::downgrade);
        let mut all_tasks = tasks::all(&handles.settings, &handles.database, observer, weak.clone());
        all_tasks.push(recovery.clone().task());
        all_tasks.extend(added);
        let mut tasks = Tasks::new(all_tasks);

        let system = System::start(wiring::system(&handles.settings))?;
        let ours = wiring::checks(&handles, &system, &tasks, &recovery, weak)?;
        let health = Health::start(ours.into_iter().chain(checks))?;
        health.observe(on_transition(&handles))?;
        wiring::show_health(&health, &handles.metrics)?;
        let lifecycle = Lifecycle::default();
        pages.insert(0, panels::pages(&handles));
        let sources = Sources {
            metrics: handles.metrics.clone(),
            health: health.clone(),
            system,
            lifecycle: lifecycle.clone(),
            pages,
        };
        if !wait_for_critical(&health, FIRST_CHECKS_LIMIT) {
            log::warn!("a critical health check has no result yet, and /ready says so");
        }
        let server = let_go(listener, options, sources, &mut tasks, &handles);
        let started = server.and_then(|server| say_started(&handles, &record, &server, &warnings).map(|()| server));
        let server = started.inspect_err(|_error| {
            // They hold the record, which a next start wants. Those that do not end in time are left behind.
            drop(tasks.shutdown(UNDO_LIMIT));
            drop(health.shutdown(UNDO_LIMIT));
        })?;
        // The banner sends people to the files.
        logging.as_deref().map(Logging::flush);
        Ok(App::new(Parts { record, lifecycle, server, tasks, health, handles, record_is_open, logging }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("logging", &self.logging)
            .field("listener", &self.listener)
            .field("log_components", &self.log_components)
            .field("extension", &self.extension)
            .finish_non_exhaustive()
    }
}

/// Whoever has the address has the record too, if it is another of this program with these settings: then its process is what helps.
fn address_taken(error: trading_monitoring::Error, settings: &Settings) -> Error {
    match Database::check_unused(&settings.database.full_path()) {
        Err(in_use) => in_use.into(),
        Ok(()) => error.into(),
    }
}

fn handles(settings: Settings, database: Database, metrics: Metrics) -> Result<Handles, Error> {
    let agents = AgentsWatch::start(&settings, WatchOptions::default())?;
    let notifier = Notifier::start(&settings, &metrics).map_err(|source| Error::Thread { name: "notifier", source })?;
    let (settings, agents) = (Arc::new(settings), Arc::new(agents));
    Ok(Handles { settings, database, metrics, agents, notifier, requests: Requests::new() })
}

/// Opens the server, and lets the tasks go: it runs.
fn let_go(
    listener: TcpListener,
    options: ServerOptions,
    sources: Sources,
    tasks: &mut Tasks,
    handles: &Handles,
) -> Result<Server, Error> {
    let lifecycle = sources.lifecycle.clone();
    let server = Server::start_on(listener, options, sources)?;
    let failed = |source| Error::Thread { name: "of a task", source };
    tasks.start(handles, &task::on_change(handles)).map_err(failed)?;
    lifecycle.advance(Phase::Running);
    Ok(server)
}

/// Waits for the first results of what decides if the whole is ready; what asks others far away may take its time. Says whether they came in
/// time.
fn wait_for_critical(health: &Health, limit: Duration) -> bool {
    let start = Instant::now();
    let is_known = |component: &ComponentReport| !component.critical || component.status != Status::Unknown;
    while !health.wait_first(FIRST_CHECKS_LOOK) {
        if health.report().components.iter().all(is_known) {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
    }
    true
}

/// A change of a component's health is a count and a message to people; the log has it already.
fn on_transition(handles: &Handles) -> impl FnMut(&Transition) + Send + 'static {
    let (metrics, notifier) = (handles.metrics.clone(), handles.notifier.clone());
    metrics.describe("health_transitions_total", "Changes of health, by component and the status that it changed to.");
    move |transition| {
        let Transition { component, to, message, details, .. } = transition;
        let labels = [("component", component.as_str()), ("status", to.as_str())];
        metrics.counter("health_transitions_total", &labels).increment(1);
        let told = Notification::new(component, *to, message);
        let told = details.iter().fold(told, |told, (key, value)| told.detail(key, value.clone()));
        notifier.notify(told);
    }
}

fn say_started(
    handles: &Handles,
    record: &RecordReport,
    server: &Server,
    warnings: &[StartFault],
) -> Result<(), Error> {
    let settings = &handles.settings;
    log::info!(
        version = env!("CARGO_PKG_VERSION"),
        environment = settings.environment.as_str(),
        money = if settings.api.alpaca.paper { "paper" } else { "real" },
        pid = std::process::id(),
        trades = record.trades,
        address = server.address().to_string();
        "started"
    );
    for warning in settings.warnings() {
        log::warn!("{warning}");
    }
    for StartFault { what, way_out } in warnings {
        log::warn!(way_out; "{what}");
    }
    if settings.notifications.email_enabled && !cfg!(feature = "email") {
        log::warn!("no e-mail is sent: this program was built without the feature `email`");
    }
    if record.recovered_bytes > 0 {
        log::warn!(bytes = record.recovered_bytes; "the last run did not end in order: what it had committed was recovered");
    }
    if record.unresolved > 0 {
        say_unresolved(&handles.database)?;
    }
    Ok(())
}

/// How many orders without a result are told of one by one.
const UNRESOLVED_LISTED: usize = 20;

/// Names the orders that the broker may have, or have not, and that nobody knows the result of.
fn say_unresolved(database: &Database) -> Result<(), Error> {
    let open = database.read(|r| r.open_orders())?;
    for trade in open.iter().take(UNRESOLVED_LISTED) {
        let order = &trade.order;
        let (client_order_id, agent_id) = (order.client_order_id.as_str(), order.agent.as_str());
        log::info!(
            target: "trading", client_order_id, agent_id, ticker = order.ticker.as_str(), status = order.status.as_str();
            "an order has no result yet"
        );
    }
    if open.len() > UNRESOLVED_LISTED {
        log::info!(target: "trading", more = open.len() - UNRESOLVED_LISTED; "further orders have no result yet");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use trading_monitoring::Outcome;

    use super::*;

    /// A check that comes to no end before `release` goes.
    fn hanging(critical: bool) -> (Check, mpsc::Sender<()>) {
        let (release, held) = mpsc::channel::<()>();
        let look = move || Outcome::healthy(format!("{:?}", held.recv()));
        (Check::new("hanging", look).critical(critical).timeout(Duration::from_secs(60)), release)
    }

    #[test]
    fn the_start_waits_for_what_decides_and_for_nothing_else() {
        let well = || Check::new("well", || Outcome::healthy("is well")).critical(true);
        let (far_away, release) = hanging(false);
        let health = Health::start([well(), far_away]).expect("starts");
        assert!(wait_for_critical(&health, Duration::from_secs(60)));
        drop(release);
        let (near, release) = hanging(true);
        let health = Health::start([well(), near]).expect("starts");
        assert!(!wait_for_critical(&health, Duration::from_millis(20)));
        drop(release);
        assert!(wait_for_critical(&health, Duration::from_secs(60)));
    }
}

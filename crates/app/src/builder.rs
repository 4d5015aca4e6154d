//! How the whole is put together, in its order.

use std::time::Duration;

use trading_config::Settings;
use trading_logging::Logging;
use trading_monitoring::{Health, Lifecycle, Metrics, Phase, Server, Sources, System};

use crate::{App, Error, app::Parts, record, wiring};

/// How long the start waits for the first result of each health check, so that the first request gets true answers.
const FIRST_CHECKS_LIMIT: Duration = Duration::from_secs(2);

/// Says how to start an [`App`].
#[derive(Debug)]
#[must_use = "nothing is started before `start`"]
pub struct Builder {
    settings: Settings,
    logging: bool,
}

impl Builder {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, logging: true }
    }

    /// Installs no logger and writes no log files: lines go to the logger that the process has, if it has one. For a
    /// program that brings its own, and for a second app in one process.
    pub fn without_logging(mut self) -> Self {
        self.logging = false;
        self
    }

    /// Starts the parts, each after those that it needs: the address is taken, the record opened, logging started, the
    /// health checks begun and their server opened.
    ///
    /// Whatever can be refused is asked before anything is made, so that a start that fails leaves nothing behind; the record
    /// comes before the log for the same reason.
    ///
    /// # Errors
    /// Of the part that failed; those that were started are stopped again.
    pub fn start(self) -> Result<App, Error> {
        let Self { settings, logging } = self;
        let options = wiring::server(&settings);
        let listener = options.bind()?;
        let log_options = wiring::logging(&settings);
        if logging {
            log_options.check()?;
        }
        let (database, record) = record::open(&settings)?;
        let logging = if logging { Some(Logging::builder(log_options).install()?) } else { None };

        let metrics = Metrics::default();
        let system = System::start(wiring::system(&settings))?;
        let health = Health::start(wiring::checks(&settings, &database, &system, &metrics))?;
        let lifecycle = Lifecycle::default();
        let sources = Sources {
            metrics: metrics.clone(),
            health: health.clone(),
            system,
            lifecycle: lifecycle.clone(),
            extensions: Vec::new(),
        };
        if !health.wait_first(FIRST_CHECKS_LIMIT) {
            log::warn!("a health check has no result yet, and /ready says so");
        }
        let server = Server::start_on(listener, options, sources)?;
        lifecycle.advance(Phase::Running);

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
        // The banner sends people to the files.
        logging.as_ref().map(Logging::flush);
        Ok(App::new(Parts { settings, record, lifecycle, server, health, metrics, database, logging }))
    }
}

//! What the settings mean to each part: the one place where both are known.

mod checks;
mod observers;

pub(crate) use checks::{WRITES, checks};
pub(crate) use observers::{LogCounters, RetryObserver, StorageObserver, error_fields, show_health};

use std::{io, io::IsTerminal as _, net::SocketAddr, path::PathBuf};

use chrono::{TimeDelta, Utc};
use log::LevelFilter;
use secrecy::{ExposeSecret as _, SecretString};
use trading_config::{Agent, Bytes, Console, Level, Settings};
use trading_logging::Logging;
use trading_monitoring::{Metrics, MetricsOptions, ServerOptions, SystemOptions, Token};
use trading_resilience::retry::{self, Policy};
use trading_storage::{AgentId, Error, Sample};

use crate::is_journal;

/// The seed of the sample data. Arbitrary; the same for all, so that people see the same data.
const SAMPLE_SEED: u64 = 1;

/// How the record of these settings is opened.
#[must_use]
pub fn storage_options(settings: &Settings) -> trading_storage::Options {
    trading_storage::Options {
        readers: settings.database.readers,
        busy_timeout: settings.database.busy_timeout,
        backups: Some(settings.backup.path.full()),
        ..trading_storage::Options::at(settings.database.full_path())
    }
}

/// What only the parts can find in the settings: a level of the log for a component that neither we nor `log_components` have. Starts
/// nothing and looks at no file.
///
/// # Errors
/// [`crate::Error::Logging`].
pub fn check_settings(settings: &Settings, log_components: Vec<String>) -> Result<(), crate::Error> {
    Ok(logging(settings, log_components).validate()?)
}

/// Whether standard error shows colour. What the terminal can do is no setting.
#[expect(clippy::disallowed_methods, reason = "asks what standard error is, and writes nothing")]
fn shows_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

#[expect(clippy::disallowed_methods, reason = "asks where they lead, and writes nothing")]
fn shows_priority(console: Console) -> bool {
    match console {
        Console::Text => is_journal(io::stderr()),
        Console::Json => is_journal(io::stdout()),
        Console::Off => false,
    }
}

pub(crate) fn logging(settings: &Settings, more_components: Vec<String>) -> trading_logging::Options {
    let logging = &settings.logging;
    let defaults = trading_logging::Options::at(logging.path.full());
    trading_logging::Options {
        level: filter(logging.level),
        levels: logging.levels.iter().map(|(component, level)| (component.to_owned(), filter(level))).collect(),
        console: match logging.console {
            Console::Text => trading_logging::Console::Text,
            Console::Json => trading_logging::Console::Json,
            Console::Off => trading_logging::Console::Off,
        },
        console_priority: shows_priority(logging.console),
        colour: logging.no_color.is_none() && shows_colour(),
        components: defaults.components.iter().cloned().chain(more_components).collect(),
        retention_days: logging.retention_days,
        retention_bytes: logging.retention_bytes.map(Bytes::get),
        rotate_bytes: logging.rotate_bytes.map(Bytes::get),
        zone: logging.timezone,
        gzip: logging.gzip,
        queue_bytes: usize::try_from(logging.queue_bytes.get()).unwrap_or(usize::MAX),
        ..defaults
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::Error,
        Level::Warn => LevelFilter::Warn,
        Level::Info => LevelFilter::Info,
        Level::Debug => LevelFilter::Debug,
        Level::Trace => LevelFilter::Trace,
    }
}

/// A logger that knows what it must never write, and what our errors have to tell.
pub(crate) fn logger(settings: &Settings, options: trading_logging::Options) -> trading_logging::Builder {
    let builder = Logging::builder(options).error_fields(error_fields);
    secrets(settings).into_iter().fold(builder, |builder, secret| builder.secret(secret.expose_secret().trim()))
}

/// Every secret of the settings that is set.
fn secrets(settings: &Settings) -> Vec<&SecretString> {
    let (alpaca, notifications) = (&settings.api.alpaca, &settings.notifications);
    let all = [
        &settings.api.quiver.key,
        &alpaca.key,
        &alpaca.secret_key,
        &settings.monitoring.token,
        &notifications.webhook_url,
        &notifications.webhook_secret,
        &notifications.smtp_password,
    ];
    all.into_iter().flatten().collect()
}

/// How calls of outside services are tried again: the settings `api.retry_*`.
///
/// ```
/// use trading_app::{api_retry, config::Settings, resilience::retry};
///
/// let folder = tempfile::tempdir()?;
/// let settings = |set| Settings::loader().root(folder.path()).environment(set).load();
/// assert_eq!(api_retry(&settings(vec![])?), retry::API);
/// assert_eq!(api_retry(&settings(vec![("RETRY_MAX_ATTEMPTS", "5")])?).attempts_max, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn api_retry(settings: &Settings) -> Policy {
    Policy {
        attempts_max: settings.api.retry_attempts_max,
        base: settings.api.retry_wait,
        factor: settings.api.retry_backoff_factor,
        cap: settings.api.retry_wait_max,
        ..retry::API
    }
}

pub(crate) fn server(settings: &Settings) -> Result<ServerOptions, trading_monitoring::Error> {
    let monitoring = &settings.monitoring;
    let token = monitoring.token.as_ref().map(|token| Token::new(token.expose_secret())).transpose()?;
    Ok(ServerOptions {
        token,
        allow_unauthenticated: monitoring.allow_unauthenticated,
        ..ServerOptions::at(SocketAddr::new(monitoring.host, monitoring.port))
    })
}

pub(crate) fn metrics(settings: &Settings) -> Metrics {
    let sample_age_max = settings.monitoring.metrics_retention;
    Metrics::new(MetricsOptions { sample_age_max, ..MetricsOptions::default() })
}

/// The figures of the machine, with the disk that the database is on.
pub(crate) fn system(settings: &Settings) -> SystemOptions {
    let database = settings.database.full_path();
    let data_dir = database.parent().map_or_else(|| settings.root.clone(), PathBuf::from);
    SystemOptions { data_dir, ..SystemOptions::default() }
}

/// The agents of the settings as the record has them.
pub(crate) fn agents(agents: &[Agent]) -> Result<Vec<trading_storage::Agent>, Error> {
    let agent = |agent: &Agent| {
        Ok(trading_storage::Agent {
            id: AgentId::new(&agent.id)?,
            name: agent.name.clone(),
            kind: agent.kind.to_string(),
            enabled: agent.enabled,
        })
    };
    agents.iter().map(agent).collect()
}

pub(crate) fn sample(agents: Vec<trading_storage::Agent>) -> Sample {
    // The last day whose market has closed, at 21:00 UTC.
    let last_day = (Utc::now() - TimeDelta::hours(21)).date_naive();
    Sample { seed: SAMPLE_SEED, agents, last_day, trades: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_log_knows_every_secret_of_the_settings() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys: Vec<_> = Settings::keys().filter(|key| key.secret).collect();
        let value = |at: usize| format!("https://canary-{at}.example.com");
        let set = keys.iter().enumerate().map(|(at, key)| (key.variable().into_owned(), value(at)));
        let settings = Settings::loader().root(folder.path()).environment(set).load().expect("loads");
        let known: BTreeSet<_> =
            secrets(&settings).into_iter().map(|secret| secret.expose_secret().to_owned()).collect();
        assert_eq!(known, (0..keys.len()).map(value).collect());
    }

    #[test]
    fn whoever_asks_from_elsewhere_needs_the_token_that_is_set() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = |set: &[(&str, &str)]| {
            let set = set.iter().copied().chain([("MONITORING__HOST", "0.0.0.0"), ("MONITORING__PORT", "0")]);
            let settings = Settings::loader().root(folder.path()).environment(set).load().expect("loads");
            server(&settings).expect("is good")
        };
        let open = options(&[("MONITORING__ALLOW_UNAUTHENTICATED", "true")]);
        assert!(open.allow_unauthenticated && open.token.is_none());
        let closed = options(&[("MONITORING__TOKEN", "0123456789abcdef")]);
        assert!(!closed.allow_unauthenticated);
        assert_eq!(closed.token, Some(Token::new("0123456789abcdef").expect("is good")));
    }

    #[test]
    fn every_retry_that_the_settings_allow_is_a_valid_policy() {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = ["RETRY_MAX_ATTEMPTS", "RETRY_BACKOFF_FACTOR", "API__RETRY_WAIT", "API__RETRY_WAIT_MAX"];
        for values in [["1", "1", "10ms", "10ms"], ["10", "10", "1m", "1h"], ["3", "2", "1s", "1m"]] {
            let set = variables.into_iter().zip(values);
            let settings = Settings::loader().root(folder.path()).environment(set).load().expect("is allowed");
            let policy = api_retry(&settings).validated().expect("is valid");
            assert_eq!(
                (policy.attempts_max.to_string(), policy.factor.to_string()),
                (values[0].into(), values[1].into())
            );
            assert_eq!((policy.base, policy.cap), (settings.api.retry_wait, settings.api.retry_wait_max));
        }
    }
}

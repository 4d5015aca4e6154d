//! The binary `trading`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use rustix::fs::Mode;
use trading_app::{App, Error, Signals, init_db};
use trading_config::{Console, Settings};

/// The infrastructure of a trading automation system.
#[derive(Debug, Parser)]
#[command(name = "trading", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sources: SettingSources,
}

const AFTER_HELP: &str = "\
Examples:
  trading                                   start, and create the database where there is none
  trading --set monitoring.port=9090        the same, with the health server on another port
  trading init-db --sample-data             create the database and fill it with made-up trades
  trading check-config                      say what is wrong with the settings, or that nothing is
  trading explain database.path             where a setting comes from, what it may be and means

Settings come from config/ENVIRONMENT.toml, .env and the environment; .env.example lists all of them.
Exit codes: 0 well, 1 failed, 2 usage or settings.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start, and run until SIGINT or SIGTERM (the default)
    Serve,
    /// Create the database, or bring its schema up to date
    InitDb {
        /// The SQLite file [default: the setting database.path]
        #[arg(long, value_name = "FILE")]
        path: Option<String>,
        /// Fill a record without trades with made-up ones
        #[arg(long)]
        sample_data: bool,
    },
    /// Check all settings and the agents file, and start nothing
    CheckConfig,
    /// Say where a setting comes from, what it may be and what it means; without a key, show all that hold
    Explain {
        /// A key such as database.path, or its variable, DATABASE_PATH
        key: Option<String>,
    },
}

#[derive(Debug, Args)]
struct SettingSources {
    /// The project root, where relative paths start [default: the nearest folder upward with our config/]
    #[arg(long, value_name = "DIR", global = true)]
    root: Option<PathBuf>,
    /// Set one setting, above all other sources; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value, global = true)]
    overrides: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as monitoring.port=9090")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl SettingSources {
    fn load(self, path: Option<String>) -> Result<Settings, Error> {
        let mut loader = Settings::loader();
        if let Some(root) = self.root {
            loader = loader.root(root);
        }
        for (key, value) in self.overrides {
            loader = loader.set(key, value);
        }
        if let Some(path) = path {
            loader = loader.set_path("database.path", path);
        }
        Ok(loader.load()?)
    }
}

fn main() -> ExitCode {
    // What is made is for this user alone, whoever makes it: the record, its backups, the logs.
    rustix::process::umask(Mode::from_bits_truncate(0o077));
    let Cli { command, sources } = Cli::parse();
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => serve(sources),
        Command::InitDb { path, sample_data } => initialise(sources, path, sample_data),
        Command::CheckConfig => check_config(sources),
        Command::Explain { key } => explain(sources, key),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.explain());
            error.exit_code()
        }
    }
}

fn serve(sources: SettingSources) -> Result<(), Error> {
    let settings = sources.load(None)?;
    let signals = Signals::catch()?;
    let app = App::start(settings)?;
    // There, standard output is for the JSON lines alone.
    if app.settings().logging.console != Console::Json {
        say(&app.to_string());
    }
    let stopped = app.run_until(signals)?;
    if !stopped.logs_complete {
        complain("some log lines did not reach their files");
    }
    Ok(())
}

fn initialise(sources: SettingSources, path: Option<String>, sample_data: bool) -> Result<(), Error> {
    let settings = sources.load(path)?;
    say(&init_db(&settings, sample_data)?.to_string());
    Ok(())
}

fn check_config(sources: SettingSources) -> Result<(), Error> {
    let settings = sources.load(None)?;
    for warning in settings.warnings() {
        complain(&format!("warning: {warning}"));
    }
    let (agents, enabled) = (settings.agents().list().len(), settings.enabled_agents().count());
    let money = if settings.api.alpaca.paper { "paper money" } else { "REAL MONEY" };
    say(&format!("the settings are good: {}, {money}, {enabled} of {agents} agents enabled", settings.environment));
    Ok(())
}

fn explain(sources: SettingSources, key: Option<String>) -> Result<(), Error> {
    let settings = sources.load(None)?;
    let text = match key {
        Some(key) => settings.explain(&key)?.to_string(),
        None => settings.effective().to_toml(),
    };
    say(text.trim_end());
    Ok(())
}

/// Says something on standard output.
#[expect(clippy::disallowed_methods, reason = "a binary prints")]
fn say(text: &str) {
    // Nobody may be reading any more, and that is no reason to stop trading.
    drop(writeln!(io::stdout(), "{text}"));
}

/// Says what is wrong on standard error.
#[expect(clippy::disallowed_methods, reason = "a binary prints")]
fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

//! The command line.

use std::{path::PathBuf, sync::LazyLock};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueHint, value_parser};
use clap_complete::Shell;
use trading_app::{Error, storage::sqlite, version};
use trading_config::{Loader, Settings};

use crate::{
    failure::Failure,
    output::{Output, print},
};

/// The infrastructure of a trading automation system.
#[derive(Debug, Parser)]
#[command(name = "trading", version = SHORT, long_version = LONG.as_str(), after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) sources: SettingSources,
    /// Say it as JSON: one value on standard output, errors as one on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say all causes of an error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("TRADING_COMMIT"), ")");

/// The parts of the whole. The crates of a workspace have one version.
pub(crate) const CRATES: [&str; 6] = ["app", "config", "logging", "monitoring", "resilience", "storage"];

static LONG: LazyLock<String> = LazyLock::new(|| {
    let (version, commit, sqlite) = (version::VERSION, version::COMMIT, sqlite::version());
    let crates = CRATES.join(", ");
    format!("{version}\ncommit     {commit}\nSQLite     {sqlite}\ncrates     {crates} {version}")
});

/// What sample data may be asked for: beyond any record that we have seen, and within a disk's reach.
const SAMPLE_TRADES_MAX: u64 = 10_000_000;

const AFTER_HELP: &str = "\
Examples:
  trading                                   start, and create the database where there is none
  trading --set monitoring.port=9090        the same, with the health server on another port
  trading init-db --sample-data             create the database and fill it with made-up trades
  trading check-config                      say what is wrong with the settings, or that nothing is
  trading explain database.path             where a setting comes from, what it may be and means
  trading backup create                     make a backup and prove it
  trading health                            ask the running program how it is

Settings come from config/ENVIRONMENT.toml, .env and the environment; .env.example lists all of them.
Exit codes: 0 well, 1 failed, 2 usage or settings.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start, and run until SIGINT or SIGTERM (the default)
    #[command(
        after_help = "Examples:\n  trading serve\n  trading serve --set monitoring.port=9090\n  trading serve --json              the banner as JSON, for programs"
    )]
    Serve,
    /// Create the database, or bring its schema up to date
    #[command(
        after_help = "Examples:\n  trading init-db\n  trading init-db --sample-data --trades 1000\n  trading init-db --path /tmp/other.db"
    )]
    InitDb {
        /// The SQLite file [default: the setting database.path]
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        path: Option<String>,
        /// Fill a record without trades with made-up ones
        #[arg(long)]
        sample_data: bool,
        /// How many made-up trades, of all agents together, at most 10,000,000 [default: 80 an agent]
        #[arg(long, value_name = "N", requires = "sample_data", value_parser = value_parser!(u64).range(..=SAMPLE_TRADES_MAX))]
        trades: Option<u64>,
    },
    /// Check all settings and the agents file, and start nothing
    #[command(
        after_help = "Examples:\n  trading check-config\n  trading check-config --json           all faults as a list\n  trading check-config --set environment=production"
    )]
    CheckConfig,
    /// Say where a setting comes from, what it may be and what it means; without a key, show all that hold, or those of a section
    #[command(
        after_help = "Examples:\n  trading explain LOG_LEVEL\n  trading explain database.path\n  trading explain database             all of that section, as TOML\n  trading explain"
    )]
    Explain {
        /// A key such as database.path, its variable, DATABASE_PATH, or a section, database
        key: Option<String>,
    },
    /// The agents: who is followed, and how they stand
    #[command(
        after_help = "Examples:\n  trading agents list\n  trading agents show nancy_pelosi\n  trading agents validate new-agents.json"
    )]
    Agents {
        #[command(subcommand)]
        command: Agents,
    },
    /// Backups of the record
    #[command(after_help = "Examples:\n  trading backup create\n  trading backup list\n  trading backup verify")]
    Backup {
        #[command(subcommand)]
        command: Backup,
    },
    /// Put a backup in the place of the database; what is there is moved aside
    #[command(
        after_help = "Examples:\n  trading restore                     the newest proven one of this instance\n  trading restore trading_automation-20261123T040000.000000Z\n  trading restore --yes /mnt/copy/trading_automation-20261123T040000.000000Z"
    )]
    Restore(Restore),
    /// Prove that the record is whole: the file, the chain of events, and its head
    #[command(
        after_help = "Examples:\n  trading verify\n  trading verify --set database.path=/mnt/copy/trading_automation.db"
    )]
    Verify,
    /// Bring over the database of the earlier system
    #[command(
        after_help = "Examples:\n  trading import old/trading_automation.db\n  trading import --zone US/Eastern old/trading_automation.db\n\nWhat is imported already is not imported twice, and the earlier database is only read."
    )]
    Import(Import),
    /// Ask the running program how it is: exit code 0 if it works, 1 if not or if it cannot be asked
    #[command(
        after_help = "Examples:\n  trading health\n  trading health --url http://127.0.0.1:9090/health\n  trading health --json"
    )]
    Health {
        /// The address that is asked: of the server, or of its /health or /ready [default: that of the settings]
        #[arg(long, value_hint = ValueHint::Url)]
        url: Option<String>,
    },
    /// Write the completions of a shell: a script, so that --json is refused
    #[command(
        after_help = "Examples:\n  trading completions bash > /etc/bash_completion.d/trading\n  trading completions zsh > ~/.zfunc/_trading"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// All of them, with what they hold
    #[command(after_help = "Examples:\n  trading agents list\n  trading agents list --json")]
    List,
    /// One of them, with all that is known of it
    #[command(after_help = "Examples:\n  trading agents show nancy_pelosi\n  trading agents show nancy_pelosi --json")]
    Show {
        /// The agent, such as nancy_pelosi
        id: String,
    },
    /// Check an agents file, and change nothing
    #[command(after_help = "Examples:\n  trading agents validate\n  trading agents validate new-agents.json")]
    Validate {
        /// The file [default: the setting trading.agents_path]
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Make one and prove it, also of the record of a running instance
    #[command(
        after_help = "Examples:\n  trading backup create\n  trading backup create --set backup.path=/mnt/backups"
    )]
    Create,
    /// Those there are, the newest first
    #[command(
        after_help = "Examples:\n  trading backup list\n  trading backup list --json\n  trading backup list --set backup.path=/mnt/backups"
    )]
    List,
    /// Prove one anew, from the first byte to the last
    #[command(
        after_help = "Examples:\n  trading backup verify                the newest one\n  trading backup verify trading_automation-20261123T040000.000000Z\n  trading backup verify /mnt/copy/trading_automation-20261123T040000.000000Z"
    )]
    Verify {
        /// Its name or its folder [default: the newest]
        backup: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Its name or its folder [default: the newest proven one of this instance]
    pub(crate) backup: Option<String>,
    /// Do not ask, even if something is lost
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The database of the earlier system
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The zone of its times, where they do not say
    #[arg(long, default_value = "UTC")]
    pub(crate) zone: String,
    /// A word that sets this database apart from another one that was imported
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// Do not ask, even if the record has trades already
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SettingSources {
    /// The project root, where relative paths start [default: the nearest folder upward with our config/]
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
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
    pub(crate) fn load(&self) -> Result<Settings, Error> {
        self.load_with(None)
    }

    /// Without the agents, for the commands that do not need them: a running instance tolerates an agents file that is not good, and so
    /// must whoever asks it how it is, or saves its record.
    pub(crate) fn load_without_agents(&self) -> Result<Settings, Error> {
        Ok(self.loader().without_agents().load()?)
    }

    /// With a path of the command line, which starts where the command was given.
    pub(crate) fn load_with(&self, path: Option<(&str, String)>) -> Result<Settings, Error> {
        let mut loader = self.loader();
        if let Some((key, path)) = path {
            loader = loader.set_path(key, path);
        }
        Ok(loader.load()?)
    }

    fn loader(&self) -> Loader {
        let mut loader = Settings::loader();
        if let Some(root) = &self.root {
            loader = loader.root(root);
        }
        for (key, value) in &self.overrides {
            loader = loader.set(key, value);
        }
        loader
    }
}

pub(crate) fn completions(shell: Shell, output: Output) -> Result<(), Failure> {
    if output.json {
        let (what, way_out) = ("completions are a script, and no JSON", "leave out --json");
        return Err(Failure::Usage { what: what.to_owned(), way_out: way_out.to_owned() });
    }
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "trading", &mut text);
    print(String::from_utf8_lossy(&text).trim_end())
}

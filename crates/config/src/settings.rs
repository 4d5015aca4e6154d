//! The settings as a value.

use std::path::PathBuf;

use crate::{
    Agent, Agents, Environment, Error, Key, Loader, schema,
    section::{self, Api, Backup, Dashboard, Database, Logging, Monitoring, Notifications, Scheduling, Trading},
};

/// What the operator said, checked: one section a concern.
///
/// A plain value: loading changes nothing, and nothing is loaded on its own. To share it, put it in an
/// [`Arc`](std::sync::Arc). `Debug` shows no secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// What the process is run for.
    pub environment: Environment,
    /// The project root, where relative paths start.
    pub root: PathBuf,
    /// Where the record is kept.
    pub database: Database,
    /// Copies of the record.
    pub backup: Backup,
    /// The outside services.
    pub api: Api,
    /// What is copied, and how large.
    pub trading: Trading,
    /// When agents run and when the market is open.
    pub scheduling: Scheduling,
    /// The dashboard.
    pub dashboard: Dashboard,
    /// What happened, as lines.
    pub logging: Logging,
    /// The health server.
    pub monitoring: Monitoring,
    /// Who is told when something is wrong.
    pub notifications: Notifications,
    pub(crate) agents: Agents,
}

impl Settings {
    /// Loads the settings of this process; the same as [`loader()`](Self::loader)`.load()`.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn load() -> Result<Self, Error> {
        Self::loader().load()
    }

    /// A loader, to say where from.
    #[must_use]
    pub fn loader() -> Loader {
        Loader::default()
    }

    /// Every key there is, with its variable, default and meaning.
    pub fn keys() -> impl Iterator<Item = &'static Key> {
        section::keys()
    }

    /// The JSON Schema (draft 2020-12) of `config/{environment}.toml`, with which an editor completes and checks it.
    #[must_use]
    pub fn schema() -> String {
        schema::text(section::keys())
    }

    /// The agents file: all agents, and what holds for all of them.
    #[must_use]
    pub fn agents(&self) -> &Agents {
        &self.agents
    }

    /// The agents that are to run, in the order of the file.
    pub fn enabled_agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.list().iter().filter(|agent| agent.enabled)
    }

    /// The agent with this id.
    #[must_use]
    pub fn agent(&self, id: &str) -> Option<&Agent> {
        self.agents.list().iter().find(|agent| agent.id == id)
    }
}

//! The settings as a value.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    ops::Deref,
    path::PathBuf,
    sync::Arc,
};

use crate::{
    Agent, Agents, Effective, Environment, Error, Explanation, Key, Loader, Section,
    section::{self, Api, Backup, Dashboard, Database, Logging, Monitoring, Notifications, Scheduling, Trading},
};

/// A section that somebody else brought, with its type forgotten.
pub(crate) type AnySection = Arc<dyn Any + Send + Sync>;

/// What the operator said, checked: one section a concern, which are the fields of [`Sections`].
///
/// A plain value that nobody can change, and whose clones share it. Loading changes nothing, and nothing is loaded on its
/// own. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Settings(Arc<Sections>);

impl Deref for Settings {
    type Target = Sections;

    fn deref(&self) -> &Sections {
        &self.0
    }
}

/// The fields of [`Settings`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Sections {
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
    pub(crate) brought: HashMap<TypeId, AnySection>,
    pub(crate) explanations: Vec<Explanation>,
    pub(crate) warnings: Vec<String>,
}

impl Settings {
    pub(crate) fn new(sections: Sections) -> Self {
        Self(Arc::new(sections))
    }

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
        Self::loader().schema()
    }

    /// A section that is not ours, if [`Loader::section`] took it.
    #[must_use]
    pub fn section<T: Section>(&self) -> Option<&T> {
        self.brought.get(&TypeId::of::<T>()).and_then(|section| section.downcast_ref())
    }

    /// What is not wrong and should be known, a sentence each: that keys of services are missing, in development.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Where the value of one setting came from, by its key (`database.path`) or its variable (`DATABASE_PATH`).
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with the nearest known one.
    pub fn explain(&self, name: &str) -> Result<&Explanation, Error> {
        let all = || self.explanations.iter();
        let by_key = all().find(|explanation| explanation.key.whole == name);
        by_key.or_else(|| all().find(|explanation| explanation.key.variable() == name)).ok_or_else(|| {
            let keys = all().map(|explanation| explanation.key);
            let distance = |key: &&Key| {
                strsim::osa_distance(key.whole, name).min(strsim::osa_distance(&key.variable(), name)) //
            };
            let nearest = keys.min_by_key(distance).map(Key::path).unwrap_or_default();
            Error::UnknownKey { name: name.to_owned(), nearest }
        })
    }

    /// All settings as they hold, with their secrets redacted, as TOML or JSON.
    #[must_use]
    pub fn effective(&self) -> Effective<'_> {
        Effective { explanations: &self.explanations, within: None }
    }

    /// The agents file: all agents, and what holds for all of them.
    #[must_use]
    pub fn agents(&self) -> &Agents {
        &self.agents
    }

    /// The agents that are to run, in the order of the file.
    pub fn enabled_agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.enabled()
    }

    /// The agent with this id.
    #[must_use]
    pub fn agent(&self, id: &str) -> Option<&Agent> {
        self.agents.agent(id)
    }
}

//! Finds the sources, merges them in their order, and reads the settings out of them.

use std::{
    any::TypeId,
    collections::HashMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use secrecy::SecretString;

use crate::{
    Agents, Environment, Error, Explanation, Fault, Key, Section, Sections, Settings, agents,
    reader::Reader,
    schema,
    section::{self, Api, Backup, Dashboard, Database, Keys, Logging, Monitoring, Notifications, Scheduling, Trading},
    settings::AnySection,
    sources::{self, Entry, Merged},
    value::Value as _,
};

mod crosscheck;
mod variables;

/// Loads [`Settings`] from chosen sources.
///
/// What is not set is taken from the process: its working folder and its environment.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let settings = trading_config::Settings::loader()
///     .root(folder.path())
///     .environment([("LOG_LEVEL", "WARNING")])
///     .set("monitoring.port", "0")
///     .load()?;
/// assert_eq!(settings.logging.level, trading_config::Level::Warn);
/// assert_eq!(settings.monitoring.port, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Loader {
    folder: Option<PathBuf>,
    root: Option<PathBuf>,
    environment: Option<Vec<(OsString, OsString)>>,
    overrides: Vec<(String, SecretString)>,
    sections: Vec<Brought>,
    agents_unread: bool,
}

/// A section that somebody else brings, with its type forgotten.
#[derive(Debug, Clone, Copy)]
struct Brought {
    id: TypeId,
    keys: fn() -> Vec<&'static Key>,
    read: fn(&mut Reader<'_>) -> AnySection,
}

impl Loader {
    /// Starts the search for the project root in `folder` instead of the working folder.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Makes `root` the project root, which is otherwise the nearest folder, from the working folder upward, whose
    /// `config/` holds `agents.json` or the TOML file of an environment, and the working folder where there is none.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Uses these variables instead of the process's environment.
    #[must_use]
    pub fn environment<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment = Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Sets one key, such as `monitoring.port`, above all other sources. The last of several counts.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.push((key.into(), value.into().into()));
        self
    }

    /// Takes a section that is not ours: its keys and variables are known, and its values read and checked with all others.
    /// [`Settings::section`] has it then. See [`section!`](crate::section).
    #[must_use]
    pub fn section<T: Section>(mut self) -> Self {
        let id = TypeId::of::<T>();
        if self.sections.iter().all(|section| section.id != id) {
            self.sections.push(Brought { id, keys: T::keys, read: |reader| Arc::new(T::read(reader)) });
        }
        self
    }

    /// Leaves the agents file unread, for what does not need the agents and must work where that file is not good:
    /// [`Settings::agents`] has none then.
    #[must_use]
    pub fn without_agents(mut self) -> Self {
        self.agents_unread = true;
        self
    }

    /// Every key that these settings have.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        section::keys().chain(self.sections.iter().flat_map(|section| (section.keys)()))
    }

    /// The JSON Schema (draft 2020-12) of `config/{environment}.toml`, with which an editor completes and checks it.
    #[must_use]
    pub fn schema(&self) -> String {
        schema::text(self.keys())
    }

    /// [`set`](Self::set), with a path from a command line: a relative one starts at the working folder, where it was typed, and
    /// not at the project root.
    #[must_use]
    pub fn set_path(self, key: impl Into<String>, path: impl Into<String>) -> Self {
        let path = path.into();
        let absolute = std::path::absolute(&path).ok().and_then(|absolute| absolute.to_str().map(str::to_owned));
        self.set(key, absolute.unwrap_or(path))
    }

    /// Loads the settings. Reads files and changes nothing.
    ///
    /// # Errors
    /// [`Error::Root`], [`Error::Read`] or [`Error::Malformed`] for the first folder or file that cannot be used, else [`Error::Invalid`] with
    /// every fault there is.
    pub fn load(self) -> Result<Settings, Error> {
        let folder = absolute(match (&self.root, &self.folder) {
            (_, Some(folder)) => folder,
            (Some(root), None) => root,
            (None, None) => Path::new("."),
        })?;
        let root = match &self.root {
            Some(root) => absolute(root)?,
            None => sources::root(&folder).to_owned(),
        };

        let mut faults = Vec::new();
        let keys = Keys::new(self.sections.iter().flat_map(|section| (section.keys)()), &mut faults);
        let dotenv = variables::from_dotenv(&folder, &root, &mut faults)?;
        let process = self.environment.unwrap_or_else(process_environment);
        let process = variables::from_environment(process, &keys, &mut faults);
        let overrides = overrides(self.overrides, &keys, &mut faults);
        variables::refuse_lookalikes(dotenv.iter().chain(&process), &keys, &mut faults);
        let files = variables::from_files([&dotenv, &process], &root, &keys, &mut faults);
        let (dotenv, process) = (variables::entries(dotenv, &keys), variables::entries(process, &keys));
        let (environment, explanation) = environment([&dotenv, &process, &overrides], &mut faults);
        let name = format!("config/{environment}.toml");
        let toml = sources::toml(&root.join(&name), &name, &keys, &mut faults)?;

        let merged = Merged::new([toml, dotenv, process, files, overrides]);
        let mut reader = Reader::new(&merged, &keys, environment, &root);
        faults.into_iter().for_each(|fault| reader.fault(fault));
        settings(reader, (environment, explanation), &root, &self.sections, self.agents_unread)
    }
}

impl fmt::Debug for Loader {
    /// Without values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, root, environment, overrides, sections, agents_unread } = self;
        f.debug_struct("Loader")
            .field("folder", folder)
            .field("root", root)
            .field("environment", &environment.as_ref().map(|e| e.iter().map(|(name, _)| name).collect::<Vec<_>>()))
            .field("overrides", &overrides.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .field("sections", &sections.len())
            .field("agents_unread", agents_unread)
            .finish()
    }
}

fn settings(
    mut reader: Reader<'_>,
    (environment, explanation): (Environment, Explanation),
    root: &Path,
    brought: &[Brought],
    agents_unread: bool,
) -> Result<Settings, Error> {
    let mut sections = Sections {
        environment,
        root: root.to_owned(),
        database: Database::read(&mut reader),
        backup: Backup::read(&mut reader),
        api: Api::read(&mut reader),
        trading: Trading::read(&mut reader),
        scheduling: Scheduling::read(&mut reader),
        dashboard: Dashboard::read(&mut reader),
        logging: Logging::read(&mut reader),
        monitoring: Monitoring::read(&mut reader),
        notifications: Notifications::read(&mut reader),
        agents: Agents::default(),
        brought: HashMap::new(),
        explanations: Vec::new(),
        warnings: Vec::new(),
    };
    sections.brought = brought.iter().map(|section| (section.id, (section.read)(&mut reader))).collect();
    sections.warnings.extend(crosscheck::check(&sections, &mut reader));
    if !agents_unread {
        sections.agents = agents::load(&sections.trading.agents_path, environment, &mut reader)?;
    }
    sections.explanations.push(explanation);
    sections.explanations.extend(reader.finish()?);
    Ok(Settings::new(sections))
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    // Not `canonicalize`: a path should stand in messages as the operator knows it.
    match std::path::absolute(path) {
        Ok(absolute) if absolute.is_dir() => Ok(absolute),
        _ => Err(Error::Root { path: path.to_owned() }),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn process_environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

fn overrides(overrides: Vec<(String, SecretString)>, keys: &Keys, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (path, text) in overrides {
        let key = if path == section::ENVIRONMENT.whole { Some(section::ENVIRONMENT) } else { keys.by_path(&path) };
        match key {
            Some(key) => entries.push(Entry::text(key, text, format!("override {path}"))),
            None => faults.push(Fault {
                rule: "must be a known key".to_owned(),
                found: "an unknown one".to_owned(),
                source: "override".to_owned(),
                hint: format!("did you mean {}?", keys.nearest_path(&path)),
                key: path,
            }),
        }
    }
    entries
}

/// What the process is run for. It is read before all others, because it chooses a source.
fn environment(layers: [&Vec<Entry>; 3], faults: &mut Vec<Fault>) -> (Environment, Explanation) {
    let key = section::ENVIRONMENT;
    let mut written = layers.into_iter().flatten().filter(|entry| entry.key.whole == key.whole).rev();
    let shown = |entry: &Entry| (entry.place.clone(), entry.written().trim().to_owned());
    let Some((source, text)) = written.next().map(shown) else {
        let explanation = Explanation::new(key, Some(key.default.to_owned()), "default".to_owned(), Vec::new());
        return (Environment::Development, explanation);
    };
    let environment = Environment::parse(&text, Path::new("")).unwrap_or_else(|| {
        faults.push(Fault {
            key: key.path(),
            rule: format!("must be {}", Environment::RULE),
            found: crate::reader::quote(&text),
            source: source.clone(),
            hint: format!("for example {}=development", key.variable()),
        });
        Environment::Development
    });
    (environment, Explanation::new(key, Some(text), source, written.map(shown).collect()))
}

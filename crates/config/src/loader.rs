//! Finds the sources, merges them in their order, and reads the settings out of them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use figment::Figment;

use crate::{
    Agents, Environment, Error, Fault, Key, Settings, agents, dotenv,
    reader::{self, Reader},
    section::{self, Api, Backup, Dashboard, Database, Logging, Monitoring, Notifications, Scheduling, Trading},
    sources::{self, Source},
    value::Value,
};

mod crosscheck;

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
#[derive(Debug, Clone, Default)]
pub struct Loader {
    folder: Option<PathBuf>,
    root: Option<PathBuf>,
    environment: Option<Vec<(OsString, OsString)>>,
    overrides: Vec<(String, String)>,
}

/// A text for a variable or key, and the place it was found.
struct Setting {
    variable: String,
    text: String,
    source: String,
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
        self.overrides.push((key.into(), value.into()));
        self
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
        let dotenv_path = sources::dotenv(&folder, &root);
        let mut variables = from_dotenv(&dotenv_path, &root)?;
        variables.extend(from_environment(self.environment.unwrap_or_else(process_environment), &mut faults));
        let environment = environment(&variables, &mut faults);
        refuse_lookalikes(&variables, &mut faults);

        let name = format!("config/{environment}.toml");
        let mut figment = Figment::new();
        if let Some(source) = Source::toml(&root.join(&name), name)? {
            figment = figment.merge(source);
        }
        for Setting { variable, text, source } in variables {
            // Compose files pass `NAME=` for what is not set, and the earlier system's `.env` has `SMTP_SERVER=`.
            if let Some(key) = section::keys().find(|key| key.variable() == variable)
                && !text.trim().is_empty()
            {
                figment = figment.merge(Source::text(source, key, &text));
            }
        }
        for (path, text) in &self.overrides {
            match section::keys().find(|key| key.path() == *path) {
                Some(key) => figment = figment.merge(Source::text(format!("override {path}"), key, text)),
                None => faults.push(unknown_override(path)),
            }
        }

        let mut reader = Reader::new(&figment, &root);
        faults.into_iter().for_each(|fault| reader.fault(fault));
        settings(reader, environment, &root)
    }
}

fn settings(mut reader: Reader<'_>, environment: Environment, root: &Path) -> Result<Settings, Error> {
    let mut settings = Settings {
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
    };
    crosscheck::check(&settings, &mut reader);
    settings.agents = agents::load(&settings.trading.agents_path, environment, &mut reader)?;
    reader.finish()?;
    Ok(settings)
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

fn from_dotenv(path: &Path, root: &Path) -> Result<Vec<Setting>, Error> {
    let Some(text) = sources::read(path)? else { return Ok(Vec::new()) };
    let shown = path.strip_prefix(root).unwrap_or(path).display();
    let setting = |line: dotenv::Line| Setting {
        source: format!("{shown}:{} {}", line.number, line.name),
        variable: line.name,
        text: line.value,
    };
    Ok(dotenv::parse(&text, path)?.into_iter().map(setting).collect())
}

fn from_environment(variables: Vec<(OsString, OsString)>, faults: &mut Vec<Fault>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (name, value) in variables {
        // A name that is not Unicode is none of ours.
        let Ok(variable) = name.into_string() else { continue };
        match value.into_string() {
            Ok(text) => settings.push(Setting { source: format!("variable {variable}"), variable, text }),
            Err(_) if section::variables().any(|known| known == variable) => faults.push(Fault {
                key: section::keys()
                    .find(|key| key.variable() == variable)
                    .map_or_else(|| variable.to_ascii_lowercase(), Key::path),
                rule: "must be Unicode text".to_owned(),
                found: "bytes that are not UTF-8".to_owned(),
                source: format!("variable {variable}"),
                hint: "write the value in UTF-8".to_owned(),
            }),
            Err(_) => {}
        }
    }
    settings
}

fn environment(variables: &[Setting], faults: &mut Vec<Fault>) -> Environment {
    let found =
        variables.iter().rfind(|setting| setting.variable == section::ENVIRONMENT && !setting.text.trim().is_empty());
    let Some(Setting { text, source, .. }) = found else { return Environment::Development };
    Environment::parse(text, Path::new("")).unwrap_or_else(|| {
        faults.push(Fault {
            key: "environment".to_owned(),
            rule: format!("must be {}", Environment::RULE),
            found: reader::quote(text),
            source: source.clone(),
            hint: format!("for example {}=development", section::ENVIRONMENT),
        });
        Environment::Development
    })
}

/// Faults for variables that nobody reads and that somebody surely meant for us.
fn refuse_lookalikes(variables: &[Setting], faults: &mut Vec<Fault>) {
    for Setting { variable, source, .. } in variables {
        if section::variables().any(|known| known == variable.as_str()) {
            continue;
        }
        let ours = section::keys().any(|key| {
            let prefix = key.section.split('.').next().unwrap_or_default().to_ascii_uppercase();
            variable.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with("__"))
        });
        let distance = |known: &str| strsim::osa_distance(known, variable);
        let Some(nearest) = section::variables().min_by_key(|known| distance(known)) else { continue };
        // One slip of the finger. Two would take SMTP_HOST, which other programs read, for SMTP_PORT.
        if ours || distance(&nearest) == 1 {
            faults.push(Fault {
                key: variable.clone(),
                rule: "must be a known variable".to_owned(),
                found: "an unknown one".to_owned(),
                source: source.clone(),
                hint: format!("did you mean {nearest}?"),
            });
        }
    }
}

fn unknown_override(path: &str) -> Fault {
    // Also by its variable: that is the name in `.env`.
    let distance =
        |key: &&Key| strsim::osa_distance(&key.path(), path).min(strsim::osa_distance(&key.variable(), path));
    let nearest = section::keys().min_by_key(distance).map(Key::path).unwrap_or_default();
    Fault {
        key: path.to_owned(),
        rule: "must be a known key".to_owned(),
        found: "an unknown one".to_owned(),
        source: "override".to_owned(),
        hint: format!("did you mean {nearest}?"),
    }
}

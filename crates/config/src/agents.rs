//! The agents file: who is followed, and how.

use std::{fmt, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::{Map, Value as Json};

use self::{check::Check, document::Node};
use crate::{
    Environment, Error, Fault, ProjectPath, SizeType, reader, reader::Reader, section, sources, value::Value as _,
};

mod check;
mod document;
mod schema;
mod watch;

pub use self::watch::{AgentsWatch, Subscription, WatchEvent, WatchOptions, WatchState};

/// The five agents that the product comes with, for a binary that runs where no `config/` is.
const BUILT_IN: &str = include_str!("../../../config/agents.json");
const BUILT_IN_NAME: &str = "the built-in agents";

/// The agents, and what the system that trades for them must know.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(title = "The agents file", description = "Who is followed, and how.")]
pub struct Agents {
    #[schemars(skip)]
    source: String,
    /// Everybody who is followed, each agent by an id of its own.
    #[schemars(rename = "agents", length(min = 1))]
    list: Vec<Agent>,
    /// What holds for all agents.
    #[schemars(default, schema_with = "schema::global_parameters")]
    global_parameters: Map<String, Json>,
    #[schemars(flatten)]
    other: Map<String, Json>,
}

impl Agents {
    /// Where they come from: the file as the operator wrote it, or `the built-in agents`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All agents, enabled or not, in the order of the file.
    #[must_use]
    pub fn list(&self) -> &[Agent] {
        &self.list
    }

    /// The agents that are to run, in the order of the file.
    pub fn enabled(&self) -> impl Iterator<Item = &Agent> {
        self.list.iter().filter(|agent| agent.enabled)
    }

    /// The agent with this id.
    #[must_use]
    pub fn agent(&self, id: &str) -> Option<&Agent> {
        self.list.iter().find(|agent| agent.id == id)
    }

    /// What holds for all agents, as it stands in `global_parameters`; empty if it is not there.
    #[must_use]
    pub fn global_parameters(&self) -> &Map<String, Json> {
        &self.global_parameters
    }

    /// The fields of the file beside `agents` and `global_parameters`, as they stand in it.
    #[must_use]
    pub fn other(&self) -> &Map<String, Json> {
        &self.other
    }
}

/// One agent: whom it follows, and how.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(transform = schema::needs_politicians)]
#[non_exhaustive]
pub struct Agent {
    /// Unique; 1 to 64 of `a-z`, `0-9`, `_`, `-`.
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,64}$"))]
    pub id: String,
    /// For people.
    #[schemars(regex(pattern = r"\S"))]
    pub name: String,
    /// What it follows; `type` in the file.
    #[schemars(rename = "type", description = "What it follows.")]
    pub kind: AgentKind,
    /// For people; empty if the file has none.
    #[schemars(default)]
    pub description: String,
    /// The names it follows, each once; never empty for a committee or an individual.
    #[schemars(default, extend("uniqueItems" = true), inner(regex(pattern = r"\S")))]
    pub politicians: Vec<String>,
    /// If it is to run; true if the file does not say.
    #[schemars(default = "enabled_by_default")]
    pub enabled: bool,
    /// Open to whatever an agent needs, as it stands in the file. [`parameter`](Self::parameter) reads one.
    #[schemars(default, schema_with = "schema::parameters", description = "Open to whatever an agent needs.")]
    pub parameters: Map<String, Json>,
    /// The fields that are not among those above, as they stand in the file.
    #[schemars(flatten)]
    pub other: Map<String, Json>,
}

fn enabled_by_default() -> bool {
    true
}

impl Agent {
    /// The parameter of this name as a `T`: a number, a text, [`SizeType`], or whatever else can be deserialised. `None` if the file
    /// does not have it. Money is exact as a `rust_decimal::Decimal` with that crate's feature `serde`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// let settings = trading_config::Settings::loader().root(folder.path()).environment([("", ""); 0]).load()?;
    /// let agent = settings.agent("nancy_pelosi").ok_or("is built in")?;
    /// assert_eq!(agent.parameter::<f64>("match_threshold")?, Some(0.85));
    /// assert_eq!(agent.parameter::<u32>("lookback_days")?, None);
    /// assert!(agent.parameter::<bool>("match_threshold").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] with one fault if it is there and no `T`.
    pub fn parameter<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(found) = self.parameters.get(name) else { return Ok(None) };
        T::deserialize(found).map(Some).map_err(|error| {
            let fault = Fault {
                key: document::field(&format!("{}.parameters", self.id), name),
                rule: "must be of the type that its reader expects".to_owned(),
                found: document::describe(found),
                source: "the agents file".to_owned(),
                hint: error.to_string(),
            };
            Error::Invalid { faults: vec![fault] }
        })
    }
}

/// What an agent follows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentKind {
    /// The members of a committee.
    Committee,
    /// One member.
    Individual,
    /// A technical signal.
    Technical,
    /// Something that a later group brings, by its name.
    Other(String),
}

impl AgentKind {
    const NAMES: [&str; 3] = ["committee", "individual", "technical"];

    fn of(name: &str) -> Self {
        match name {
            "committee" => Self::Committee,
            "individual" => Self::Individual,
            "technical" => Self::Technical,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for AgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Committee => "committee",
            Self::Individual => "individual",
            Self::Technical => "technical",
            Self::Other(name) => name,
        })
    }
}

impl<'de> Deserialize<'de> for SizeType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text, Path::new("")).ok_or_else(|| D::Error::custom(format!("must be {}", Self::RULE)))
    }
}

/// Reads the file. What is wrong inside it becomes faults of `reader`.
///
/// # Errors
/// For a file that cannot be read or is not JSON, unless other faults are to be told with that.
pub(crate) fn load(path: &ProjectPath, environment: Environment, reader: &mut Reader<'_>) -> Result<Agents, Error> {
    match read(path, environment, reader) {
        Err(error) if reader.has_faults() => {
            reader.fault(unusable(&error, path));
            Ok(Agents::default())
        }
        read => read,
    }
}

/// A file of which nothing can be used, as one fault among others.
fn unusable(error: &Error, path: &ProjectPath) -> Fault {
    let shown = path.as_written().display();
    let (rule, found, source, hint) = match error {
        Error::Malformed { line, reason, .. } => {
            ("must be JSON", reason.clone(), format!("{shown}:{line}"), "correct that line")
        }
        other => {
            let cause = std::error::Error::source(other).map_or_else(|| other.to_string(), ToString::to_string);
            ("must be a file that can be read", cause, shown.to_string(), "check what it is, and who may read it")
        }
    };
    Fault { key: "agents".to_owned(), rule: rule.to_owned(), found, source, hint: hint.to_owned() }
}

fn read(path: &ProjectPath, environment: Environment, reader: &mut Reader<'_>) -> Result<Agents, Error> {
    let file = path.full();
    let (text, file, shown) = match sources::read(&file)? {
        Some(text) => (text, file, path.as_written().display().to_string()),
        None => {
            let key = section::keys().find(|key| key.path() == "trading.agents_path").expect("it is in the table");
            if environment != Environment::Development || path.as_written() != Path::new(key.default) {
                reader.fault(Fault {
                    key: key.path(),
                    rule: "must name a file that exists".to_owned(),
                    found: reader::quote(&file.display().to_string()),
                    source: reader.source(key),
                    hint: format!("put the agents file there, or set {} to where it is", key.variable()),
                });
                return Ok(Agents::default());
            }
            (BUILT_IN.to_owned(), BUILT_IN_NAME.into(), BUILT_IN_NAME.to_owned())
        }
    };
    let (agents, faults) = parse(&text, &file, &shown)?;
    faults.into_iter().for_each(|fault| reader.fault(fault));
    Ok(agents)
}

/// The agents that `text` holds, and what is wrong with them.
fn parse(text: &str, file: &Path, shown: &str) -> Result<(Agents, Vec<Fault>), Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root =
        Node::parse(text).map_err(|error| Error::malformed(file, error.line().max(1), format!("not JSON: {error}")))?;
    let mut check = Check::new(shown);
    let agents = check.agents(&root);
    Ok((agents, check.finish()))
}

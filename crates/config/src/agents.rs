//! The agents file: who is followed, and how.

use std::{fmt, path::Path};

use serde_json::{Map, Value as Json};

use crate::{
    Environment, Error, Fault, ProjectPath, SizeType, reader, reader::Reader, section, sources, value::Value as _,
};

/// The five agents that the product comes with, for a binary that runs where no `config/` is.
const BUILT_IN: &str = include_str!("../../../config/agents.json");
const BUILT_IN_NAME: &str = "the built-in agents";

const FIELDS: [&str; 7] = ["id", "name", "type", "description", "politicians", "enabled", "parameters"];
const PARAMETERS: [&str; 4] = ["minimum_trade_value", "position_size_type", "position_size_value", "match_threshold"];
const KINDS: [&str; 3] = ["committee", "individual", "technical"];

/// The length of the longest agent id. The same as the storage crate's `AgentId` takes.
const ID_CHARS_MAX: usize = 64;

/// The content of the agents file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agents {
    source: String,
    list: Vec<Agent>,
    global_parameters: Map<String, Json>,
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

    /// What holds for all agents, as it stands in `global_parameters`; empty if it is not there.
    #[must_use]
    pub fn global_parameters(&self) -> &Map<String, Json> {
        &self.global_parameters
    }
}

/// One agent: whom it follows, and how.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Agent {
    /// Unique; 1 to 64 of `a-z`, `0-9`, `_`, `-`.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it follows.
    pub kind: AgentKind,
    /// For people; empty if the file has none.
    pub description: String,
    /// The names it follows; never empty for a committee or an individual.
    pub politicians: Vec<String>,
    /// If it is to run; true if the file does not say.
    pub enabled: bool,
    /// Open to whatever an agent needs, as it stands in the file.
    pub parameters: Map<String, Json>,
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

/// Reads the file. What is wrong inside it becomes faults of `reader`.
///
/// # Errors
/// For a file that cannot be read or is not JSON.
pub(crate) fn load(path: &ProjectPath, environment: Environment, reader: &mut Reader<'_>) -> Result<Agents, Error> {
    let file = path.full();
    let shown = path.as_written().display().to_string();
    let Some(text) = sources::read(&file)? else {
        let key = section::keys().find(|key| key.path() == "trading.agents_path").expect("it is in the table");
        if environment == Environment::Development && path.as_written() == Path::new(key.default) {
            return parse(BUILT_IN, Path::new(BUILT_IN_NAME), BUILT_IN_NAME, reader);
        }
        reader.fault(Fault {
            key: key.path(),
            rule: "must name a file that exists".to_owned(),
            found: reader::quote(&file.display().to_string()),
            source: reader.source(key),
            hint: format!("put the agents file there, or set {} to where it is", key.variable()),
        });
        return Ok(Agents::default());
    };
    parse(&text, &file, &shown, reader)
}

fn parse(text: &str, file: &Path, shown: &str, reader: &mut Reader<'_>) -> Result<Agents, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut json: Json = serde_json::from_str(text)
        .map_err(|error| Error::malformed(file, error.line().max(1), format!("not JSON: {error}")))?;
    let mut check = Check { source: shown, reader };
    if let Some(fields) = json.as_object() {
        check.lookalikes("", fields, &["agents", "global_parameters"]);
    }
    let list = match json.get_mut("agents").map(Json::take) {
        Some(Json::Array(agents)) => agents,
        found => {
            check.fault("agents", "must be a list of agents", found.as_ref(), r#""agents": [{"id": …}]"#);
            Vec::new()
        }
    };
    let list: Vec<Agent> =
        list.iter().enumerate().map(|(index, json)| check.agent(&format!("agents[{index}]"), json)).collect();
    for (index, agent) in list.iter().enumerate() {
        if let Some(first) = list.iter().take(index).position(|other| other.id == agent.id && !agent.id.is_empty()) {
            let id = Json::from(agent.id.as_str());
            let rule = format!("must be unique, and agents[{first}] has the same");
            check.fault(&format!("agents[{index}].id"), &rule, Some(&id), "an id of its own");
        }
    }
    let global_parameters = match json.get_mut("global_parameters").map(Json::take) {
        Some(Json::Object(parameters)) => parameters,
        None => Map::new(),
        found => {
            check.fault("global_parameters", "must be an object", found.as_ref(), r#"{"execution_time": "21:30"}"#);
            Map::new()
        }
    };
    Ok(Agents { source: shown.to_owned(), list, global_parameters })
}

/// Reads one agent, field by field, so that all its faults are found and each names its place.
struct Check<'r, 'a> {
    source: &'r str,
    reader: &'r mut Reader<'a>,
}

impl Check<'_, '_> {
    fn fault(&mut self, key: &str, rule: &str, found: Option<&Json>, example: &str) {
        self.reader.fault(Fault {
            key: key.to_owned(),
            rule: rule.to_owned(),
            found: found.map_or_else(|| "nothing".to_owned(), describe),
            source: self.source.to_owned(),
            hint: format!("for example {example}"),
        });
    }

    fn agent(&mut self, at: &str, json: &Json) -> Agent {
        match json.as_object() {
            Some(fields) => self.lookalikes(at, fields, &FIELDS),
            None => self.fault(at, "must be an object", Some(json), r#"{"id": "nancy_pelosi", …}"#),
        }
        let id = self.text(at, json, "id", "nancy_pelosi");
        if !id.is_empty() && !is_id(&id) {
            let rule = format!("must be 1 to {ID_CHARS_MAX} of a-z, 0-9, _ and -");
            self.fault(&format!("{at}.id"), &rule, json.get("id"), "nancy_pelosi");
        }
        let kind = match self.text(at, json, "type", "individual").as_str() {
            "committee" => AgentKind::Committee,
            "individual" => AgentKind::Individual,
            "technical" => AgentKind::Technical,
            other => {
                if KINDS.iter().any(|known| is_lookalike(other, known)) {
                    let rule = format!("must be one of {}, or a name of its own", KINDS.join(", "));
                    self.fault(&format!("{at}.type"), &rule, json.get("type"), "individual");
                }
                AgentKind::Other(other.to_owned())
            }
        };
        let politicians = self.politicians(at, json, &kind);
        let parameters = self.parameters(at, json);
        Agent {
            name: self.text(at, json, "name", "Nancy Pelosi Agent"),
            description: json.get("description").and_then(Json::as_str).unwrap_or_default().to_owned(),
            enabled: match json.get("enabled") {
                None => true,
                Some(Json::Bool(enabled)) => *enabled,
                found => {
                    self.fault(&format!("{at}.enabled"), "must be true or false", found, "true");
                    false
                }
            },
            id,
            kind,
            politicians,
            parameters,
        }
    }

    /// Faults for fields that are a slip or two away from a known one; other unknown fields are somebody's own.
    fn lookalikes(&mut self, at: &str, fields: &Map<String, Json>, known: &[&str]) {
        for name in fields.keys() {
            if let Some(meant) = known.iter().find(|known| is_lookalike(name, known)) {
                let key = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                self.fault(&key, "must be a known field", Some(&Json::from(name.as_str())), meant);
            }
        }
    }

    fn text(&mut self, at: &str, json: &Json, name: &str, example: &str) -> String {
        match json.get(name) {
            Some(Json::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
            found => {
                if json.is_object() {
                    self.fault(&format!("{at}.{name}"), "must be a text that is not empty", found, example);
                }
                String::new()
            }
        }
    }

    fn politicians(&mut self, at: &str, json: &Json, kind: &AgentKind) -> Vec<String> {
        const RULE: &str = "must be a list of names that is not empty";
        const EXAMPLE: &str = r#"["Nancy Pelosi"]"#;
        let needed = matches!(kind, AgentKind::Committee | AgentKind::Individual);
        match json.get("politicians") {
            None if !needed || !json.is_object() => Vec::new(),
            Some(Json::Array(names)) if !names.is_empty() || !needed => {
                let mut politicians = Vec::with_capacity(names.len());
                for (index, name) in names.iter().enumerate() {
                    match name.as_str().map(str::trim) {
                        Some(name) if !name.is_empty() => politicians.push(name.to_owned()),
                        _ => self.fault(&format!("{at}.politicians[{index}]"), "must be a name", Some(name), EXAMPLE),
                    }
                }
                politicians
            }
            found => {
                self.fault(&format!("{at}.politicians"), RULE, found, EXAMPLE);
                Vec::new()
            }
        }
    }

    fn parameters(&mut self, at: &str, json: &Json) -> Map<String, Json> {
        let parameters = match json.get("parameters") {
            Some(Json::Object(parameters)) => parameters.clone(),
            None => Map::new(),
            found => {
                self.fault(&format!("{at}.parameters"), "must be an object", found, r#"{"match_threshold": 0.85}"#);
                Map::new()
            }
        };
        self.lookalikes(&format!("{at}.parameters"), &parameters, &PARAMETERS);
        let mut check = |name: &str, rule: &str, good: &dyn Fn(&Json) -> bool, example: &str| {
            if let Some(found) = parameters.get(name)
                && !good(found)
            {
                self.fault(&format!("{at}.parameters.{name}"), rule, Some(found), example);
            }
        };
        let number = |json: &Json, good: fn(f64) -> bool| json.as_f64().is_some_and(good);
        check(
            "match_threshold",
            "must be a number above 0 and at most 1",
            &|j| number(j, |x| x > 0.0 && x <= 1.0),
            "0.85",
        );
        check("minimum_trade_value", "must be a number from 0 up", &|j| number(j, |x| x >= 0.0), "50000");
        check("position_size_value", "must be a number above 0", &|j| number(j, |x| x > 0.0), "100");
        let size_type = |j: &Json| j.as_str().is_some_and(|text| SizeType::parse(text, Path::new("")).is_some());
        check("position_size_type", &format!("must be {}", SizeType::RULE), &size_type, "fixed");
        parameters
    }
}

fn is_lookalike(name: &str, known: &str) -> bool {
    name != known && strsim::osa_distance(&name.to_ascii_lowercase(), known) <= 2
}

fn is_id(id: &str) -> bool {
    id.len() <= ID_CHARS_MAX
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

fn describe(json: &Json) -> String {
    match json {
        Json::Object(_) => "an object".to_owned(),
        Json::Array(values) if values.is_empty() => "an empty list".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::String(text) => reader::quote(text),
        Json::Null | Json::Bool(_) | Json::Number(_) => json.to_string(),
    }
}

//! Reads the agents out of their document, field by field, so that all faults are found and each names its place.

use std::{collections::HashMap, path::Path};

use chrono::NaiveTime;
use chrono_tz::Tz;
use serde_json::{Map, Value as Json};

use super::{
    Agent, AgentKind, Agents,
    document::{self, Node, describe, field},
};
use crate::{Fault, SizeType, value::Value as _};

const FILE_FIELDS: [&str; 2] = ["agents", "global_parameters"];
const AGENT_FIELDS: [&str; 7] = ["id", "name", "type", "description", "politicians", "enabled", "parameters"];

/// The length of the longest agent id. The same as the storage crate's `AgentId` takes.
const ID_CHARS_MAX: usize = 64;

/// The faults that are told of one file. Somebody with more has another kind of file. Arbitrary.
const FAULTS_MAX: usize = 1_000;

/// A parameter that is checked where it is there.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// What a good value is.
    rule: &'static str,
    /// The same as a JSON Schema.
    pub(super) schema: &'static str,
    good: fn(&Json) -> bool,
    /// As it would stand in the file.
    example: &'static str,
}

/// What `parameters` of an agent may have, beside what is somebody's own.
pub(super) const PARAMETERS: [Rule; 4] = [
    Rule {
        name: "minimum_trade_value",
        rule: "must be a number from 0 up",
        schema: r#"{"description": "The smallest disclosed trade that is copied, in dollars.", "type": "number", "minimum": 0}"#,
        good: |json| number(json, |x| x >= 0.0),
        example: "50000",
    },
    Rule {
        name: "position_size_type",
        rule: "must be fixed or percentage",
        schema: r#"{"description": "How the size of a copied trade is chosen.", "enum": ["fixed", "percentage", "percent"]}"#,
        good: |json| json.as_str().is_some_and(|text| SizeType::parse(text, Path::new("")).is_some()),
        example: r#""fixed""#,
    },
    Rule {
        name: "position_size_value",
        rule: "must be a number above 0",
        schema: r#"{"description": "The size of a copied trade: dollars, or percent of the portfolio (at most 100).",
                    "type": "number", "exclusiveMinimum": 0}"#,
        good: |json| number(json, |x| x > 0.0),
        example: "100",
    },
    Rule {
        name: "match_threshold",
        rule: "must be a number above 0 and at most 1",
        schema: r#"{"description": "How alike a name must be to count as the politician's; 1 is the same to the letter.",
                    "type": "number", "exclusiveMinimum": 0, "maximum": 1}"#,
        good: |json| number(json, |x| x > 0.0 && x <= 1.0),
        example: "0.85",
    },
];

/// What `global_parameters` may have, beside what is somebody's own.
pub(super) const GLOBAL_PARAMETERS: [Rule; 6] = [
    Rule {
        name: "execution_time",
        rule: "must be a time of day such as 21:30",
        schema: r#"{"description": "When the agents run each day.", "type": "string",
                    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}"#,
        good: |json| json.as_str().is_some_and(|text| NaiveTime::parse(text, Path::new("")).is_some()),
        example: r#""21:30""#,
    },
    Rule {
        name: "timezone",
        rule: "must be a time zone of the IANA list",
        schema: r#"{"description": "The zone of the time of day, by its IANA name.", "type": "string"}"#,
        good: |json| json.as_str().is_some_and(|text| Tz::parse(text, Path::new("")).is_some()),
        example: r#""US/Eastern""#,
    },
    count(
        "max_concurrent_trades",
        r#"{"description": "Trades at the same time.", "type": "integer", "minimum": 1}"#,
        "10",
    ),
    count("trade_timeout_seconds", r#"{"description": "In seconds.", "type": "integer", "minimum": 1}"#, "300"),
    count("position_update_interval", r#"{"description": "In seconds.", "type": "integer", "minimum": 1}"#, "3600"),
    count(
        "performance_calculation_interval",
        r#"{"description": "In seconds.", "type": "integer", "minimum": 1}"#,
        "86400",
    ),
];

const fn count(name: &'static str, schema: &'static str, example: &'static str) -> Rule {
    let good = |json: &Json| json.as_u64().is_some_and(|n| n >= 1);
    Rule { name, rule: "must be a whole number from 1 up", schema, good, example }
}

fn number(json: &Json, good: fn(f64) -> bool) -> bool {
    json.as_f64().is_some_and(good)
}

/// Reads, and collects what is wrong.
pub(super) struct Check<'s> {
    shown: &'s str,
    faults: Vec<Fault>,
    untold: usize,
}

impl<'s> Check<'s> {
    /// `shown` is the name of the file for messages.
    pub(super) fn new(shown: &'s str) -> Self {
        Self { shown, faults: Vec::new(), untold: 0 }
    }

    pub(super) fn finish(mut self) -> Vec<Fault> {
        if self.untold > 0 {
            self.faults.push(Fault {
                key: "agents".to_owned(),
                rule: "must be free of faults".to_owned(),
                found: format!("{} more than are told", self.untold),
                source: self.shown.to_owned(),
                hint: "correct the others first".to_owned(),
            });
        }
        self.faults
    }

    pub(super) fn agents(&mut self, root: &Node) -> Agents {
        root.each_duplicate(&String::new, &mut |path, second, first| {
            // Not what was found: a field of somebody's own may hold what is nobody else's business.
            self.say(
                path,
                &format!("must be there once, and line {first} has it"),
                "a second one",
                second,
                "remove one",
            );
        });
        self.lookalikes("", root, &FILE_FIELDS);
        let example = r#"for example "agents": [{"id": …}]"#;
        let nodes = match root.get("agents").map(|node| (node, node.items())) {
            Some((_, Some(nodes))) if !nodes.is_empty() => nodes,
            found => {
                let found = found.map(|(node, _)| node);
                self.fault("agents".to_owned(), "must be a list of at least one agent", found, root, example);
                &[]
            }
        };
        let list =
            nodes.iter().enumerate().map(|(index, node)| self.agent(&format!("agents[{index}]"), node)).collect();
        self.same_ids(nodes);
        let global_parameters = self.parameters("", root, "global_parameters", &GLOBAL_PARAMETERS);
        Agents { source: self.shown.to_owned(), list, global_parameters, other: others(root, &FILE_FIELDS) }
    }

    fn same_ids(&mut self, nodes: &[Node]) {
        let mut seen = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            let Some(id) = node.get("id") else { continue };
            let Some(text) = id.text().map(str::trim).filter(|text| !text.is_empty()) else { continue };
            let first = *seen.entry(text).or_insert(index);
            if first != index {
                let rule = format!("must be unique, and agents[{first}] has the same");
                self.fault(format!("agents[{index}].id"), &rule, Some(id), node, "for example an id of its own");
            }
        }
    }

    fn agent(&mut self, at: &str, node: &Node) -> Agent {
        if node.fields().is_none() {
            let example = r#"for example {"id": "nancy_pelosi", …}"#;
            self.fault(at.to_owned(), "must be an object", Some(node), node, example);
        }
        self.lookalikes(at, node, &AGENT_FIELDS);
        let id = self.text(at, node, "id", "nancy_pelosi");
        if !id.is_empty() && !is_id(&id) {
            let rule = format!("must be 1 to {ID_CHARS_MAX} of a-z, 0-9, _ and -");
            self.fault(field(at, "id"), &rule, node.get("id"), node, "for example nancy_pelosi");
        }
        let kind = AgentKind::of(&self.text(at, node, "type", "individual"));
        if let AgentKind::Other(name) = &kind
            && AgentKind::NAMES.iter().any(|known| is_lookalike(name, known))
        {
            let rule = format!("must be one of {}, or a name of its own", AgentKind::NAMES.join(", "));
            self.fault(field(at, "type"), &rule, node.get("type"), node, "for example individual");
        }
        let politicians = self.politicians(at, node, &kind);
        let parameters = self.parameters(at, node, "parameters", &PARAMETERS);
        if matches!(parameters.get("position_size_type").and_then(Json::as_str), Some(text)
                if SizeType::parse(text, Path::new("")) == Some(SizeType::Percentage))
            && let Some(value) = node.get("parameters").and_then(|parameters| parameters.get("position_size_value"))
            && value.scalar().and_then(Json::as_f64).is_some_and(|percent| percent > 100.0)
        {
            let key = field(&field(at, "parameters"), "position_size_value");
            self.fault(key, "must be at most 100 where it is a percentage", Some(value), node, "for example 5");
        }
        Agent {
            name: self.text(at, node, "name", "Nancy Pelosi Agent"),
            description: match node.get("description").map(|found| (found, found.text())) {
                None => String::new(),
                Some((_, Some(text))) => text.to_owned(),
                Some((found, None)) => {
                    let example = "for example \"Follows Nancy Pelosi\"";
                    self.fault(field(at, "description"), "must be a text", Some(found), node, example);
                    String::new()
                }
            },
            enabled: match node.get("enabled").map(|found| (found, found.scalar())) {
                None => true,
                Some((_, Some(Json::Bool(enabled)))) => *enabled,
                Some((found, _)) => {
                    self.fault(field(at, "enabled"), "must be true or false", Some(found), node, "for example true");
                    false
                }
            },
            id,
            kind,
            politicians,
            parameters,
            other: others(node, &AGENT_FIELDS),
        }
    }

    fn text(&mut self, at: &str, node: &Node, name: &str, example: &str) -> String {
        let found = node.get(name);
        let text = found.and_then(Node::text).unwrap_or_default().trim();
        if text.is_empty() && node.fields().is_some() {
            let example = format!("for example {example}");
            self.fault(field(at, name), "must be a text that is not empty", found, node, &example);
        }
        text.to_owned()
    }

    fn politicians(&mut self, at: &str, node: &Node, kind: &AgentKind) -> Vec<String> {
        const EXAMPLE: &str = r#"for example ["Nancy Pelosi"]"#;
        let needed = matches!(kind, AgentKind::Committee | AgentKind::Individual);
        let at = field(at, "politicians");
        let found = node.get("politicians");
        let names = match found.map(Node::items) {
            None if !needed => return Vec::new(),
            Some(Some(names)) if !names.is_empty() || !needed => names,
            _ => {
                let rule = if needed { "must be a list of names that is not empty" } else { "must be a list of names" };
                self.fault(at, rule, found, node, EXAMPLE);
                return Vec::new();
            }
        };
        let mut seen = HashMap::new();
        let mut politicians = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let path = format!("{at}[{index}]");
            let Some(text) = name.text().map(str::trim).filter(|text| !text.is_empty()) else {
                self.fault(path, "must be a name", Some(name), node, EXAMPLE);
                continue;
            };
            let first = *seen.entry(text.to_lowercase()).or_insert(index);
            if first != index {
                let rule = format!("must be there once, and politicians[{first}] is the same");
                self.fault(path, &rule, Some(name), node, "remove one");
            }
            politicians.push(text.to_owned());
        }
        politicians
    }

    fn parameters(&mut self, at: &str, node: &Node, name: &str, rules: &[Rule]) -> Map<String, Json> {
        let at = field(at, name);
        let Some(found) = node.get(name) else { return Map::new() };
        let Some(fields) = found.fields() else {
            let example = rules.first().map(|rule| format!("for example {{\"{}\": {}}}", rule.name, rule.example));
            self.fault(at, "must be an object", Some(found), node, &example.unwrap_or_default());
            return Map::new();
        };
        let names: Vec<_> = rules.iter().map(|rule| rule.name).collect();
        self.lookalikes(&at, found, &names);
        for Rule { name, rule, good, example, .. } in rules {
            if let Some(value) = found.get(name)
                && !value.scalar().is_some_and(good)
            {
                self.fault(field(&at, name), rule, Some(value), found, &format!("for example {example}"));
            }
        }
        document::object(fields.iter())
    }

    /// Faults for fields that are a slip or two away from a known one; other unknown fields are somebody's own.
    fn lookalikes(&mut self, at: &str, node: &Node, known: &[&str]) {
        let fields = node.fields().unwrap_or_default().iter();
        for (name, value) in fields.filter(|(name, _)| !known.contains(&name.as_str())) {
            if let Some(meant) = known.iter().find(|known| is_lookalike(name, known)) {
                let hint = format!("did you mean {meant}?");
                self.say(field(at, name), "must be a known field", "an unknown one", value, &hint);
            }
        }
    }

    /// A fault of the value `found`, or of `parent` that has none.
    fn fault(&mut self, key: String, rule: &str, found: Option<&Node>, parent: &Node, hint: &str) {
        let text = found.map_or_else(|| "nothing".to_owned(), |found| describe(&found.json()));
        self.say(key, rule, &text, found.unwrap_or(parent), hint);
    }

    fn say(&mut self, key: String, rule: &str, found: &str, place: &Node, hint: &str) {
        if self.faults.len() == FAULTS_MAX {
            self.untold += 1;
            return;
        }
        self.faults.push(Fault {
            key,
            rule: rule.to_owned(),
            found: found.to_owned(),
            source: format!("{}:{}", self.shown, place.line),
            hint: hint.to_owned(),
        });
    }
}

fn others(node: &Node, known: &[&str]) -> Map<String, Json> {
    let fields = node.fields().unwrap_or_default().iter();
    document::object(fields.filter(|(name, _)| !known.contains(&name.as_str())))
}

fn is_lookalike(name: &str, known: &str) -> bool {
    // Before the distance, whose time grows with the length of both.
    name.len().abs_diff(known.len()) <= 2 && strsim::osa_distance(&name.to_ascii_lowercase(), known) <= 2
}

fn is_id(id: &str) -> bool {
    id.len() <= ID_CHARS_MAX
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

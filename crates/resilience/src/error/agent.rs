//! Agents that could not do their work.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::{Cause, Code};
use crate::redaction::shown;

/// An agent could not do its work.
#[non_exhaustive]
pub struct AgentError {
    /// The agent's id.
    pub agent_id: String,
    /// What it was doing: `daily run`.
    pub operation: String,
    /// The class of what stopped it.
    pub class: Class,
    /// How long from then another try makes sense, as what stopped it says; `None` when that is not known.
    pub come_back_after: Option<Duration>,
    /// What stopped it.
    pub source: Cause,
}

impl AgentError {
    /// An agent was stopped by an error, whose class and time to come back it takes.
    pub fn new(
        agent_id: impl Into<String>,
        operation: impl Into<String>,
        source: impl std::error::Error + Classify + Send + Sync + 'static,
    ) -> Self {
        let (class, come_back_after) = (source.class(), source.come_back_after());
        let source = Box::new(source);
        Self { agent_id: agent_id.into(), operation: operation.into(), class, come_back_after, source }
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::AgentFailed
    }

    pub(crate) fn details(&self) -> Value {
        json!({ "agent_id": self.agent_id, "operation": self.operation })
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&format!("agent {}: {} failed", self.agent_id, self.operation)))
    }
}

impl std::error::Error for AgentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl Classify for AgentError {
    fn class(&self) -> Class {
        self.class
    }

    fn come_back_after(&self) -> Option<Duration> {
        self.come_back_after
    }
}

//! Settings that are missing or wrong.

use std::fmt;

use serde_json::{Value, json};

use crate::class::{Class, Classify};
use crate::error::{Cause, Code};
use crate::redaction::shown;

/// A setting that is missing or wrong.
#[non_exhaustive]
pub struct ConfigurationError {
    /// The setting, as the operator knows it: `api.alpaca.key`; or what was read as a whole: `settings`.
    pub setting: String,
    /// What has to be done about it, as a phrase after "must": `be set`.
    pub rule: String,
    /// What found it: the error of whoever reads settings, with all faults.
    pub source: Option<Cause>,
}

impl ConfigurationError {
    /// A setting breaks a rule. Its value is not taken: it may be a secret.
    pub fn new(setting: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { setting: setting.into(), rule: rule.into(), source: None }
    }

    /// Adds what found it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Cause>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the stable code of the failure.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::ConfigurationInvalid
    }

    pub(crate) fn details(&self) -> Value {
        json!({ "setting": self.setting, "rule": self.rule })
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&format!("setting {} must {}", self.setting, self.rule)))
    }
}

impl std::error::Error for ConfigurationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Classify for ConfigurationError {
    fn class(&self) -> Class {
        Class::Permanent
    }
}

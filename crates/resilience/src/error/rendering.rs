//! An error for machines and for people: one JSON object, or one line.

use serde_json::{Map, Value};

use crate::class::Classify as _;
use crate::error::chain::causes;
use crate::error::{Error, rfc3339};
use crate::redaction::shown_as;

impl Error {
    /// Renders the error as one JSON object of at most 32 KiB, without secrets.
    ///
    /// Keys, in this order: `code`, `severity`, `class`, `time` (RFC 3339, UTC), `message` (the `Display`), `details`
    /// (the typed fields; their keys depend on the code, absent values are `null`, amounts are strings, times RFC 3339,
    /// durations `…_ms`), `context` (key → text; absent when empty), `context_dropped` (how many facts were one too
    /// many; absent when none), `causes` (from the nearest to the root, at most 8, without repeats; absent when there
    /// are none). Texts are cut to 512 bytes; what follows a secret's name, `Bearer` or `://user:` is redacted.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut set = |key: &str, value: Value| json.insert(key.to_owned(), value);
        set("code", self.code().as_str().into());
        set("severity", self.severity().as_str().into());
        set("class", self.class().as_str().into());
        set("time", rfc3339(self.time()).into());
        set("message", self.to_string().into());
        set("details", without_secrets(self.0.kind.details()));
        if !self.0.context.is_empty() {
            set(
                "context",
                self.context().map(|(key, value)| (key.to_owned(), value.into())).collect::<Map<_, _>>().into(),
            );
        }
        if self.0.context_dropped > 0 {
            set("context_dropped", self.0.context_dropped.into());
        }
        let causes = causes(self);
        if !causes.is_empty() {
            set("causes", causes.into());
        }
        Value::Object(json)
    }

    /// Renders the error as one line without secrets: `CODE: message (key=value, …): cause: cause`, where a cause that
    /// only repeats what stands before it is left out.
    #[must_use]
    pub fn report(&self) -> String {
        let mut line = format!("{}: {self}", self.code());
        for (index, (key, value)) in self.context().enumerate() {
            line.push_str(if index == 0 { " (" } else { ", " });
            line.extend([key, "=", value]);
        }
        if !self.0.context.is_empty() {
            line.push(')');
        }
        for cause in causes(self) {
            line.push_str(": ");
            line.push_str(&cause);
        }
        line
    }
}

fn without_secrets(details: Value) -> Value {
    match details {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let value = match value {
                    Value::String(text) => shown_as(&key, &text).into(),
                    other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                        other
                    }
                };
                (key, value)
            })
            .collect::<Map<_, _>>()
            .into(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => other,
    }
}

//! Why a command ends with another exit code than 0.

use std::process::ExitCode;

use serde_json::{Value, json};
use trading_app::Error;

#[derive(Debug)]
pub(crate) enum Failure {
    App(Error),
    /// What is asked for cannot be asked so.
    Usage {
        what: String,
        way_out: String,
    },
    /// What was looked at is not well.
    Unwell {
        what: String,
        way_out: String,
    },
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::App(error.into())
    }
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::App(error) => error.exit_code(),
            Self::Usage { .. } => ExitCode::from(2),
            Self::Unwell { .. } => ExitCode::from(1),
        }
    }

    /// One line; with all causes, a line each.
    pub(crate) fn text(&self, verbose: bool) -> String {
        match self {
            Self::App(error) if verbose => error.explain(),
            Self::App(error) => error.line(),
            Self::Usage { what, way_out } | Self::Unwell { what, way_out } => {
                format!("error: {what}; way out: {way_out}")
            }
        }
    }

    /// Each of the faults that the text lists.
    fn faults(&self) -> Option<Value> {
        match self {
            Self::App(Error::Settings(trading_config::Error::Invalid { faults })) => {
                Some(faults.iter().map(|fault| json!({ "key": fault.key, "rule": fault.rule, "found": fault.found, "source": fault.source, "hint": fault.hint })).collect())
            }
            Self::App(Error::Machine { faults }) => {
                Some(faults.iter().map(|fault| json!({ "what": fault.what, "way_out": fault.way_out })).collect())
            }
            _ => None,
        }
    }

    pub(crate) fn json(&self) -> Value {
        let (text, causes, way_out) = match self {
            Self::App(error) => (error.to_string(), error.causes(), error.way_out()),
            Self::Usage { what, way_out } | Self::Unwell { what, way_out } => {
                (what.clone(), Vec::new(), Some(way_out.clone()))
            }
        };
        let mut value = json!({ "error": text, "causes": causes, "way_out": way_out });
        if let (Some(faults), Some(fields)) = (self.faults(), value.as_object_mut()) {
            fields.insert("faults".to_owned(), faults);
        }
        value
    }
}

//! A command line that is not understood, and what is answered before any command runs: help and version.

use std::{io, process::ExitCode};

use clap::{CommandFactory as _, error::ErrorKind};
use serde_json::{Map, Value, json};
use trading_app::{storage::sqlite, version};

use crate::{
    cli::{CRATES, Cli},
    failure::Failure,
    output::{self, Output},
};

/// Says it, and how the program is to end.
pub(crate) fn end(error: &clap::Error) -> ExitCode {
    let Asked { json, health } = asked();
    let output = Output { json };
    let said = match error.kind() {
        ErrorKind::DisplayVersion if json => output::print(&format!("{:#}", version())),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output::written(error.print()),
        _ if json => Err(in_parts(error)),
        _ => {
            // Where this cannot be said, nothing can.
            let _said: io::Result<()> = error.print();
            return if health { ExitCode::FAILURE } else { ExitCode::from(2) };
        }
    };
    let Err(failure) = said else { return ExitCode::SUCCESS };
    output.fail(&failure, false);
    if health { ExitCode::FAILURE } else { failure.exit_code() }
}

fn version() -> Value {
    let crates: Map<_, _> = CRATES.iter().map(|name| ((*name).to_owned(), version::VERSION.into())).collect();
    json!({ "version": version::VERSION, "commit": version::COMMIT, "sqlite": sqlite::version(), "crates": crates })
}

/// What can be told of a command line that is not understood.
struct Asked {
    json: bool,
    health: bool,
}

#[expect(clippy::disallowed_methods, reason = "clap does not say what it read before it gave up")]
fn asked() -> Asked {
    let words = || std::env::args_os();
    let read = Cli::command().ignore_errors(true).try_get_matches_from(words());
    Asked {
        json: words().take_while(|word| word != "--").any(|word| word == "--json"),
        health: read.is_ok_and(|read| read.subcommand_name() == Some("health")),
    }
}

/// The paragraphs of clap's text: the first one is the error, and the others help.
fn in_parts(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let what = paragraphs.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let way_out = paragraphs.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Failure::Usage { what, way_out }
}

//! Developers' tasks: `cargo xtask` lists them.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};

mod ci;
mod deploy_check;
mod doc;
mod http;
mod image_check;
mod init_db;
mod process;
mod readme;
mod schema;
mod tidy;

/// Developers' tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about)]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Do everything that must hold before a change lands, and say how long it took
    Ci(ci::Args),
    /// Build the documentation as one book
    Doc(doc::Args),
    /// Have promtool and systemd-analyze read the files in deploy/
    DeployCheck,
    /// Build the image without a container engine, and run it confined
    ImageCheck(image_check::Args),
    /// Create the database, or bring its schema up to date
    InitDb(init_db::Args),
    /// Write the JSON Schemas of the configuration files
    Schema,
    /// Compare what prose lists with the code
    Tidy(tidy::Args),
}

/// Runs the task that the command line names.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().task {
        None => Ok(Cli::command().render_help().to_string().trim_end().to_owned()),
        Some(Task::Ci(args)) => ci::run(&args),
        Some(Task::Doc(args)) => doc::run(&args),
        Some(Task::DeployCheck) => deploy_check::run(),
        Some(Task::ImageCheck(args)) => image_check::run(&args),
        Some(Task::InitDb(args)) => init_db::run(args),
        Some(Task::Schema) => schema::run(),
        Some(Task::Tidy(args)) => tidy::run(&args),
    };
    match done {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let app_error = error.downcast_ref::<trading_app::Error>();
            complain(&app_error.map_or_else(|| format!("error: {error:#}"), trading_app::Error::explain));
            app_error.map_or(ExitCode::FAILURE, trading_app::Error::exit_code)
        }
    }
}

/// Says something on standard output; nobody need be reading.
#[expect(clippy::disallowed_methods, reason = "a binary prints")]
fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

#[expect(clippy::disallowed_methods, reason = "a binary prints")]
fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// The README of development, so that its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../DEVELOPMENT.md")]
struct Development;

/// The checkout that this was compiled in.
fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is a folder of the checkout")
}

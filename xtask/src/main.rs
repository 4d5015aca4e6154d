//! Developers' tasks: `cargo xtask` lists them.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};

mod init_db;

/// Developers' tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about)]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Create the database, or bring its schema up to date
    InitDb(init_db::Args),
}

#[expect(clippy::disallowed_methods, reason = "a binary prints")]
fn main() -> ExitCode {
    let done = match Cli::parse().task {
        None => Ok(Cli::command().render_help().to_string().trim_end().to_owned()),
        Some(Task::InitDb(args)) => init_db::run(args),
    };
    match done {
        Ok(text) => {
            drop(writeln!(io::stdout(), "{text}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let app_error = error.downcast_ref::<trading_app::Error>();
            let text = app_error.map_or_else(|| format!("error: {error:#}"), trading_app::Error::explain);
            drop(writeln!(io::stderr(), "{text}"));
            app_error.map_or(ExitCode::FAILURE, trading_app::Error::exit_code)
        }
    }
}

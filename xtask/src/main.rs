//! Developers' tasks: `cargo xtask` lists them.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};

mod init_db;
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
    /// Create the database, or bring its schema up to date
    InitDb(init_db::Args),
    /// Write the JSON Schemas of the configuration files
    Schema,
    /// Compare what prose lists with the code
    Tidy(tidy::Args),
}

#[expect(clippy::disallowed_methods, reason = "a binary prints")]
fn main() -> ExitCode {
    let done = match Cli::parse().task {
        None => Ok(Cli::command().render_help().to_string().trim_end().to_owned()),
        Some(Task::InitDb(args)) => init_db::run(args),
        Some(Task::Schema) => schema::run(),
        Some(Task::Tidy(args)) => tidy::run(&args),
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

/// The checkout that this was compiled in.
fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is a folder of the checkout")
}

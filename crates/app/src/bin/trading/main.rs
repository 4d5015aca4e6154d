//! The binary `trading`.

mod agents;
mod backup;
mod cli;
mod failure;
mod health;
mod output;
mod record;
mod serve;
mod settings;
mod usage;

use std::process::ExitCode;

use clap::Parser as _;
use rustix::{fs::Mode, process::umask};

use trading_app::{SampleData, outlive_file_size_limit};

use cli::{Cli, Command, SettingSources};
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    // What is made is for this user alone, whoever makes it: the record, its backups, the logs.
    umask(Mode::from_bits_truncate(0o077));
    let Cli { command, sources, json, verbose } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::end(&error),
    };
    let output = Output { json };
    let is_health = matches!(command, Some(Command::Health { .. }));
    let done = outlive_file_size_limit().map_err(Failure::from).and_then(|()| run(command, &sources, output));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure, verbose);
            // Container engines know no other answer to a health check than 0 and 1.
            if is_health { ExitCode::FAILURE } else { failure.exit_code() }
        }
    }
}

fn run(command: Option<Command>, sources: &SettingSources, output: Output) -> Result<(), Failure> {
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(sources, output),
        Command::InitDb { path, sample_data, trades } => {
            let sample_data = match trades {
                Some(trades) => SampleData::Trades(trades),
                None if sample_data => SampleData::Some,
                None => SampleData::None,
            };
            record::init_db(sources, path, sample_data, output)
        }
        Command::CheckConfig => settings::check(sources, output),
        Command::Explain { key } => settings::explain(sources, key.as_deref(), output),
        Command::Agents { command } => agents::run(sources, command, output),
        Command::Backup { command } => backup::run(sources, command, output),
        Command::Restore(arguments) => backup::restore(sources, &arguments, output),
        Command::Verify => record::verify(sources, output),
        Command::Import(arguments) => record::import(sources, &arguments, output),
        Command::Health { url } => health::run(sources, url, output),
        Command::Completions { shell } => cli::completions(shell, output),
    }
}

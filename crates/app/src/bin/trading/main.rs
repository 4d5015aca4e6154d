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

use std::process::ExitCode;

use clap::Parser as _;
use rustix::{fs::Mode, process::umask};

use cli::{Cli, Command};
use output::Output;
use trading_app::SampleData;

fn main() -> ExitCode {
    // What is made is for this user alone, whoever makes it: the record, its backups, the logs.
    umask(Mode::from_bits_truncate(0o077));
    let Cli { command, sources, json, verbose } = Cli::parse();
    let output = Output { json };
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&sources),
        Command::InitDb { path, sample_data, trades } => {
            let sample_data = match trades {
                Some(trades) => SampleData::Trades(trades),
                None if sample_data => SampleData::Some,
                None => SampleData::None,
            };
            record::init_db(&sources, path, sample_data, output)
        }
        Command::CheckConfig => settings::check(&sources, output),
        Command::Explain { key } => settings::explain(&sources, key.as_deref(), output),
        Command::Agents { command } => agents::run(&sources, command, output),
        Command::Backup { command } => backup::run(&sources, command, output),
        Command::Restore(arguments) => backup::restore(&sources, &arguments, output),
        Command::Verify => record::verify(&sources, output),
        Command::Import(arguments) => record::import(&sources, &arguments, output),
        Command::Health { url } => health::run(&sources, url, output),
        Command::Completions { shell } => {
            cli::completions(shell, output);
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure, verbose);
            failure.exit_code()
        }
    }
}

//! The settings, from their sources to the value or the faults.

mod agents;
mod agents_faults;
mod agents_schema;
mod agents_watch;
mod env_example;
mod explained;
mod faults;
mod others;
mod schema;
mod secret_files;
mod secrets;
mod sections;
mod sources;

use std::{fs, path::Path};

use tempfile::TempDir;
use trading_config::{Error, Loader, Settings};

/// An agents file that is as short as can be.
const ONE_AGENT: &str = r#"{"agents": [{"id": "a", "name": "A", "type": "technical"}]}"#;

/// A project folder of its own, with these files.
fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("the file is written");
    }
    folder
}

/// A loader that sees this folder and these variables, and nothing of the machine.
fn loader(root: &Path, variables: &[(&str, &str)]) -> Loader {
    Settings::loader().root(root).environment(variables.iter().copied())
}

/// Loads with these variables alone.
fn load(variables: &[(&str, &str)]) -> Result<Settings, Error> {
    loader(project(&[]).path(), variables).load()
}

/// The faults that an error names: one in its own line, several in lines of their own.
fn faults_of(error: &str) -> Vec<&str> {
    match error.strip_prefix("the configuration has 1 fault: ") {
        Some(fault) => vec![fault],
        None => error.lines().skip(1).map(str::trim).collect(),
    }
}

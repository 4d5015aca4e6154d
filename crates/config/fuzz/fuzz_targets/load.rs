//! No files and no variables make a load panic, hang, or show a secret.
//!
//! The input is a text whose parts a NUL divides: the TOML file, `.env`, the agents file (an empty part for none), and any
//! number of variables, `NAME=value` each.
#![no_main]

use std::{fs, path::Path, sync::OnceLock};

use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;
use trading_config::Settings;

const CANARY: &str = "canary5f2c";

fuzz_target!(|input: &str| -> Corpus {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    // Only what this puts into a secret is looked for.
    if input.contains(CANARY) {
        return Corpus::Reject;
    }
    let folder = FOLDER.get_or_init(folder_in_memory).path();
    let mut parts = input.split('\0');
    for name in ["config/development.toml", ".env", "config/agents.json"] {
        write(&folder.join(name), parts.next().unwrap_or_default());
    }
    let secrets = Settings::keys().filter(|key| key.secret).map(|key| key.variable().into_owned());
    let secrets: Vec<_> = secrets.map(|variable| (variable, CANARY.to_owned())).collect();
    let theirs = parts.filter_map(|part| part.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()));
    // Without them as well: a secret beside its `NAME_FILE` is a fault, and the file is not read.
    for secrets in [secrets, Vec::new()] {
        let said = said(folder, theirs.clone().chain(secrets).collect());
        assert!(!said.contains(CANARY), "{said}");
    }
    Corpus::Keep
});

/// Or on the disk, where there is no such place.
fn folder_in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("is made");
    if text.is_empty() {
        drop(fs::remove_file(path));
    } else {
        fs::write(path, text).expect("is written");
    }
}

/// Everything that a load, and what came of it, can be made to say.
fn said(folder: &Path, variables: Vec<(String, String)>) -> String {
    match Settings::loader().root(folder).environment(variables).load() {
        Err(error) => format!("{error} {error:?}"),
        Ok(settings) => {
            let explained = Settings::keys().map(|key| settings.explain(&key.path()).expect("is a key").to_string());
            let explained = explained.collect::<String>();
            format!("{settings:?} {} {} {explained}", settings.effective(), settings.effective().to_json())
        }
    }
}

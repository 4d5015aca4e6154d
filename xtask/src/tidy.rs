//! `cargo xtask tidy`: what prose lists and the compiler cannot check, against the code. All faults are collected first.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use trading_app::config::Settings;

use crate::{checkout, schema};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The checkout [default: the one that this was compiled in]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Looks at files below the root, and adds a line for each fault.
type Check = fn(&Path, &mut Vec<String>) -> anyhow::Result<()>;

const CHECKS: [(&str, Check); 2] =
    [(".env.example has every setting", env_example), ("the JSON Schemas are those of the code", schemas)];

pub(crate) fn run(args: &Args) -> anyhow::Result<String> {
    let root = args.root.as_deref().unwrap_or(checkout());
    let mut faults = Vec::new();
    for (_, check) in CHECKS {
        check(root, &mut faults)?;
    }
    anyhow::ensure!(faults.is_empty(), "the checkout is not tidy:\n  {}", faults.join("\n  "));
    Ok(CHECKS.map(|(name, _)| format!("well: {name}")).join("\n"))
}

/// What `.env.example` has, two lines a setting: its meaning and key, and its variable with the default, switched off.
fn env_example(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    const NAME: &str = ".env.example";
    let text = fs::read_to_string(root.join(NAME)).with_context(|| format!("cannot read {NAME}"))?;
    let lines: Vec<&str> = text.lines().collect();
    let keys: Vec<_> = Settings::keys().map(|key| (key.variable(), key)).collect();
    for (variable, key) in &keys {
        let wanted = format!("#{variable}={}", key.default);
        match lines.iter().position(|line| *line == wanted) {
            None => faults.push(format!("{NAME}: there is no line {wanted}")),
            Some(at) => {
                let above = at.checked_sub(1).and_then(|at| lines.get(at)).copied().unwrap_or_default();
                let wanted = format!("# {} [{}]", key.meaning, key.path());
                if above != wanted {
                    faults.push(format!("{NAME}:{at}: must be {wanted}"));
                }
            }
        }
    }
    for (number, line) in lines.iter().enumerate() {
        let said = line.strip_prefix('#').unwrap_or(line);
        let Some((name, _)) = said.split_once('=').filter(|_| !said.starts_with(' ')) else { continue };
        if name != "ENVIRONMENT" && !keys.iter().any(|(variable, _)| variable == name) {
            faults.push(format!("{NAME}:{}: there is no setting {name}", number + 1));
        }
    }
    Ok(())
}

fn schemas(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for (name, text) in schema::files() {
        let found = fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))?;
        if found != text {
            faults.push(format!("{name}: is not what the code says; write it with `cargo xtask schema`"));
        }
    }
    Ok(())
}

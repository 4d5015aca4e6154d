//! `cargo xtask schema`: writes the JSON Schemas of the configuration files, from which editors complete and check them.

use std::fs;

use anyhow::Context as _;
use trading_app::config::{Agents, Settings};

use crate::checkout;

/// Each schema: its path in the checkout, and its text.
pub(crate) fn files() -> Vec<(&'static str, String)> {
    vec![("config/settings.schema.json", Settings::schema()), ("config/agents.schema.json", Agents::schema())]
}

pub(crate) fn run() -> anyhow::Result<String> {
    let mut said = Vec::new();
    for (name, text) in files() {
        let path = checkout().join(name);
        let changed = fs::read_to_string(&path).ok().as_ref() != Some(&text);
        if changed {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        said.push(format!("{name} {}", if changed { "is written" } else { "is up to date" }));
    }
    Ok(said.join("\n"))
}

//! The JSON Schemas in `config/` against those that the code writes.

use std::{fs, path::Path};

use anyhow::Context as _;

use crate::schema;

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (name, text) in schema::files() {
        let found = fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))?;
        if found != text {
            faults.push(format!("{name}: is not what the code says; write it with `cargo xtask schema`"));
        }
    }
    Ok(faults)
}

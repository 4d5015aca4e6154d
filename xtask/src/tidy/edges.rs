//! Which crate depends on which: the picture of the layers in ARCHITECTURE.md against the manifests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::Context as _;
use serde_json::Value;

use crate::process;

/// A crate, and those that it depends on, by their names without `trading-`.
type Edges = BTreeMap<String, BTreeSet<String>>;

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let (drawn, real) = (drawn(&text)?, real(root)?);
    let mut faults = Vec::new();
    for name in drawn.keys().chain(real.keys()).collect::<BTreeSet<_>>() {
        let (Some(drawn), Some(real)) = (drawn.get(name), real.get(name)) else {
            let (where_to, where_not) =
                if real.contains_key(name) { ("workspace", "picture") } else { ("picture", "workspace") };
            faults.push(format!("ARCHITECTURE.md: {name} is in the {where_to} and not in the {where_not}"));
            continue;
        };
        for to in real.difference(drawn) {
            faults.push(format!("{name} ─► {to}: in its Cargo.toml, and not in the picture of ARCHITECTURE.md"));
        }
        for to in drawn.difference(real) {
            faults.push(format!("{name} ─► {to}: in the picture of ARCHITECTURE.md, and not in its Cargo.toml"));
        }
    }
    Ok(faults)
}

/// The picture: lines that begin with the layer, with `crate` or `crate ─► one, other`, two spaces or more apart.
fn drawn(text: &str) -> anyhow::Result<Edges> {
    let (_, picture) = text.split_once("## The layers").context("ARCHITECTURE.md has no section `The layers`")?;
    let picture = picture.split("```").nth(1).context("`The layers` in ARCHITECTURE.md has no picture")?;
    let layers = picture.lines().filter(|line| line.starts_with('L'));
    let crates = layers.flat_map(|line| line.split("  ").skip(1)).map(str::trim).filter(|words| !words.is_empty());
    let edges = crates.map(|words| {
        let (name, to) = words.split_once(" ─► ").unwrap_or((words, ""));
        (name.to_owned(), to.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect())
    });
    Ok(edges.collect())
}

/// What `cargo metadata` says of the normal dependencies within the workspace.
fn real(root: &Path) -> anyhow::Result<Edges> {
    let mut cargo = Command::new("cargo");
    let metadata =
        process::output(cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(root))?;
    edges(&serde_json::from_str(&metadata)?)
}

fn edges(metadata: &Value) -> anyhow::Result<Edges> {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let short = |name: String| name.strip_prefix("trading-").unwrap_or(&name).to_owned();
    let packages = list(metadata, "packages");
    anyhow::ensure!(!packages.is_empty(), "cargo metadata names no package");
    let edges = packages.iter().map(|package| {
        let normal = list(package, "dependencies").into_iter().filter(|to| to.get("kind").is_some_and(Value::is_null));
        let within = normal.filter(|to| to.get("path").is_some_and(Value::is_string));
        (short(text(package, "name")), within.map(|to| short(text(&to, "name"))).collect())
    });
    Ok(edges.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::files::checkout;

    const PICTURE: &str =
        "## The layers\n\n```text\nL1   app ─► a, b          xtask ─► app\nL0   a        b ─► a\n```\n";

    fn workspace(picture: &str) -> Vec<String> {
        let manifest = |name: &str, dependencies: &str| {
            format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n[dependencies]\n{dependencies}")
        };
        let crates = [
            ("a", manifest("trading-a", "[dev-dependencies]\ntrading-b.path = \"../b\"\n")),
            ("b", manifest("trading-b", "trading-a.path = \"../a\"\n")),
            ("app", manifest("trading-app", "trading-a.path = \"../a\"\ntrading-b.path = \"../b\"\n")),
            ("xtask", manifest("xtask", "trading-app.path = \"../app\"\n")),
        ];
        let folder = checkout(&[
            ("ARCHITECTURE.md", picture),
            ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\", \"app\", \"xtask\"]\n"),
        ]);
        for (name, text) in crates {
            let source = folder.path().join(name).join("src");
            fs::create_dir_all(&source).expect("is made");
            fs::write(source.join("lib.rs"), "").expect("is written");
            fs::write(folder.path().join(name).join("Cargo.toml"), text).expect("is written");
        }
        faults(folder.path()).expect("is done")
    }

    #[test]
    fn the_picture_is_what_the_manifests_say() {
        assert_eq!(workspace(PICTURE), Vec::<String>::new());
        assert_eq!(
            workspace(&PICTURE.replace("b ─► a", "b").replace("xtask ─► app", "xtask ─► app, a    bench")),
            [
                "b ─► a: in its Cargo.toml, and not in the picture of ARCHITECTURE.md",
                "ARCHITECTURE.md: bench is in the picture and not in the workspace",
                "xtask ─► a: in the picture of ARCHITECTURE.md, and not in its Cargo.toml",
            ]
        );
    }
}

//! `cargo xtask doc`: the documentation of all crates as one book, whose first page is that of the app.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;
use serde_json::Value;

use crate::{checkout, process};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show it in the browser
    #[arg(long)]
    open: bool,
}

/// Where a reader begins who was given the folder alone.
const ENTRY: &str =
    "<!doctype html><title>trading</title><meta http-equiv=\"refresh\" content=\"0; url=trading_app/index.html\">\n";

pub(crate) fn run(args: &Args) -> anyhow::Result<String> {
    let text = build()?;
    if args.open {
        // Cargo knows the browser; all is built already.
        process::run(cargo().args(["doc", "--package", "trading-app", "--no-deps", "--all-features", "--open"]))?;
    }
    Ok(text)
}

pub(crate) fn build() -> anyhow::Result<String> {
    // The app last: rustdoc links to the pages of another crate only where they are there already.
    for crates in [["--workspace", "--exclude=trading-app"], ["--package", "trading-app"]] {
        let arguments = ["doc", "--no-deps", "--all-features", "--locked"];
        process::run(cargo().args(arguments).args(crates).env("RUSTDOCFLAGS", "--deny warnings"))?;
    }
    let metadata = process::output(cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let target = metadata.get("target_directory").and_then(Value::as_str).context("cargo names no target folder")?;
    let folder = Path::new(target).join("doc");
    fs::write(folder.join("index.html"), ENTRY)?;
    let page = fs::read_to_string(folder.join("trading_app/index.html")).context("the app has no page")?;
    let missing = missing(&page, &libraries(&metadata));
    anyhow::ensure!(missing.is_empty(), "the app's page has no link to {}", missing.join(", "));
    Ok(format!("well: {}", folder.join("index.html").display()))
}

fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(checkout());
    cargo
}

/// The crates of the book, but the one that its first page is of, and our own tasks.
fn libraries(metadata: &Value) -> Vec<String> {
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let names = packages.filter_map(|package| package.get("name")?.as_str());
    names.filter(|name| !["trading-app", "xtask"].contains(name)).map(|name| name.replace('-', "_")).collect()
}

fn missing(page: &str, libraries: &[String]) -> Vec<String> {
    let is_linked = |name: &&String| page.contains(&format!("href=\"../{name}/index.html\""));
    libraries.iter().filter(|name| !is_linked(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_the_first_page_does_not_lead_to_is_found() {
        let packages = ["trading-app", "trading-config", "trading-logging", "xtask"]
            .map(|name| serde_json::json!({ "name": name }));
        let libraries = libraries(&serde_json::json!({ "packages": packages }));
        let page = "<a href=\"../trading_config/index.html\">config</a>";
        assert_eq!(missing(page, &libraries), ["trading_logging"]);
        assert_eq!(missing("", &libraries), ["trading_config", "trading_logging"]);
    }
}

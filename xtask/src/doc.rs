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
    pictures(checkout(), &folder)?;
    let page = fs::read_to_string(folder.join("trading_app/index.html")).context("the app has no page")?;
    let missing = missing(&page, &libraries(&metadata));
    anyhow::ensure!(missing.is_empty(), "the app's page has no link to {}", missing.join(", "));
    Ok(format!("well: {}", folder.join("index.html").display()))
}

/// Lays the pictures of each crate beside its page, where the README that the page is made of says that they are.
fn pictures(root: &Path, folder: &Path) -> anyhow::Result<()> {
    for file in fs::read_dir(root.join("crates"))? {
        let krate = file?.path();
        let name = krate.file_name().context("a crate has a name")?.to_string_lossy();
        for file in fs::read_dir(&krate)? {
            let file = file?;
            if file.path().extension().is_some_and(|end| end == "png") {
                fs::copy(file.path(), folder.join(format!("trading_{name}")).join(file.file_name()))?;
            }
        }
    }
    Ok(())
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
    fn the_pictures_of_a_crate_lie_beside_its_page() {
        let root = tempfile::tempdir().expect("a folder");
        let (krate, folder) = (root.path().join("crates/some"), root.path().join("doc"));
        for made in [&krate, &folder.join("trading_some")] {
            fs::create_dir_all(made).expect("is made");
        }
        for file in ["page.png", "README.md"] {
            fs::write(krate.join(file), file).expect("is written");
        }
        pictures(root.path(), &folder).expect("are copied");
        let copied: Vec<_> = fs::read_dir(folder.join("trading_some")).expect("is there").collect();
        assert_eq!(copied.len(), 1);
        assert_eq!(fs::read(folder.join("trading_some/page.png")).expect("is there"), b"page.png");
    }

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

//! `cargo xtask tidy`: what the compiler cannot check. All faults of all checks are collected first.

use std::path::{Path, PathBuf};

use crate::checkout;

mod docs;
mod edges;
mod files;
mod program;
mod prose;
mod queries;
mod schemas;
mod secrets;
mod settings;
mod sizes;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The checks to do [default: all]
    #[arg(value_name = "CHECK", value_parser = clap::builder::PossibleValuesParser::new(CHECKS.map(|check| check.name)))]
    checks: Vec<String>,
    /// The checkout [default: the one that this was compiled in]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

struct Check {
    name: &'static str,
    /// What holds when it finds nothing.
    holds: &'static str,
    /// Looks at files below the root, and returns a line for each fault.
    faults: fn(&Path) -> anyhow::Result<Vec<String>>,
}

const CHECKS: [Check; 8] = [
    Check { name: "settings", holds: ".env.example has every setting", faults: settings::faults },
    Check { name: "schemas", holds: "the JSON Schemas are those of the code", faults: schemas::faults },
    Check { name: "sizes", holds: "files and functions are short enough to be read", faults: sizes::faults },
    Check { name: "docs", holds: "each module says what it is for", faults: docs::faults },
    Check {
        name: "edges",
        holds: "the crates depend on each other as ARCHITECTURE.md draws it",
        faults: edges::faults,
    },
    Check {
        name: "prose",
        holds: "routes, metrics, codes and settings in prose are in the code",
        faults: prose::faults,
    },
    Check { name: "queries", holds: "dashboards and alerts ask for metrics that there are", faults: queries::faults },
    Check { name: "secrets", holds: "nothing looks like a secret", faults: secrets::faults },
];

pub(crate) fn run(args: &Args) -> anyhow::Result<String> {
    let root = args.root.as_deref().unwrap_or(checkout());
    let (mut faults, mut well) = (Vec::new(), Vec::new());
    for check in CHECKS.iter().filter(|check| args.checks.is_empty() || args.checks.iter().any(|n| n == check.name)) {
        // A check that cannot be done is a fault like others, and the next ones are done all the same.
        let found = (check.faults)(root).unwrap_or_else(|error| vec![format!("{error:#}")]);
        if found.is_empty() {
            well.push(format!("well: {:<9} {}", check.name, check.holds));
        }
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", check.name)));
    }
    anyhow::ensure!(faults.is_empty(), "the checkout is not tidy:\n  {}", faults.join("\n  "));
    Ok(well.join("\n"))
}

/// All checks, on the checkout that this was compiled in.
pub(crate) fn all() -> anyhow::Result<String> {
    run(&Args { checks: Vec::new(), root: None })
}

/// The queries of the dashboards and alerts, as they are written.
pub(crate) fn queries(root: &Path) -> anyhow::Result<Vec<String>> {
    Ok(queries::queries(&files::all(root)?)?.into_iter().map(|query| query.text).collect())
}

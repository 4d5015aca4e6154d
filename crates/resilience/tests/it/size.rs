//! How much comes with the crate: everybody pays for it.

use std::collections::BTreeSet;
use std::process::Command;

/// The limit of third-party crates without features, on the system that this runs on.
const CRATES_MAX: usize = 20;

#[test]
fn few_crates_come_with_it() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", "trading-resilience", "--edges", "normal", "--prefix", "none"])
        .args(["--no-default-features", "--format", "{p}", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs the tests, so it is there");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("trading-resilience") && crates.contains("log"), "{crates:?}");
    assert!(crates.len() - 1 <= CRATES_MAX, "{}: {crates:?}", crates.len() - 1);
    assert!(!crates.contains("tokio"), "{crates:?}");
}

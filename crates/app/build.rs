//! Says which commit this is: `TRADING_COMMIT` where it is set, such as in a build without a repository, else what git says.

use std::{env, path::Path, process::Command};

#[expect(clippy::disallowed_methods, reason = "the environment of the build, not of the program")]
fn main() {
    println!("cargo::rerun-if-env-changed=TRADING_COMMIT");
    // `HEAD` says the branch, and `logs/HEAD` is written with each commit; what is not there would be looked for again at each build.
    if let Some(git) = said_by_git(&["rev-parse", "--absolute-git-dir"]) {
        for path in
            ["HEAD", "logs/HEAD"].map(|name| Path::new(git.trim()).join(name)).iter().filter(|path| path.exists())
        {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let set = env::var("TRADING_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit =
        set.or_else(|| said_by_git(&["rev-parse", "--short=12", "HEAD"])).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=TRADING_COMMIT={}", commit.trim());
}

fn said_by_git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

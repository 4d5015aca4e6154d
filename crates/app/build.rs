//! Says which commit this is: `TRADING_COMMIT` where it is set, such as in a build without a repository, else what git says.

use std::{env, path::Path, process::Command};

#[expect(clippy::disallowed_methods, reason = "the environment of the build, not of the program")]
fn main() {
    println!("cargo::rerun-if-env-changed=TRADING_COMMIT");
    let git = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.git");
    // `HEAD` says the branch, and `logs/HEAD` is written with each commit; what is not there would be looked for again at each build.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git.join(name);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let set = env::var("TRADING_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit = set.or_else(said_by_git).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=TRADING_COMMIT={}", commit.trim());
}

fn said_by_git() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

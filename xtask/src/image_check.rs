//! `cargo xtask image-check`: builds the image as the Dockerfile says and runs it as a container engine would, without one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use crate::{checkout, process, say};
use dockerfile::Stage;
use smoke::{Container, text, tree};

mod dockerfile;
mod smoke;
mod stages;

/// **Source:** the promise of the README, for the program as it is in the image.
const PROGRAM_BYTES_MAX: u64 = 12_000_000;

/// The build argument that says which commit it is.
const COMMIT: &str = "TRADING_COMMIT";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run what was built before, and build nothing
    #[arg(long)]
    run_only: bool,
    /// Used by image-check itself, once it has a network of its own
    #[arg(long, hide = true)]
    isolated: bool,
    /// The commit that it was just built from
    #[arg(long, hide = true)]
    commit: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<String> {
    let text = fs::read_to_string(checkout().join("Dockerfile")).context("cannot read the Dockerfile")?;
    let stages = dockerfile::parse(&text)?;
    let folder = checkout().join("target/image-check");
    if args.isolated {
        let last = stages.last().context("the Dockerfile has no stage")?;
        return smoke_test(&folder.join("image"), last, args.commit.as_deref());
    }
    if let Some(reason) = not_allowed() {
        return Ok(format!("skipped: {reason}"));
    }
    let mut built = Vec::new();
    if !args.run_only {
        let commit = commit()?;
        let ignore = fs::read_to_string(checkout().join(".dockerignore")).context("cannot read .dockerignore")?;
        let context = dockerfile::Context::parse(&ignore)?;
        let arguments = [(COMMIT.to_owned(), commit.clone())].into();
        let workshop = stages::Workshop { folder, checkout: checkout().to_owned(), context, arguments };
        workshop.carry_out(&stages)?;
        built.extend(["--commit".to_owned(), commit]);
    }
    // By its process, since its file is another one by now if `ci` had it built again. With its own loopback, so that the image's own port is free and nothing of it is heard outside.
    let mut isolated = Command::new("unshare");
    isolated.args(["--net", "--", "sh", "-c", "ip link set lo up && exec \"$0\" image-check --isolated \"$@\""]);
    isolated.arg(format!("/proc/{}/exe", std::process::id())).args(built);
    let status = isolated.status().context("cannot run unshare")?;
    ensure!(status.success(), "the image does not run as it should, see above");
    Ok("well: the image is built and runs confined".to_owned())
}

/// Builds and runs it.
pub(crate) fn whole() -> anyhow::Result<String> {
    run(&Args { run_only: false, isolated: false, commit: None })
}

/// Why this machine cannot do it, if it cannot.
fn not_allowed() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can give files and processes to another user; run it with sudo".to_owned());
    }
    for tool in ["unshare", "setpriv", "ip", "mount"] {
        if !process::is_there(Command::new(tool).arg("-V")) {
            return Some(format!("the tool {tool} is missing (packages util-linux, iproute2)"));
        }
    }
    let mut probe = Command::new("unshare");
    probe.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "sh",
        "-c",
        "mount --make-rprivate / && mount -t tmpfs none /mnt",
    ]);
    (!process::is_there(&mut probe)).then(|| "this machine does not let us make namespaces and mounts".to_owned())
}

/// As the README has it given to the engine.
fn commit() -> anyhow::Result<String> {
    let mut git = Command::new("git");
    Ok(process::output(git.args(["rev-parse", "--short=12", "HEAD"]).current_dir(checkout()))?.trim().to_owned())
}

fn smoke_test(root: &Path, stage: &Stage, commit: Option<&str>) -> anyhow::Result<String> {
    let program = root.join(stage.run.entry_point.first().context("no ENTRYPOINT")?.trim_start_matches('/'));
    let bytes = fs::metadata(&program).with_context(|| format!("{} is not built", program.display()))?.len();
    ensure!(bytes <= PROGRAM_BYTES_MAX, "the program has {bytes} bytes, more than {PROGRAM_BYTES_MAX}");
    let libraries: Vec<PathBuf> =
        tree(root)?.into_keys().filter(|path| path.to_string_lossy().contains(".so")).collect();
    say(&format!("the program has {:.1} MB, beside {} libraries", mega(bytes), libraries.len()));

    if let Some(commit) = commit {
        let version = text(&Container::new(root, &stage.run, &[])?.once(&["--version"])?.stdout);
        ensure!(says_commit(&version, commit), "the image does not say that it is of commit {commit}: {version}");
    }
    production(root, stage)?;
    development(root, stage)?;
    Ok("well: nothing outside /data was written, nobody but the user of the image was anybody".to_owned())
}

fn says_commit(version: &str, commit: &str) -> bool {
    version.lines().filter_map(|line| line.strip_prefix("commit ")).any(|said| said.trim() == commit)
}

/// The image as it is, from nothing to a record, with secrets that only its user can read.
fn production(root: &Path, stage: &Stage) -> anyhow::Result<()> {
    let mut container = Container::new(root, &stage.run, &[])?;
    let before = tree(root)?;
    let output = container.once(&["serve"])?;
    ensure!(output.status.code() == Some(2), "without keys: {} {}", output.status, text(&output.stderr));
    for variable in ["QUIVER_API_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"] {
        container.secret(variable, "made-up-0123456789")?;
    }
    let output = container.once(&["serve"])?;
    let said = text(&output.stderr);
    ensure!(output.status.code() == Some(1) && said.contains("init-db"), "without a record: {} {said}", output.status);
    let output = container.once(&["init-db", "--path", "/app/outside.db"])?;
    let said = text(&output.stderr);
    let refused = output.status.code() == Some(1) && said.contains("Read-only file system");
    ensure!(refused, "outside /data: {} {said}", output.status);
    let output = container.once(&["init-db"])?;
    ensure!(output.status.success(), "init-db: {} {}", output.status, text(&output.stderr));
    serve(&container, "production")?;
    serve(&container, "production, again")?;
    ensure!(tree(root)? == before, "something of the image itself was changed");
    Ok(())
}

/// With sample data, which writes most.
fn development(root: &Path, stage: &Stage) -> anyhow::Result<()> {
    let environment = [("ENVIRONMENT", "development"), ("LOGGING__CONSOLE", "json")];
    serve(&Container::new(root, &stage.run, &environment)?, "development")
}

/// Start, look, stop.
fn serve(container: &Container<'_>, name: &str) -> anyhow::Result<()> {
    let running = container.start().with_context(|| name.to_owned())?;
    let ready = running.ready;
    running.confined()?;
    running.well()?;
    let (output, took) = running.stop()?;
    ensure!(output.status.code() == Some(0), "SIGTERM: {} {}", output.status, text(&output.stderr));
    for line in text(&output.stdout).lines() {
        let read: Result<serde_json::Value, _> = serde_json::from_str(line);
        read.with_context(|| format!("standard output has a line that is no JSON: {line}"))?;
    }
    ensure!(container.unwell()?, "the health check says yes though nothing runs");
    say(&format!("{name}: ready after {} ms, stopped after {} ms", ready.as_millis(), took.as_millis()));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_a_line_of_the_version() {
        let version = |commit: &str| format!("trading 0.1.0\ncommit     {commit}\nSQLite     3.51.0\n");
        assert!(says_commit(&version("0123456789ab"), "0123456789ab"));
        for other in ["unknown", "0123456789abcdef", ""] {
            assert!(!says_commit(&version(other), "0123456789ab"), "{other}");
        }
    }

    /// What our Dockerfile builds knows which commit it is, if that is given: the last thing before the program is compiled.
    #[test]
    fn the_dockerfile_takes_the_commit() {
        let text = fs::read_to_string(checkout().join("Dockerfile")).expect("is there");
        let stages = dockerfile::parse(&text).expect("is known");
        let steps: Vec<_> = stages.iter().flat_map(|stage| &stage.steps).collect();
        let expected = [
            dockerfile::Step::Argument { name: COMMIT.into(), default: "unknown".into() },
            dockerfile::Step::Run("sh deploy/image/build program".into()),
        ];
        assert!(steps.windows(2).any(|pair| pair == expected.each_ref()), "{steps:?}");
    }
}

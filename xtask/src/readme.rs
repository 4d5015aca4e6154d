//! The first command of the README, on a clean clone of what is committed. The second one is the step `test` of `ci`.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead as _, BufReader, ErrorKind},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{checkout, http, process, say};

const HEADING: &str = "## The two commands";
/// Compiling all of it on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);
/// Far beyond what is expected of a start or a stop.
const LIMIT: Duration = Duration::from_secs(30);
/// All that cargo is left of the environment: where its tools are, and how it gets to the registry.
const KEPT: [&str; 13] = [
    "PATH",
    "HOME",
    "CARGO_HOME",
    "CARGO_BUILD_JOBS",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "CARGO_NET_OFFLINE",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// The words of the two commands of a README.
pub(crate) fn commands(readme: &str) -> anyhow::Result<[Vec<String>; 2]> {
    let (_, section) = readme.split_once(HEADING).with_context(|| format!("the README has no `{HEADING}`"))?;
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = block.context("there are no commands below it")?.lines();
    let words = lines.map(|line| {
        let command = line.split('#').next().unwrap_or_default();
        command.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    let commands: Vec<_> = words.filter(|words| !words.is_empty()).collect();
    commands.try_into().ok().context("below it are other than two commands")
}

pub(crate) fn run() -> anyhow::Result<String> {
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(words).current_dir(checkout());
        command
    };
    if !process::is_there(&mut git(&["rev-parse", "HEAD"])) {
        return Ok("skipped: this is no clone of a repository".to_owned());
    }
    // Always the same folder, so that what cargo compiles of it is found again.
    let clone = checkout().join("target/readme");
    let remove = || match fs::remove_dir_all(&clone) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    remove()?;
    process::run(git(&["clone", "--quiet", "."]).arg(&clone))?;
    let done = first_command(&clone);
    // As long as it is there, cargo takes what it compiled of it for what it would compile of this checkout.
    remove()?;
    done
}

fn first_command(clone: &Path) -> anyhow::Result<String> {
    let [first, _] = commands(&fs::read_to_string(clone.join("README.md"))?)?;
    let (program, arguments) = first.split_first().context("a command has words")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(clone).env_clear().envs(kept());
    // What was compiled of others need not be compiled again; and the port of the README may be taken here.
    command.env("CARGO_TARGET_DIR", checkout().join("target")).env("MONITORING__PORT", "0");
    let banner = Running::start(&mut command)?.ready_and_ended()?;
    let status = process::output(Command::new("git").args(["status", "--porcelain"]).current_dir(clone))?;
    ensure!(status.is_empty(), "after `{}` the clone is not as it was committed:\n{status}", first.join(" "));
    let begun = banner.first().map_or("", |line| line.trim());
    Ok(format!(
        "well: on a clean clone of HEAD `{}` says \"{begun}\", is ready, and leaves the clone as it was",
        first.join(" ")
    ))
}

#[expect(clippy::disallowed_methods, reason = "what cargo needs of the environment, and no setting of the program")]
fn kept() -> impl Iterator<Item = (&'static str, OsString)> {
    KEPT.into_iter().filter_map(|name| Some((name, env::var_os(name)?)))
}

/// What the command started. Killed when dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", process::shown(command)))?;
        let stdout = child.stdout.take().context("it is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                say(&line);
                // Nobody listens any more once it is ready.
                drop(sender.send(line));
            }
        });
        Ok(Self { child, lines })
    }

    /// Waits for the banner and for 200 of `/ready`, and ends it; returns the banner.
    fn ready_and_ended(mut self) -> anyhow::Result<Vec<String>> {
        let mut banner = Vec::new();
        let address = loop {
            let line = self.lines.recv_timeout(BUILD_LIMIT).context("it did not say where it answers")?;
            let address = address(&line);
            banner.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        let ready = || http::get(address, "/ready").is_ok_and(|(status, _)| status == 200);
        until(|| Ok(ready().then_some(()))).context("it did not become ready")?;
        // `cargo run` becomes the program.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM)?;
        let status: ExitStatus = until(|| Ok(self.child.try_wait()?)).context("SIGTERM")?;
        ensure!(status.success(), "after SIGTERM it ended with {status}");
        Ok(banner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, where all went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Of the line of the banner that has it.
fn address(line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix("page")?.trim().strip_prefix("http://")?.strip_suffix('/')?.parse().ok()
}

fn until<T>(mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited for {} s in vain", LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str =
        "# a\n\n## The two commands\n\n```sh\na run   # starts\n\nb test --all # tests\n```\n\n```sh\nc\n```\n";

    #[test]
    fn the_commands_are_those_of_the_readme() {
        let found = commands(README).expect("are there");
        assert_eq!(found.map(|words| words.join(" ")), ["a run", "b test --all"]);
        for text in ["", "## The two commands\n", "## The two commands\n```sh\na\n```", &README.replace("a run", "")] {
            commands(text).expect_err("has not two");
        }
    }

    #[test]
    fn the_banner_says_where() {
        assert_eq!(address("  page      http://127.0.0.1:1/"), Some(([127, 0, 0, 1], 1).into()));
        assert_eq!(address("  logs      logs/trading_automation.log"), None);
    }

    #[test]
    fn what_does_not_become_ready_is_told_and_ended() {
        let run = |script: &str| {
            let error = Running::start(Command::new("sh").args(["-c", script])).expect("starts").ready_and_ended();
            format!("{:#}", error.expect_err("fails"))
        };
        let said = run("echo is no server");
        assert!(said.starts_with("it did not say where it answers: "), "{said}");
    }
}

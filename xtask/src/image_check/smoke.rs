//! Runs the image as its user, without capabilities, on a read-only root where only the data folder is writable.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{dockerfile::Run, stages};
use crate::http;

const SANDBOX: &str = include_str!("sandbox.sh");
/// What container engines set where an image says nothing.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Far beyond what is expected of a start or a stop: what is not there by then does not come.
const LIMIT: Duration = Duration::from_secs(20);

/// A container: an image with a data folder, secrets, and what is set when it is run.
pub(super) struct Container<'a> {
    root: &'a Path,
    run: &'a Run,
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl<'a> Container<'a> {
    pub(super) fn new(root: &'a Path, run: &'a Run, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (user, group) = stages::ids(&run.user)?;
        ensure!(run.volumes == ["/data"], "the sandbox has the volume /data, and the image {:?}", run.volumes);
        // Everybody on this machine may pass, so that the user of the image can; its own folders are its own.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        for name in ["data", "secrets"] {
            let path = folder.path().join(name);
            fs::create_dir(&path)?;
            // As a new volume is filled: owner and mode are those of the folder in the image.
            chown(&path, Some(user), Some(group))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        }
        for name in ["proc", "dev", "run/secrets"] {
            fs::create_dir_all(root.join(name))?;
        }
        let set = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(Self { root, run, folder, environment: set.collect() })
    }

    /// A file that the user of the image alone can read; returns its path inside.
    pub(super) fn secret(&mut self, variable: &str, value: &str) -> anyhow::Result<()> {
        let name = variable.to_lowercase();
        let path = self.path("secrets").join(&name);
        fs::write(&path, value)?;
        let (user, group) = stages::ids(&self.run.user)?;
        chown(&path, Some(user), Some(group))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400))?;
        self.environment.insert(format!("{variable}_FILE"), format!("/run/secrets/{name}"));
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &[String]) -> anyhow::Result<Command> {
        let (user, group) = stages::ids(&self.run.user)?;
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
            "--",
            "sh",
            "-c",
            SANDBOX,
            "sandbox",
        ]);
        command.args([self.root, &self.path("data"), &self.path("secrets")]);
        command.args([user.to_string(), group.to_string(), self.run.work_dir.clone()]).args(program);
        command.env_clear().env("PATH", PATH).envs(&self.run.environment).envs(&self.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Runs the image with other arguments than its own, to the end.
    pub(super) fn once(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        let program: Vec<String> = self.run.entry_point.iter().cloned().chain(arguments).collect();
        bounded(self.command(&program)?.spawn().context("cannot run unshare")?)
    }

    /// If the program has the command that the health check runs.
    pub(super) fn knows_health(&self) -> anyhow::Result<bool> {
        Ok(self.once(&["health", "--help"])?.status.success())
    }

    /// If the health check says no. To be asked when nothing runs.
    pub(super) fn unwell(&self) -> anyhow::Result<bool> {
        Ok(!self.health()?.status.success())
    }

    /// What the engine asks to know if the container is well.
    fn health(&self) -> anyhow::Result<Output> {
        bounded(self.command(&self.run.health)?.spawn().context("cannot run unshare")?)
    }

    /// Starts the image as it is, and waits until it is well.
    pub(super) fn start(&self) -> anyhow::Result<Running<'_>> {
        let program: Vec<String> = self.run.entry_point.iter().chain(&self.run.command).cloned().collect();
        let began = Instant::now();
        let child = self.command(&program)?.spawn().context("cannot run unshare")?;
        let mut running = Running { container: self, child: Some(child), ready: Duration::ZERO };
        loop {
            if get("/ready").is_ok_and(|(status, _)| status == 200) {
                running.ready = began.elapsed();
                return Ok(running);
            }
            let ended = running.child.as_mut().map(Child::try_wait).transpose()?.flatten().is_some();
            if ended || began.elapsed() > LIMIT {
                let said = running.end(Signal::KILL)?;
                let state = if ended { "it ended" } else { "it is not ready in time" };
                anyhow::bail!("{state}: {}{}", text(&said.stdout), text(&said.stderr));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The image's program, running. Killed when dropped.
pub(super) struct Running<'a> {
    container: &'a Container<'a>,
    child: Option<Child>,
    /// From the start to the first 200 of `/ready`, the namespaces' making included.
    pub(super) ready: Duration,
}

impl Running<'_> {
    /// The program itself: the only child of `unshare`.
    fn pid(&self) -> anyhow::Result<Pid> {
        let parent = self.child.as_ref().context("it runs")?.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
        children
            .trim()
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .with_context(|| format!("children of unshare: {children:?}"))
    }

    /// That it runs as it should: who it is, what it may, what it can write to.
    pub(super) fn confined(&self) -> anyhow::Result<()> {
        let pid = self.pid()?.as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
        };
        let (user, group) = stages::ids(&self.container.run.user)?;
        let none = "0000000000000000";
        for (name, expected) in [
            ("Uid", format!("{user} {user} {user} {user}")),
            ("Gid", format!("{group} {group} {group} {group}")),
            ("Groups", String::new()),
            ("NoNewPrivs", "1".to_owned()),
            ("CapInh", none.to_owned()),
            ("CapPrm", none.to_owned()),
            ("CapEff", none.to_owned()),
            ("CapAmb", none.to_owned()),
        ] {
            ensure!(field(name) == expected, "{name} is {:?}, not {expected:?}", field(name));
        }
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo"))?;
        let mut writable: Vec<&str> = mounts.lines().filter_map(writable).collect();
        // The devices themselves, which any image has; and the processes, whose files decide for themselves.
        writable.retain(|path| !path.starts_with("/dev/") && *path != "/proc");
        ensure!(writable == ["/data"], "writable are {writable:?}, and not only /data");
        Ok(())
    }

    /// That it answers, to the image's own health check and to others.
    pub(super) fn well(&self) -> anyhow::Result<()> {
        for (path, part) in [("/health", "\"status\":\"healthy\""), ("/metrics", "\nprocess_resident_memory_bytes ")] {
            let (status, body) = get(path)?;
            ensure!(status == 200 && body.contains(part), "{path}: {status} {body}");
        }
        if !self.container.knows_health()? {
            crate::say("not asked: the program has no command `health` yet");
            return Ok(());
        }
        let asked = self.container.health()?;
        let (out, err) = (text(&asked.stdout), text(&asked.stderr));
        ensure!(asked.status.success(), "the health check says no while /health says yes: {} {out}{err}", asked.status);
        Ok(())
    }

    /// Sends the image's stop signal, and returns what it said until its end, and how long that took.
    pub(super) fn stop(mut self) -> anyhow::Result<(Output, Duration)> {
        ensure!(self.container.run.stop_signal == "SIGTERM", "the check sends SIGTERM, as the image should want");
        let began = Instant::now();
        let output = self.end(Signal::TERM)?;
        Ok((output, began.elapsed()))
    }

    pub(super) fn end(&mut self, signal: Signal) -> anyhow::Result<Output> {
        if let Ok(pid) = self.pid() {
            kill_process(pid, signal)?;
        }
        bounded(self.child.take().context("it runs")?)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.child.is_some() {
            drop(self.end(Signal::KILL));
        }
    }
}

/// The place of a mount that can be written to, by a line of `/proc/PID/mountinfo`.
fn writable(line: &str) -> Option<&str> {
    let mut words = line.split(' ').skip(4);
    let (place, options) = (words.next()?, words.next()?);
    options.split(',').any(|option| option == "rw").then_some(place)
}

/// Waits for the end, and kills what does not come to one.
fn bounded(child: Child) -> anyhow::Result<Output> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
    let (ended, end) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        // With `--kill-child`, its own end is that of the program.
        end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) && kill_process(pid, Signal::KILL).is_ok()
    });
    let output = child.wait_with_output()?;
    drop(ended);
    ensure!(!watch.join().unwrap_or(false), "it did not end within {} s", LIMIT.as_secs());
    Ok(output)
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Status and body of an answer of the image's health server.
fn get(path: &str) -> anyhow::Result<(u16, String)> {
    http::get(([127, 0, 0, 1], 8080).into(), path)
}

/// Each file and folder of the image with size and time, to see that none was touched.
pub(super) fn tree(root: &Path) -> anyhow::Result<BTreeMap<PathBuf, (u64, SystemTime)>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (metadata.len(), metadata.modified()?));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_writable_or_not() {
        for (line, expected) in [
            ("36 35 98:0 /mnt1 /data rw,noatime master:1 - ext3 /dev/root rw,errors=continue", Some("/data")),
            ("36 35 98:0 / / ro,nosuid - overlay overlay rw", None),
            ("36", None),
        ] {
            assert_eq!(writable(line), expected, "{line}");
        }
    }

    #[test]
    fn a_changed_tree_is_another_one() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("a")).expect("is made");
        let before = tree(folder.path()).expect("is read");
        assert_eq!(tree(folder.path()).expect("is read"), before);
        fs::write(folder.path().join("a/b"), "c").expect("is written");
        assert_ne!(tree(folder.path()).expect("is read"), before);
    }
}

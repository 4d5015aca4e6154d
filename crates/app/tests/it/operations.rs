//! How it is operated: signals, the service manager, limits of the system, people to be told.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixDatagram,
    },
    path::Path,
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use crate::{Running, project, run, text, tree, write};

/// What a service manager is told, on a socket as systemd has one.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("binds");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("is set");
        Self(socket)
    }

    fn told(&self) -> String {
        let mut message = [0; 256];
        let length = self.0.recv(&mut message).expect("something is told in time");
        String::from_utf8_lossy(message.get(..length).expect("as long as was said")).trim_end().to_owned()
    }
}

#[test]
fn the_journal_is_told_how_grave_each_line_is() {
    let folder = project();
    let root = folder.path();
    let journal = root.join("journal");
    fs::write(&journal, "").expect("is made");
    let found = fs::metadata(&journal).expect("is there");
    let itself = format!("{}:{}", found.dev(), found.ino());
    // Whoever redirects a stream leaves the variable as it was.
    let elsewhere = format!("{}:{}", found.dev(), found.ino() + 1);
    let say = |stream: &str, redirection: &str, console: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$0\" {redirection}journal"), env!("CARGO_BIN_EXE_trading")]);
        command.current_dir(root).env_clear().env("JOURNAL_STREAM", stream).env("LOGGING__CONSOLE", console);
        command.env("MONITORING__EXTERNAL_CHECKS", "false").env("MONITORING__PORT", "0");
        command
    };
    for (stream, priority) in [(itself.as_str(), "<6>"), (&elsewhere, ""), ("", "")] {
        let running = Running::of(say(stream, "2>", "text"));
        assert_eq!(running.stop(Signal::TERM).0, Some(0));
        let said = fs::read_to_string(&journal).expect("is read");
        let stopped = said.lines().find(|line| line.contains("stopped")).expect("it says so");
        let bare = stopped.strip_prefix(priority).unwrap_or_default();
        assert!(bare.starts_with(|first: char| first.is_ascii_digit()), "{stream}: {said}");
    }
    // And why it does not start.
    let mut refused = say(&itself, "2>", "text");
    let code = refused.env("LOG_LEVEL", "loud").env("MONITORING__PORT", "http").status().expect("it runs").code();
    let said = fs::read_to_string(&journal).expect("is read");
    assert_eq!((code, said.lines().count()), (Some(2), 3), "{said}");
    assert!(said.starts_with("<3>error: ") && said.lines().all(|line| line.starts_with("<3>")), "{said}");
}

#[test]
fn the_service_manager_knows_how_it_is() {
    let folder = project();
    let socket = folder.path().join("notify");
    let manager = Manager::at(&socket);
    let variables =
        [("NOTIFY_SOCKET", socket.to_str().expect("a text")), ("WATCHDOG_USEC", "100000"), ("LOGGING__CONSOLE", "off")];
    let running = Running::start(folder.path(), &variables);
    assert_eq!(manager.told(), "READY=1");
    assert_eq!(manager.told(), "WATCHDOG=1");
    assert_eq!(manager.told(), "WATCHDOG=1");
    running.signal(Signal::HUP);
    let mut told = manager.told();
    while told == "WATCHDOG=1" {
        told = manager.told();
    }
    assert!(told.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{told}");
    while told != "READY=1" {
        told = manager.told();
    }
    let (code, ..) = running.stop(Signal::TERM);
    assert_eq!(code, Some(0));
    while told != "STOPPING=1" {
        told = manager.told();
    }
}

#[test]
fn the_watchdog_is_not_fed_while_a_task_hangs() {
    let folder = project();
    let socket = folder.path().join("notify");
    let manager = Manager::at(&socket);
    let mut command = crate::faults::recorder(folder.path(), "stuck");
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "50000");
    let mut child = command.spawn().expect("starts");
    assert_eq!(manager.told(), "READY=1");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("is read");
    assert_eq!(line, "recorded 0\n", "it hangs from here on");
    manager.0.set_nonblocking(true).expect("is set");
    while manager.0.recv(&mut [0; 256]).is_ok() {}
    manager.0.set_nonblocking(false).expect("is set");
    // It would be fed forty times meanwhile.
    manager.0.set_read_timeout(Some(Duration::from_secs(1))).expect("is set");
    let told = loop {
        match manager.0.recv(&mut [0; 256]) {
            // Other tests send signals to this process.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            told => break told,
        }
    };
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(told.expect_err("nothing is told").kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_hangup_reads_the_agents_again() {
    let folder = project();
    let running = Running::start(folder.path(), &[]);
    write(folder.path(), "config/agents.json", r#"{"agents": [{"id": "a", "name": "A", "type": "technical"}]}"#);
    running.signal(Signal::HUP);
    // It may still be at it when the next signal comes.
    let log = folder.path().join("logs/trading_automation.log");
    while !fs::read_to_string(&log).expect("is read").contains("agents file read again") {
        std::thread::yield_now();
    }
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    let log = fs::read_to_string(&log).expect("is read");
    let line = log.lines().find(|line| line.contains("agents file read again")).expect("is there");
    assert!(line.contains("\"agents\":1"), "{line}");
}

#[test]
fn an_agents_file_that_turns_bad_is_told_of_in_the_log() {
    let folder = project();
    let running = Running::start(folder.path(), &[("LOG_LEVEL", "WARNING")]);
    write(folder.path(), "config/agents.json", r#"{"agents": []}"#);
    let log = folder.path().join("logs/agents.log");
    let said = || fs::read_to_string(&log).unwrap_or_default();
    while !said().contains("\"the agents file is bad: the agents stay as they were\"") {
        std::thread::yield_now();
    }
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    assert_eq!(said().matches("the agents file is bad").count(), 1, "once: {}", said());
}

#[test]
fn asked_twice_it_still_ends_well() {
    let folder = project();
    let running = Running::start(folder.path(), &[]);
    running.signal(Signal::TERM);
    // It may have ended by the first.
    let (code, ..) = running.stop_if_running(Signal::INT);
    assert_eq!(code, Some(0));
    assert!(!folder.path().join("data/trading_automation.db-wal").exists(), "the record was closed in order");
}

#[test]
fn what_it_makes_is_for_its_user_alone() {
    let folder = project();
    assert_eq!(Running::start(folder.path(), &[]).stop(Signal::TERM).0, Some(0));
    for path in tree(folder.path()).into_keys().filter(|path| !path.starts_with(folder.path().join("config"))) {
        let mode = fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn a_limit_of_open_files_that_is_too_low() {
    let folder = project();
    let before = tree(folder.path());
    let shell = |limits: &str| {
        let mut command = std::process::Command::new("sh");
        let script = format!("{limits}; exec \"$0\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_trading")]).current_dir(folder.path()).env_clear();
        command.env("MONITORING__PORT", "0").output().expect("runs")
    };
    let output = shell("ulimit -n 64");
    let expected = "error: this machine is not ready: only 64 files may be open at once, and 256 are needed; raise the limit: \
                    `ulimit -n 1024`, or LimitNOFILE=1024 in the systemd unit\n";
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), expected));
    assert_eq!(tree(folder.path()), before, "nothing was made");
}

#[test]
fn a_limit_of_file_sizes_ends_nothing() {
    let folder = project();
    drop(run(folder.path(), &[], &["init-db"]));
    // In blocks of 512 bytes: less than the log folder will hold, and more than the database has.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -f 1000; exec \"$0\"", env!("CARGO_BIN_EXE_trading")]);
    command.current_dir(folder.path()).env_clear().env("MONITORING__PORT", "0").env("LOG_LEVEL", "ERROR");
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let mut banner = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("is piped"));
    while !banner.contains("stop  ") && stdout.read_line(&mut banner).expect("is read") > 0 {}
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, Signal::XFSZ).expect("it runs");
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_folder_that_this_user_may_not_write_to() {
    let folder = project();
    let nobody = std::process::Command::new("setpriv").args(["--reuid=65532", "--clear-groups", "true"]).status();
    if !nobody.is_ok_and(|status| status.success()) {
        eprintln!("skipped: only root can start it as somebody else");
        return;
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("is set");
    let before = tree(folder.path());
    // The program itself lies where others may not come to.
    let program = tempfile::tempdir().expect("a folder");
    fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755)).expect("is set");
    fs::copy(env!("CARGO_BIN_EXE_trading"), program.path().join("trading")).expect("is copied");
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65532", "--regid=65532", "--clear-groups"]).arg(program.path().join("trading"));
    let output = command.current_dir(folder.path()).env_clear().env("MONITORING__PORT", "0").output().expect("runs");
    let stderr = text(&output.stderr).replace(&folder.path().display().to_string(), "…");
    let line = |what: &str, variable: &str| {
        format!(
            "  the folder … of {what} cannot be written; let user 65532 write to it, or set {variable} to another place\n"
        )
    };
    let lines = [("the database", "DATABASE_PATH"), ("the backups", "BACKUP__PATH"), ("the logs", "LOG_PATH")];
    let lines: String = lines.iter().map(|(what, variable)| line(what, variable)).collect();
    assert_eq!((output.status.code(), stderr), (Some(1), format!("error: this machine is not ready\n{lines}")));
    assert_eq!(tree(folder.path()), before, "nothing was made");
}

#[test]
fn a_limit_of_file_sizes_is_an_error_of_commands_too() {
    let folder = project();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -f 64; exec \"$0\" init-db", env!("CARGO_BIN_EXE_trading")]);
    let output = command.current_dir(folder.path()).env_clear().output().expect("runs");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains("; way out: check its disk, and what this process may write (`ulimit -f`)"), "{stderr}");
}

//! How long the real program takes to be ready and to stop, and how much memory and disk it takes: `cargo bench -p trading-app`.
//!
//! From the start of the process to a 200 of `/ready`, asked when the program tells its service manager that it runs; medians and the slowest of
//! all rounds, beside what is promised. Folders are below `TMPDIR`, so that it can say which disk.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trading");
const ROUNDS: usize = 15;
/// How long its watchdog waits, of which it tells each half: for so long it is left alone before its memory is looked at, when all checks have
/// run, and the first tasks.
const WATCHDOG_USEC: &str = "6000000";

fn main() {
    let (mut created, mut existing, mut stopped, mut resident) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().expect("a folder");
        for times in [&mut created, &mut existing] {
            let manager = Manager::at(&folder.path().join("notify"));
            let (child, ready) = start(folder.path(), &manager);
            times.push(ready.as_secs_f64() * 1e3);
            // Twice is enough: it differs by little.
            if round < 2 {
                manager.wait("WATCHDOG=1");
                resident.push(resident_megabytes(&child));
            }
            stopped.push(stop(child).as_secs_f64() * 1e3);
        }
    }
    show("ready, database created and filled", "ms", &mut created, 400.0);
    show("ready, database there", "ms", &mut existing, 60.0);
    show("stopped after SIGTERM", "ms", &mut stopped, 200.0);
    show("resident memory, idle", "MB", &mut resident, 30.0);
    let bytes = fs::metadata(PROGRAM).expect("is built").len();
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    show("size of the program", "MB", &mut [bytes as f64 / 1e6], 12.0);
}

fn show(what: &str, unit: &str, figures: &mut [f64], most: f64) {
    figures.sort_by(f64::total_cmp);
    let median = figures.get(figures.len() / 2).copied().unwrap_or_default();
    let worst = figures.last().copied().unwrap_or_default();
    let verdict = if worst < most {
        "well"
    } else if median < most {
        "well by the median"
    } else {
        "MISSED"
    };
    println!("{what:36} {median:6.1} {unit}, at the most {worst:6.1} (below {most} {unit}): {verdict}");
}

/// What a service manager is told, on a socket as systemd has one.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        drop(fs::remove_file(path));
        let socket = UnixDatagram::bind(path).expect("binds");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("is set");
        Self(socket)
    }

    fn wait(&self, wanted: &str) {
        let mut message = [0; 256];
        loop {
            let length = self.0.recv(&mut message).expect("it is told in time");
            if message.get(..length).is_some_and(|message| message.trim_ascii_end() == wanted.as_bytes()) {
                return;
            }
        }
    }
}

/// Starts it on a free port, and waits until it is ready.
fn start(root: &Path, manager: &Manager) -> (Child, Duration) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut command = Command::new(PROGRAM);
    command.current_dir(root).env_clear().env("MONITORING__PORT", free.port().to_string());
    command.env("NOTIFY_SOCKET", root.join("notify")).env("WATCHDOG_USEC", WATCHDOG_USEC);
    command.env("MONITORING__EXTERNAL_CHECKS", "false").stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let child = command.spawn().expect("starts");
    manager.wait("READY=1");
    assert!(is_ready(free), "it says that it runs");
    (child, began.elapsed())
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = write!(stream, "GET /ready HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn resident_megabytes(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("has memory");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}

fn stop(mut child: Child) -> Duration {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let began = Instant::now();
    kill_process(pid, Signal::TERM).expect("it runs");
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    began.elapsed()
}

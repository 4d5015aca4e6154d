//! The whole, as operators meet it (the real binary) and as embedders do (the library).

mod answers;
mod bad_input;
mod commands;
mod confined;
mod embedding;
mod faults;
mod full_disk;
mod hostile;
mod operations;
mod operators;
mod pages;
mod secret_names;
mod signals;
mod smoke;
mod tasks;
mod terminal;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A project folder with the repository's agents file.
fn project() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    write(folder.path(), "config/agents.json", include_str!("../../../../config/agents.json"));
    folder
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, text).expect("the file is written");
}

/// The binary, in this folder, with these variables and no others.
fn trading(root: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trading"));
    // Nothing here asks anybody outside.
    command
        .current_dir(root)
        .env_clear()
        .env("MONITORING__EXTERNAL_CHECKS", "false")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end, or to a bound: one that should be refused might start instead.
fn run(root: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = trading(root, variables);
    let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let (ended, end) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(Duration::from_secs(30)).is_err() {
                kill_process(pid, Signal::KILL).expect("it still runs");
            }
        });
        let output = child.wait_with_output().expect("it ends");
        ended.send(()).expect("it ended by itself, within the bound");
        output
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it speaks UTF-8")
}

/// A running binary. Killed when dropped, so that a failing test leaves nothing behind.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it said at the start, up to the last line.
    banner: Vec<String>,
    address: SocketAddr,
}

impl Running {
    /// Starts it on a free port and waits until it says that it runs.
    fn start(root: &Path, variables: &[(&str, &str)]) -> Self {
        Self::of(trading(root, variables))
    }

    /// As [`start`](Self::start), by this command.
    fn of(mut command: Command) -> Self {
        command.env("MONITORING__PORT", "0").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut banner = Vec::new();
        while !banner.last().is_some_and(|line: &String| line.contains("stop  ")) {
            let mut line = String::new();
            if stdout.read_line(&mut line).expect("it is read") == 0 {
                let output = child.wait_with_output().expect("it ends");
                panic!("it ended with {}: {banner:?} {}", output.status, text(&output.stderr));
            }
            banner.push(line.trim_end().to_owned());
        }
        let address = banner.iter().find_map(|line| line.split("http://").nth(1)?.strip_suffix('/'));
        let address = address.expect("it says where").parse().expect("an address");
        Self { child, stdout, banner, address }
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        self.request("GET", path)
    }

    /// As [`get`](Self::get), of who shows this token.
    fn get_as(&self, path: &str, token: Option<&str>) -> (u16, String, String) {
        self.ask("GET", path, token)
    }

    /// Status, header and body of an answer.
    fn request(&self, method: &str, path: &str) -> (u16, String, String) {
        self.ask(method, path, None)
    }

    fn ask(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: test\r\n{authorization}Connection: close\r\n\r\n")
            .expect("is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("is answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a header");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, head.to_lowercase(), body.to_owned())
    }

    fn json(&self, path: &str) -> serde_json::Value {
        let (status, _, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("it runs");
    }

    /// Sends a signal and waits for the end: exit code, the rest of standard output, standard error.
    fn stop(self, signal: Signal) -> (Option<i32>, String, String) {
        self.signal(signal);
        self.end()
    }

    /// As [`stop`](Self::stop), of one that may be ending already.
    fn stop_if_running(self, signal: Signal) -> (Option<i32>, String, String) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        // It was not waited for, so that the number is still its own.
        kill_process(pid, signal).expect("it is there, if only as a zombie");
        self.end()
    }

    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).expect("is read");
        self.child.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("is read");
        (self.child.wait().expect("it ends").code(), stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A database as the earlier system made it, with one trade.
fn earlier_database(path: &Path) {
    const SQL: &str = "
        CREATE TABLE trades (
            id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL, ticker TEXT NOT NULL, trade_date DATE NOT NULL,
            execution_date TIMESTAMP, order_type TEXT NOT NULL, quantity DECIMAL(10,4) NOT NULL, price DECIMAL(10,2),
            order_status TEXT NOT NULL, alpaca_order_id TEXT, source_politician TEXT, source_trade_date DATE,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
        INSERT INTO trades VALUES
            (1, 'nancy_pelosi', 'NVDA', '2024-01-03', '2024-01-03 14:30:05.123456', 'market', 0.2103, 475.6, 'filled',
             'b-1', 'Nancy Pelosi', '2023-12-20', '2024-01-03 14:30:00');
        CREATE TABLE agent_positions (
            id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL, ticker TEXT NOT NULL,
            quantity DECIMAL(10,4) NOT NULL, avg_cost DECIMAL(10,2), current_price DECIMAL(10,2),
            market_value DECIMAL(12,2), unrealized_pnl DECIMAL(12,2), last_updated TIMESTAMP);
        CREATE TABLE daily_performance (
            id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL, date DATE NOT NULL, total_value DECIMAL(12,2),
            daily_return_pct DECIMAL(8,4), total_return_pct DECIMAL(8,4), created_at TIMESTAMP);";
    sql(path, SQL);
}

/// Past all rules of ours.
#[expect(clippy::disallowed_methods, reason = "somebody else's program")]
fn sql(path: &Path, sql: &str) {
    let connection = trading_storage::sqlite::rusqlite::Connection::open(path).expect("opens");
    connection.execute_batch(sql).expect("is done");
}

/// Every file and folder below `root`, with the content of the files.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let content = if path.is_dir() {
                folders.push(path.clone());
                None
            } else {
                Some(fs::read(&path).expect("is read"))
            };
            found.insert(path, content);
        }
    }
    found
}

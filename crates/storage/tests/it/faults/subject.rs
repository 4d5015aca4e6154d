//! The process that faults happen to.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The subject's executable, which `cargo test` builds next to the tests; `Err` is why there is none.
pub(super) fn executable() -> Result<PathBuf, &'static str> {
    let tests = std::env::current_exe().expect("it runs");
    let target = tests.ancestors().nth(2).expect("it lies in the target folder");
    let executable = target.join("examples/fault_subject");
    if executable.is_file() { Ok(executable) } else { Err("the example fault_subject is not built") }
}

/// A subject for `folder`, not started yet.
pub(super) fn subject(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(executable().expect("was asked before"));
    command.arg(folder).args(arguments);
    command
}

/// If a program is there and does what it is asked to.
pub(super) fn works(program: &str, arguments: &[&str]) -> bool {
    let quiet =
        |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet(Command::new(program).args(arguments)).is_ok_and(|status| status.success())
}

/// Why there is no subject that can be traced, if so.
pub(super) fn can_trace() -> Result<(), &'static str> {
    executable()?;
    if works("strace", &["-qq", "-o", "/dev/null", "true"]) {
        Ok(())
    } else {
        Err("strace is missing, or may not trace here")
    }
}

/// A subject under strace.
pub(super) fn traced(folder: &Path, arguments: &[&str], strace: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(strace).arg(executable().expect("was asked before")).arg(folder).args(arguments);
    command
}

/// Runs to the end, however that comes, and returns what was said.
pub(super) fn run(command: &mut Command) -> Vec<String> {
    let output = command.stdin(Stdio::null()).output().expect("starts");
    let text = String::from_utf8(output.stdout).expect("Unicode");
    text.lines().map(str::to_owned).collect()
}

/// A subject that runs beside the test.
pub(super) struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    pub(super) heard: Vec<String>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines, heard: Vec::new() }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line; `None` if it ended.
    pub(super) fn hear(&mut self) -> Option<&str> {
        let line = self.lines.next()?.expect("Unicode");
        self.heard.push(line);
        self.heard.last().map(String::as_str)
    }

    /// Listens until it says a line that begins so.
    #[track_caller]
    pub(super) fn hear_until(&mut self, beginning: &str) {
        while let Some(line) = self.hear() {
            if line.starts_with(beginning) {
                return;
            }
        }
        panic!("it never said {beginning:?}, but {:?}", self.heard);
    }

    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_ref().expect("piped"), "{line}").expect("listens");
    }

    /// Says a line to a subject that may be dead by now.
    pub(super) fn tell_if_alive(&mut self, line: &str) {
        drop(writeln!(self.child.stdin.as_ref().expect("piped"), "{line}"));
    }

    /// Kills it, if it did not end by itself, and returns all that it said.
    pub(super) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("ours to kill");
        self.end()
    }

    /// Ends its standard input, waits for it, and returns all that it said.
    pub(super) fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        while self.hear().is_some() {}
        self.child.wait().expect("ends");
        std::mem::take(&mut self.heard)
    }
}

impl Drop for Running {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().expect("ends");
        }
    }
}

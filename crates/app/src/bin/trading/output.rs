//! What commands say: text or JSON on standard output; errors, questions and progress on standard error.

use std::{
    fmt,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use trading_app::is_journal;

use crate::failure::Failure;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Says what was done, in one of the two forms.
    pub(crate) fn say(self, text: &impl fmt::Display, json: impl FnOnce() -> Value) -> Result<(), Failure> {
        if self.json { print(&format!("{:#}", json())) } else { print(text.to_string().trim_end()) }
    }

    pub(crate) fn fail(self, failure: &Failure, verbose: bool) {
        let text = if self.json { failure.json().to_string() } else { failure.text(verbose) };
        if is_journal_stderr() {
            // Each line is an entry of its own there.
            text.lines().for_each(|line| complain(&format!("<3>{line}")));
        } else {
            complain(&text);
        }
    }

    /// A bar on standard error, if people look at it.
    pub(crate) fn progress(self, what: &str) -> Progress {
        let shown = !self.json && is_terminal_stderr();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        // Of nothing, all would be done.
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template("{msg:28} {wide_bar} {percent:>3} %  {eta:>4}");
        bar.set_style(style.expect("the template is good"));
        bar.set_message(what.to_owned());
        Progress(bar)
    }
}

/// How far something is. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    pub(crate) fn stage(&self, what: &str, done: u64, total: u64) {
        if self.0.message() != what {
            self.0.set_message(what.to_owned());
            self.0.reset();
        }
        self.at(done, total);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Rows under a head, aligned. A column whose head begins with `>` is flush right.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.map(|name| name.trim_start_matches('>')));
    table.add_rows(rows);
    for (index, name) in head.iter().enumerate() {
        let Some(column) = table.column_mut(index) else { continue };
        column.set_padding((0, 2));
        if name.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Asks on a terminal, unless the answer was given already.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let refused = |what: String| Failure::Usage { what, way_out: "say --yes".to_owned() };
    if !is_terminal_stderr() || !io::stdin().is_terminal() {
        return Err(refused(format!("nobody is there to be asked: {question}")));
    }
    ask(question);
    let mut answer = String::new();
    // An end of input is a no.
    let _read = io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => {
            Err(Failure::Usage { what: "nothing was done".to_owned(), way_out: "answer yes, or say --yes".to_owned() })
        }
    }
}

/// So many bytes, for people.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

#[expect(clippy::disallowed_methods, reason = "a binary prints")]
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    written(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// Nobody may be reading any more, which is no reason to fail; a disk that takes no more is one.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Unwell {
            what: format!("the output could not be written: {error}"),
            way_out: "make room there, or write it elsewhere".to_owned(),
        }),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a binary prints")]
pub(crate) fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

#[expect(clippy::disallowed_methods, reason = "a binary prints")]
fn ask(question: &str) {
    drop(write!(io::stderr(), "{question} [y/N] "));
}

#[expect(clippy::disallowed_methods, reason = "asks where it leads, and writes nothing")]
fn is_journal_stderr() -> bool {
    is_journal(io::stderr())
}

#[expect(clippy::disallowed_methods, reason = "asks what it is, and writes nothing")]
fn is_terminal_stderr() -> bool {
    io::stderr().is_terminal()
}

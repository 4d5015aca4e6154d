//! The background thread: takes batches from the queue and writes them to the files and the console.

use std::{
    io::{self, Write},
    mem,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use chrono::NaiveDate;
use log::{Level, Record};

use crate::{
    component::MAIN,
    file::{LogFile, archive},
    line::Lines,
    queue::{Batch, Queue},
    shared::Shared,
};

/// How long a file that failed is left alone when there is nothing new to write. Arbitrary.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the thread owns.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    main: LogFile,
    /// In the order of the options.
    components: Vec<LogFile>,
    console: Option<Box<dyn Write + Send>>,
    retention_days: u32,
    /// The day for which old files were deleted.
    pruned: Option<NaiveDate>,
    /// Lines that were dropped and not yet spoken of.
    unreported: u64,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        folder: &Path,
        pending_max: usize,
        retention_days: u32,
        console: Option<Box<dyn Write + Send>>,
    ) -> Self {
        let file = |name: &str| LogFile::new(folder, name, pending_max);
        let components = shared.format.components.names().iter().map(|name| file(name)).collect();
        Self { main: file(MAIN), components, shared, console, retention_days, pruned: None, unreported: 0 }
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _end = End(&shared.queue);
        self.write_files();
        self.prune(shared.now().date_naive());
        let mut batch = Batch::default();
        loop {
            let idle = (!self.is_clean()).then_some(RETRY_AFTER);
            let goes_on = shared.queue.take(&mut batch, idle);
            self.write(&batch);
            shared.queue.done(&batch, self.is_clean());
            if !goes_on {
                break;
            }
        }
        // Nobody will try again.
        for line in self.main.unwritten().split_inclusive('\n') {
            shared.counters.dropped.fetch_add(1, Relaxed);
            shared.standard_error.write(line);
        }
    }

    fn write(&mut self, batch: &Batch) {
        if !self.is_clean() {
            // What was held back makes room first, if it can be written by now.
            self.write_files();
        }
        let mut rest = batch.json.as_str();
        for entry in &batch.entries {
            let (line, after) = rest.split_at(entry.json_bytes);
            rest = after;
            if !self.main.append(entry.day, line) {
                self.refuse(line, entry.kept);
            }
            if let Some(file) = entry.component.and_then(|index| self.components.get_mut(index)) {
                // If there is no room here, the line is in the main file still.
                file.append(entry.day, line);
            }
        }
        self.unreported += batch.dropped;
        self.write_files();
        self.write_console(&batch.json, &batch.text);
        if self.unreported > 0 && self.main.is_clean() {
            self.report_dropped();
        }
        if let Some(last) = batch.entries.last() {
            self.prune(last.day);
        }
    }

    /// A line that has no room, because the main file could not be written for too long.
    fn refuse(&mut self, line: &str, kept: bool) {
        self.unreported += 1;
        self.shared.counters.dropped.fetch_add(1, Relaxed);
        if kept {
            self.shared.standard_error.write(line);
        }
    }

    /// Says in the logs themselves how many lines are missing from them.
    fn report_dropped(&mut self) {
        let dropped = mem::take(&mut self.unreported);
        let mut lines = Lines::default();
        let at = self.shared.now();
        self.shared.format.render(
            at,
            &Record::builder()
                .level(Level::Warn)
                .target(env!("CARGO_CRATE_NAME"))
                .module_path_static(Some(module_path!()))
                .file_static(Some(file!()))
                .line(Some(line!()))
                .key_values(&[("dropped", dropped)])
                .args(format_args!("lines were dropped: the queue was full, or the files could not be written"))
                .build(),
            &mut lines,
        );
        self.main.append(at.date_naive(), &lines.json);
        self.write_files();
        self.write_console(&lines.json, &lines.text);
    }

    fn write_files(&mut self) {
        self.files().for_each(LogFile::write_out);
        let counters = &self.shared.counters;
        counters.written.fetch_add(self.main.take_lines(), Relaxed);
        for file in std::iter::once(&mut self.main).chain(&mut self.components) {
            if let Some(error) = file.take_failure() {
                counters.errors.fetch_add(1, Relaxed);
                self.shared.standard_error.complain(format_args!(
                    "cannot write {}: {error}; lines are held in memory and tried again",
                    file.path().display()
                ));
            }
        }
    }

    fn write_console(&mut self, json: &str, text: &str) {
        let Some(console) = &mut self.console else { return };
        let lines = if self.shared.format.text.is_some() { text } else { json };
        if lines.is_empty() {
            return;
        }
        if let Err(error) = console.write_all(lines.as_bytes()).and_then(|()| console.flush()) {
            self.shared.counters.errors.fetch_add(1, Relaxed);
            // Whoever read the console has gone, for good. The files go on, so nothing needs to be said.
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.console = None;
            }
        }
    }

    fn prune(&mut self, today: NaiveDate) {
        if self.pruned == Some(today) {
            return;
        }
        self.pruned = Some(today);
        let names: Vec<&str> = std::iter::once(&self.main).chain(&self.components).map(LogFile::name).collect();
        let folder = self.main.path().parent().unwrap_or(Path::new(""));
        for (path, error) in archive::prune(folder, &names, today, self.retention_days) {
            self.shared.counters.errors.fetch_add(1, Relaxed);
            let complaint = format_args!("cannot delete the old log {}: {error}", path.display());
            self.shared.standard_error.complain(complaint);
        }
    }

    fn is_clean(&self) -> bool {
        std::iter::once(&self.main).chain(&self.components).all(LogFile::is_clean)
    }

    fn files(&mut self) -> impl Iterator<Item = &mut LogFile> {
        std::iter::once(&mut self.main).chain(&mut self.components)
    }
}

/// Tells the others that the writer has ended, even by a panic.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

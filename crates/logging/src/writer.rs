//! The background thread: takes batches from the queue and writes them to the files and the console.

use std::{
    io::Write,
    iter, mem,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use chrono::NaiveDate;
use log::{Level, Record};

use crate::{
    component::MAIN,
    console::{Console, Shown, prioritise},
    file::{Calendar, LogFile, archive::Archive},
    housekeeper::Housekeeper,
    line::Lines,
    options::Options,
    queue::{Batch, Entry, Queue},
    repeats::Folded,
    shared::Shared,
};

/// What the thread owns.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    main: LogFile,
    /// In the order of the options.
    components: Vec<LogFile>,
    /// Where lines are shown, until it is started.
    out: Option<Box<dyn Write + Send>>,
    console: Option<Console>,
    console_wait: Duration,
    /// The lines with their priorities, if the console is to have those.
    prioritised: Option<String>,
    calendar: Calendar,
    housekeeper: Housekeeper,
    /// The day for which the house was kept.
    kept: Option<NaiveDate>,
    /// Lines that were dropped and not yet spoken of.
    unreported: u64,
    /// Lines that the console did not get, and that were not yet spoken of.
    not_shown: u64,
    look_every: Duration,
    batch: Batch,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        folder: &Path,
        archive: Archive,
        options: &Options,
        console: Option<Box<dyn Write + Send>>,
    ) -> Self {
        let file = |name: &str| LogFile::new(folder, name, options);
        Self {
            main: file(MAIN),
            components: options.components.iter().map(|name| file(name)).collect(),
            out: console,
            console: None,
            console_wait: options.console_wait,
            prioritised: options.console_priority.then(String::new),
            calendar: Calendar::new(options.zone),
            housekeeper: Housekeeper::new(Arc::clone(&shared), archive, options.gzip),
            kept: None,
            unreported: 0,
            not_shown: 0,
            look_every: options.look_every,
            batch: Batch::with_room(options),
            shared,
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        shared.queue.taken_by_this_thread();
        let _end = End(&shared.queue);
        self.write_files();
        self.keep_house();
        self.start_console();
        let mut batch = mem::take(&mut self.batch);
        loop {
            let goes_on = shared.queue.take(&mut batch, self.look_every, || shared.now());
            self.write(&mut batch);
            shared.queue.done(&mut batch, self.is_clean());
            if !goes_on {
                break;
            }
        }
        self.housekeeper.end();
        // Nobody will try again.
        for line in self.main.unwritten().split_inclusive('\n') {
            shared.counters.dropped.fetch_add(1, Relaxed);
            shared.standard_error.write(line);
        }
    }

    fn write(&mut self, batch: &mut Batch) {
        if !self.is_clean() {
            // What was held back makes room first, if it can be written by now.
            self.write_files();
        }
        let mut rest = batch.json.as_str();
        for entry in &batch.entries {
            let (line, after) = rest.split_at(entry.json_bytes);
            rest = after;
            self.append(entry, line);
        }
        self.unreported += batch.dropped;
        self.write_files();
        self.write_console(batch.entries.iter().map(|entry| entry.level), &batch.json, &batch.text);
        for folded in &mut batch.folded {
            self.report_folded(folded);
        }
        if self.unreported > 0 && self.main.is_clean() {
            let dropped = mem::take(&mut self.unreported);
            self.report(
                "lines were dropped: the queue was full, or the files could not be written",
                "dropped",
                dropped,
            );
        }
        self.keep_house();
    }

    fn append(&mut self, entry: &Entry, line: &str) {
        let Shared { counters, standard_error, format, .. } = &*self.shared;
        let (slot, day) = (format.components.slot(entry.component), self.calendar.day(entry.at));
        if self.main.append(day, line) {
            counters.took(slot, entry.level, line.len());
        } else {
            // The main file could not be written for too long.
            self.unreported += 1;
            counters.drop_one(slot, entry.level);
            if entry.kept {
                standard_error.write(line);
            }
        }
        if let Some(file) = entry.component.and_then(|index| self.components.get_mut(index)) {
            // If there is no room here, the line is in the main file still.
            file.append(day, line);
        }
    }

    fn report_folded(&mut self, folded: &mut Folded) {
        let lines = &mut folded.lines;
        lines.repeated(folded.entry.at, folded.count);
        self.append(&folded.entry, &lines.json);
        self.write_files();
        self.write_console(iter::once(folded.entry.level), &lines.json, &lines.text);
    }

    /// Says in the logs themselves how many lines are missing from them.
    fn report(&mut self, message: &str, name: &str, count: u64) {
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
                .key_values(&[(name, count)])
                .args(format_args!("{message}"))
                .build(),
            &mut lines,
        );
        let json_bytes = lines.json.len();
        let entry = Entry { json_bytes, at, level: Level::Warn, component: None, kept: true, identity: None };
        self.append(&entry, &lines.json);
        self.write_files();
        self.write_console(iter::once(entry.level), &lines.json, &lines.text);
    }

    fn write_files(&mut self) {
        self.files().for_each(LogFile::write_out);
        let counters = &self.shared.counters;
        let (lines, bytes) = self.main.take_done();
        counters.lines.fetch_add(lines, Relaxed);
        counters.bytes.fetch_add(bytes, Relaxed);
        for file in iter::once(&mut self.main).chain(&mut self.components) {
            if let Some(error) = file.take_failure() {
                counters.errors.fetch_add(1, Relaxed);
                self.shared.standard_error.complain(format_args!(
                    "cannot write {}: {error}; lines are held in memory and tried again",
                    file.path().display()
                ));
            }
        }
    }

    fn start_console(&mut self) {
        let Some(out) = self.out.take() else { return };
        match Console::start(out, self.console_wait) {
            Ok(console) => self.console = Some(console),
            Err(error) => {
                self.shared.counters.errors.fetch_add(1, Relaxed);
                self.shared.standard_error.complain(format_args!("cannot start the thread of the console: {error}"));
            }
        }
    }

    fn write_console(&mut self, levels: impl Iterator<Item = Level>, json: &str, text: &str) {
        let Some(console) = &self.console else { return };
        let lines = if self.shared.format.text.is_some() { text } else { json };
        if lines.is_empty() {
            return;
        }
        let lines = match &mut self.prioritised {
            None => lines,
            Some(prioritised) => {
                prioritised.clear();
                prioritise(prioritised, levels, lines);
                prioritised.as_str()
            }
        };
        let counters = &self.shared.counters;
        match console.show(lines) {
            Shown::Yes => {}
            Shown::No => {
                let count = u64::try_from(lines.matches('\n').count()).unwrap_or_default();
                self.not_shown += count;
                counters.not_shown.fetch_add(count, Relaxed);
                return;
            }
            Shown::Failed => {
                counters.errors.fetch_add(1, Relaxed);
            }
            // The files go on, so nothing needs to be said.
            Shown::Gone => {
                counters.errors.fetch_add(1, Relaxed);
                self.console = None;
            }
        }
        if self.not_shown > 0 {
            let count = mem::take(&mut self.not_shown);
            self.report("the console stood still: lines are in the files only", "not_shown", count);
        }
    }

    /// Keeps house at the start, for each day, and after each file that was set aside.
    fn keep_house(&mut self) {
        let today = self.calendar.day(self.shared.now());
        let mut set_aside = self.kept != Some(today);
        for file in self.files() {
            set_aside |= file.take_set_aside();
        }
        if set_aside {
            self.kept = Some(today);
            self.housekeeper.keep(today);
        } else {
            self.housekeeper.go_on();
        }
    }

    fn is_clean(&self) -> bool {
        iter::once(&self.main).chain(&self.components).all(LogFile::is_clean)
    }

    fn files(&mut self) -> impl Iterator<Item = &mut LogFile> {
        iter::once(&mut self.main).chain(&mut self.components)
    }
}

/// Tells the others that the writer has ended, even by a panic.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

//! Whole lines on their way from the callers to the writer: bounded, and without an allocation once the buffers have
//! grown. Callers append to one batch under a short lock while the writer works on the other; then they change places.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};

use log::Level;

use crate::{
    line::{Lines, Time},
    options::{Console, Options},
    repeats::{Folded, Repeats},
};

/// What the writer must know of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) json_bytes: usize,
    pub(crate) at: Time,
    pub(crate) level: Level,
    pub(crate) component: Option<usize>,
    /// Whether the line may not be dropped.
    pub(crate) kept: bool,
    /// The same for lines that are the same but for their time; `None` for those that are never folded.
    pub(crate) identity: Option<u64>,
}

/// Lines one after the other, and an entry for each.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) json: String,
    pub(crate) text: String,
    pub(crate) entries: Vec<Entry>,
    /// The lines that found the queue full since the batch before.
    pub(crate) dropped: u64,
    /// The lines that were not written because they repeat others.
    pub(crate) folded: Vec<Folded>,
    /// How many flushes were asked for up to this batch.
    flushes: u64,
}

impl Batch {
    /// Room for all that the options let in: so no caller ever waits for memory. The system gives it when it is used.
    pub(crate) fn with_room(options: &Options) -> Self {
        let text_bytes = if options.console == Console::Text { options.queue_bytes } else { 0 };
        Self {
            json: String::with_capacity(options.queue_bytes),
            text: String::with_capacity(text_bytes),
            entries: Vec::with_capacity(options.queue_lines.min(65_536)),
            ..Self::default()
        }
    }

    fn clear(&mut self) {
        self.json.clear();
        self.text.clear();
        self.entries.clear();
        self.dropped = 0;
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It will be written.
    Whole,
    /// It is counted as a repetition.
    Folded,
}

/// Why a line was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The queue is full, and the line may be dropped.
    Full,
    /// The queue stayed full for as long as a line waits.
    StillFull,
    /// The handle is gone.
    Closed,
}

#[derive(Debug)]
struct State {
    batch: Batch,
    repeats: Repeats,
    /// The writer is to take the batch now.
    urgent: bool,
    closed: bool,
    /// The writer has ended.
    finished: bool,
    /// The flushes up to which the writer has done everything.
    done: u64,
    /// Whether all of that reached the files.
    clean: bool,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Work for the writer.
    work: Condvar,
    /// Room for the callers.
    room: Condvar,
    /// News for who waits for the writer.
    progress: Condvar,
    lines_max: usize,
    bytes_max: usize,
    wait: Duration,
    flush_every: Duration,
    /// Nobody else takes from the queue, so it must not wait for itself.
    writer: OnceLock<ThreadId>,
}

impl Queue {
    pub(crate) fn new(options: &Options) -> Self {
        let state = State {
            batch: Batch::with_room(options),
            repeats: Repeats::new(options),
            urgent: false,
            closed: false,
            finished: false,
            done: 0,
            clean: false,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            progress: Condvar::new(),
            lines_max: options.queue_lines,
            bytes_max: options.queue_bytes,
            wait: options.queue_wait,
            flush_every: options.flush_every,
            writer: OnceLock::new(),
        }
    }

    /// Makes this thread the one that takes.
    pub(crate) fn taken_by_this_thread(&self) {
        self.writer.get_or_init(|| thread::current().id());
    }

    pub(crate) fn is_writer(&self) -> bool {
        self.writer.get().is_some_and(|writer| *writer == thread::current().id())
    }

    /// Appends a line. One that is `kept` waits for room, the others do not. An error is written at once, but the caller
    /// does not wait for that.
    pub(crate) fn push(&self, entry: Entry, lines: &Lines) -> Result<Taken, Refusal> {
        let mut state = self.lock();
        if !state.closed && !state.repeats.admit(&entry, lines) {
            return Ok(Taken::Folded);
        }
        let is_full = |state: &mut State| !state.closed && self.is_full(&state.batch, lines);
        if is_full(&mut state) {
            if !entry.kept {
                state.batch.dropped += 1;
                return Err(Refusal::Full);
            }
            if self.is_writer() {
                return Err(Refusal::StillFull);
            }
            state.urgent = true;
            self.work.notify_one();
            let (woken, waited) =
                self.room.wait_timeout_while(state, self.wait, is_full).unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                return Err(Refusal::StillFull);
            }
            state = woken;
        }
        if state.closed {
            return Err(Refusal::Closed);
        }
        let was_empty = state.batch.entries.is_empty();
        state.batch.json.push_str(&lines.json);
        state.batch.text.push_str(&lines.text);
        state.batch.entries.push(entry);
        let was_urgent = state.urgent;
        state.urgent |= entry.level == Level::Error || self.is_half_full(&state.batch);
        // Waking costs more than all the rest, so it is done for the first line and when the batch gets urgent.
        if was_empty || state.urgent != was_urgent {
            self.work.notify_one();
        }
        Ok(Taken::Whole)
    }

    /// Changes an emptied batch for the one that was gathered, and tells whether more can follow.
    ///
    /// Waits for a first line, at most for `idle`, and then for more lines until the batch is urgent or as old as lines
    /// get.
    pub(crate) fn take(&self, batch: &mut Batch, idle: Duration, now: impl Fn() -> Time) -> bool {
        let mut state = self.lock();
        batch.clear();
        let is_idle = |state: &mut State| state.batch.entries.is_empty() && !state.urgent && !state.closed;
        state = self.work.wait_timeout_while(state, idle, is_idle).unwrap_or_else(PoisonError::into_inner).0;
        if !state.batch.entries.is_empty() {
            let gathers = |state: &mut State| !state.urgent && !state.closed;
            state = self
                .work
                .wait_timeout_while(state, self.flush_every, gathers)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let all = state.closed || state.batch.flushes != batch.flushes;
        let State { repeats, batch: gathered, .. } = &mut *state;
        repeats.collect(now(), all, &mut gathered.folded);
        batch.flushes = gathered.flushes;
        mem::swap(batch, &mut state.batch);
        state.urgent = false;
        self.room.notify_all();
        !state.closed
    }

    /// Says that the writer has done what it could for a batch, and whether everything is in the files.
    pub(crate) fn done(&self, batch: &mut Batch, clean: bool) {
        let mut state = self.lock();
        state.repeats.recycle(&mut batch.folded);
        (state.done, state.clean) = (batch.flushes, clean);
        self.progress.notify_all();
    }

    /// Has everything written that was taken before, waits for it, and tells whether it was.
    pub(crate) fn flush(&self, wait: Duration) -> bool {
        if self.is_writer() {
            return false;
        }
        let mut state = self.lock();
        state.batch.flushes += 1;
        state.urgent = true;
        self.work.notify_one();
        let flush = state.batch.flushes;
        let waits = |state: &mut State| state.done < flush && !state.finished;
        let state = self.progress.wait_timeout_while(state, wait, waits).unwrap_or_else(PoisonError::into_inner).0;
        state.done >= flush && state.clean
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Lets no more lines in.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Says that the writer has ended, however it did: nobody may wait for it any longer.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        (state.closed, state.finished) = (true, true);
        self.room.notify_all();
        self.progress.notify_all();
    }

    /// Waits for the end of the writer, and tells whether it came and left everything in the files.
    pub(crate) fn await_end(&self, wait: Duration) -> (bool, bool) {
        let state = self
            .progress
            .wait_timeout_while(self.lock(), wait, |state| !state.finished)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        (state.finished, state.clean)
    }

    fn is_full(&self, batch: &Batch, lines: &Lines) -> bool {
        let bytes = batch.json.len() + batch.text.len() + lines.json.len() + lines.text.len();
        batch.entries.len() >= self.lines_max || (bytes > self.bytes_max && !batch.entries.is_empty())
    }

    fn is_half_full(&self, batch: &Batch) -> bool {
        batch.entries.len() >= self.lines_max.div_ceil(2) || batch.json.len() + batch.text.len() >= self.bytes_max / 2
    }

    /// A panic of another thread under the lock leaves a batch that is at worst a line short of its entry; losing that
    /// is better than losing all.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

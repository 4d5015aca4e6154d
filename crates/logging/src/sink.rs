//! The callers' side: a record becomes whole lines on the thread that logs it, and these go to the queue.

use std::{
    cell::Cell,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use log::{Level, Log, Metadata, Record};

use crate::{
    line::Lines,
    queue::{Entry, Refusal},
    shared::Shared,
};

thread_local! {
    /// The buffers of this thread, so that a line needs no allocation. They are taken while they are used: a `Display`
    /// that logs finds none, and makes its own.
    static LINES: Cell<Lines> = Cell::default();
}

/// The logger that stands behind the routes.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) shared: Arc<Shared>,
    /// How long `flush` waits.
    pub(crate) drain: Duration,
}

impl Log for Sink {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // On a thread that is ending, the buffers may be gone already.
        let mut lines = LINES.try_with(Cell::take).unwrap_or_default();
        self.push(record, &mut lines);
        LINES.try_with(|cell| cell.set(lines)).unwrap_or_default();
    }

    fn flush(&self) {
        self.shared.queue.flush(self.drain);
    }
}

impl Sink {
    fn push(&self, record: &Record<'_>, lines: &mut Lines) {
        let Shared { format, queue, counters, standard_error, .. } = &*self.shared;
        let at = self.shared.now();
        let component = format.render(at, record, lines);
        let kept = format.components.keeps(component, record.level());
        let entry = Entry { json_bytes: lines.json.len(), day: at.date_naive(), component, kept };
        let Err(refusal) = queue.push(entry, lines, record.level() == Level::Error) else { return };
        counters.dropped.fetch_add(1, Relaxed);
        if kept && refusal != Refusal::Full {
            standard_error.write(&lines.json);
        }
    }
}

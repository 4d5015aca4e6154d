//! The callers' side: a record becomes whole lines on the thread that logs it, and these go to the queue.

use std::{cell::Cell, fmt, sync::Arc, time::Duration};

use log::{Log, Metadata, Record};

use crate::{
    line::{Lines, TIMESTAMP_BYTES},
    queue::{Entry, Refusal, Taken},
    shared::Shared,
};

thread_local! {
    /// The buffers of this thread, so that a line needs no allocation. They are taken while they are used: a `Display`
    /// that logs finds none, and makes its own.
    static LINES: Cell<Lines> = Cell::default();
}

/// The way in: what the levels let through goes to the routes, of which the sink is the first.
pub(crate) struct Logger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) routes: Box<dyn Log>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.shared.format.components.wants(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.shared.format.components.wants_record(record) {
            self.routes.log(record);
        }
    }

    fn flush(&self) {
        self.routes.flush();
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// The route that leads to the files.
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
        let Shared { format, queue, counters, standard_error, identities, .. } = &*self.shared;
        let (at, level) = (self.shared.now(), record.level());
        let component = format.render(at, record, lines);
        let kept = format.components.keeps(component, level);
        let identities = identities.as_ref().filter(|_| !format.components.is_kept(component));
        let identity =
            identities.map(|identities| identities.of(lines.json.get(TIMESTAMP_BYTES..).unwrap_or_default()));
        let entry = Entry { json_bytes: lines.json.len(), at, level, component, kept, identity };
        match queue.push(entry, lines) {
            Ok(Taken::Whole) => {}
            Ok(Taken::Folded) => counters.fold_one(format.components.slot(component), level),
            Err(refusal) => {
                counters.drop_one(format.components.slot(component), level);
                if kept && refusal != Refusal::Full {
                    standard_error.write(&lines.json);
                }
            }
        }
    }
}

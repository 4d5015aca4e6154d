//! Panics as lines.

use std::{
    backtrace::Backtrace,
    panic::{self, PanicHookInfo},
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
};

use log::{Level, Log as _, Record, kv::Value};

use crate::sink::Logger;

/// From now on, each panic of the process is logged and flushed, and then the hook that was there before is called.
pub(crate) fn hook(logger: &Arc<Logger>) {
    let logger = Arc::downgrade(logger);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        log(&logger, panic);
        before(panic);
    }));
}

fn log(logger: &Weak<Logger>, panic: &PanicHookInfo<'_>) {
    // Whoever dropped its logging does not want lines any longer.
    let Some(logger) = logger.upgrade().filter(|logger| !logger.shared.queue.is_closed()) else { return };
    logger.shared.counters.panics.fetch_add(1, Relaxed);
    if logger.shared.queue.is_writer() {
        // Nobody is left to write it; the hook before says what happened.
        return;
    }
    let backtrace = Backtrace::force_capture();
    logger.log(
        &Record::builder()
            .level(Level::Error)
            .target("panic")
            .file(panic.location().map(|place| place.file()))
            .line(panic.location().map(|place| place.line()))
            .key_values(&[("backtrace", Value::from_display(&backtrace))])
            .args(format_args!("{}", panic.payload_as_str().unwrap_or("a panic without a text")))
            .build(),
    );
    logger.flush();
}

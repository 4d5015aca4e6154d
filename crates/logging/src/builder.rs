//! From options to running logging.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, mpsc},
    thread,
    time::SystemTime,
};

use log::{LevelFilter, Log};

use crate::{
    Console, Error, Logging, Options,
    component::{Components, MAIN},
    folder::Folder,
    line::{Format, LINE_BYTES_MAX},
    queue::Queue,
    shared::{Clock, Shared},
    sink::Sink,
    standard_error::StandardError,
    statistics::Counters,
    writer::Writer,
};

/// Logging that has not started. Made by [`Logging::builder`].
#[must_use = "nothing is logged before `install` or `build`"]
pub struct Builder {
    options: Options,
    clock: Clock,
    console: Option<Box<dyn Write + Send>>,
    standard_error: Box<dyn Write + Send>,
}

impl Builder {
    #[expect(clippy::disallowed_methods, reason = "the console is one of the places where lines go")]
    pub(crate) fn new(options: Options) -> Self {
        let console: Option<Box<dyn Write + Send>> = match options.console {
            Console::Off => None,
            Console::Text => Some(Box::new(io::stderr())),
            Console::Json => Some(Box::new(io::stdout())),
        };
        Self { options, clock: Box::new(SystemTime::now), console, standard_error: Box::new(io::stderr()) }
    }

    /// Tells the time of lines by another clock. It decides timestamps, rotation and retention, and is asked on the
    /// threads that log.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Writes the lines of the console, if [`Options::console`] wants any, to another place.
    pub fn console_writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.console = self.console.map(|_| Box::new(writer) as Box<dyn Write + Send>);
        self
    }

    /// Says what is wrong with logging itself in another place than standard error, and writes the lines there that
    /// have no other place left.
    pub fn complaint_writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.standard_error = Box::new(writer);
        self
    }

    /// Starts logging, and makes it the one logger of the process, for good.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and [`Error::AlreadyInstalled`], after which all is as it was before.
    pub fn install(self) -> Result<Logging, Error> {
        self.start(|level, logger| {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that installs the global logger")]
            log::set_boxed_logger(logger).map_err(|source| Error::AlreadyInstalled { source })?;
            log::set_max_level(level);
            Ok(())
        })
        .map(|(logging, ())| logging)
    }

    /// Starts logging, and returns the logger for the caller to use, alone or behind another.
    ///
    /// The macros of `log` also look at [`log::max_level`], which stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Option`], [`Error::CreateFolder`] or [`Error::Write`] when that is what the options lead to, and
    /// [`Error::Thread`]. Nothing is left behind then.
    pub fn build(self) -> Result<(Logging, Box<dyn Log>), Error> {
        self.start(|_level, logger| Ok(logger))
    }

    /// Starts the writer only after `accept` took the logger: one that is refused leaves no thread, folder or file.
    fn start<T>(
        self,
        accept: impl FnOnce(LevelFilter, Box<dyn Log>) -> Result<T, Error>,
    ) -> Result<(Logging, T), Error> {
        let Self { options, clock, console, standard_error } = self;
        check(&options)?;
        let text = (options.console == Console::Text).then_some(options.colour);
        let queue = Queue::new(&options);
        let components = Components::new(options.components)?;
        let names = std::iter::once(MAIN).chain(components.names().iter().map(String::as_str));
        let folder = Folder::prepare(&options.folder, names)?;
        let shared = Arc::new(Shared {
            format: Format { components, text },
            clock,
            queue,
            counters: Counters::default(),
            standard_error: StandardError::new(standard_error),
        });

        let writer =
            Writer::new(Arc::clone(&shared), &folder.path, options.queue_bytes, options.retention_days, console);
        let (go, may_go) = mpsc::channel();
        let spawned = thread::Builder::new().name("log-writer".into()).spawn(move || {
            if may_go.recv().is_ok() {
                writer.run();
            }
        });
        let undo = |error| {
            folder.undo();
            error
        };
        let thread = spawned.map_err(|source| undo(Error::Thread { source }))?;

        // No format on the root: key-values are lost below one.
        let sink = Sink { shared: Arc::clone(&shared), drain: options.drain };
        let routes = fern::Dispatch::new().level(options.level).chain(Box::new(sink) as Box<dyn Log>);
        let (level, logger) = routes.into_log();
        match accept(level, logger) {
            Ok(accepted) => {
                go.send(()).expect("the thread waits for this message, and holds the receiver until it came");
                Ok((Logging { shared, writer: Some(thread), drain: options.drain }, accepted))
            }
            Err(error) => {
                drop(go);
                // It has done nothing that could panic.
                drop(thread.join());
                Err(undo(error))
            }
        }
    }
}

impl Options {
    /// Tries them out: whether log files can be written there. Leaves nothing behind, so that a program can ask before it
    /// does anything else.
    ///
    /// # Errors
    ///
    /// [`Error::Option`], [`Error::CreateFolder`] or [`Error::Write`].
    pub fn check(&self) -> Result<(), Error> {
        check(self)?;
        let components = Components::new(self.components.clone())?;
        let names = std::iter::once(MAIN).chain(components.names().iter().map(String::as_str));
        Folder::prepare(&self.folder, names)?.undo();
        Ok(())
    }
}

fn check(options: &Options) -> Result<(), Error> {
    if options.queue_lines == 0 {
        return Err(Error::Option { option: "queue_lines", found: "0".into(), rule: "at least 1" });
    }
    if options.queue_bytes < LINE_BYTES_MAX {
        let found = options.queue_bytes.to_string();
        return Err(Error::Option { option: "queue_bytes", found, rule: "at least 65536, the longest line" });
    }
    Ok(())
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("options", &self.options).finish_non_exhaustive()
    }
}

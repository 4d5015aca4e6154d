//! From options to running logging.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use log::Log;

use crate::{
    Console, Error, Logging, Options,
    component::Components,
    file::archive::Archive,
    folder::Folder,
    line::{ErrorFields, Format, LINE_BYTES_MAX},
    queue::Queue,
    redaction::{FieldNames, Known},
    repeats::Identities,
    shared::{Clock, Shared},
    sink::{Logger, Sink},
    standard_error::StandardError,
    statistics::Counters,
    writer::Writer,
};

/// The most that may wait: room for it is taken at once, twice. Arbitrary.
const QUEUE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// How seldom the files are looked at, at least: the writer would do nothing else. Arbitrary.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(1);

/// Logging that has not started. Made by [`Logging::builder`].
#[must_use = "nothing is logged before `install` or `build`"]
pub struct Builder {
    options: Options,
    clock: Clock,
    console: Option<Box<dyn Write + Send>>,
    standard_error: Box<dyn Write + Send>,
    known: Known,
    error_fields: Option<Box<dyn ErrorFields>>,
    routes: fern::Dispatch,
}

impl Builder {
    #[expect(clippy::disallowed_methods, reason = "the console is one of the places where lines go")]
    pub(crate) fn new(options: Options) -> Self {
        let console: Option<Box<dyn Write + Send>> = match options.console {
            Console::Off => None,
            Console::Text => Some(Box::new(io::stderr())),
            Console::Json => Some(Box::new(io::stdout())),
        };
        Self {
            options,
            clock: Box::new(SystemTime::now),
            console,
            standard_error: Box::new(io::stderr()),
            known: Known::default(),
            error_fields: None,
            // No format on the root: key-values are lost below one.
            routes: fern::Dispatch::new().level(log::LevelFilter::Trace),
        }
    }

    /// Hides a secret value, as [`Logging::hide`] does, from the first line on. One that cannot be hidden is ignored.
    pub fn secret(self, value: &str) -> Self {
        self.known.add(value);
        self
    }

    /// Has errors tell more than their text.
    ///
    /// ```
    /// use std::{error::Error, fmt};
    /// use log::{info, kv::Value};
    /// use trading_logging::{Logging, Options};
    ///
    /// #[derive(Debug)]
    /// struct RateLimited;
    ///
    /// impl fmt::Display for RateLimited {
    ///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    ///         f.write_str("too many calls")
    ///     }
    /// }
    ///
    /// impl Error for RateLimited {}
    ///
    /// fn fields(error: &(dyn Error + 'static), field: &mut dyn FnMut(&str, Value<'_>)) {
    ///     if error.is::<RateLimited>() {
    ///         field("code", Value::from("API_RATE_LIMITED"));
    ///     }
    /// }
    ///
    /// let folder = tempfile::tempdir()?;
    /// let (logging, logger) = Logging::builder(Options::at(folder.path())).error_fields(fields).build()?;
    /// # log::set_max_level(logging.max_level());
    /// let failure = RateLimited;
    /// info!(logger: &*logger, error:err = failure; "no quote");
    /// assert!(logging.flush());
    /// let line = std::fs::read_to_string(folder.path().join("trading_automation.log"))?;
    /// assert!(line.ends_with(",\"error\":\"too many calls\",\"error_code\":\"API_RATE_LIMITED\"}\n"));
    /// # Ok::<(), Box<dyn Error>>(())
    /// ```
    pub fn error_fields(mut self, fields: impl ErrorFields + 'static) -> Self {
        self.error_fields = Some(Box::new(fields));
        self
    }

    /// Has another output get the same records, after the levels of the components: a route of `fern` with filters, formats
    /// and outputs of its own. It is called on the threads that log, and gets neither redaction nor folding.
    pub fn also(mut self, route: fern::Dispatch) -> Self {
        self.routes = self.routes.chain(route);
        self
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
        let panics = self.options.panics;
        let (mut logging, ()) = self.start(|logger| {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that installs the global logger")]
            log::set_boxed_logger(Box::new(logger)).map_err(|source| Error::AlreadyInstalled { source })
        })?;
        logging.is_installed = true;
        log::set_max_level(logging.max_level());
        if panics {
            logging.hook_panics();
        }
        Ok(logging)
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
        self.start(|logger| Ok(Box::new(logger) as Box<dyn Log>))
    }

    /// Starts the writer only after `accept` took the logger: one that is refused leaves no thread, folder or file.
    fn start<T>(self, accept: impl FnOnce(Arc<Logger>) -> Result<T, Error>) -> Result<(Logging, T), Error> {
        let Self { options, clock, console, standard_error, known, error_fields, routes } = self;
        check(&options)?;
        let components = Components::new(&options)?;
        let folder = Folder::prepare(&options.folder, components.slots())?;
        let shared = Arc::new(Shared {
            counters: Counters::new(&components),
            format: Format {
                components,
                text: (options.console == Console::Text).then_some(options.colour),
                secret_fields: FieldNames::new(&options.secret_fields),
                known,
                error_fields,
            },
            clock,
            queue: Queue::new(&options),
            identities: options.repeats_max.map(|_| Identities::new()),
            standard_error: StandardError::new(standard_error),
        });

        let names = shared.format.components.slots().map(str::to_owned).collect();
        let archive = Archive::new(folder.path.clone(), names, &options);
        let writer = Writer::new(Arc::clone(&shared), &folder.path, archive.clone(), &options, console);
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

        let sink = Sink { shared: Arc::clone(&shared), drain: options.drain };
        let (_level, routes) = routes.chain(Box::new(sink) as Box<dyn Log>).into_log();
        let logger = Arc::new(Logger { shared: Arc::clone(&shared), routes });
        match accept(Arc::clone(&logger)) {
            Ok(accepted) => {
                go.send(()).expect("the thread waits for this message, and holds the receiver until it came");
                let Options { drain, zone, .. } = options;
                let writer = Some(thread);
                Ok((Logging { shared, writer, drain, logger, archive, zone, is_installed: false }, accepted))
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
        let components = self.known_components()?;
        Folder::prepare(&self.folder, components.slots())?.undo();
        Ok(())
    }

    /// Only whether they go together; nothing is looked at.
    ///
    /// # Errors
    ///
    /// [`Error::Option`], [`Error::UnknownComponent`].
    pub fn validate(&self) -> Result<(), Error> {
        self.known_components().map(drop)
    }

    fn known_components(&self) -> Result<Components, Error> {
        check(self)?;
        Components::new(self)
    }
}

fn check(options: &Options) -> Result<(), Error> {
    if options.queue_lines == 0 {
        return Err(Error::Option { option: "queue_lines", found: "0".into(), rule: "at least 1" });
    }
    for (is_wrong, rule) in [
        (options.queue_bytes < LINE_BYTES_MAX, "at least 65536, the longest line"),
        (options.queue_bytes > QUEUE_BYTES_MAX, "at most 1073741824"),
    ] {
        if is_wrong {
            return Err(Error::Option { option: "queue_bytes", found: options.queue_bytes.to_string(), rule });
        }
    }
    if options.look_every < LOOK_EVERY_MIN {
        let found = format!("{:?}", options.look_every);
        return Err(Error::Option { option: "look_every", found, rule: "at least 1 ms" });
    }
    if let Some(found) =
        options.rotate_bytes.filter(|bytes| usize::try_from(*bytes).is_ok_and(|it| it < LINE_BYTES_MAX))
    {
        let found = found.to_string();
        return Err(Error::Option { option: "rotate_bytes", found, rule: "at least 65536, the longest line" });
    }
    Ok(())
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("options", &self.options).finish_non_exhaustive()
    }
}

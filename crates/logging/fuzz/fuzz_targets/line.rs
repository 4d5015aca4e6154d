//! Whatever is logged, a line is one JSON object that gives it back, and shows no secret.
//!
//! The input is a text whose parts a NUL divides: the target, the message, and any number of fields, `NAME=value` each. A value that
//! starts with `#` is logged as a number, one with `*` is repeated until a line cannot hold it.
#![no_main]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, OnceLock},
};

use libfuzzer_sys::fuzz_target;
use log::{Level, Log, Record, kv::Value};
use tempfile::TempDir;
use trading_logging::{Console, Logging, Options};

const CANARY: &str = "canary\"5f2c";

struct Stage {
    logging: Logging,
    logger: Box<dyn Log>,
    console: Captured,
    _folder: TempDir,
}

fuzz_target!(|input: &str| {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    let stage = STAGE.get_or_init(stage);
    let mut parts = input.split('\0');
    let (target, message) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let texts: Vec<(&str, String)> = parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| match value.strip_prefix('*') {
            Some(piece) => (name, piece.repeat(100_000 / piece.len().max(1))),
            None => (name, value.to_owned()),
        })
        .collect();
    let fields: Vec<(&str, Value<'_>)> = texts.iter().map(|(name, text)| (*name, value(text))).collect();
    for message in [message.to_owned(), format!("{message}{CANARY}{message}")] {
        let record = &mut Record::builder();
        stage.logger.log(&record.level(Level::Info).target(target).key_values(&fields).args(format_args!("{message}")).build());
        assert!(stage.logging.flush());
        let line = stage.console.take();
        check(&line, target, &message);
    }
});

fn value(text: &str) -> Value<'_> {
    match text.strip_prefix('#').map(|digits| (digits.parse::<i128>(), digits.parse::<f64>())) {
        Some((Ok(integer), _)) => Value::from(integer),
        Some((_, Ok(float))) => Value::from(float),
        _ => Value::from(text),
    }
}

fn check(line: &str, target: &str, message: &str) {
    assert!(line.len() <= 65_536, "{}", line.len());
    let body = line.strip_suffix('\n').expect("ends");
    assert!(!body.contains(|char: char| char.is_control() || ('\u{202a}'..='\u{202e}').contains(&char)), "{line}");
    let json: serde_json::Value = serde_json::from_str(body).expect("is JSON");
    assert!(!line.contains("canary\\\"5f2c"), "{line}");
    assert_eq!(json["level"], "INFO");
    if body.len() < 16_000 && !body.contains("[redacted]") {
        assert_eq!(json["logger"], target);
        assert_eq!(json["message"], message);
    }
}

fn stage() -> Stage {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder");
    let console = Captured::default();
    let options = Options {
        console: Console::Json,
        repeats_max: None,
        rotate_bytes: Some(1 << 20),
        retention_bytes: Some(0),
        ..Options::at(folder.path())
    };
    let builder = Logging::builder(options).console_writer(console.clone()).secret(CANARY);
    let (logging, logger) = builder.build().expect("options that work");
    Stage { logging, logger, console, _folder: folder }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().expect("no panic"))).expect("is UTF-8")
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

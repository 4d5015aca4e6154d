//! The line for people: `12:34:56.789Z INFO  trading  order filled  agent_id=pelosi quantity=5`.

use chrono::{DateTime, Utc};
use log::{
    Level, Record,
    kv::{self, Key, Value, VisitSource},
};

use super::{
    CUT, LINE_BYTES_MAX,
    escape::{self, Within},
    timestamp, value,
};
use crate::redaction;

/// The longest message. Arbitrary: some hundred screen lines.
const MESSAGE_BYTES_MAX: usize = 16_384;

/// The longest value of a field; the files have the whole. Arbitrary.
const VALUE_BYTES_MAX: usize = 4_096;

/// What the last field may take beyond the others: its name, its value, their marks.
const FIELD_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX + 64;

/// Appends the line. The time is that of the day in UTC, as in the files.
pub(super) fn write(out: &mut String, at: DateTime<Utc>, record: &Record<'_>, colour: bool) {
    let (dim, level, reset) = if colour { ("\x1b[2m", level_colour(record.level()), "\x1b[0m") } else { ("", "", "") };
    out.push_str(dim);
    timestamp::write_clock(out, at);
    out.push_str(reset);
    out.push(' ');
    out.push_str(level);
    out.push_str(record.level().as_str());
    out.push_str(reset);
    // INFO and WARN are one letter shorter than the others.
    out.push_str(if record.level().as_str().len() < 5 { "  " } else { " " });
    escape::write(out, Within::Line, VALUE_BYTES_MAX, format_args!("{}", record.target()));
    out.push_str("  ");
    escape::write(out, Within::Line, MESSAGE_BYTES_MAX, *record.args());
    // A source that fails keeps the fields that it gave before.
    let visited = record.key_values().visit(&mut Fields { out, dim, reset, separator: "  " });
    drop(visited);
    out.push('\n');
}

fn level_colour(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[1;31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[34m",
        Level::Trace => "\x1b[2m",
    }
}

struct Fields<'a> {
    out: &'a mut String,
    dim: &'static str,
    reset: &'static str,
    separator: &'static str,
}

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.out.push_str(self.separator);
        self.separator = " ";
        if self.out.len() > LINE_BYTES_MAX - FIELD_BYTES_MAX {
            self.out.push_str(CUT);
            return Err(kv::Error::msg("the line is full"));
        }
        self.out.push_str(self.dim);
        escape::write(self.out, Within::Line, VALUE_BYTES_MAX, format_args!("{}=", key.as_str()));
        self.out.push_str(self.reset);
        let before = self.out.len();
        if redaction::is_secret(key.as_str()) {
            self.out.push_str(value::REDACTED);
        } else {
            value::write(self.out, &value, VALUE_BYTES_MAX);
        }
        unquote(self.out, before);
        Ok(())
    }
}

/// Takes the quotes off a value that reads the same without them.
fn unquote(out: &mut String, before: usize) {
    let inner = out.get(before..).and_then(|value| value.strip_prefix('"')?.strip_suffix('"'));
    let is_plain = |text: &str| !text.is_empty() && !text.contains([' ', '=', '"', '\\']);
    if inner.is_some_and(is_plain) {
        out.pop();
        out.remove(before);
    }
}

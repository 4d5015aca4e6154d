//! The line for people: `12:34:56.789Z INFO  trading  order filled  agent_id=pelosi quantity=5`.

use log::{
    Level, Record,
    kv::{self, Key, Value, VisitSource},
};

use super::{
    CUT, Format, LINE_BYTES_MAX, Lines, Time,
    escape::{self, Within},
    hide, value,
};
use crate::{
    correlation,
    redaction::{REDACTED, Values},
};

/// The longest message. Arbitrary: some hundred screen lines.
const MESSAGE_BYTES_MAX: usize = 16_384;

/// The longest value of a field; the files have the whole. Arbitrary: some screen lines.
const VALUE_BYTES_MAX: usize = 1_024;

/// A field that is left to the files: a screen full of frames hides what happened, and the panic hook before ours shows them
/// to who wants to see them.
const BACKTRACE: &str = "backtrace";

/// What the last field may take beyond the others: its name, its value, their marks.
const FIELD_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX + 64;

/// Appends the line. The time is that of the day in UTC, as in the files.
pub(super) fn write(
    format: &Format,
    hidden: Option<&Values>,
    at: Time,
    record: &Record<'_>,
    colour: bool,
    lines: &mut Lines,
) {
    let out = &mut lines.text;
    let (dim, level, reset) = if colour { ("\x1b[2m", level_colour(record.level()), "\x1b[0m") } else { ("", "", "") };
    out.push_str(dim);
    lines.second.write_clock(out, at);
    out.push_str(reset);
    out.push(' ');
    out.push_str(level);
    out.push_str(record.level().as_str());
    out.push_str(reset);
    // INFO and WARN are one letter shorter than the others.
    out.push_str(if record.level().as_str().len() < 5 { "  " } else { " " });
    let before = out.len();
    escape::write_str(out, Within::Line, VALUE_BYTES_MAX, record.target());
    hide(hidden, out, before);
    out.push_str("  ");
    lines.text_message = out.len();
    escape::write(out, Within::Line, MESSAGE_BYTES_MAX, *record.args());
    hide(hidden, out, lines.text_message);
    let mut fields = Fields { format, hidden, out, dim, reset, separator: "  " };
    // The line cannot be full yet.
    correlation::with_current(|id| fields.write("correlation_id", &Value::from(id)).unwrap_or_default());
    // A source that fails keeps the fields that it gave before.
    let visited = record.key_values().visit(&mut fields);
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
    format: &'a Format,
    hidden: Option<&'a Values>,
    out: &'a mut String,
    dim: &'static str,
    reset: &'static str,
    separator: &'static str,
}

impl Fields<'_> {
    fn write(&mut self, name: &str, value: &Value<'_>) -> Result<(), kv::Error> {
        self.out.push_str(self.separator);
        self.separator = " ";
        if self.out.len() > LINE_BYTES_MAX - FIELD_BYTES_MAX {
            self.out.push_str(CUT);
            return Err(kv::Error::msg("the line is full"));
        }
        self.out.push_str(self.dim);
        let before = self.out.len();
        escape::write(self.out, Within::Line, VALUE_BYTES_MAX, format_args!("{name}="));
        hide(self.hidden, self.out, before);
        self.out.push_str(self.reset);
        let before = self.out.len();
        if self.format.secret_fields.contains(name) {
            self.out.push_str(REDACTED);
        } else {
            value::write(self.out, value, VALUE_BYTES_MAX);
            if value.to_borrowed_error().is_some() {
                self.format.secret_fields.hide_assigned(self.out, before);
            }
            hide(self.hidden, self.out, before);
        }
        unquote(self.out, before);
        Ok(())
    }
}

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if key.as_str() == BACKTRACE { Ok(()) } else { self.write(key.as_str(), &value) }
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

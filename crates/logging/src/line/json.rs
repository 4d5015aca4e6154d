//! The line of the files: one JSON object, its fixed names first, then the fields in the order they came.

use std::{fmt, thread};

use log::{
    Record,
    kv::{self, Key, Value, VisitSource},
};

use super::{Format, LINE_BYTES_MAX, Lines, Time, hide, names::Names, timestamp::Second, value};
use crate::{
    correlation,
    redaction::{REDACTED, Values},
};

/// The names that no field has: one that comes with them gets another.
const FIXED: [&str; 10] =
    ["timestamp", "level", "logger", "message", "module", "file", "line", "thread", "fields_omitted", "repeated"];

/// The name that no field has where the scope has it.
const CORRELATION_ID: &str = "correlation_id";

/// The lengths to which values are cut, tried in turn until the line fits.
const VALUE_BYTES_MAX: [usize; 5] = [LINE_BYTES_MAX, 16_384, 4_096, 1_024, 256];

/// What the end of a line may take: `,"fields_omitted":`, or what says that the line was repeated, each with a number, the
/// brace and the newline.
const END_BYTES: usize = 128;

/// The first bytes of a line.
pub(super) fn timestamp(at: Time, second: &mut Second) -> String {
    let mut out = String::new();
    write_timestamp(&mut out, at, second);
    out
}

fn write_timestamp(out: &mut String, at: Time, second: &mut Second) {
    out.push_str("{\"timestamp\":\"");
    second.write_full(out, at);
    out.push_str("\",");
}

/// Appends the line, and tells the component that its field `component` or else its target names.
pub(super) fn write(
    format: &Format,
    hidden: Option<&Values>,
    at: Time,
    record: &Record<'_>,
    lines: &mut Lines,
) -> Option<usize> {
    let mut named = None;
    for (index, &value_bytes_max) in VALUE_BYTES_MAX.iter().enumerate() {
        lines.json.clear();
        lines.names.clear();
        let is_last = index + 1 == VALUE_BYTES_MAX.len();
        let mut attempt = Attempt {
            format,
            hidden,
            out: &mut lines.json,
            names: &mut lines.names,
            value_bytes_max,
            is_last,
            overflows: false,
            omitted: 0,
            named: None,
            is_correlated: false,
        };
        write_timestamp(attempt.out, at, &mut lines.second);
        lines.json_message = attempt.fixed(record, &mut lines.thread);
        // A source that fails keeps the fields that it gave before.
        let visited = record.key_values().visit(&mut attempt);
        drop(visited);
        attempt.end();
        named = attempt.named;
        if !attempt.overflows {
            break;
        }
    }
    named.or_else(|| format.components.of_target(record.target()))
}

/// A line that may turn out too long.
struct Attempt<'a> {
    format: &'a Format,
    /// What must not be seen, if the line shows some of it.
    hidden: Option<&'a Values>,
    out: &'a mut String,
    names: &'a mut Names,
    value_bytes_max: usize,
    /// In the last attempt, a field that does not fit is left out and counted.
    is_last: bool,
    overflows: bool,
    omitted: usize,
    named: Option<usize>,
    is_correlated: bool,
}

impl Attempt<'_> {
    /// Appends what every line has, and tells where its message starts.
    fn fixed(&mut self, record: &Record<'_>, thread: &mut String) -> usize {
        self.out.push_str("\"level\":\"");
        self.out.push_str(record.level().as_str());
        self.out.push('"');
        self.optional(",\"logger\":", Some(record.target()));
        self.out.push_str(",\"message\":");
        let message = self.out.len();
        match record.args().as_str() {
            Some(text) => value::write_str(self.out, self.value_bytes_max, text),
            None => value::write_text(self.out, self.value_bytes_max, *record.args()),
        }
        hide(self.hidden, self.out, message);
        self.optional(",\"module\":", record.module_path());
        self.optional(",\"file\":", record.file());
        self.out.push_str(",\"line\":");
        match record.line() {
            Some(line) => value::write_integer(self.out, line.into()),
            None => self.out.push_str("null"),
        }
        if thread.is_empty() {
            write_thread(thread);
        }
        let before = self.out.len();
        self.out.push_str(thread);
        hide(self.hidden, self.out, before + ",\"thread\":".len());
        self.is_correlated = correlation::with_current(|id| self.optional(",\"correlation_id\":", Some(id))).is_some();
        self.overflows = self.is_over();
        // After the quote.
        message + 1
    }

    /// Appends a name, with all that belongs to it, and its text.
    fn optional(&mut self, name: &str, text: Option<&str>) {
        self.out.push_str(name);
        let before = self.out.len();
        match text {
            Some(text) => value::write_str(self.out, self.value_bytes_max, text),
            None => self.out.push_str("null"),
        }
        hide(self.hidden, self.out, before);
    }

    fn field(&mut self, name: &str, value: &Value<'_>) {
        let is_first = self.key(name);
        if self.format.secret_fields.contains(name) {
            self.out.push_str(REDACTED);
            return;
        }
        let before = self.out.len();
        value::write(self.out, value, self.value_bytes_max);
        let error = value.to_borrowed_error();
        if error.is_some() {
            self.format.secret_fields.hide_assigned(self.out, before);
        }
        if is_first && name == "component" {
            let written = self.out.get(before..).unwrap_or_default();
            self.named = self.format.components.named(written.trim_matches('"'));
        }
        hide(self.hidden, self.out, before);
        if let Some(fields) = &self.format.error_fields
            && let Some(error) = error
        {
            let mut told = false;
            for error in value::causes(error) {
                fields.fields(error, &mut |key, value| {
                    told = true;
                    self.field(&format!("{name}_{key}"), &value);
                });
                if told {
                    break;
                }
            }
        }
    }

    /// Appends the name of a field, which no other has, and tells whether it is the one that it came with.
    fn key(&mut self, name: &str) -> bool {
        self.out.push(',');
        let start = self.out.len();
        let is_fixed = FIXED.contains(&name) || (self.is_correlated && name == CORRELATION_ID);
        let is_first = !is_fixed && {
            value::write_str(self.out, self.value_bytes_max, name);
            self.is_new(start)
        };
        if !is_first {
            self.other_key(name, start);
        }
        self.out.push(':');
        is_first
    }

    /// Appends `field_NAME`, or where that is taken too, `field_N_NAME`, in which N is the field's place.
    fn other_key(&mut self, name: &str, start: usize) {
        let mut place = self.names.count() + 1;
        let mut is_new = self.try_key(start, format_args!("field_{name}"));
        // Who is out for it may have taken that as well, but not all there are.
        while !is_new {
            is_new = self.try_key(start, format_args!("field_{place}_{name}"));
            place += 1;
        }
    }

    fn try_key(&mut self, start: usize, name: fmt::Arguments<'_>) -> bool {
        self.out.truncate(start);
        value::write_text(self.out, self.value_bytes_max, name);
        self.is_new(start)
    }

    fn is_new(&mut self, start: usize) -> bool {
        hide(self.hidden, self.out, start);
        self.names.add(self.out, start)
    }

    fn end(&mut self) {
        if self.omitted > 0 {
            self.out.push_str(",\"fields_omitted\":");
            value::write(self.out, &Value::from(self.omitted), self.value_bytes_max);
        }
        self.out.push_str("}\n");
    }

    fn is_over(&self) -> bool {
        self.out.len() > LINE_BYTES_MAX - END_BYTES
    }
}

/// Writes `,"thread":"NAME"`, which is the same for all lines of a thread.
fn write_thread(out: &mut String) {
    /// Arbitrary. Linux shows 15 bytes of a name.
    const NAME_BYTES_MAX: usize = 256;
    let thread = thread::current();
    out.push_str(",\"thread\":");
    match thread.name() {
        Some(name) => value::write_str(out, NAME_BYTES_MAX, name),
        None => value::write_text(out, NAME_BYTES_MAX, format_args!("{:?}", thread.id())),
    }
}

impl<'kvs> VisitSource<'kvs> for Attempt<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let before = self.out.len();
        self.field(key.as_str(), &value);
        if self.is_over() {
            if !self.is_last {
                self.overflows = true;
                return Err(kv::Error::msg("the line is full"));
            }
            self.out.truncate(before);
            self.names.forget_from(before);
            self.omitted += 1;
        }
        Ok(())
    }
}

//! The line of the files: one JSON object, its fixed names first, then the fields in the order they came.

use std::{fmt, thread};

use chrono::{DateTime, Utc};
use log::{
    Record,
    kv::{self, Key, Value, VisitSource},
};

use super::{LINE_BYTES_MAX, timestamp, value};
use crate::{component::Components, redaction};

/// The names that a field cannot have; it is written as `field_NAME` then.
const FIXED: [&str; 9] =
    ["timestamp", "level", "logger", "message", "module", "file", "line", "thread", "fields_omitted"];

/// The lengths to which values are cut, tried in turn until the line fits.
const VALUE_BYTES_MAX: [usize; 5] = [LINE_BYTES_MAX, 16_384, 4_096, 1_024, 256];

/// What the end of a line may take: `,"fields_omitted":` and a number, the brace and the newline.
const END_BYTES: usize = 48;

/// Appends the line, and tells the component that its field `component` or else its target names.
pub(super) fn write(
    out: &mut String,
    at: DateTime<Utc>,
    record: &Record<'_>,
    components: &Components,
) -> Option<usize> {
    let start = out.len();
    let mut named = None;
    for (index, &value_bytes_max) in VALUE_BYTES_MAX.iter().enumerate() {
        out.truncate(start);
        let is_last = index + 1 == VALUE_BYTES_MAX.len();
        let mut attempt =
            Attempt { out, start, value_bytes_max, is_last, overflows: false, omitted: 0, named: None, components };
        attempt.fixed(at, record);
        // A source that fails keeps the fields that it gave before.
        let visited = record.key_values().visit(&mut attempt);
        drop(visited);
        attempt.end();
        named = attempt.named;
        if !attempt.overflows {
            break;
        }
    }
    named.or_else(|| components.of_target(record.target()))
}

/// A line that may turn out too long.
struct Attempt<'a> {
    out: &'a mut String,
    start: usize,
    value_bytes_max: usize,
    /// In the last attempt, a field that does not fit is left out and counted.
    is_last: bool,
    overflows: bool,
    omitted: usize,
    named: Option<usize>,
    components: &'a Components,
}

impl Attempt<'_> {
    fn fixed(&mut self, at: DateTime<Utc>, record: &Record<'_>) {
        self.out.push_str("{\"timestamp\":\"");
        timestamp::write_full(self.out, at);
        self.out.push_str("\",\"level\":\"");
        self.out.push_str(record.level().as_str());
        self.out.push('"');
        self.text("logger", Some(format_args!("{}", record.target())));
        self.text("message", Some(*record.args()));
        self.optional("module", record.module_path());
        self.optional("file", record.file());
        self.name("line");
        let line = record.line().map_or_else(Value::null, Value::from);
        value::write(self.out, &line, self.value_bytes_max);
        let thread = thread::current();
        match thread.name() {
            Some(name) => self.optional("thread", Some(name)),
            None => self.text("thread", Some(format_args!("{:?}", thread.id()))),
        }
        self.overflows = self.is_over();
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, Some(format_args!("{text}"))),
            None => self.text(name, None),
        }
    }

    fn text(&mut self, name: &str, text: Option<fmt::Arguments<'_>>) {
        self.name(name);
        match text {
            Some(text) => value::write_text(self.out, self.value_bytes_max, text),
            None => self.out.push_str("null"),
        }
    }

    fn name(&mut self, name: &str) {
        self.out.push_str(",\"");
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn field(&mut self, name: &str, value: &Value<'_>) {
        self.out.push(',');
        let prefix = if FIXED.contains(&name) { "field_" } else { "" };
        value::write_text(self.out, self.value_bytes_max, format_args!("{prefix}{name}"));
        self.out.push(':');
        if redaction::is_secret(name) {
            self.out.push_str(value::REDACTED);
            return;
        }
        let before = self.out.len();
        value::write(self.out, value, self.value_bytes_max);
        if name == "component" {
            let written = self.out.get(before..).unwrap_or_default();
            self.named = self.components.named(written.trim_matches('"'));
        }
    }

    fn end(&mut self) {
        if self.omitted > 0 {
            self.name("fields_omitted");
            value::write(self.out, &Value::from(self.omitted), self.value_bytes_max);
        }
        self.out.push_str("}\n");
    }

    fn is_over(&self) -> bool {
        self.out.len() - self.start > LINE_BYTES_MAX - END_BYTES
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
            self.omitted += 1;
        }
        Ok(())
    }
}

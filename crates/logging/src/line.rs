//! A record as the lines that are written of it: one of JSON for the files, one of text for people.

mod error_fields;
mod escape;
mod json;
mod names;
mod text;
mod timestamp;
mod value;

use std::fmt;

use log::Record;

pub use self::error_fields::ErrorFields;
use crate::{
    component::Components,
    redaction::{FieldNames, Known, Values},
};

pub(crate) use self::{escape::escaped, timestamp::Time};

/// The longest line, its newline included.
pub(crate) const LINE_BYTES_MAX: usize = 65_536;

/// Ends a value that was cut, or whose `Display` failed.
pub(crate) const CUT: &str = "…[cut]";

/// How far the beginning of a line goes that two otherwise identical ones differ in: `{"timestamp":"…",`.
pub(crate) const TIMESTAMP_BYTES: usize = 43;

/// The lines of one record; the buffers are used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) json: String,
    /// Empty where nobody reads text.
    pub(crate) text: String,
    /// Where the message starts in each.
    pub(crate) json_message: usize,
    pub(crate) text_message: usize,
    /// The part of the timestamp that stays the same for a second.
    second: timestamp::Second,
    /// The thread's name as it stands in each line of it.
    thread: String,
    /// The names of the fields.
    names: names::Names,
}

impl Lines {
    /// With room for ordinary lines, so that buffers that go from one to another do not grow each time.
    pub(crate) fn with_room() -> Self {
        Self { json: String::with_capacity(1_024), text: String::with_capacity(512), ..Self::default() }
    }

    fn clear(&mut self) {
        for line in [&mut self.json, &mut self.text] {
            line.clear();
            // An attempt that did not fit may have left a large buffer; each thread keeps one line's worth.
            line.shrink_to(LINE_BYTES_MAX);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.json.len() + self.text.len()
    }

    /// Makes these the same lines.
    pub(crate) fn copy_from(&mut self, lines: &Self) {
        self.json.clone_from(&lines.json);
        self.text.clone_from(&lines.text);
        (self.json_message, self.text_message) = (lines.json_message, lines.text_message);
    }

    /// Makes these the lines that say that the same was logged `count` times more, the last time at `at`.
    pub(crate) fn repeated(&mut self, at: Time, count: u64) {
        self.json.replace_range(..TIMESTAMP_BYTES, &json::timestamp(at, &mut self.second));
        let said = format!("repeated {count} times: ");
        self.json.insert_str(self.json_message, &said);
        self.json.truncate(self.json.trim_end_matches(['}', '\n']).len());
        self.json.push_str(&format!(",\"repeated\":{count}}}\n"));
        if !self.text.is_empty() {
            self.text.insert_str(self.text_message, &said);
        }
    }
}

/// How lines look, and to which component they belong.
pub(crate) struct Format {
    pub(crate) components: Components,
    /// Whether lines of text are wanted, and then whether they are coloured.
    pub(crate) text: Option<bool>,
    pub(crate) secret_fields: FieldNames,
    pub(crate) known: Known,
    pub(crate) error_fields: Option<Box<dyn ErrorFields>>,
}

impl Format {
    /// Writes the lines of a record into cleared buffers, and tells its component.
    pub(crate) fn render(&self, at: Time, record: &Record<'_>, lines: &mut Lines) -> Option<usize> {
        let component = self.attempt(at, record, lines, None);
        let known = self.known.values();
        let Some(values) = known.as_deref() else { return component };
        // Secrets are rare: one look at the whole line is cheap, and only then is each of its parts looked at.
        let shows = |line: &str| values.are_in(line) || line.contains(CUT);
        if shows(&lines.json) || shows(&lines.text) {
            return self.attempt(at, record, lines, Some(values));
        }
        component
    }

    fn attempt(&self, at: Time, record: &Record<'_>, lines: &mut Lines, hidden: Option<&Values>) -> Option<usize> {
        lines.clear();
        let component = json::write(self, hidden, at, record, lines);
        if let Some(colour) = self.text {
            text::write(self, hidden, at, record, colour, lines);
        }
        component
    }
}

/// Hides what must not be seen of what was written since `before`.
#[inline]
fn hide(hidden: Option<&Values>, out: &mut String, before: usize) {
    if let Some(values) = hidden {
        values.hide(out, before);
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format").field("components", &self.components).field("text", &self.text).finish_non_exhaustive()
    }
}

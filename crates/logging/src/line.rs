//! A record as the lines that are written of it: one of JSON for the files, one of text for people.

mod escape;
mod json;
mod text;
mod timestamp;
mod value;

use chrono::{DateTime, Utc};
use log::Record;

use crate::component::Components;

pub(crate) use self::timestamp::read as utc;

/// The longest line, its newline included.
pub(crate) const LINE_BYTES_MAX: usize = 65_536;

/// Ends a value that was cut, or whose `Display` failed.
const CUT: &str = "…[cut]";

/// The lines of one record; the buffers are used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) json: String,
    /// Empty where nobody reads text.
    pub(crate) text: String,
}

impl Lines {
    fn clear(&mut self) {
        for line in [&mut self.json, &mut self.text] {
            line.clear();
            // An attempt that did not fit may have left a large buffer; each thread keeps one line's worth.
            line.shrink_to(LINE_BYTES_MAX);
        }
    }
}

/// How lines look, and to which component they belong.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) components: Components,
    /// Whether lines of text are wanted, and then whether they are coloured.
    pub(crate) text: Option<bool>,
}

impl Format {
    /// Writes the lines of a record into cleared buffers, and tells its component.
    pub(crate) fn render(&self, at: DateTime<Utc>, record: &Record<'_>, lines: &mut Lines) -> Option<usize> {
        lines.clear();
        let component = json::write(&mut lines.json, at, record, &self.components);
        if let Some(colour) = self.text {
            text::write(&mut lines.text, at, record, colour);
        }
        component
    }
}

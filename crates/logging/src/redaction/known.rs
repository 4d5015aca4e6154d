//! Secret values that the program registered, found wherever they stand in a line.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use aho_corasick::{AhoCorasick, MatchKind};

use super::{HIDDEN, REDACTED};
use crate::line::{self, CUT};

/// The shortest value that is hidden: ordinary text is full of shorter ones. Arbitrary.
const VALUE_BYTES_MIN: usize = 4;

/// The longest value that is hidden: private keys are shorter. Bounds the memory for searching.
const VALUE_BYTES_MAX: usize = 4_096;

/// The values, which grow while the program runs.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Whether there is one at all: the most common case costs no lock.
    any: AtomicBool,
    values: RwLock<Arc<Values>>,
}

impl Known {
    /// Hides a value from now on, and tells whether it can be.
    pub(crate) fn add(&self, value: &str) -> bool {
        if !(VALUE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&value.len()) {
            return false;
        }
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let mut forms = values.forms.clone();
        for form in [value.to_owned(), debugged(value), percent_encoded(value, false), percent_encoded(value, true)] {
            forms.extend(line::escaped(&form));
        }
        forms.sort_unstable();
        forms.dedup();
        let Ok(search) = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms) else {
            return false;
        };
        *values = Arc::new(Values { forms, search: Some(search) });
        self.any.store(true, Ordering::Release);
        true
    }

    /// Those of now, which are looked for without the lock: what is rendered may log, or have another value hidden.
    pub(crate) fn values(&self) -> Option<Arc<Values>> {
        let any = self.any.load(Ordering::Acquire);
        any.then(|| Arc::clone(&self.values.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The values as they stand in lines, escaped.
#[derive(Default)]
pub(crate) struct Values {
    forms: Vec<String>,
    search: Option<AhoCorasick>,
}

impl Values {
    /// Whether a line shows one.
    pub(crate) fn are_in(&self, line: &str) -> bool {
        self.search.as_ref().is_some_and(|search| search.is_match(line))
    }

    /// Hides them in what `out` has from `before` on: one JSON scalar, or a piece of text.
    pub(crate) fn hide(&self, out: &mut String, before: usize) {
        let piece = out.get(before..).unwrap_or_default();
        let Some(search) = self.search.as_ref().filter(|search| search.is_match(piece) || piece.contains(CUT)) else {
            return;
        };
        let is_number = is_bare(piece);
        let hidden = if is_number {
            REDACTED.to_owned()
        } else {
            self.hide_starts(search.replace_all(piece, &vec![HIDDEN; self.forms.len()]))
        };
        out.truncate(before);
        out.push_str(&hidden);
    }

    /// Hides the start of a value whose end was cut off.
    fn hide_starts(&self, mut piece: String) -> String {
        let Some(cut) = piece.find(CUT) else { return piece };
        let before = piece.get(..cut).unwrap_or_default();
        let starts = self.forms.iter().flat_map(|form| {
            let starts = (VALUE_BYTES_MIN..form.len()).rev().filter_map(|bytes| form.get(..bytes));
            starts.filter(|start| before.ends_with(start)).map(str::len).next()
        });
        if let Some(bytes) = starts.max() {
            piece.replace_range(cut - bytes..cut, HIDDEN);
        }
        piece
    }
}

/// As `{:?}` writes it, without the quotes.
fn debugged(value: &str) -> String {
    let quoted = format!("{value:?}");
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// As it stands in the query of a URL, or in a form, where a space is a plus.
fn percent_encoded(value: &str, is_form: bool) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b' ' if is_form => out.push('+'),
            _ => {
                out.push('%');
                let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default());
                out.extend(digits.map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    out
}

/// Whether a scalar stands without quotes, so that a part of it cannot be replaced by text.
fn is_bare(piece: &str) -> bool {
    matches!(piece.as_bytes().first(), Some(b'-' | b'0'..=b'9')) && piece.parse::<f64>().is_ok()
        || matches!(piece, "true" | "false" | "null")
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("forms", &self.forms.len()).finish_non_exhaustive()
    }
}

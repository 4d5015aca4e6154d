//! Secret values that the program registered, found wherever they stand in a line.

use std::{
    fmt, mem,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{HIDDEN, REDACTED};
use crate::line::{self, CUT};

/// The shortest value that is hidden: ordinary text is full of shorter ones. Arbitrary.
const VALUE_BYTES_MIN: usize = 4;

/// The longest value that is hidden: private keys are shorter. Arbitrary.
const VALUE_BYTES_MAX: usize = 4_096;

/// What all values can have together, in each of their spellings. Bounds the memory for searching, and what a further one takes.
const FORMS_BYTES_MAX: usize = 131_072;

/// The values, which grow while the program runs.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Whether there is one at all: the most common case costs no lock.
    any: AtomicBool,
    values: RwLock<Arc<Values>>,
    /// Held while the next values are made, which takes a while: lines wait for `values` only while they are exchanged.
    replacing: Mutex<()>,
}

impl Known {
    /// Hides a value from now on, and tells whether it can be.
    pub(crate) fn add(&self, value: &str) -> bool {
        (VALUE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&value.len()) && self.replace(|values| values.with(value))
    }

    /// Exchanges the values for others, if there are others, and tells whether there were.
    fn replace(&self, next: impl FnOnce(&Arc<Values>) -> Option<Arc<Values>>) -> bool {
        let _one_at_a_time = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = next(&self.now()) else { return false };
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let last = mem::replace(&mut *values, next);
        // Those of before are freed after the lock.
        drop(values);
        drop(last);
        self.any.store(true, Ordering::Release);
        true
    }

    fn now(&self) -> Arc<Values> {
        Arc::clone(&self.values.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those of now, which are looked for without the lock: what is rendered may log, or have another value hidden.
    pub(crate) fn values(&self) -> Option<Arc<Values>> {
        let any = self.any.load(Ordering::Acquire);
        any.then(|| self.now())
    }
}

/// The values as they stand in lines, escaped.
#[derive(Default)]
pub(crate) struct Values {
    forms: Vec<String>,
    search: Option<AhoCorasick>,
}

impl Values {
    /// These and one more, if that can be.
    fn with(self: &Arc<Self>, value: &str) -> Option<Arc<Self>> {
        let mut forms = self.forms.clone();
        for form in [value.to_owned(), debugged(value), percent_encoded(value, false), percent_encoded(value, true)] {
            forms.extend(line::escaped(&form));
        }
        forms.sort_unstable();
        forms.dedup();
        if forms.len() == self.forms.len() {
            return Some(Arc::clone(self));
        }
        if forms.iter().map(String::len).sum::<usize>() > FORMS_BYTES_MAX {
            return None;
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            // A DFA, which is the default for few values, takes a hundred times the memory for long ones.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&forms)
            .ok()?;
        Some(Arc::new(Self { forms, search: Some(search) }))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_for_no_value_that_is_being_added() {
        let known = Known::default();
        assert!(known.add("first"));
        assert!(known.replace(|values| {
            // A line that is written meanwhile would stand still here.
            let seen = known.values.try_read().ok().map(|values| values.are_in("the first, the second"));
            assert_eq!(seen, Some(true));
            values.with("second")
        }));
        assert!(known.values().is_some_and(|values| values.are_in("the first") && values.are_in("the second")));
    }
}

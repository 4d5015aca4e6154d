//! An error with its causes, on one line.

use std::error::Error;
use std::fmt;

use crate::redaction::shown;

/// How many causes are shown at most: a chain that is longer goes in circles.
const CAUSES_MAX: usize = 8;

/// The texts of the causes as they may be shown, from the nearest to the root. One that a text before it already holds as a
/// part of its own is left out: some errors repeat their causes.
pub(super) fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let message = shown(&error.to_string());
    for cause in std::iter::successors(error.source(), |&cause| cause.source()).take(CAUSES_MAX) {
        let text = shown(&cause.to_string());
        if !causes.iter().chain([&message]).any(|before| repeats(before, &text)) {
            causes.push(text);
        }
    }
    causes
}

/// Whether the text holds the cause as a part of its own: `failed: no route` holds `no route`, but `could not be sent` does
/// not hold `sent`.
fn repeats(text: &str, cause: &str) -> bool {
    cause.is_empty()
        || text.match_indices(cause).any(|(at, _)| {
            let before = text.get(..at).unwrap_or_default().trim_end();
            let after = text.get(at + cause.len()..).unwrap_or_default().trim_start();
            let begins = before.is_empty() || before.ends_with([':', ';', ',', '(', '[', '"', '\'']);
            begins && (after.is_empty() || after.starts_with([':', ';', ',', '.', ')', ']', '"', '\'']))
        })
}

/// Displays an error and its causes as `error: cause: cause`, one line without secrets.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0.to_string()))?;
        causes(self.0).iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// Writes the `Debug` of errors that carry the error of a library, which may hold secrets: a panic shows it.
macro_rules! debug_without_secrets {
    ($($error:ident),+) => {$(
        /// As `Type(error: cause: cause)`, one line without secrets.
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($error)).field(&format_args!("{}", $crate::error::Chain(self))).finish()
            }
        }
    )+};
}

pub(super) use debug_without_secrets;

//! Reads `.env` files as python-dotenv does, which the earlier system used.
//!
//! Not the `dotenvy` crate: it expands `$NAME` inside secrets, refuses unquoted values with spaces, and does not say
//! which line a value came from.

use std::path::Path;

use crate::Error;

/// One `NAME=value` of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Counted from 1.
    pub(crate) number: usize,
}

/// Parses the text of a `.env` file.
///
/// Understands a byte order mark, CRLF, `export`, comments (behind white space), single quotes (`\\'` and `\\\\` are escapes) and
/// double quotes (`\\n` and its like are escapes), both over several lines. A later line wins over an earlier one of the same
/// name. `path` only names the file in errors.
///
/// # Errors
/// [`Error::Malformed`] with the line, and never the value, for a line that is no assignment, a quote that is not
/// closed, text behind a closing quote, or a `${…}`, which the earlier system would have expanded.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Vec<Line>, Error> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut lines, mut number) = (Vec::new(), 1);
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or_default();
        let trimmed = line.trim();
        let mut used = line.len();
        if !(trimmed.is_empty() || trimmed.starts_with('#')) {
            let malformed = |reason: &str| Error::malformed(path, number, reason);
            let name = name(line).map_err(malformed)?;
            let behind = line.find('=').map_or(line.len(), |at| at + 1);
            let start = behind + indentation(line.get(behind..).unwrap_or_default());
            let (value, length) = value(rest.get(start..).unwrap_or_default()).map_err(malformed)?;
            lines.push(Line { name: name.to_owned(), value, number });
            used = start + length;
        }
        let (done, left) = rest.split_at(used);
        // What is left of the line is a comment, or its end.
        let end = left.find('\n').map_or(left.len(), |at| at + 1);
        number += done.matches('\n').count() + left.get(..end).unwrap_or_default().matches('\n').count();
        rest = left.get(end..).unwrap_or_default();
    }
    Ok(lines)
}

fn name(line: &str) -> Result<&str, &'static str> {
    const EXPECTED: &str = "expected NAME=value";
    let (name, _) = line.split_once('=').ok_or("expected NAME=value, and there is no `=`")?;
    let name = name.trim();
    let name = match name.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => name,
    };
    let name = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(name);
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '#') { Err(EXPECTED) } else { Ok(name) }
}

fn indentation(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// The value that `text` begins with, and how many bytes of it that takes.
fn value(text: &str) -> Result<(String, usize), &'static str> {
    let (value, length, literal) = match text.chars().next() {
        Some('\'') => quoted(text, '\'').map(|(value, length)| (value, length, true))?,
        Some('"') => quoted(text, '"').map(|(value, length)| (value, length, false))?,
        _ => {
            let line = text.lines().next().unwrap_or_default();
            (unquoted(line).to_owned(), line.len(), false)
        }
    };
    if !literal && value.contains("${") {
        return Err(
            "`${…}` is not expanded here: write the value out, or put it in single quotes if it is meant literally",
        );
    }
    Ok((value, length))
}

fn unquoted(line: &str) -> &str {
    // A `#` begins a comment only behind white space: `a#b` and `#a` are values.
    let comment = line
        .char_indices()
        .zip(line.chars().skip(1))
        .find(|((_, before), c)| before.is_whitespace() && *c == '#')
        .map_or(line.len(), |((at, _), _)| at);
    line.get(..comment).unwrap_or(line).trim_end()
}

fn quoted(text: &str, quote: char) -> Result<(String, usize), &'static str> {
    let mut value = String::new();
    let mut rest = text.chars();
    rest.next();
    loop {
        match rest.next() {
            None => return Err("the quote that begins here is not closed; put the closing quote behind the value"),
            Some(c) if c == quote => break,
            Some('\\') => match rest.clone().next().and_then(|c| escape(c, quote)) {
                Some(c) => {
                    value.push(c);
                    rest.next();
                }
                None => value.push('\\'),
            },
            Some(c) => value.push(c),
        }
    }
    let tail = rest.as_str();
    let behind = tail.lines().next().unwrap_or_default().trim_start();
    if !(behind.is_empty() || behind.starts_with('#')) {
        return Err("there is text behind the closing quote; write `\\\"` for a quote inside double quotes");
    }
    Ok((value, text.len() - tail.len()))
}

/// What a character behind a backslash stands for.
fn escape(c: char, quote: char) -> Option<char> {
    match c {
        '\\' | '\'' => Some(c),
        _ if quote == '\'' => None,
        '"' => Some('"'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'v' => Some('\u{b}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let lines = parse(text, Path::new(".env")).expect("parses");
        let lines: Vec<_> = lines.iter().map(|l| (l.name.as_str(), l.value.as_str(), l.number)).collect();
        assert_eq!(lines, expected);
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = parse(text, Path::new(".env")).expect_err("is malformed");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn reads_what_the_earlier_system_read() {
        check("A=1\nB = two words \n", &[("A", "1", 1), ("B", "two words", 2)]);
        check("\u{feff}A=1\r\nB=2\r\n", &[("A", "1", 1), ("B", "2", 2)]);
        check("# comment\n\n  export A=1\n", &[("A", "1", 3)]);
        check("A=b#c\nB=b # c\nC= #c\nD=", &[("A", "b#c", 1), ("B", "b", 2), ("C", "#c", 3), ("D", "", 4)]);
        check("export\tA=1\n'B'=2\nC.d=3\n1E=4", &[("A", "1", 1), ("B", "2", 2), ("C.d", "3", 3), ("1E", "4", 4)]);
        check("A=\"b\nc\" # d\nE='f\n\ng'\r\nH=1", &[("A", "b\nc", 1), ("E", "f\n\ng", 3), ("H", "1", 6)]);
        check(r#"A="s3cr3t with spaces # and a hash" # note"#, &[("A", "s3cr3t with spaces # and a hash", 1)]);
        check(r#"A="a\"b\\c\nd\x\$""#, &[("A", "a\"b\\c\nd\\x\\$", 1)]);
        check(r"A='a\nb ${C} it\'s'", &[("A", r"a\nb ${C} it's", 1)]);
        check("A=p$ssw0rd=", &[("A", "p$ssw0rd=", 1)]);
        check("A=1\nA=2", &[("A", "1", 1), ("A", "2", 2)]);
    }

    #[test]
    fn refuses_with_the_line_and_without_the_value() {
        refused("A=1\nhunter2", ".env:2: expected NAME=value, and there is no `=`");
        refused("=1", ".env:1: expected NAME=value");
        refused("\nA B=1", ".env:2: expected NAME=value");
        refused(
            "A=1\nB=\"open\nC=1",
            ".env:2: the quote that begins here is not closed; put the closing quote behind the value",
        );
        refused(
            "A=\"a\"b",
            ".env:1: there is text behind the closing quote; write `\\\"` for a quote inside double quotes",
        );
        refused(
            "A=x${B}",
            ".env:1: `${…}` is not expanded here: write the value out, or put it in single quotes if it is meant literally",
        );
    }
}

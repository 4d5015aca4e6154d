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
/// Understands a byte order mark, CRLF, `export`, comments, single quotes (literal) and double quotes (`\n`, `\r`,
/// `\t`, `\\`, `\"`). A later line wins over an earlier one of the same name. `path` only names the file in errors.
///
/// # Errors
/// [`Error::Malformed`] with the line, and never the value, for a line that is no assignment, a quote that is not
/// closed, text behind a closing quote, or a `${…}`, which the earlier system would have expanded.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Vec<Line>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let malformed = |reason: &str| Error::malformed(path, number, reason);
        let (name, rest) = line.split_once('=').ok_or_else(|| malformed("expected NAME=value, and there is no `=`"))?;
        let name = name.trim_end();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if !is_name(name) {
            return Err(malformed("expected NAME=value, with a name of letters, digits and underscores"));
        }
        let value = value(rest.trim_start()).map_err(malformed)?;
        lines.push(Line { name: name.to_owned(), value, number });
    }
    Ok(lines)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn value(text: &str) -> Result<String, &'static str> {
    let (value, literal) = match text.chars().next() {
        Some('\'') => (quoted(text, '\'')?, true),
        Some('"') => (quoted(text, '"')?, false),
        _ => (unquoted(text).to_owned(), false),
    };
    if !literal && value.contains("${") {
        return Err(
            "`${…}` is not expanded here: write the value out, or put it in single quotes if it is meant literally",
        );
    }
    Ok(value)
}

fn unquoted(text: &str) -> &str {
    // A `#` begins a comment only behind white space: `a#b` is a value.
    let end = text
        .char_indices()
        .scan(' ', |before, (at, c)| Some((at, std::mem::replace(before, c), c)))
        .find(|(_, before, c)| *c == '#' && before.is_whitespace())
        .map_or(text.len(), |(at, ..)| at);
    text.get(..end).unwrap_or(text).trim_end()
}

fn quoted(text: &str, quote: char) -> Result<String, &'static str> {
    let mut value = String::with_capacity(text.len());
    let mut rest = text.chars();
    rest.next();
    loop {
        match rest.next() {
            None => return Err("the quote is not closed on this line; put the closing quote behind the value"),
            Some(c) if c == quote => break,
            Some('\\') => match (quote, rest.clone().next()) {
                ('"', Some(c)) if escape(c).is_some() => {
                    value.extend(escape(c));
                    rest.next();
                }
                ('\'', Some(c @ ('\'' | '\\'))) => {
                    value.push(c);
                    rest.next();
                }
                _ => value.push('\\'),
            },
            Some(c) => value.push(c),
        }
    }
    let tail = rest.as_str().trim_start();
    if !(tail.is_empty() || tail.starts_with('#')) {
        return Err("there is text behind the closing quote; write `\\\"` for a quote inside double quotes");
    }
    Ok(value)
}

fn escape(c: char) -> Option<char> {
    match c {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '\\' | '"' | '\'' | '$' => Some(c),
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
        check("A=b#c\nB=b # c\nC=# c\nD=", &[("A", "b#c", 1), ("B", "b", 2), ("C", "", 3), ("D", "", 4)]);
        check(r#"A="s3cr3t with spaces # and a hash" # note"#, &[("A", "s3cr3t with spaces # and a hash", 1)]);
        check(r#"A="a\"b\\c\nd\x""#, &[("A", "a\"b\\c\nd\\x", 1)]);
        check(r"A='a\nb ${C} it\'s'", &[("A", r"a\nb ${C} it's", 1)]);
        check("A=p$ssw0rd=", &[("A", "p$ssw0rd=", 1)]);
        check("A=1\nA=2", &[("A", "1", 1), ("A", "2", 2)]);
    }

    #[test]
    fn refuses_with_the_line_and_without_the_value() {
        refused("A=1\nhunter2", ".env:2: expected NAME=value, and there is no `=`");
        refused("=1", ".env:1: expected NAME=value, with a name of letters, digits and underscores");
        refused("1A=1", ".env:1: expected NAME=value, with a name of letters, digits and underscores");
        refused("A=\"open", ".env:1: the quote is not closed on this line; put the closing quote behind the value");
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

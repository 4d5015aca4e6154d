//! Reads `.env` files as python-dotenv does, which the earlier system used.
//!
//! Not the `dotenvy` crate: it expands `$NAME` inside secrets, refuses unquoted values with spaces, and does not say
//! which line a value came from.

/// One `NAME=value` of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Counted from 1.
    pub(crate) number: usize,
}

/// A line that is no assignment, never with its value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) reason: Reason,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason {
    /// What a good one is, as the end of "must …".
    pub(crate) rule: &'static str,
    pub(crate) found: &'static str,
    pub(crate) hint: &'static str,
}

const NAME_VALUE: &str = "be NAME=value";

/// Parses the text of a `.env` file: its assignments, and the lines that are none, behind each of which the next line is read on.
///
/// Understands a byte order mark, CRLF, `export`, comments (behind white space), single quotes (`\\'` and `\\\\` are escapes) and
/// double quotes (`\\n` and its like are escapes), both over several lines. A later line wins over an earlier one of the same
/// name. Malformed is a line without a name or `=`, a quote that is not closed, text behind a closing quote, or a `${…}`, which the
/// earlier system would have expanded.
pub(crate) fn parse(text: &str) -> (Vec<Line>, Vec<Malformed>) {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut lines, mut malformed, mut number) = (Vec::new(), Vec::new(), 1);
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or_default();
        let trimmed = line.trim();
        let mut used = line.len();
        if !(trimmed.is_empty() || trimmed.starts_with('#')) {
            match assignment(line, rest) {
                Ok((name, value, length)) => {
                    lines.push(Line { name: name.to_owned(), value, number });
                    used = length;
                }
                Err(reason) => malformed.push(Malformed { number, reason }),
            }
        }
        let (done, left) = rest.split_at(used);
        // What is left of the line is a comment, or its end.
        let end = left.find('\n').map_or(left.len(), |at| at + 1);
        number += done.matches('\n').count() + left.get(..end).unwrap_or_default().matches('\n').count();
        rest = left.get(end..).unwrap_or_default();
    }
    (lines, malformed)
}

/// The name and the value that `rest` begins with, whose first line is `line`, and how many bytes of it they take.
fn assignment<'l>(line: &'l str, rest: &str) -> Result<(&'l str, String, usize), Reason> {
    let name = name(line)?;
    let behind = line.find('=').map_or(line.len(), |at| at + 1);
    let start = behind + indentation(line.get(behind..).unwrap_or_default());
    let (value, length) = value(rest.get(start..).unwrap_or_default())?;
    Ok((name, value, start + length))
}

fn name(line: &str) -> Result<&str, Reason> {
    let malformed = |found| Reason { rule: NAME_VALUE, found, hint: "correct that line" };
    let (name, _) = line.split_once('=').ok_or_else(|| malformed("no `=`"))?;
    let name = name.trim();
    let name = match name.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => name,
    };
    let name = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')).unwrap_or(name);
    if name.is_empty() {
        Err(malformed("no name"))
    } else if name.contains(|c: char| c.is_whitespace() || c == '#') {
        Err(malformed("a name with white space or `#`"))
    } else {
        Ok(name)
    }
}

fn indentation(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// The value that `text` begins with, and how many bytes of it that takes.
fn value(text: &str) -> Result<(String, usize), Reason> {
    let (value, length, literal) = match text.chars().next() {
        Some('\'') => quoted(text, '\'').map(|(value, length)| (value, length, true))?,
        Some('"') => quoted(text, '"').map(|(value, length)| (value, length, false))?,
        _ => {
            let line = text.lines().next().unwrap_or_default();
            (unquoted(line).to_owned(), line.len(), false)
        }
    };
    if !literal && value.contains("${") {
        return Err(Reason {
            rule: "have no `${…}`, which is not expanded here",
            found: "one",
            hint: "write the value out, or put it in single quotes if it is meant literally",
        });
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

fn quoted(text: &str, quote: char) -> Result<(String, usize), Reason> {
    let mut value = String::new();
    let mut rest = text.chars();
    rest.next();
    loop {
        match rest.next() {
            None => {
                return Err(Reason {
                    rule: "end with the quote that it begins with",
                    found: "no second one",
                    hint: "put the closing quote behind the value",
                });
            }
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
        return Err(Reason {
            rule: "have at most a comment behind the closing quote",
            found: "text",
            hint: "write `\\\"` for a quote inside double quotes",
        });
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
        let (lines, malformed) = parse(text);
        assert_eq!(malformed, []);
        let lines: Vec<_> = lines.iter().map(|l| (l.name.as_str(), l.value.as_str(), l.number)).collect();
        assert_eq!(lines, expected);
    }

    #[track_caller]
    fn refused(text: &str, expected: &[(usize, &str, &str)], read: &[&str]) {
        let (lines, malformed) = parse(text);
        let found: Vec<_> = malformed.iter().map(|it| (it.number, it.reason.rule, it.reason.found)).collect();
        assert_eq!(found, expected);
        assert_eq!(lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), read);
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
    fn what_is_malformed_keeps_nothing_else_from_being_read() {
        refused("A=1\nhunter2\nB=1", &[(2, NAME_VALUE, "no `=`")], &["A", "B"]);
        refused("=1", &[(1, NAME_VALUE, "no name")], &[]);
        refused("\nA B=1", &[(2, NAME_VALUE, "a name with white space or `#`")], &[]);
        refused("A=1\nB=\"open\nC=1", &[(2, "end with the quote that it begins with", "no second one")], &["A", "C"]);
        refused("A=\"a\"b\nC=1", &[(1, "have at most a comment behind the closing quote", "text")], &["C"]);
        let expanded = "have no `${…}`, which is not expanded here";
        refused("A=x${B}\r\nC=\"${D}\"\r\nE=1", &[(1, expanded, "one"), (2, expanded, "one")], &["E"]);
    }
}

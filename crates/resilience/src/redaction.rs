//! What never leaves the process in a text: secrets, control characters, and more bytes than a reader needs.

mod name;

use self::name::is_secret;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// The longest text of an error that is kept or shown, in bytes. Arbitrary: a line of a log, not a page.
pub(crate) const TEXT_BYTES_MAX: usize = 512;

/// The text as it may be shown: one line, without secrets, at most [`TEXT_BYTES_MAX`] bytes with its ellipsis.
pub(crate) fn shown(text: &str) -> String {
    // A secret that the cut would split is masked first; what lies far behind the cut is not even read.
    bounded(&masked(prefix(text, 4 * TEXT_BYTES_MAX)))
}

/// The path of an address, without query and fragment.
pub(crate) fn masked_path(address: &str) -> String {
    shown(address.split_once(['?', '#']).map_or(address, |(path, _)| path))
}

/// The value as it may be shown under its name.
pub(crate) fn shown_as(name: &str, value: &str) -> String {
    if is_secret(name) { REDACTED.to_owned() } else { shown(value) }
}

/// Brings the text to one line of bounded length: each run of white space and control characters becomes one space.
pub(crate) fn bounded(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = String::new();
    for (index, word) in words.enumerate() {
        for c in (index > 0).then_some(' ').into_iter().chain(word.chars()) {
            if line.len() + c.len_utf8() > TEXT_BYTES_MAX - '…'.len_utf8() {
                line.push('…');
                return line;
            }
            line.push(c);
        }
    }
    line
}

/// Masks what follows a secret's name (`key=…`, `"token": "…"`), a scheme (`Bearer …`), and the user part of an address.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !is_word(c) {
            if let Some(after) = rest.strip_prefix("://").and_then(after_user) {
                out.extend(["://", REDACTED, "@"]);
                rest = after;
                continue;
            }
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (word, after) = split_at(rest, |c| !is_word(c));
        let found = assignment(&out, word, after).or_else(|| scheme(word, after));
        out.push_str(word);
        rest = after;
        if let Some((between, after)) = found {
            out.extend([between, REDACTED]);
            rest = after;
        }
    }
    out
}

/// Splits `": "hush"…` into what is shown before the secret and what comes after it.
fn assignment<'a>(before: &str, name: &str, after: &'a str) -> Option<(&'a str, &'a str)> {
    if !is_secret(name) {
        return None;
    }
    let inside = opened(after_sign(before, after)?);
    let opener = after.strip_suffix(inside)?;
    // `Authorization: Bearer hush`: the scheme may be shown.
    let (first, second) = split_at(inside, |c| !is_word(c));
    let known = is_scheme(first) || ["digest", "apikey"].iter().any(|scheme| first.eq_ignore_ascii_case(scheme));
    let value = if known && second.starts_with(is_gap) { second.trim_start_matches(is_gap) } else { inside };
    if value.is_empty() {
        return None;
    }
    let between = after.strip_suffix(value)?;
    let lower = name.to_ascii_lowercase();
    let header = lower.ends_with("authorization") || lower.ends_with("cookie");
    let end = || match (opener.contains(opens_list), opener.chars().next_back()) {
        (true, _) => end_of_list(opener, value),
        // JSON within JSON: `\"hush\"`.
        (false, Some('"')) if opener.ends_with("\\\"") => value.find("\\\"").unwrap_or(value.len()),
        (false, Some(quote @ ('"' | '\''))) => end_of_quoted(quote, value),
        (false, _) if header => end_of_header(value, value.len() == inside.len()),
        (false, _) => end_of_word(value),
    };
    let after = value.strip_prefix(REDACTED).or_else(|| value.get(end()..));
    Some((between, after.unwrap_or_default()))
}

/// Goes past what stands between a name and its value: `=`, `":`, `%3D`, or the comma of a pair `("name", "value")`.
fn after_sign<'a>(before: &str, after: &'a str) -> Option<&'a str> {
    let mut sign = after;
    while let Some(next) = sign.strip_prefix("%22").or_else(|| sign.strip_prefix(|c| is_quote(c) || is_gap(c))) {
        sign = next;
    }
    let encoded = ["%3D", "%3d", "%3A", "%3a"].iter().find_map(|encoded| sign.strip_prefix(encoded));
    let element = || after.strip_prefix('>').filter(|_| before.ends_with('<'));
    let pair = || {
        let begins = before.trim_end_matches(is_quote);
        let is_first = begins.len() < before.len() && begins.ends_with(['(', '[']) && after.starts_with(is_quote);
        sign.strip_prefix(',').filter(|_| is_first)
    };
    sign.strip_prefix([':', '=', '\u{ff1a}', '\u{ff1d}']).or(encoded).or_else(element).or_else(pair)
}

/// Goes past what stands before a value in JSON, in Rust's `Debug` and elsewhere.
fn opened(mut value: &str) -> &str {
    while !value.starts_with(REDACTED) {
        let inside = value.strip_prefix(opens_value).or_else(|| value.strip_prefix("Some("));
        match inside.or_else(|| value.strip_prefix("%22")) {
            Some(inside) => value = inside,
            None => break,
        }
    }
    value
}

/// Where the brackets that opened before the value close; without an end all is secret.
fn end_of_list(opener: &str, value: &str) -> usize {
    let mut depth = opener.matches(opens_list).count();
    let mut quoted = opener.ends_with('"') && !opener.contains('\\');
    let mut escaped = false;
    for (index, c) in value.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' if depth <= 1 => return index,
            ']' | '}' | ')' => depth -= 1,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    value.len()
}

fn end_of_quoted(quote: char, value: &str) -> usize {
    let mut escaped = false;
    let closes = |c: char| {
        let closing = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closing
    };
    value.find(closes).unwrap_or(value.len())
}

/// Where `hush`, `Secret("hush")`, `Secret { value: "hush" }` or `name="hush"` ends.
fn end_of_word(value: &str) -> usize {
    let (_, after) = split_at(value, |c| !is_word(c));
    let inside = after.strip_prefix(['(', '[']).or_else(|| after.trim_start_matches(is_gap).strip_prefix('{'));
    if let Some(inside) = inside {
        let end = value.len() - inside.len() + end_of_list("(", inside);
        // With the bracket itself.
        return (end + 1).min(value.len());
    }
    let (word, after) = split_at(value, ends_value);
    match after.strip_prefix('"').filter(|_| word.ends_with('=')) {
        Some(quoted) => (word.len() + 1 + end_of_quoted('"', quoted) + 1).min(value.len()),
        None => word.len(),
    }
}

/// Where a header's value ends that stands without quotes: after its first words, and after all `name=value` behind them.
/// An unknown scheme hides the word behind it too.
fn end_of_header(value: &str, without_scheme: bool) -> usize {
    let mut end = end_of_word(value);
    let behind = |end: usize| value.get(end..).unwrap_or_default();
    let next = behind(end).trim_start_matches(is_gap);
    if without_scheme && behind(end).starts_with(is_gap) {
        end = value.len() - next.len() + end_of_word(next);
    }
    loop {
        let next = behind(end).trim_start_matches(|c| is_gap(c) || matches!(c, ',' | ';'));
        let (name, after) = split_at(next, |c| !is_word(c));
        if name.is_empty() || !after.starts_with('=') {
            return end;
        }
        end = value.len() - next.len() + end_of_word(next);
    }
}

/// `Bearer hush` without a name before it. Plain words after it ("token expired") are left alone.
fn scheme<'a>(word: &str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let value = after.trim_start_matches(is_gap);
    let between = after.strip_suffix(value).filter(|between| !between.is_empty())?;
    let (secret, after) = split_at(value, ends_value);
    let odd = secret.len() >= 16 || (secret.len() >= 6 && secret.bytes().any(|byte| byte.is_ascii_digit()));
    (is_scheme(word) && odd).then_some((between, after))
}

/// What follows `user:password@` at the start of an address.
fn after_user(address: &str) -> Option<&str> {
    let (whole, _) = split_at(address, |c| c.is_whitespace() || is_quote(c));
    let (authority, _) = split_at(whole, |c| c == '/');
    // What is no port after the colon is the beginning of a password that holds a slash.
    let odd = authority.rsplit_once(':').is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()));
    let user = if odd && !authority.contains('@') && !authority.starts_with('[') { whole } else { authority };
    address.get(user.rfind('@')? + 1..)
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "token", "basic"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// White space of all kinds, and what takes no space at all.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\')
}

fn opens_list(c: char) -> bool {
    matches!(c, '[' | '{' | '(')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn opens_value(c: char) -> bool {
    is_gap(c) || is_quote(c) || opens_list(c) || matches!(c, '=' | '>' | '|')
}

fn ends_value(c: char) -> bool {
    is_gap(c) || is_quote(c) || matches!(c, ',' | ';' | '&' | '}' | ')' | ']' | '<')
}

fn split_at(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn prefix(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests;

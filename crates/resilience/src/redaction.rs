//! What never leaves the process in a text: secrets, control characters, and more bytes than a reader needs.

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// The longest text of an error that is kept or shown, in bytes. Arbitrary: a line of a log, not a page.
pub(crate) const TEXT_BYTES_MAX: usize = 512;

/// Whether a value under this name is a secret: `secret`, `passw…`, `passphrase`, `credential` or `apikey` anywhere, a
/// word like `token`, or `key` (perhaps with `id` after it) as the last word. `accessToken` has two words.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = snake_case(name);
    if ["secret", "passw", "passphrase", "credential", "apikey"].iter().any(|part| name.contains(part)) {
        return true;
    }
    let is_key = |word: &str| matches!(word, "key" | "keys");
    let mut words = name.rsplit('_').filter(|word| !word.is_empty());
    let last = words.next().unwrap_or_default();
    is_key(last) || (last == "id" && words.next().is_some_and(is_key)) || name.split('_').any(is_secret_word)
}

fn is_secret_word(word: &str) -> bool {
    matches!(word, "token" | "tokens" | "authorization" | "bearer" | "pwd" | "cookie" | "jwt")
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len());
    let mut lower = false;
    for c in name.chars() {
        if lower && c.is_ascii_uppercase() {
            snake.push('_');
        }
        lower = c.is_ascii_lowercase();
        snake.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    snake
}

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
        out.push_str(word);
        rest = after;
        if let Some((between, value)) = assignment(word, after).or_else(|| scheme(word, after)) {
            out.push_str(between);
            out.push_str(REDACTED);
            rest = after_value(between, value);
        }
    }
    out
}

/// Splits `": "hush"…` into what is shown and where the secret begins.
fn assignment<'a>(name: &str, after: &'a str) -> Option<(&'a str, &'a str)> {
    if !is_secret(name) {
        return None;
    }
    let sign = after.trim_start_matches(['"', '\'', '\\', ' ']);
    let value = opened(sign.strip_prefix([':', '='])?);
    // `Authorization: Bearer hush`: the scheme may be shown.
    let (first, second) = split_at(value, |c| !is_word(c));
    let value = if is_scheme(first) && second.starts_with(' ') { second.trim_start() } else { value };
    if value.is_empty() { None } else { Some((after.strip_suffix(value)?, value)) }
}

/// Goes past what stands before a value in JSON, in Rust's `Debug` and elsewhere.
fn opened(mut value: &str) -> &str {
    while !value.starts_with(REDACTED) {
        match value.strip_prefix(opens_value).or_else(|| value.strip_prefix("Some(")) {
            Some(inside) => value = inside,
            None => break,
        }
    }
    value
}

/// What follows a secret: what opened it closes it, and without an end all is secret.
fn after_value<'a>(between: &str, value: &'a str) -> &'a str {
    if let Some(after) = value.strip_prefix(REDACTED) {
        return after;
    }
    let list = between.chars().rev().find_map(|c| match c {
        '[' => Some(']'),
        '{' => Some('}'),
        _ => None,
    });
    let end = match (list, between.chars().next_back()) {
        (Some(closing), _) => value.find(closing).unwrap_or(value.len()),
        // JSON within JSON: `\"hush\"`.
        (None, Some('"')) if between.ends_with("\\\"") => value.find("\\\"").unwrap_or(value.len()),
        (None, Some(quote @ ('"' | '\''))) => {
            let mut escaped = false;
            let closes = |c: char| {
                let closing = c == quote && !escaped;
                escaped = c == '\\' && !escaped;
                closing
            };
            value.find(closes).unwrap_or(value.len())
        }
        (None, _) => value.find(ends_value).unwrap_or(value.len()),
    };
    value.get(end..).unwrap_or_default()
}

/// `Bearer hush` without a name before it. Plain words after it ("token expired") are left alone.
fn scheme<'a>(word: &str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let value = after.strip_prefix(' ')?;
    let secret = split_at(value, ends_value).0;
    let odd = secret.len() >= 16 || (secret.len() >= 6 && secret.bytes().any(|byte| byte.is_ascii_digit()));
    (is_scheme(word) && odd).then_some((" ", value))
}

/// What follows `user:password@` at the start of an address.
fn after_user(address: &str) -> Option<&str> {
    let (authority, _) = split_at(address, |c| c == '/' || c.is_whitespace());
    address.get(authority.rfind('@')? + 1..)
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "token", "basic"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn opens_value(c: char) -> bool {
    matches!(c, ' ' | '"' | '\'' | '\\' | '=' | '>' | '[' | '{' | '(')
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | ',' | ';' | '&' | '}' | ')' | ']')
}

fn split_at(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn prefix(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        check("GET /x?apikey=hush&day=1", "GET /x?apikey=[redacted]&day=1");
        check("{\"api_key\": \"hush\", \"day\": 1}", "{\"api_key\": \"[redacted]\", \"day\": 1}");
        check("APCA-API-SECRET-KEY: hush", "APCA-API-SECRET-KEY: [redacted]");
        check("Authorization: Bearer hush", "Authorization: Bearer [redacted]");
        check("Authorization: Token hush, more", "Authorization: Token [redacted], more");
        check("sent Bearer abc123def", "sent Bearer [redacted]");
        check("https://me:hush@host/path", "https://[redacted]@host/path");
        check("https://me:hu@sh@host/path", "https://[redacted]@host/path");
        check("password=\"hush\"", "password=\"[redacted]\"");
        check("APCA-API-KEY-ID=hush)", "APCA-API-KEY-ID=[redacted])");
    }

    #[test]
    fn a_secret_ends_where_what_opened_it_closes() {
        check("{\"password\": \"hush, 'hush' hush\", \"day\": 1}", "{\"password\": \"[redacted]\", \"day\": 1}");
        check("password='hush \"hush\"', day", "password='[redacted]', day");
        check(r#"{"password":"hu\"sh\\","day":1}"#, r#"{"password":"[redacted]","day":1}"#);
        check(r#"{"body":"{\"api_key\":\"hush hush\"}"}"#, r#"{"body":"{\"api_key\":\"[redacted]\"}"}"#);
        check("{\"api_keys\": [\"hush\", \"hush\"], \"day\": 1}", "{\"api_keys\": [\"[redacted]], \"day\": 1}");
        check("secret: {\"id\": 1, \"value\": \"hush\"} day", "secret: {\"[redacted]} day");
        check("Login { password: Some(\"hush\"), day: 1 }", "Login { password: Some(\"[redacted]\"), day: 1 }");
        check("token => hush day", "token => [redacted] day");
        // Without an end all is secret, and without a beginning nothing.
        check("\"accessToken\":\"hush", "\"accessToken\":\"[redacted]");
        check("api_keys: [hush, hush", "api_keys: [[redacted]");
        check(r#"\"token\":\"hush hush"#, r#"\"token\":\"[redacted]"#);
        check("password=", "password=");
        for end in [" ", "\"", "'", ",", ";", "&", "}", ")", "]", "\\"] {
            check(&format!("token=hush{end}day"), &format!("token=[redacted]{end}day"));
        }
    }

    #[test]
    fn what_was_redacted_stays_as_it_is() {
        let again = |text: &str| assert_eq!(shown(&shown(text)), shown(text));
        again(
            "{\"api_keys\": [\"hush\"], \"password\": \"hu, sh\", token=hush} Bearer abc123def https://me:hush@host/",
        );
        again(&format!("key={} {}", "h".repeat(300), "x".repeat(2_000)));
    }

    #[test]
    fn a_scheme_alone_masks_only_what_looks_like_a_secret() {
        check("Bearer abc12", "Bearer abc12");
        check("Bearer abc123", "Bearer [redacted]");
        check("Bearer abcdefghijklmno", "Bearer abcdefghijklmno");
        check("basic abcdefghijklmnop, more", "basic [redacted], more");
        check("TOKEN abc123) more", "TOKEN [redacted]) more");
        check("bear abc123def", "bear abc123def");
    }

    #[test]
    fn what_only_looks_alike_is_left() {
        for text in [
            "token expired",
            "key",
            "a key is missing",
            "https://host/a@b",
            "https://host to me@b",
            "monkey=1",
            "ticker: NVDA",
            "é: ü",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn a_text_is_one_bounded_line() {
        check(" a\r\n\0 b ", "a b");
        check(&"x".repeat(TEXT_BYTES_MAX - 3), &"x".repeat(TEXT_BYTES_MAX - 3));
        check(&"x".repeat(TEXT_BYTES_MAX), &format!("{}…", "x".repeat(TEXT_BYTES_MAX - 3)));
        check(&"é".repeat(5_000), &format!("{}…", "é".repeat((TEXT_BYTES_MAX - 3) / 2)));
        // The cut does not bring half of a secret to light.
        let secret = format!("{} token=hush", "x".repeat(TEXT_BYTES_MAX - 16));
        assert!(!shown(&secret).contains("hu"), "{}", shown(&secret));
        let secret = format!("{} Bearer abc123def", "x".repeat(TEXT_BYTES_MAX - 13));
        assert!(!shown(&secret).contains("ab"), "{}", shown(&secret));
    }

    #[test]
    fn names_tell_secrets() {
        for name in [
            "key",
            "api_key",
            "keys",
            "APCA-API-KEY-ID",
            "client_secret",
            "PASSWORD",
            "access-token",
            "Authorization",
            "accessToken",
            "privateKey",
            "x_apikey",
            "passphrase",
            "credentials",
            "bearer",
            "pwd",
            "Set-Cookie",
            "jwt",
            "tokens",
            "passwd",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["", "agent_id", "client_order_id", "monkey", "key_count", "key_name_id", "ticker", "tokenizer", "id"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }
}

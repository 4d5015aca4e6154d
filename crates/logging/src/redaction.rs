//! What is never written: fields by their names, and values that the program registered.

mod assigned;
mod known;

pub(crate) use self::known::{Known, Values};

/// What stands in the place of a secret field.
pub(crate) const REDACTED: &str = "\"[redacted]\"";

/// What stands in the place of a secret within a text.
const HIDDEN: &str = "[redacted]";

/// The names of secret fields: those that are known, and those of the options.
#[derive(Debug)]
pub(crate) struct FieldNames(Vec<String>);

impl FieldNames {
    pub(crate) fn new(more: &[String]) -> Self {
        Self(more.iter().map(|name| name.to_lowercase()).collect())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        is_secret(name) || (!self.0.is_empty() && self.has(&name.to_lowercase()))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (None, None) => name == pattern,
            (Some(end), None) => name.ends_with(end),
            (None, Some(start)) => name.starts_with(start),
            (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        })
    }
}

/// Whether a field of this name holds a secret.
///
/// It does if `secret`, `password`, `passwd`, `passphrase` or `credential` stands anywhere in it, if one of its words ends with
/// `token` or is one of a few others (`authorization`, `cookie`, …), or if its last word ends with `key`, or is `id` behind such
/// a one (one broker's name for half of its credentials). Words are parted by anything that is neither letter nor digit, and by
/// camel case; digits at their ends do not count. A few words of plain English end with `key` and are none: `monkey`.
fn is_secret(name: &str) -> bool {
    const ANYWHERE: [&str; 5] = ["secret", "password", "passwd", "passphrase", "credential"];
    const WORD: [&str; 7] = ["authorization", "apikey", "bearer", "cookie", "cookies", "jwt", "pwd"];

    if !may_be_secret(name) {
        return false;
    }
    if ANYWHERE.iter().any(|part| contains(name, part)) {
        return true;
    }
    let (mut before, mut last) = ("", "");
    for word in Words(name) {
        let word = word.trim_end_matches(|digit: char| digit.is_ascii_digit());
        if WORD.iter().any(|entry| entry.eq_ignore_ascii_case(word)) || ends_with(singular(word), "token") {
            return true;
        }
        if !word.is_empty() {
            (before, last) = (last, word);
        }
    }
    is_key(last) || (last.eq_ignore_ascii_case("id") && is_key(before))
}

/// Whether a word ends with `key` and is not one of those that only rhyme with it.
fn is_key(word: &str) -> bool {
    const PLAIN: [&str; 12] = [
        "monkey", "turkey", "donkey", "hockey", "jockey", "whiskey", "lackey", "flunkey", "malarkey", "turnkey",
        "hotkey", "latchkey",
    ];
    let word = singular(word);
    ends_with(word, "key") && !PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(word))
}

fn singular(word: &str) -> &str {
    word.strip_suffix(['s', 'S']).unwrap_or(word)
}

fn ends_with(word: &str, end: &str) -> bool {
    let at = word.len().checked_sub(end.len());
    at.and_then(|at| word.get(at..)).is_some_and(|rest| rest.eq_ignore_ascii_case(end))
}

/// Whether a name has three letters in a row that one of the words has: few have, and only these are taken apart.
fn may_be_secret(name: &str) -> bool {
    const fn letters(three: &[u8; 3]) -> u32 {
        u32::from_be_bytes([0, three[0], three[1], three[2]])
    }
    const ANY: [u32; 10] = [
        letters(b"sec"),
        letters(b"pas"),
        letters(b"tok"),
        letters(b"aut"),
        letters(b"key"),
        letters(b"red"),
        letters(b"bea"),
        letters(b"coo"),
        letters(b"jwt"),
        letters(b"pwd"),
    ];
    /// The middle letters: most bytes are none of them.
    const MIDDLES: u32 = 1 << (b'e' & 31) | 1 << (b'a' & 31) | 1 << (b'o' & 31) | 1 << (b'u' & 31) | 1 << (b'w' & 31);
    name.as_bytes().windows(3).any(|three| match *three {
        [first, middle, last] if MIDDLES >> (middle & 31) & 1 == 1 => {
            ANY.contains(&(u32::from_be_bytes([0, first, middle, last]) | 0x0020_2020))
        }
        _ => false,
    })
}

fn contains(name: &str, part: &str) -> bool {
    name.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// The words of a name, from the left.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start_matches(|separator: char| !separator.is_alphanumeric());
        let mut letters = rest.char_indices().peekable();
        let (_, mut before) = letters.next()?;
        let mut end = rest.len();
        while let Some((at, letter)) = letters.next() {
            let lower_follows = letters.peek().is_some_and(|(_, next)| next.is_lowercase());
            let starts_word = letter.is_uppercase() && (!before.is_uppercase() || lower_follows);
            if starts_word || !letter.is_alphanumeric() {
                end = at;
                break;
            }
            before = letter;
        }
        let (word, rest) = rest.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: bool) {
        assert_eq!(is_secret(name), expected, "{name}");
    }

    #[test]
    fn secrets_are_known_by_name() {
        for name in [
            "key",
            "api_key",
            "API_KEY",
            "apiKey",
            "APIKey",
            "apikey",
            "alpacaApikey",
            "APCA-API-SECRET-KEY",
            "APCA-API-KEY-ID",
            "quiver.key",
            "api_keys",
            "key2",
            "secret",
            "client_secret",
            "clientsecret",
            "SecretName",
            "password",
            "smtp_password",
            "userPassword",
            "PASSWORD",
            "db_passwd",
            "token",
            "accessToken",
            "refresh-token",
            "authorization",
            "Authorization",
            "proxy_authorization",
            "alpacakey",
            "ALPACAKEY",
            "accesskey",
            "privatekey",
            "passkey",
            "api_key_2",
            "api_keys_10",
            "APCA_API_KEY_ID_2",
            "accesskey_id",
            "authtoken",
            "apitoken",
            "APIToken",
            "refreshtokens",
            "token_2",
            "cookie",
            "Set-Cookie",
            "session_cookies",
            "jwt",
            "pwd",
            "db_pwd",
            "credentials",
            "credential",
            "awscredentials",
            "bearer",
        ] {
            check(name, true);
        }
    }

    #[test]
    fn names_that_only_look_alike_are_written() {
        for name in [
            "",
            "_",
            "monkey",
            "Monkeys",
            "monkey2",
            "turkey",
            "donkey",
            "hockey",
            "jockey",
            "disc_jockey",
            "whiskey",
            "turnkey",
            "keyboard",
            "bearers",
            "forbearer",
            "ordered",
            "coordinates",
            "key_count",
            "client_order_id",
            "order_id",
            "agent_id",
            "tokenizer",
            "ticker",
            "authorized",
            "author",
            "pass",
            "monkey_id",
            "métrique",
        ] {
            check(name, false);
        }
    }
}

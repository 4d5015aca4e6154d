//! Secrets in the text of an error, told by the name before them: `?apikey=…`, `"token":"…"`, `Authorization: Bearer …`.

use super::{FieldNames, HIDDEN};
use crate::line::CUT;

impl FieldNames {
    /// Hides what stands behind the name of a secret in what `out` has from `before` on, as it stands between quotes in JSON.
    pub(crate) fn hide_assigned(&self, out: &mut String, before: usize) {
        let mut at = before;
        while let Some(sign) = out.get(at..).and_then(|rest| rest.find(['=', ':'])).map(|found| at + found) {
            at = sign + 1;
            let (Some(head), Some(tail)) = (out.get(before..sign), out.get(at..)) else { return };
            if let Some(secret) = self.assigned(head, out.get(sign..at) == Some(":"), tail) {
                let (start, end) = (at + secret.start, at + secret.end);
                out.replace_range(start..end, HIDDEN);
                at = start + HIDDEN.len();
            }
        }
    }

    /// Where in `tail` the secret stands that `head` ends with the name of.
    fn assigned(&self, head: &str, is_colon: bool, tail: &str) -> Option<std::ops::Range<usize>> {
        let unquoted = head.trim_end_matches(['"', '\'', '\\', ' ']);
        let start = unquoted.rfind(|c| !is_word(c)).map_or(0, |other| unquoted.ceil_char_boundary(other + 1));
        let name = unquoted.get(start..).filter(|name| self.contains(name))?;
        let value = opened(tail);
        let between = tail.strip_suffix(value)?;
        // `no such key: it was deleted` is a sentence, `key: "hush"` is not.
        let is_sentence =
            between.chars().all(char::is_whitespace) && !between.is_empty() && unquoted == head.trim_end();
        let is_header = name.to_ascii_lowercase().ends_with("authorization");
        if value.starts_with(HIDDEN) || value.starts_with(':') || (is_colon && is_sentence && !is_header) {
            return None;
        }
        // The mark of a cut is no part of it, and neither is the quote that ends the whole.
        let value = value.split_once(CUT).map_or(value, |(before, _)| before);
        let end = if between.ends_with("\\\"") {
            let closes = |(at, _): &(usize, &str)| !value.get(..*at).is_some_and(|before| before.ends_with('\\'));
            value.match_indices("\\\"").find(closes).map_or(value.len(), |(at, _)| at)
        } else if between.ends_with('\'') {
            value.find('\'').unwrap_or(value.len())
        } else {
            let word = |text: &str| text.find(ends_value).unwrap_or(text.len());
            let first = word(value);
            let is_scheme = value.get(..first).is_some_and(|scheme| {
                ["basic", "bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
            });
            let second = value.get(first..).and_then(|rest| rest.strip_prefix(' ')).filter(|_| is_scheme);
            second.map_or(first, |second| first + 1 + word(second))
        };
        let secret = value.get(..end)?.trim_end_matches('"');
        (!secret.is_empty()).then(|| between.len()..between.len() + secret.len())
    }
}

/// Goes past what stands before a value in JSON, in Rust's `Debug` and elsewhere.
fn opened(mut value: &str) -> &str {
    while let Some(inside) =
        value.strip_prefix([' ', '"', '\'', '\\', '=', '>', '(', '[', '{']).or_else(|| value.strip_prefix("Some("))
    {
        if value.starts_with(HIDDEN) {
            break;
        }
        value = inside;
    }
    value
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | ',' | ';' | '&' | '#' | '}' | ')' | ']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut out = String::from("token=before \"");
        let before = out.len();
        out.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
        out.push('"');
        FieldNames::new(&["pin".to_owned()]).hide_assigned(&mut out, before - 1);
        let expected = expected.replace('\\', "\\\\").replace('"', "\\\"");
        assert_eq!(out, format!("token=before \"{expected}\""));
    }

    #[test]
    fn what_a_secret_s_name_stands_before_is_hidden() {
        check("https://q/?apikey=hush", "https://q/?apikey=[redacted]");
        check("https://q/?apikey=hush&day=1&token=hush#x", "https://q/?apikey=[redacted]&day=1&token=[redacted]#x");
        check(
            "for url (https://q/?a=1&X-Api-Key=hu%20sh): gone",
            "for url (https://q/?a=1&X-Api-Key=[redacted]): gone",
        );
        check("a: b: token=hush: c", "a: b: token=[redacted] c");
        check("{\"token\": \"hu, sh\", \"day\": 1}", "{\"token\": \"[redacted]\", \"day\": 1}");
        check("{\"token\":\"hush\"}", "{\"token\":\"[redacted]\"}");
        check("{\"token\": 1234}", "{\"token\": [redacted]}");
        check("Key { api_key: \"hu\\\"sh\", a: 1 }", "Key { api_key: \"[redacted]\", a: 1 }");
        check("Key { api_key: Some(\"hush\"), a: 1 }", "Key { api_key: Some(\"[redacted]\"), a: 1 }");
        check("api_key = 'hu sh' x", "api_key = '[redacted]' x");
        check("Authorization: Bearer hush more", "Authorization: [redacted] more");
        check("authorization=hush", "authorization=[redacted]");
        check("pin=hush…[cut]", "pin=[redacted]…[cut]");
        check("\"token\":\"hush…[cut]", "\"token\":\"[redacted]…[cut]");
        check("é token=hush é", "é token=[redacted] é");
    }

    #[test]
    fn sentences_and_other_names_stay() {
        for text in [
            "the API key: it was refused",
            "unknown key: a.b",
            "api.key: is missing",
            "trading::token::Parser",
            "keyboard=1",
            "day=1, client_order_id=7",
            "token=",
            "token:",
            "=",
            ":",
            "é=ü",
            "token=[redacted]&key=[redacted]",
        ] {
            check(text, text);
        }
    }
}

//! Which names are those of secrets. Logged fields and errors are judged alike: the crates of both have this file, since neither
//! depends on the other.

/// What makes a name a secret's, wherever it stands.
const ANYWHERE: [&str; 5] = ["secret", "passw", "passphrase", "credential", "apikey"];

/// What a word of a secret's name ends with, whichever word it is.
const ENDS: [&str; 9] =
    ["token", "tokens", "authorization", "pwd", "cookie", "cookies", "jwt", "signature", "sessionid"];

/// What the last word of a secret's name ends with.
const LAST_ENDS: [&str; 5] = ["key", "keys", "pass", "auth", "session"];

/// Words that end with `pass`, and are no secrets. Of what ends with `key` none is let off: which is a word is not to be told for
/// sure.
const HARMLESS: [&str; 5] = ["bypass", "compass", "trespass", "surpass", "underpass"];

/// Whether a value under this name is a secret.
///
/// It is if one of [`ANYWHERE`] stands in the name, if one of its words is `bearer` or ends with one of [`ENDS`] (`authtoken`), or
/// if the last word is `sig` or ends with one of [`LAST_ENDS`] (`accesskey`). `id` is not looked at (`APCA-API-KEY-ID`), nor are
/// numbers at the end of a word (`api_key_2`). Words are parted by all but letters and digits of ASCII, and by camel case:
/// `APIToken` has two.
pub(crate) fn is_secret(name: &str) -> bool {
    if !may_be_secret(name) {
        return false;
    }
    if ANYWHERE.iter().any(|part| contains(name, part)) {
        return true;
    }
    let mut last = "";
    for word in Words(name) {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        if word.eq_ignore_ascii_case("bearer") || ENDS.iter().any(|end| ends_with(word, end)) {
            return true;
        }
        if !word.is_empty() && !word.eq_ignore_ascii_case("id") {
            last = word;
        }
    }
    let is = |word: &str, known: &str| word.eq_ignore_ascii_case(known);
    let harmless = HARMLESS.iter().any(|known| is(last, known));
    !harmless && (is(last, "sig") || LAST_ENDS.iter().any(|end| ends_with(last, end)))
}

/// Whether a name has three letters in a row that all of a secret's have: few others do, and only these are taken apart.
fn may_be_secret(name: &str) -> bool {
    const fn letters(three: &[u8; 3]) -> u32 {
        u32::from_be_bytes([0, three[0], three[1], three[2]])
    }
    const ANY: [u32; 12] = [
        letters(b"sec"),
        letters(b"pas"),
        letters(b"red"),
        letters(b"key"),
        letters(b"tok"),
        letters(b"aut"),
        letters(b"bea"),
        letters(b"pwd"),
        letters(b"coo"),
        letters(b"jwt"),
        letters(b"sig"),
        letters(b"ses"),
    ];
    /// The middle letters: most bytes are none of them.
    const MIDDLES: u32 =
        1 << (b'e' & 31) | 1 << (b'a' & 31) | 1 << (b'o' & 31) | 1 << (b'u' & 31) | 1 << (b'w' & 31) | 1 << (b'i' & 31);
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

fn ends_with(word: &str, end: &str) -> bool {
    let at = word.len().checked_sub(end.len());
    at.and_then(|at| word.get(at..)).is_some_and(|rest| rest.eq_ignore_ascii_case(end))
}

/// The words of a name, from the left.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let mut letters = rest.char_indices().peekable();
        let (_, mut before) = letters.next()?;
        let mut end = rest.len();
        while let Some((at, letter)) = letters.next() {
            let lower_follows = letters.peek().is_some_and(|(_, next)| next.is_ascii_lowercase());
            let starts_word = letter.is_ascii_uppercase() && (!before.is_ascii_uppercase() || lower_follows);
            if starts_word || !letter.is_ascii_alphanumeric() {
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
    fn check(names: &str, expected: bool) {
        for name in names.split_whitespace() {
            assert_eq!(is_secret(name), expected, "{name}");
        }
    }

    #[test]
    fn secrets_are_known_by_name() {
        // What stands anywhere.
        check("secret client_secret clientsecret SecretName APCA-API-SECRET-KEY", true);
        check("password smtp_password userPassword PASSWORD passWord db_passwd passwd passphrase", true);
        check("credential credentials awscredentials X-Amz-Credential apikey alpacaApikey x_apikey", true);
        // What a word ends with.
        check(
            "token access-token accessToken authtoken apitoken APIToken refreshtokens tokens token_2 token_name",
            true,
        );
        check("authorization Authorization proxy_authorization Proxy-Authorization bearer", true);
        check("pwd db_pwd cookie Set-Cookie session_cookies cookies jwt X-Amz-Signature sessionid", true);
        // What the last word ends with.
        check("key api_key API_KEY apiKey APIKey keys api_keys key2 quiver.key X-Api-Key privateKey", true);
        check("alpacakey ALPACAKEY accesskey privatekey passkey api_key_2 api_keys_10 apiKey2 api_key_1", true);
        check("hotkey monkey Monkeys monkey2 monkey_id", true);
        check("APCA-API-KEY-ID APCA_API_KEY_ID_2 accesskey_id accessKeyId session_id", true);
        check("pass smtp_pass SMTP_PASS auth oauth session sig url_sig", true);
    }

    #[test]
    fn names_that_only_look_alike_are_shown() {
        check(
            "_ keyboard keystone key_count key_name_id tokenizer ticker tickers market author authority authorized",
            false,
        );
        check("bear bearers forbearer broker ordered coordinates signal assigned design session_count sessions", false);
        check("passed passenger bypass compass client_order_id order_id agent_id id ids politician quantity", false);
        check("métrique é", false);
        assert!(!is_secret(""));
    }
}

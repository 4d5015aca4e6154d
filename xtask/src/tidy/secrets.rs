//! Keys, tokens and passwords that look real. What is made up looks it: a word, or `made-up` in front.

use std::{collections::BTreeSet, path::Path};

use super::files;

/// How the keys of known services begin, and how many letters and digits follow at the least.
///
/// **Source:** the services' documentation; those of the broker from its keys.
const KINDS: [(&str, usize, &str); 13] = [
    ("AGE-SECRET-KEY-1", 50, "a secret key of age"),
    ("AKIA", 16, "an access key of AWS"),
    ("AK", 18, "a live key of Alpaca"),
    ("AIza", 35, "a key of Google"),
    ("CK", 18, "a broker key of Alpaca"),
    ("PK", 18, "a paper key of Alpaca"),
    ("eyJ", 30, "a JSON web token"),
    ("ghp_", 36, "a token of GitHub"),
    ("github_pat_", 20, "a token of GitHub"),
    ("glpat-", 20, "a token of GitLab"),
    ("sk_live_", 20, "a key of Stripe"),
    ("xoxb-", 20, "a token of Slack"),
    ("SG.", 20, "a key of SendGrid"),
];
/// Files that are secrets by themselves, and belong to no repository; and how the names of others end.
const FILES: [&str; 3] = [".env", "id_rsa", "id_ed25519"];
const FILE_ENDS: [&str; 4] = [".pem", ".p12", ".pfx", ".keystore"];
/// What is made up all the same: the file, and how many of its lines look like it.
const MADE_UP: [(&str, usize); 3] = [
    // As long as real ones, since their shape is read.
    ("crates/config/tests/it/fixtures/python.env", 1),
    ("crates/config/tests/it/sources.rs", 1),
    // Opens nothing but what the test closes.
    ("crates/storage/tests/it/backup/encrypting.rs", 2),
];
/// A value at the least this long, and with as many different characters, counts as no word.
const VALUE_BYTES_MIN: usize = 20;
const VALUE_VARIETY_MIN: usize = 12;

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in files::paths(root)? {
        let name = path.rsplit('/').next().unwrap_or_default();
        if FILES.contains(&name) || FILE_ENDS.iter().any(|end| name.ends_with(end)) {
            faults.push(format!("{path}: holds secrets by its name; take it out, and change them where they are used"));
        }
    }
    for file in files::all(root)? {
        let found: Vec<_> = file.lines().filter_map(|(number, line)| Some((number, suspicious(line)?))).collect();
        let made_up = MADE_UP.iter().find(|(path, _)| *path == file.path).map_or(0, |(_, count)| *count);
        if found.len() != made_up {
            faults.extend(found.iter().map(|(number, what)| format!("{}:{number}: looks like {what}", file.path)));
        }
    }
    faults.sort();
    Ok(faults)
}

/// What a line seems to hold. The value itself is not repeated.
fn suspicious(line: &str) -> Option<&'static str> {
    if line.contains("-----BEGIN ") && line.contains(concat!("PRIVATE ", "KEY-----")) {
        return Some("a private key");
    }
    let part = |letter: char| letter.is_ascii_alphanumeric() || "_-.+/=".contains(letter);
    let words = line.split(move |letter| !part(letter)).flat_map(|word| {
        // `NAME=value` is both a word, and a word after its sign.
        [word, word.split_once('=').map_or("", |(_, value)| value)]
    });
    for word in words {
        for (begin, follow_min, what) in KINDS {
            let follows = word.strip_prefix(begin).is_some_and(|rest| {
                let key = rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
                key.len() >= follow_min && key.bytes().any(|byte| byte.is_ascii_digit())
            });
            if follows {
                return Some(what);
            }
        }
    }
    assigned(line).then_some("a secret that is given to a variable")
}

/// If the line gives something without sense to a name that stands for a secret.
fn assigned(line: &str) -> bool {
    let upper = line.to_uppercase();
    ["SECRET", "PASSWORD", "TOKEN", "API_KEY", "ACCESS_KEY"].iter().any(|name| {
        let after = upper.find(name).and_then(|at| line.get(at..));
        let value =
            after.and_then(|after| Some(after.split_once(['=', ':'])?.1.trim_start_matches([' ', '=', '"', '\''])));
        value.is_some_and(|value| {
            let end = value.find(|letter: char| !(letter.is_ascii_alphanumeric() || "+/_-".contains(letter)));
            is_random(value.get(..end.unwrap_or(value.len())).unwrap_or_default())
        })
    })
}

fn is_random(value: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    let classes = [u8::is_ascii_digit as fn(&u8) -> bool, u8::is_ascii_lowercase, u8::is_ascii_uppercase];
    let mixed = classes.into_iter().filter(|kind| has(*kind)).count() >= 2 && has(u8::is_ascii_digit);
    let variety = value.bytes().collect::<BTreeSet<_>>().len();
    value.len() >= VALUE_BYTES_MIN && variety >= VALUE_VARIETY_MIN && mixed && !value.starts_with("made-up")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::files::checkout;

    /// Put together here, so that this file does not hold what it looks for.
    fn made_of(parts: &[&str]) -> String {
        parts.concat()
    }

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        assert_eq!(suspicious(line), expected, "{line}");
    }

    #[test]
    fn keys_look_like_keys() {
        let random = "7Q2mXc9TzR4pLw8KvN3bHs6Y";
        check(&made_of(&["-----BEGIN RSA ", "PRIVATE", " KEY-----"]), Some("a private key"));
        check(&made_of(&["id = \"PK", "A1B2C3D4E5F6G7H8I9\""]), Some("a paper key of Alpaca"));
        check(&made_of(&["ALPACA_API_KEY=PK", "A1B2C3D4E5F6G7H8I9"]), Some("a paper key of Alpaca"));
        check(&made_of(&["ghp", "_", &"a1b2c3".repeat(6)]), Some("a token of GitHub"));
        check(&made_of(&["SMTP_PASS", "WORD=", random]), Some("a secret that is given to a variable"));
        check(
            &made_of(&["let secret: &str = ", "\"x\"; token", " = \"", random, "\""]),
            Some("a secret that is given to a variable"),
        );
        check(&made_of(&["\"api_", "key\": \"", random, "\""]), Some("a secret that is given to a variable"));
    }

    #[test]
    fn words_do_not() {
        for line in [
            "QUIVER_API_KEY=your_quiver_api_key_here",
            "ALPACA_SECRET_KEY=made-up-0123456789abcdef",
            "the password: see the manual of the service",
            "PKCS and PKG_CONFIG_ALLOW_CROSS_1",
            "checksum = \"7d5a2b4e9c\"",
            "token = canary5f2c",
            "API_KEY_FILE=/run/secrets/quiver_api_key",
        ] {
            check(line, None);
        }
    }

    #[test]
    fn files_of_secrets_are_found_by_name() {
        let token = made_of(&["glpat", "-", "a1b2c3d4e5f6g7h8i9j0"]);
        let folder = checkout(&[
            (".env", "A=b\n"),
            ("deploy/tls.pem", "\n"),
            ("a.md", &format!("x\n{token}\n")),
            (".env.example", "\n"),
        ]);
        assert_eq!(
            faults(folder.path()).expect("is done"),
            [
                ".env: holds secrets by its name; take it out, and change them where they are used",
                "a.md:2: looks like a token of GitLab",
                "deploy/tls.pem: holds secrets by its name; take it out, and change them where they are used",
            ]
        );
    }
}

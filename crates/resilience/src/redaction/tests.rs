//! What is hidden and what stays readable.

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
    check("Login { password: Some(\"hush\"), day: 1 }", "Login { password: Some(\"[redacted]), day: 1 }");
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
    again("{\"api_keys\": [\"hush\"], \"password\": \"hu, sh\", token=hush} Bearer abc123def https://me:hush@host/");
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
        "keyboard=1",
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
fn no_common_spelling_shows_a_secret() {
    for text in [
        "token:\thush123x",
        "token\t= hush123x",
        "token:\u{a0}hush123x",
        "token\u{200b}=hush123x",
        "token\u{ff1a}hush123x",
        "Authorization:\n Bearer hush123x",
        "Bearer  hush123x",
        "token: |\n  hush123x",
        "{\n  \"token\" :\n    \"hush123x\"\n}",
        "Login {\n    password: Some(\n        \"hush123x\",\n    ),\n}",
        "Login { token: Secret(\"hush123x\") }",
        "Login { token: Secret { value: \"hush123x\" } }",
        "Login { token: Some(Secret(\"x\", \"hush123x\")) }",
        "Login { token: Ok(\"hush123x\") }",
        "[(\"apca-api-secret-key\", \"hush123x\")]",
        "[['x-api-key', 'hush123x']]",
        "keys: [Secret { v: \"a\" }, Secret { v: \"hush123x\" }]",
        "\"keys\":[[\"a\"],[\"hush123x\"]]",
        "{\"token\":{\"value\":{\"a\":\"}\"},\"b\":\"hush123x\"}}",
        "Authorization: ApiKey hush123x",
        "Authorization: Odd hush123x",
        "Authorization: hush123x was refused",
        "Authorization: Digest username=\"me\", response=\"hush123x\"",
        r#"{"Authorization":"Digest username=\"me\", response=\"hush123x\""}"#,
        "{\"Authorization\":\"Bearer x hush123x\"}",
        "Authorization: Token token=\"hush123x\"",
        "Authorization: Token token=hush123x, x=1",
        "Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=hush123x",
        "Cookie: a=1; session=hush123x",
        "Set-Cookie: a=1; other=hush123x; Path=/",
        "postgres://me:hu/hush123x@h",
        "<password>hush123x</password>",
        "q=token%3Dhush123x",
        "q=%22token%22%3A%22hush123x%22",
    ] {
        assert!(!shown(text).contains("hush"), "{text:?} becomes {}", shown(text));
        assert_eq!(shown(&shown(text)), shown(text), "{text:?}");
    }
    check("Login { token: Secret(\"hush\"), day: 1 }", "Login { token: [redacted], day: 1 }");
    check("<password>hush</password> day", "<password>[redacted]</password> day");
    check("(\"token\", \"hush\") day", "(\"token\", \"[redacted]\") day");
    check("Cookie: a=1; session=hush, day", "Cookie: [redacted], day");
    check("postgres://me:hu/sh@h/db day", "postgres://[redacted]@h/db day");
    check("keys: [[\"a\"], [\"b\"]], day", "keys: [[\"[redacted]], day");
}

#[test]
fn names_of_secrets_in_common_spellings() {
    for name in [
        "APIToken",
        "authtoken",
        "accesstoken",
        "accesskey",
        "privatekey",
        "alpacakey",
        "api_key2",
        "apiKey2",
        "api_key_1",
        "smtp_pass",
        "SMTP_PASS",
        "auth",
        "oauth",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "sig",
        "session",
        "session_id",
        "sessionid",
        "cookies",
        "accessKeyId",
        "hotkey",
        "x-api-key",
        "Proxy-Authorization",
    ] {
        assert!(is_secret(name), "{name}");
        let text = format!("GET /x?{name}=hush");
        assert!(!shown(&text).contains("hush"), "{text}");
    }
}

#[test]
fn what_is_no_secret_stays_readable() {
    for name in [
        "client_order_id",
        "ticker",
        "tickers",
        "keyboard",
        "keystone",
        "key_count",
        "market",
        "tokenizer",
        "author",
        "authority",
        "authorized",
        "passed",
        "passenger",
        "bypass",
        "compass",
        "session_count",
        "signal",
        "assigned",
        "design",
        "bear",
        "broker",
        "agent_id",
        "politician",
        "quantity",
        "id",
        "ids",
    ] {
        assert!(!is_secret(name), "{name}");
        check(&format!("{name}=shown, {name}: shown"), &format!("{name}=shown, {name}: shown"));
    }
    for text in [
        "[\"ticker\", \"NVDA\"]",
        "fields \"token\", \"day\" are missing",
        "http://host:8080/a@b",
        "http://[::1]:80/a@b",
        "the token, which expired",
        "a < token > b",
    ] {
        check(text, text);
    }
}

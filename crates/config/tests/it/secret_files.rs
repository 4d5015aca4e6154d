//! `NAME_FILE`: files that hold one value.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use trading_config::{Error, ExposeSecret as _, Settings};

use crate::{loader, project};

/// A file of this mode.
fn secret(folder: &Path, name: &str, content: &[u8], mode: u32) {
    let path = folder.join(name);
    fs::write(&path, content).expect("is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("is permitted");
}

fn key(settings: &Settings) -> Option<&str> {
    settings.api.quiver.key.as_ref().map(|key| key.expose_secret())
}

#[track_caller]
fn holds(content: &[u8], expected: &str) {
    let folder = project(&[]);
    secret(folder.path(), "key", content, 0o440);
    let settings = loader(folder.path(), &[("QUIVER_API_KEY_FILE", "key")]).load().expect("loads");
    assert_eq!(key(&settings), Some(expected));
}

#[test]
fn one_line_end_is_trimmed() {
    holds(b"00123", "00123");
    holds(b"00123\n", "00123");
    holds(b"00123\r\n", "00123");
    holds(b"00123\n\n", "00123\n");
    holds(b" 00123 ", " 00123 ");
    let largest = "x".repeat(64 * 1024);
    holds(largest.as_bytes(), &largest);
}

#[test]
fn a_file_wins_over_toml_and_not_over_an_override() {
    let folder = project(&[
        ("config/development.toml", "[api.quiver]\nkey = \"toml\"\n"),
        (".env", "QUIVER_API_KEY_FILE=first\n"),
    ]);
    secret(folder.path(), "first", b"from the file of .env", 0o400);
    secret(folder.path(), "second", b"from the file of the environment", 0o600);
    let second = folder.path().join("second").display().to_string();
    let load = |variables: &[(&str, &str)]| loader(folder.path(), variables).load().expect("loads");
    assert_eq!(key(&load(&[])), Some("from the file of .env"));
    let settings = load(&[("QUIVER_API_KEY_FILE", &second)]);
    assert_eq!(key(&settings), Some("from the file of the environment"));
    let explanation = settings.explain("api.quiver.key").expect("a key");
    assert_eq!(explanation.source, format!("variable QUIVER_API_KEY_FILE ({second})"));
    assert_eq!(explanation.shadowed.len(), 2);
    let settings = loader(folder.path(), &[]).set("api.quiver.key", "override").load().expect("loads");
    assert_eq!(key(&settings), Some("override"));
}

#[test]
fn settings_that_are_no_secrets_have_files_too() {
    let folder = project(&[]);
    secret(folder.path(), "port", b"9090\n", 0o400);
    let settings = loader(folder.path(), &[("MONITORING__PORT_FILE", "port")]).load().expect("loads");
    assert_eq!(settings.monitoring.port, 9090);
    secret(folder.path(), "port", b"http\n", 0o600);
    let error = loader(folder.path(), &[("MONITORING__PORT_FILE", "port")]).load().expect_err("no port").to_string();
    let expected = format!(
        "the configuration has 1 fault: monitoring.port: must be a whole number from 0 to 65535; found \"http\", from \
         variable MONITORING__PORT_FILE ({}); for example MONITORING__PORT=8080",
        folder.path().join("port").display()
    );
    assert_eq!(error, expected);
}

#[track_caller]
fn refused(folder: &Path, variables: &[(&str, &str)], expected: &str) {
    let error = loader(folder, variables).load().expect_err("is refused");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    let text = error.to_string().replace(&folder.display().to_string(), "…");
    assert_eq!(text, format!("the configuration has 1 fault: api.quiver.key: {expected}"));
}

#[test]
fn files_that_are_no_secrets_are_refused() {
    const HINT: &str = "from variable QUIVER_API_KEY_FILE; mount it as a file of mode 0400 for this user (a \
                        relative path starts at the project root), or set QUIVER_API_KEY instead";
    let folder = project(&[("folder/file", "")]);
    let (root, huge) = (folder.path(), format!("canary{}", "x".repeat(64 * 1024 - 5)));
    secret(root, "huge", huge.as_bytes(), 0o400);
    secret(root, "bytes", b"canary\xff", 0o400);
    secret(root, "empty", b" \n", 0o400);
    for mode in [0o444, 0o604] {
        secret(root, "open", b"canary", 0o600);
        fs::set_permissions(root.join("open"), fs::Permissions::from_mode(mode)).expect("is permitted");
        refused(
            root,
            &[("QUIVER_API_KEY_FILE", "open")],
            &format!(
                "must name a file that others cannot read; found a file that everybody can read at …/open, {HINT}"
            ),
        );
    }
    for (name, expected) in [
        // Somebody who took the variable for the secret's own.
        ("canary", "must name a file that can be read; found No such file or directory (os error 2)"),
        ("folder", "must name a regular file; found something else at …/folder"),
        ("/dev/null", "must name a regular file; found something else at /dev/null"),
        ("huge", "must name a file of at most 64 kB; found a larger one at …/huge"),
        ("bytes", "must name a file of UTF-8 text; found other bytes at …/bytes"),
        ("empty", "must name a file that holds a value; found an empty file at …/empty"),
    ] {
        refused(root, &[("QUIVER_API_KEY_FILE", name)], &format!("{expected}, {HINT}"));
    }
}

#[test]
fn a_value_beside_its_file_is_refused() {
    let folder = project(&[(".env", "QUIVER_API_KEY=canary\n")]);
    secret(folder.path(), "key", b"canary", 0o400);
    refused(
        folder.path(),
        &[("QUIVER_API_KEY_FILE", "key")],
        "must be set by QUIVER_API_KEY or QUIVER_API_KEY_FILE, not by both; found both, from .env:1 QUIVER_API_KEY and variable \
         QUIVER_API_KEY_FILE; remove one of them",
    );
    let empty = project(&[(".env", "QUIVER_API_KEY=\n")]);
    secret(empty.path(), "key", b"k", 0o400);
    let settings =
        loader(empty.path(), &[("QUIVER_API_KEY_FILE", "key")]).load().expect("an empty variable says nothing");
    assert_eq!(key(&settings), Some("k"));
}

#[test]
fn a_slip_in_the_name_is_named() {
    let folder = project(&[]);
    let error = loader(folder.path(), &[("QUIVER_API_KYE_FILE", "key")]).load().expect_err("a slip");
    let Error::Invalid { faults } = error else { panic!("{error}") };
    assert_eq!(faults[0].hint, "did you mean QUIVER_API_KEY_FILE?");
}

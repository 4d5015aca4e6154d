//! What operators get wrong: one clear message, the right exit code, and nothing changed.

use std::{fs, net::TcpListener, path::Path};

use tempfile::TempDir;

use crate::{project, run, text, tree, write};

/// Starts it, which must fail with this code and these lines (`…` is the project folder), and change nothing.
#[track_caller]
fn refused(folder: &TempDir, variables: &[(&str, &str)], code: i32, expected: &str) {
    let root = folder.path();
    let before = tree(root);
    let output = run(root, variables, &[]);
    let stderr = text(&output.stderr).replace(&root.display().to_string(), "…");
    assert_eq!(stderr.trim_end(), expected);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""));
    assert_eq!(tree(root), before, "nothing was changed");
}

#[test]
fn a_malformed_env_file() {
    let folder = project();
    write(folder.path(), ".env", "LOG_LEVEL=INFO\nALPACA_SECRET_KEY hunter2\n");
    refused(&folder, &[], 2, "error: …/.env:2: expected NAME=value, and there is no `=`");
}

#[test]
fn an_unreadable_env_file() {
    let folder = project();
    // To root, permissions refuse nothing; a folder in the file's place refuses everybody.
    write(folder.path(), ".env/file", "");
    let expected = "error: cannot read …/.env: check that it is a regular text file, and who may read it\n  \
                    cause: not a regular file";
    refused(&folder, &[], 2, expected);
}

#[test]
fn a_malformed_agents_file() {
    let folder = project();
    write(folder.path(), "config/agents.json", "{\"agents\": [}");
    refused(&folder, &[], 2, "error: …/config/agents.json:1: not JSON: expected value at line 1 column 13");
    write(folder.path(), "config/agents.json", r#"{"agents": [{"id": "A", "name": "A", "type": "technical"}]}"#);
    let expected = "error: the configuration has 1 fault\n  agents[0].id: must be 1 to 64 of a-z, 0-9, _ and -; found \"A\", \
                    from config/agents.json; for example nancy_pelosi";
    refused(&folder, &[], 2, expected);
    fs::remove_file(folder.path().join("config/agents.json")).expect("is removed");
    write(folder.path(), "config/agents.json/file", "");
    let expected = "error: cannot read …/config/agents.json: check that it is a regular text file, and who may read it\n  \
                    cause: not a regular file";
    refused(&folder, &[], 2, expected);
}

#[test]
fn wrong_settings_all_at_once() {
    let expected = "error: the configuration has 2 faults\n  logging.level: must be one of ERROR, WARNING, INFO, DEBUG, TRACE; \
                    found \"loud\", from variable LOG_LEVEL; for example LOG_LEVEL=INFO\n  monitoring.port: must be a whole \
                    number from 0 to 65535; found \"http\", from variable MONITORING__PORT; for example MONITORING__PORT=8080";
    refused(&project(), &[("LOG_LEVEL", "loud"), ("MONITORING__PORT", "http")], 2, expected);
}

#[test]
fn a_port_that_is_taken() {
    let other = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = other.local_addr().expect("an address").port().to_string();
    let expected = format!(
        "error: cannot listen on 127.0.0.1:{port}: another program listens there; stop it, or choose another port\n  \
         cause: Address already in use (os error 98)\n  way out: set MONITORING__PORT or MONITORING__HOST"
    );
    refused(&project(), &[("MONITORING__PORT", &port)], 1, &expected);
}

#[test]
fn a_database_folder_that_cannot_be_written() {
    let folder = project();
    write(folder.path(), "data", "a file where the folder should be");
    let expected = "error: cannot create the database …/data/trading_automation.db\n  cause: File exists (os error 17)\n  \
                    way out: let this user write to the folder, or set DATABASE_PATH to another";
    refused(&folder, &[("MONITORING__PORT", "0")], 1, expected);
    let expected = "error: cannot create the database /proc/trading/record.db\n  cause: No such file or directory (os error 2)\n  \
                    way out: let this user write to the folder, or set DATABASE_PATH to another";
    refused(&folder, &[("MONITORING__PORT", "0"), ("DATABASE_PATH", "/proc/trading/record.db")], 1, expected);
}

#[test]
fn a_database_that_is_none() {
    let folder = project();
    write(folder.path(), "data/trading_automation.db", &"not a database ".repeat(1_000));
    let expected = "error: …/data/trading_automation.db is not a database\n  way out: move the file aside and restore a \
                    backup, or set DATABASE_PATH to another";
    refused(&folder, &[("MONITORING__PORT", "0")], 1, expected);
    write(folder.path(), "data/trading_automation.db", "");
    let expected = "error: …/data/trading_automation.db is a database of another program (its application id is 0x0)\n  way out: \
                    set DATABASE_PATH to another path, and leave this file as it is";
    refused(&folder, &[("MONITORING__PORT", "0")], 1, expected);
}

#[test]
fn a_missing_database_in_production() {
    let folder = project();
    let keys = ["QUIVER_API_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"].map(|name| (name, "a-key"));
    let variables: Vec<_> =
        [("ENVIRONMENT", "production"), ("MONITORING__PORT", "0")].into_iter().chain(keys).collect();
    let expected = "error: there is no database at …/data/trading_automation.db\n  way out: create it with `trading \
                    init-db`, or set DATABASE_PATH to where it is";
    refused(&folder, &variables, 1, expected);
}

#[test]
fn a_log_folder_that_cannot_be_written() {
    let folder = project();
    write(folder.path(), "logs", "a file where the folder should be");
    drop(run(folder.path(), &[], &["init-db"]));
    let output = run(folder.path(), &[("MONITORING__PORT", "0")], &[]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: cannot create the log folder "), "{stderr}");
    assert!(stderr.contains(&Path::new("logs").display().to_string()), "{stderr}");
}

#[test]
fn a_usage_that_is_wrong() {
    for arguments in [&["serv"][..], &["--set", "monitoring.port"], &["init-db", "--paht", "x"]] {
        let folder = project();
        let output = run(folder.path(), &[], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{arguments:?}: {}", text(&output.stderr));
    }
}

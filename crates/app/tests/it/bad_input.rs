//! What operators get wrong: one clear message, the right exit code, and nothing changed.

use std::{fs, net::TcpListener};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{Running, project, run, text, tree, write};

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
    refused(
        &folder,
        &[],
        2,
        "error: the configuration has 1 fault: .env: must be NAME=value; found no `=`, from .env:2; correct that line",
    );
}

#[test]
fn an_unreadable_env_file() {
    let folder = project();
    // To root, permissions refuse nothing; a folder in the file's place refuses everybody.
    write(folder.path(), ".env/file", "");
    let expected =
        "error: cannot read …/.env: check that it is a regular text file, and who may read it: not a regular file";
    refused(&folder, &[], 2, expected);
}

#[test]
fn a_malformed_agents_file() {
    let folder = project();
    write(folder.path(), "config/agents.json", "{\"agents\": [}");
    let expected =
        "error: …/config/agents.json:1: not JSON: expected value at line 1 column 13; way out: correct that line";
    refused(&folder, &[], 2, expected);
    write(folder.path(), "config/agents.json", r#"{"agents": [{"id": "A", "name": "A", "type": "technical"}]}"#);
    let expected = "error: the configuration has 1 fault: agents[0].id: must be 1 to 64 of a-z, 0-9, _ and -; found \"A\", \
                    from config/agents.json:1; for example nancy_pelosi";
    refused(&folder, &[], 2, expected);
    fs::remove_file(folder.path().join("config/agents.json")).expect("is removed");
    write(folder.path(), "config/agents.json/file", "");
    let expected = "error: cannot read …/config/agents.json: check that it is a regular text file, and who may read it: not a regular file";
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
fn a_second_instance_with_the_same_settings_names_the_first() {
    let folder = project();
    let running = Running::start(folder.path(), &[]);
    let port = running.address.port().to_string();
    let expected = format!(
        "error: the database {}/data/trading_automation.db is in use by process {}; way out: end the other process that uses it; the \
         path is the setting DATABASE_PATH",
        folder.path().display(),
        running.child.id()
    );
    for port in [port.as_str(), "0"] {
        let output = run(folder.path(), &[("MONITORING__PORT", port)], &[]);
        assert_eq!((output.status.code(), text(&output.stderr).trim_end()), (Some(1), expected.as_str()), "{port}");
    }
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    // And if it has gone, the address may still be somebody else's.
    let other = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = other.local_addr().expect("an address").port().to_string();
    let output = run(folder.path(), &[("MONITORING__PORT", &port)], &[]);
    assert!(text(&output.stderr).contains("another program listens there"), "{}", text(&output.stderr));
}

#[test]
fn a_signing_key_that_is_none() {
    let variables = [("NOTIFICATIONS__WEBHOOK_SECRET", "whsec_canary5f2c is no base64")];
    let expected = "error: the configuration has 1 fault: notifications.webhook_secret: must be at least 16 characters, such as `openssl \
                    rand -hex 16` gives, or whsec_ and at least 16 bytes in base64; found a secret, from variable \
                    NOTIFICATIONS__WEBHOOK_SECRET; set NOTIFICATIONS__WEBHOOK_SECRET, or leave it empty to do without";
    refused(&project(), &variables, 2, expected);
}

#[test]
fn a_port_that_is_taken() {
    let other = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = other.local_addr().expect("an address").port().to_string();
    let expected = format!(
        "error: cannot listen on 127.0.0.1:{port}: another program listens there; stop it, or choose another port: Address already in use (os error 98); way out: set MONITORING__PORT or MONITORING__HOST"
    );
    refused(&project(), &[("MONITORING__PORT", &port)], 1, &expected);
}

#[test]
fn a_database_folder_that_cannot_be_written() {
    let folder = project();
    write(folder.path(), "data", "a file where the folder should be");
    let expected = "error: this machine is not ready\n  …/data is no folder, and should have the database; move it away, or set DATABASE_PATH to \
                    another place\n  …/data is no folder, and should have the backups; move it away, or set BACKUP__PATH to another place";
    refused(&folder, &[("MONITORING__PORT", "0")], 1, expected);
    fs::remove_file(folder.path().join("data")).expect("is removed");
    let expected = "error: cannot create the database /proc/trading/record.db: No such file or directory (os error 2); way out: let this user write to the folder, or name another path; the path is the setting DATABASE_PATH";
    refused(&folder, &[("MONITORING__PORT", "0"), ("DATABASE_PATH", "/proc/trading/record.db")], 1, expected);
}

#[test]
fn a_database_that_is_none() {
    let folder = project();
    let path = "data/trading_automation.db";
    write(folder.path(), path, &"not a database ".repeat(1_000));
    let restore =
        "keep what is there, restore the newest backup, or name another path; the path is the setting DATABASE_PATH";
    refused(
        &folder,
        &[("MONITORING__PORT", "0")],
        1,
        &format!("error: …/{path} is not a database; way out: {restore}"),
    );
    write(folder.path(), path, "");
    let expected = format!("error: the database …/{path} was emptied; way out: {restore}");
    refused(&folder, &[("MONITORING__PORT", "0")], 1, &expected);
    fs::remove_file(folder.path().join(path)).expect("is removed");
    write(folder.path(), &format!("{path}-wal"), "the last transactions");
    let expected = format!(
        "error: there is no database at …/{path}, but …/{path}-wal is left of one; way out: bring the database back, or \
         move what is left of it aside; the path is the setting DATABASE_PATH"
    );
    refused(&folder, &[("MONITORING__PORT", "0")], 1, &expected);
}

#[test]
fn a_missing_database_in_production() {
    let folder = project();
    let keys = ["QUIVER_API_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"].map(|name| (name, "a-key"));
    let variables: Vec<_> =
        [("ENVIRONMENT", "production"), ("MONITORING__PORT", "0")].into_iter().chain(keys).collect();
    let expected = "error: there is no database at …/data/trading_automation.db; way out: create it with `trading \
                    init-db`, or set DATABASE_PATH to where it is";
    refused(&folder, &variables, 1, expected);
}

#[test]
fn a_log_folder_that_cannot_be_written() {
    let folder = project();
    write(folder.path(), "logs", "a file where the folder should be");
    let expected = "error: this machine is not ready: …/logs is no folder, and should have the logs; move it away, or set LOG_PATH to another place";
    refused(&folder, &[("MONITORING__PORT", "0")], 1, expected);
}

#[test]
fn a_second_instance() {
    let folder = project();
    let first = Running::start(folder.path(), &[]);
    let output = run(folder.path(), &[("MONITORING__PORT", "0")], &[]);
    let stderr = text(&output.stderr).replace(&folder.path().display().to_string(), "…");
    let expected = format!(
        "error: the database …/data/trading_automation.db is in use by process {}; way out: end the other process that \
         uses it; the path is the setting DATABASE_PATH\n",
        first.child.id()
    );
    assert_eq!((output.status.code(), stderr), (Some(1), expected));
    assert_eq!(first.stop(Signal::TERM).0, Some(0), "the first one goes on");
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

/// A name that means something to SQL, to HTML, to a terminal and to JSON.
pub(crate) const NAME: &str = "Robert'); DROP TABLE trades;-- <script>alert(1)</script> \u{202e}\\u0000";

#[test]
fn names_from_outside_are_refused_or_kept_byte_for_byte() {
    let folder = project();
    let agents = serde_json::json!({ "agents": [{ "id": "a", "name": NAME, "type": "technical" }] });
    write(folder.path(), "config/agents.json", &agents.to_string());
    let running = Running::start(folder.path(), &[]);
    let long = format!("/health/{}", "x".repeat(300));
    let odd =
        ["/health/../metrics", "/health/%2e%2e%2fmetrics", "/health/a%00b", "/health/';DROP", "//", long.as_str()];
    for path in odd {
        assert_eq!(running.get(path).0, 404, "{path}");
    }
    assert_eq!(running.get(&format!("/health/{}", "x".repeat(3_000))).0, 414);
    let panels = running.json("/panels");
    assert_eq!(panels["panels"][0]["parts"][0]["rows"][0][1], NAME);
    assert_eq!(running.json("/ready")["ready"], true);
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    for id in ["../a", "/etc/passwd", "a'; DROP TABLE agents", &"x".repeat(300)] {
        let output = run(folder.path(), &[], &["agents", "show", id]);
        assert_eq!(output.status.code(), Some(2), "{id}");
    }
    let listed = run(folder.path(), &[], &["agents", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!((&listed[0]["name"], listed[0]["record"].is_null()), (&NAME.into(), false));
}

#[test]
fn a_folder_of_backups_that_is_a_file() {
    let folder = project();
    write(folder.path(), "backups", "a file where the folder should be");
    for path in ["backups", "backups/below"] {
        let variables = [("MONITORING__PORT", "0"), ("BACKUP__PATH", path)];
        let expected = "error: this machine is not ready: …/backups is no folder, and should have the backups; move it away, or set \
                        BACKUP__PATH to another place";
        refused(&folder, &variables, 1, expected);
    }
}

#[test]
fn more_made_up_trades_than_a_disk_holds() {
    let folder = project();
    let before = tree(folder.path());
    for trades in ["10000001", "99999999999"] {
        let output = run(folder.path(), &[], &["init-db", "--sample-data", "--trades", trades]);
        let expected = format!(
            "error: invalid value '{trades}' for '--trades <N>': {trades} is not in 0..=10000000\n\nFor more information, try '--help'.\n"
        );
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), expected));
    }
    assert_eq!(tree(folder.path()), before, "nothing was changed");
    let help = text(&run(folder.path(), &[], &["init-db", "--help"]).stdout);
    assert!(help.contains("at most 10,000,000"), "{help}");
}

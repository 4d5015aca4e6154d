//! C1 and C3: what comes from outside as a setting, a file or a name is refused or kept as it is; each with a control, in which the same does
//! its harm where nothing protects.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::Value;
use trading_config::{Key, Settings};

use crate::{project, run, sql, text, tree, write};

const CANARY: &str = "canary5f2c";

/// What is wrong for each setting but those that may be any text.
fn wrong(key: &Key) -> String {
    if key.secret { CANARY.to_owned() } else { format!("~{CANARY}/{}", key.name) }
}

const ANY_TEXT: [&str; 8] = [
    "QUIVER_API_KEY",
    "ALPACA_API_KEY",
    "ALPACA_SECRET_KEY",
    "ALPACA_LIVE_CONFIRMED",
    "NO_COLOR",
    "SMTP_SERVER",
    "SMTP_USERNAME",
    "SMTP_PASSWORD",
];

#[test]
fn c1_every_setting_wrong_at_once_is_a_fault_with_its_key_and_never_a_secret() {
    let folder = project();
    let set: Vec<_> = Settings::keys().map(|key| (key.variable().into_owned(), wrong(key), key)).collect();
    let variables: Vec<_> = set.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect();
    let before = tree(folder.path());
    let output = run(folder.path(), &variables, &["check-config", "--json"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    let said = text(&output.stderr);
    let error: Value = serde_json::from_str(&said).expect("JSON");
    let faults = error["faults"].as_array().expect("a list");
    let of = |key: &Key| faults.iter().find(|fault| fault["key"] == key.path());
    let accepted: Vec<_> = set.iter().filter(|(.., key)| of(key).is_none()).map(|(name, ..)| name.as_str()).collect();
    assert_eq!(accepted, ANY_TEXT);
    for (name, _, key) in &set {
        let Some(fault) = of(key) else { continue };
        assert_eq!(fault["source"], format!("variable {name}"), "{fault}");
        assert_eq!(fault["found"].as_str().is_some_and(|found| found.contains(CANARY)), !key.secret, "{fault}");
    }
    assert_eq!(tree(folder.path()), before, "nothing was made");
}

/// The files of the configuration, and a good content of each.
const FILES: [(&str, &str); 3] = [
    (".env", "LOG_LEVEL=INFO\n"),
    ("config/development.toml", "[logging]\nlevel = \"INFO\"\n"),
    ("config/agents.json", r#"{"agents": [{"id": "a", "name": "A", "type": "technical"}]}"#),
];

/// How check-config ends, and what it says, where this file is made so.
fn checked(file: &str, make: impl Fn(&Path)) -> (Option<i32>, String) {
    let folder = project();
    let path = folder.path().join(file);
    // There need be none.
    drop(fs::remove_file(&path));
    make(&path);
    let output = run(folder.path(), &[], &["check-config"]);
    (output.status.code(), text(&output.stderr))
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("runs").success());
}

#[test]
fn c1_a_file_that_is_none_is_refused_by_name_and_a_good_one_with_a_mark_is_read() {
    for (file, good) in FILES {
        let refused = |what: &str, make: &dyn Fn(&Path)| {
            let (code, said) = checked(file, make);
            assert_eq!(code, Some(2), "{file}, {what}: {said}");
            assert!(said.contains(file) && !said.contains("panicked") && said.len() < 1_000, "{file}, {what}: {said}");
        };
        refused("a folder", &|path| fs::create_dir(path).expect("is made"));
        refused("a device without an end", &|path| std::os::unix::fs::symlink("/dev/zero", path).expect("is made"));
        refused("a pipe that nobody writes to", &mkfifo);
        refused("a link to nothing", &|path| std::os::unix::fs::symlink("nothing", path).expect("is made"));
        refused("bytes that are no text", &|path| {
            fs::write(path, [good.as_bytes(), b"\xff\xfe"].concat()).expect("is written")
        });
        refused("more than anybody writes", &|path| fs::write(path, good.repeat(200_000)).expect("is written"));
        // The control: what is refused is that, and not the place or the project.
        for text in [good.to_owned(), format!("\u{feff}{good}"), good.replace('\n', "\r\n")] {
            assert_eq!(
                checked(file, |path| fs::write(path, &text).expect("is written")).0,
                Some(0),
                "{file}: {text:?}"
            );
        }
    }
}

#[test]
fn c1_what_is_there_twice_is_refused_or_the_last_as_the_earlier_system_had_it() {
    let twice = r#"{"agents": [{"id": "a", "id": "b", "name": "A", "type": "technical"}]}"#;
    let (code, said) = checked("config/agents.json", |path| fs::write(path, twice).expect("is written"));
    assert!(code == Some(2) && said.contains("agents[0].id"), "{said}");
    // The control: a reader of JSON takes the last, and says nothing.
    assert_eq!(serde_json::from_str::<Value>(twice).expect("reads")["agents"][0]["id"], "b");
    let twice = "[logging]\nlevel = \"INFO\"\nlevel = \"DEBUG\"\n";
    let (code, said) = checked("config/development.toml", |path| fs::write(path, twice).expect("is written"));
    assert!(code == Some(2) && said.contains("config/development.toml:3"), "{said}");
    let folder = project();
    write(folder.path(), ".env", "LOG_LEVEL=INFO\nLOG_LEVEL=DEBUG\n");
    let explained = text(&run(folder.path(), &[], &["explain", "LOG_LEVEL"]).stdout);
    assert!(explained.starts_with("logging.level = DEBUG\n  from      .env:2 LOG_LEVEL\n"), "{explained}");
}

#[test]
fn c1_control_who_opens_a_pipe_without_a_look_waits_for_ever() {
    let folder = project();
    let path = folder.path().join("pipe");
    mkfifo(&path);
    let mut reader = Command::new("cat").arg(&path).spawn().expect("starts");
    let (sender, ended) = std::sync::mpsc::channel::<()>();
    // Nobody is done while this one still waits.
    assert!(ended.recv_timeout(Duration::from_millis(200)).is_err());
    assert_eq!(reader.try_wait().expect("is asked"), None);
    drop(sender);
    reader.kill().expect("it runs");
    reader.wait().expect("it ends");
}

#[test]
fn c3_control_the_same_names_do_harm_where_nothing_protects() {
    let folder = project();
    let database = folder.path().join("scratch.db");
    sql(&database, "CREATE TABLE trades (id); CREATE TABLE agents (name); INSERT INTO trades VALUES (1);");
    sql(&database, &format!("INSERT INTO agents (name) VALUES ('{}')", crate::bad_input::NAME));
    sql(&database, "CREATE TABLE trades (id)");
    // As a name of a file, it leads out of its folder.
    write(folder.path(), "secret", "a secret");
    fs::create_dir(folder.path().join("logs")).expect("is made");
    assert_eq!(fs::read_to_string(folder.path().join("logs").join("../secret")).expect("is read"), "a secret");
}

//! What the commands answer where something that they are asked with, or find, is not good.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::{Running, project, run, text, write};

/// The exit code of a command, what it says, and what it complains of, with `…` for the project folder.
fn answer(root: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(root, variables, arguments);
    let shown = |bytes: &[u8]| text(bytes).replace(&root.display().to_string(), "…");
    (output.status.code(), shown(&output.stdout), shown(&output.stderr))
}

#[track_caller]
fn fails(root: &Path, variables: &[(&str, &str)], arguments: &[&str], code: i32) -> String {
    let (found, stdout, stderr) = answer(root, variables, arguments);
    assert_eq!((found, stdout.as_str()), (Some(code), ""), "{arguments:?}: {stderr}");
    stderr.trim_end().to_owned()
}

#[track_caller]
fn json_error(root: &Path, variables: &[(&str, &str)], arguments: &[&str], code: i32) -> Value {
    let said = fails(root, variables, arguments, code);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn an_agents_file_that_is_not_good_stops_no_command_that_needs_no_agents() {
    let folder = project();
    let root = folder.path();
    let running = Running::start(root, &[]);
    let url = format!("http://{}/health", running.address);
    let needless = [
        vec!["health", "--url", &url],
        vec!["backup", "create"],
        vec!["backup", "list"],
        vec!["backup", "verify"],
        vec!["verify"],
        vec!["explain"],
        vec!["explain", "LOG_LEVEL"],
    ];
    for bad in ["{\"agents\": [}", "{\"agents\": []}"] {
        write(root, "config/agents.json", bad);
        for arguments in &needless {
            let (code, _, stderr) = answer(root, &[], arguments);
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        }
        for arguments in [&["check-config"][..], &["agents", "list"], &["agents", "validate"], &["init-db"]] {
            let error = fails(root, &[], arguments, 2);
            assert!(error.contains("agents"), "{error}");
        }
    }
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    let (code, _, stderr) = answer(root, &[], &["restore", "--yes"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn health_ends_with_0_or_1_alone() {
    let folder = project();
    fails(folder.path(), &[("LOG_LEVEL", "LOUD")], &["health"], 1);
    fails(folder.path(), &[("LOG_LEVEL", "LOUD")], &["health", "--json"], 1);
    write(folder.path(), ".env", "no assignment");
    fails(folder.path(), &[], &["health"], 1);
}

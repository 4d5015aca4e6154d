//! What people see on a terminal, and programs do not: bars, questions, colour. The terminal is one that `script` makes.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{project, run, text, tree};

/// This in a terminal.
fn in_terminal(root: &Path, variables: &[(&str, &str)], arguments: &str) -> Child {
    let mut command = Command::new("script");
    let program = env!("CARGO_BIN_EXE_trading");
    command.args(["-qec", &format!("stty columns 120; exec {program} {arguments}"), "/dev/null"]);
    command
        .current_dir(root)
        .env_clear()
        .env("TERM", "xterm")
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied());
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    piped.expect("`script` is there, which every Linux has")
}

/// The exit code of this in a terminal where it is answered so, and what that shows.
fn shown(root: &Path, variables: &[(&str, &str)], arguments: &str, answer: &str) -> (Option<i32>, String) {
    let mut child = in_terminal(root, variables, arguments);
    child.stdin.take().expect("is piped").write_all(answer.as_bytes()).expect("is written");
    let output = child.wait_with_output().expect("ends");
    (output.status.code(), text(&output.stdout))
}

#[test]
fn a_bar_is_for_people_alone() {
    let folder = project();
    let root = folder.path();
    let bar = |arguments: &str, word: &str| {
        let (code, shown) = shown(root, &[], arguments, "");
        assert_eq!(code, Some(0), "{shown}");
        let has_bar = shown.split(['\r', '\n']).any(|line| line.contains(word) && line.contains(" %"));
        assert!(has_bar, "{shown:?}");
        assert!(!shown.split(['\r', '\n']).next().is_some_and(|line| line.contains("100 %")), "{shown:?}");
    };
    bar("init-db --sample-data", "sample data");
    bar("backup create", "copying the database");
    bar("backup verify", "reading the backup");
    bar("verify", "walking the chain");
    bar("restore --yes", "reading the backup");
    assert_eq!(run(root, &[], &["init-db", "--path", "other.db"]).status.code(), Some(0));
    crate::earlier_database(&root.join("earlier.db"));
    bar("--set database.path=other.db import earlier.db", "importing");
    // Another test has it that nothing is said to a pipe; and neither is it with JSON.
    let (code, shown) = shown(root, &[], "backup create --json", "");
    assert_eq!(code, Some(0), "{shown}");
    let value: serde_json::Value = serde_json::from_str(&shown).expect("JSON alone");
    assert_eq!(value["proven"], true);
}

#[test]
fn what_destroys_asks_first() {
    let folder = project();
    let root = folder.path();
    for arguments in [&["init-db"][..], &["backup", "create"]] {
        assert_eq!(run(root, &[], arguments).status.code(), Some(0));
    }
    let replaced = || fs::read_dir(root.join("data")).expect("is read").filter(is_replaced).count();
    let before = tree(root);
    for answer in ["n\n", "\n", "what\n"] {
        let (code, shown) = shown(root, &[], "restore", answer);
        assert!(shown.contains("Put the backup of ") && shown.contains("? [y/N] "), "{shown}");
        assert!(shown.contains("error: nothing was done; way out: answer yes, or say --yes"), "{shown}");
        assert_eq!(code, Some(2));
    }
    assert_eq!((tree(root), replaced()), (before, 0), "nothing was changed");
    let (code, shown) = shown(root, &[], "restore", "y\n");
    assert_eq!((code, replaced()), (Some(0), 1), "{shown}");
}

fn is_replaced(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".db.replaced-"))
}

#[test]
fn colour_is_for_terminals_without_no_color() {
    let folder = project();
    let set = [("MONITORING__PORT", "x")];
    let (_, coloured) = shown(folder.path(), &set, "--help", "");
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (_, plain) = shown(folder.path(), &[(name, value)], "--help", "");
        assert!(!plain.contains("\u{1b}["), "{name}: {plain:?}");
    }
    assert!(!text(&run(folder.path(), &[], &["--help"]).stdout).contains('\u{1b}'));
}

#[test]
fn the_log_on_a_terminal_has_colour_without_no_color() {
    let folder = project();
    let until_ctrl_c = |variables: &[(&str, &str)]| {
        let variables = [variables, &[("MONITORING__PORT", "0"), ("MONITORING__EXTERNAL_CHECKS", "false")]].concat();
        let mut child = in_terminal(folder.path(), &variables, "serve");
        let mut stdout = BufReader::new(child.stdout.take().expect("is piped"));
        let mut shown = String::new();
        while !shown.contains("stop  ") {
            assert_ne!(stdout.read_line(&mut shown).expect("is read"), 0, "{shown}");
        }
        let mut stdin = child.stdin.take().expect("is piped");
        stdin.write_all(b"\x03").expect("is written");
        stdout.read_to_string(&mut shown).expect("is read");
        drop(stdin);
        assert_eq!(child.wait().expect("ends").code(), Some(0), "{shown}");
        assert!(shown.contains("started") && shown.contains("stopped"), "{shown}");
        shown
    };
    assert!(until_ctrl_c(&[]).contains("\u{1b}["));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = until_ctrl_c(&[(name, value)]);
        assert!(!plain.contains("\u{1b}["), "{name}: {plain:?}");
    }
}

//! The tasks, as `cargo xtask` runs them.

use std::{
    path::Path,
    process::{Command, Output},
};

fn xtask(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .current_dir(folder)
        .env_clear()
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it speaks UTF-8")
}

#[test]
fn alone_it_lists_its_tasks() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = xtask(folder.path(), &[]);
    let list = text(&output.stdout);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    assert!(list.contains("Developers' tasks") && list.contains("init-db       Create the database"), "{list}");
}

#[test]
fn init_db_creates_and_then_needs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let init = |arguments: &[&str]| {
        let output = xtask(folder.path(), &[&["init-db"], arguments].concat());
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
        text(&output.stdout)
    };
    assert_eq!(init(&[]), "created data/trading_automation.db, schema version 1\n0 trades\n");
    assert_eq!(init(&[]), "data/trading_automation.db has schema version 1: nothing was needed\n0 trades\n");
    let other = init(&["--sample-data", "--path", "a.db"]);
    assert!(other.contains("/a.db, schema version 1\nsample data: "), "{other}");
}

#[test]
fn mistakes_are_explained_as_the_app_does() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.db"), "no database").expect("is written");
    let output = xtask(folder.path(), &["init-db", "--path", "a.db"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("a.db is not a database\n  way out: "), "{}", text(&output.stderr));
    std::fs::write(folder.path().join(".env"), "LOG_LEVEL=loud").expect("is written");
    assert_eq!(xtask(folder.path(), &["init-db"]).status.code(), Some(2));
}

#[test]
fn tidy_finds_what_is_not_the_code() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("config")).expect("is made");
    let config = std::fs::read_dir(checkout.join("config")).expect("is read");
    let config = config.map(|entry| format!("config/{}", entry.expect("an entry").file_name().display()));
    for name in config.chain([".env.example".to_owned()]).filter(|name| !name.ends_with(".toml")) {
        let mut text = std::fs::read_to_string(checkout.join(&name)).expect("is read");
        for (from, to) in
            [("#LOG_LEVEL=INFO", "#LOG_LEVLE=INFO"), ("The SQLite file.", "A file."), ("DATABASE_PATH.", "")]
        {
            text = text.replace(from, to);
        }
        std::fs::write(folder.path().join(name), text).expect("is written");
    }
    let example = std::fs::read_to_string(folder.path().join(".env.example")).expect("is read");
    let line = |part: &str| example.lines().position(|line| line.contains(part)).expect("is there") + 1;
    let expected = format!(
        "error: the checkout is not tidy:\n  \
         settings: .env.example:{}: must be # The SQLite file. A relative path starts at the project root. [database.path]\n  \
         settings: .env.example: there is no line #LOG_LEVEL=INFO\n  \
         settings: .env.example:{}: there is no setting LOG_LEVLE\n  \
         schemas: config/settings.schema.json: is not what the code says; write it with `cargo xtask schema`\n  \
         edges: cannot read ARCHITECTURE.md\n",
        line("A file."),
        line("LOG_LEVLE=")
    );
    let output = xtask(folder.path(), &["tidy", "--root", ".", "settings", "schemas", "edges", "docs"]);
    assert_eq!(text(&output.stderr).replace(": No such file or directory (os error 2)", ""), expected);
    assert_eq!(output.status.code(), Some(1));

    let output = xtask(folder.path(), &["tidy", "--root", ".", "docs", "sizes"]);
    let well = "well: sizes     files and functions are short enough to be read\n\
                well: docs      each module says what it is for\n";
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), well));
}

#[test]
fn a_step_or_check_that_is_not_there_is_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    for (task, name) in [("ci", "tets"), ("tidy", "size")] {
        let output = xtask(folder.path(), &[task, name]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(&format!("invalid value '{name}'")), "{}", text(&output.stderr));
    }
}

#[test]
fn the_documentation_of_development_lists_the_tasks() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = text(&xtask(folder.path(), &[]).stdout);
    let tasks = list.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let tasks = tasks.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let prose = include_str!("../../../DEVELOPMENT.md");
    for task in tasks.filter(|task| *task != "help") {
        assert!(prose.contains(&format!("| `{task}` |")), "DEVELOPMENT.md has no row for {task}");
    }
}

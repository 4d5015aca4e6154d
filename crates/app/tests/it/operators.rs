//! What operators do with the record while nothing runs: agents, backups, restore, verify, import; and `health` while it does.

use std::{fs, path::Path, process::Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::{Running, project, run, text, tree, write};

/// Runs a command that must go well and say nothing on standard error.
#[track_caller]
fn well(root: &Path, arguments: &[&str]) -> String {
    let output = run(root, &[], arguments);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    text(&output.stdout)
}

#[track_caller]
fn json(root: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&well(root, &[arguments, &["--json"]].concat())).expect("JSON")
}

/// Runs a command that must fail with this code; what it says, with `…` for the project folder.
#[track_caller]
fn fails(root: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(root, &[], arguments);
    let stderr = text(&output.stderr).replace(&root.display().to_string(), "…");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""), "{arguments:?}: {stderr}");
    stderr.trim_end().to_owned()
}

#[test]
fn agents_are_listed_shown_and_validated() {
    let folder = project();
    let root = folder.path();
    let listed = well(root, &["agents", "list"]);
    let mut lines = listed.lines();
    assert_eq!(lines.next(), Some("ID                        TYPE        ENABLED  POSITIONS  VALUE  LAST TRADE  NAME"));
    assert_eq!(lines.clone().count(), 5);
    assert!(lines.all(|line| line.contains("        -      -  -  ")), "nothing is recorded: {listed}");
    assert_eq!(tree(root).keys().filter(|path| path.ends_with("data")).count(), 0, "nothing was made");

    well(root, &["init-db", "--sample-data"]);
    let agents = json(root, &["agents", "list"]);
    assert_eq!((agents.as_array().map(Vec::len), &agents[0]["record"]["positions"]), (Some(5), &10.into()), "{agents}");
    let shown = well(root, &["agents", "show", "nancy_pelosi"]);
    assert!(shown.starts_with("id                   nancy_pelosi\nname                 "), "{shown}");
    assert!(shown.contains("\npositions            10\n"), "{shown}");
    assert_eq!(json(root, &["agents", "show", "nancy_pelosi"])["politicians"][0], "Nancy Pelosi");
    let error = fails(root, &["agents", "show", "nobody"], 2);
    assert!(
        error.starts_with(
            "error: there is no agent nobody in config/agents.json, or in the record; way out: name one of "
        ),
        "{error}"
    );

    assert_eq!(well(root, &["agents", "validate"]), "config/agents.json is good: 5 agents, 5 enabled\n");
    write(root, "new.json", r#"{"agents": [{"id": "A", "name": "A", "type": "technical"}]}"#);
    let error = fails(root, &["agents", "validate", "new.json"], 2);
    assert!(error.contains("agents[0].id: must be 1 to 64 of a-z, 0-9, _ and -"), "{error}");
    let error = fails(root, &["agents", "validate", "none.json"], 2);
    assert!(error.contains("trading.agents_path: must name a file that exists; found \"…/none.json\""), "{error}");
}

#[test]
fn agents_that_only_the_record_knows_are_marked() {
    let folder = project();
    let root = folder.path();
    well(root, &["init-db", "--sample-data"]);
    write(root, "config/agents.json", r#"{"agents": [{"id": "new", "name": "New", "type": "technical"}]}"#);
    let listed = well(root, &["agents", "list"]);
    assert_eq!(listed.lines().count(), 7, "{listed}");
    let line = |id: &str| listed.lines().find(|line| line.starts_with(id)).expect("is listed").to_owned();
    assert!(line("new ").contains("  yes                 "), "{listed}");
    assert!(line("nancy_pelosi ").contains("  no, not in the file         10  "), "{listed}");
    let agents = json(root, &["agents", "list"]);
    let in_file: Vec<_> = agents.as_array().expect("a list").iter().map(|agent| agent["in_file"] == true).collect();
    assert_eq!(in_file, [true, false, false, false, false, false]);
    let shown = well(root, &["agents", "show", "nancy_pelosi"]);
    assert!(shown.contains("\nenabled            no, not in the file\npositions          10\n"), "{shown}");
    assert_eq!(json(root, &["agents", "show", "nancy_pelosi"])["record"]["positions"], 10);
}

#[test]
fn a_backup_is_made_listed_verified_and_restored() {
    let folder = project();
    let root = folder.path();
    well(root, &["init-db", "--sample-data"]);
    let none = format!("there are no backups in {}/data/backups\n", root.display());
    assert_eq!(well(root, &["backup", "list"]), none);
    assert_eq!(
        fails(root, &["backup", "verify"], 1),
        "error: there is no proven backup in …/data/backups; way out: make one with `trading backup create`, or set BACKUP__PATH to where they are"
    );
    let made = json(root, &["backup", "create"]);
    assert_eq!((&made["proven"], &made["trades"]), (&true.into(), &400.into()), "{made}");
    assert!(made["created_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{made}");
    let name = made["name"].as_str().expect("a name");
    let listed = well(root, &["backup", "list"]);
    assert!(listed.lines().nth(1).is_some_and(|line| line.starts_with(name) && line.ends_with("  yes")), "{listed}");
    for arguments in [&["backup", "verify"][..], &["backup", "verify", name]] {
        assert_eq!(well(root, arguments), format!("{} is whole\n", made["path"].as_str().expect("a path")));
    }

    // Nobody can be asked here.
    let before = tree(root);
    let error = fails(root, &["restore"], 2);
    assert!(
        error.starts_with("error: nobody is there to be asked: Put the backup of ")
            && error.ends_with("; way out: say --yes")
    );
    assert_eq!(tree(root), before, "nothing was changed");
    let restored = json(root, &["restore", "--yes", name]);
    assert!(restored["replaced"].is_string() && restored["lost"].is_null(), "{restored}");
    let verified = well(root, &["verify"]);
    assert!(verified.contains("\n  400 trades, 400 events\n"), "{verified}");
    assert!(verified.ends_with("\n  has all that 1 backup had\n"), "{verified}");
    assert_eq!(json(root, &["verify"])["trades"], 400);
}

#[test]
fn a_record_without_what_a_backup_had_is_not_whole_until_the_loss_was_meant() {
    let folder = project();
    let root = folder.path();
    well(root, &["init-db"]);
    let before = json(root, &["backup", "create"])["name"].as_str().expect("a name").to_owned();
    well(root, &["init-db", "--sample-data"]);
    let after = json(root, &["backup", "create"])["path"].as_str().expect("a path").to_owned();
    well(root, &["restore", "--yes", &before]);
    let error = fails(root, &["verify"], 1);
    assert!(error.contains("event 400 and what followed is gone, and the backup "), "{error}");
    assert!(error.ends_with("; way out: restore that backup, or move it elsewhere if the loss was meant"), "{error}");
    std::fs::remove_dir_all(after).expect("was meant");
    assert!(well(root, &["verify"]).ends_with("\n  has all that 1 backup had\n"));
}

/// Whichever page it is, and whoever finds it: a statement at the start, SQLite's own check, the chain, or a backup.
#[test]
fn damage_of_any_page_is_one_line_with_the_backup_to_restore() {
    const PAGE: usize = 4_096;
    let folder = project();
    let root = folder.path();
    well(root, &["init-db", "--sample-data"]);
    let made = json(root, &["backup", "create"]);
    let path = made["path"].as_str().expect("a path").replace(&root.display().to_string(), "…");
    let way_out =
        format!("; way out: keep the file as it is, and restore the newest proven backup: `trading restore {path}`");
    let database = root.join("data/trading_automation.db");
    let whole = fs::read(&database).expect("is read");
    let mut found_by = [0; 3];
    // The first page has the head of the file, without which it is no database.
    for page in (1..whole.len() / PAGE).step_by(4) {
        let mut damaged = whole.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0xa5);
        fs::write(&database, damaged).expect("is overwritten");
        for (found_by, arguments) in found_by.iter_mut().zip([&["init-db"][..], &["backup", "create"], &["verify"]]) {
            let output = run(root, &[], arguments);
            let error = text(&output.stderr).replace(&root.display().to_string(), "…");
            if output.status.code() == Some(0) {
                continue;
            }
            *found_by += 1;
            let named = error.contains("…/data/trading_automation.db") || error.contains("the chain");
            assert!(named && !error.contains(".unfinished-"), "page {page}, {arguments:?}: {error}");
            assert!(error.trim_end().ends_with(&way_out), "page {page}, {arguments:?}: {error}");
            assert_eq!(error.lines().count(), 1, "page {page}, {arguments:?}: {error}");
        }
    }
    fs::write(&database, "not a database ".repeat(1_000)).expect("is overwritten");
    let output = run(root, &[], &["agents", "list"]);
    let warning = text(&output.stderr).replace(&root.display().to_string(), "…");
    assert_eq!(output.status.code(), Some(0), "they are listed from their file");
    assert_eq!(
        warning.trim_end(),
        format!("warning: the record cannot be read: …/data/trading_automation.db is not a database{way_out}")
    );
    fs::write(&database, whole).expect("is overwritten");
    assert!(well(root, &["verify"]).contains("400 trades"));
    let [init, backup, verify] = found_by;
    assert!(init > 0 && backup > init && verify >= backup, "{found_by:?}");
}

#[test]
fn a_damaged_record_names_the_backup_that_it_can_be_restored_from() {
    let folder = project();
    let root = folder.path();
    well(root, &["init-db", "--sample-data"]);
    let made = json(root, &["backup", "create"]);
    let path = made["path"].as_str().expect("a path");
    fs::write(root.join("data/trading_automation.db"), "not a database ".repeat(1_000)).expect("is overwritten");
    let expected = format!(
        "error: the database …/data/trading_automation.db is not a database; way out: keep the file as it is, and restore \
         the newest proven backup: `trading restore {}`",
        path.replace(&root.display().to_string(), "…")
    );
    for arguments in [&["verify"][..], &["init-db"], &[]] {
        let error = fails(root, &[&["--set", "monitoring.port=0"], arguments].concat(), 1);
        assert_eq!(error.replace("error: …/data", "error: the database …/data"), expected, "{arguments:?}");
    }
    well(root, &["restore", "--yes", path]);
    well(root, &["verify"]);

    // Gone, with what was left beside it, and without.
    let restore =
        format!("restore the newest proven backup: `trading restore {path}`").replace(&root.display().to_string(), "…");
    fs::remove_file(root.join("data/trading_automation.db")).expect("is removed");
    assert_eq!(
        fails(root, &["verify"], 1),
        format!(
            "error: there is no database at …/data/trading_automation.db, but …/data/trading_automation.db.head is left of one; \
             way out: keep what is left as it is, and {restore}"
        )
    );
    fs::remove_file(root.join("data/trading_automation.db.head")).expect("is removed");
    assert_eq!(
        fails(root, &["verify"], 1),
        format!("error: there is no database at …/data/trading_automation.db; way out: {restore}")
    );
    well(root, &["restore", "--yes", path]);
    well(root, &["verify"]);
}

#[test]
fn an_edited_record_is_found() {
    let folder = project();
    let root = folder.path();
    well(root, &["init-db", "--sample-data"]);
    let database = root.join("data/trading_automation.db");
    crate::sql(&database, "DROP TRIGGER trades_keep_their_intent; UPDATE trades SET ticker = 'XXX' WHERE id = 7;");
    let error = fails(root, &["verify"], 1);
    assert!(error.starts_with("error: ") && error.contains("way out: keep the file as it is"), "{error}");
    let verbose = fails(root, &["verify", "--verbose"], 1);
    assert!(verbose.contains("\n  way out: keep the file as it is"), "{verbose}");
}

fn json_path(path: &Path) -> Value {
    path.to_str().expect("a text").into()
}

#[test]
fn errors_are_json_where_that_is_asked_for() {
    let folder = project();
    let error = fails(folder.path(), &["verify", "--json"], 1);
    let error: Value = serde_json::from_str(&error).expect("JSON");
    assert_eq!(error["error"], "there is no database at …/data/trading_automation.db");
    assert_eq!(error["way_out"], "create it with `trading init-db`, or set DATABASE_PATH to where it is");
    assert_eq!(error["causes"], Value::Array(Vec::new()));
    let good = json(folder.path(), &["check-config"]).to_string();
    assert!(good.contains("\"environment\":\"development\""), "{good}");
    assert_eq!(json(folder.path(), &["explain", "LOG_LEVEL"])["value"], "INFO");
    let made = json(folder.path(), &["init-db"]);
    assert_eq!(made["done"], "created");
    let path = folder.path().join("data/trading_automation.db");
    assert_eq!(
        (&made["database"], &json(folder.path(), &["verify"])["database"]),
        (&json_path(&path), &json_path(&path))
    );
}

#[test]
fn the_earlier_database_is_imported_once() {
    let folder = project();
    let root = folder.path();
    let earlier = root.join("old.db");
    crate::earlier_database(&earlier);
    well(root, &["init-db"]);
    let first = well(root, &["import", "old.db"]);
    assert!(first.starts_with("                  READ  ADDED  UPDATED  UNCHANGED  KEPT  REFUSED\n"), "{first}");
    assert!(first.contains("\ntrades               1      1        0          0     0        0\n"), "{first}");
    assert!(first.contains("\nthe sums agree: 1 trade of 0.2103 shares, 0 positions worth 0"), "{first}");
    let again = fails(root, &["import", "old.db"], 2);
    assert!(again.contains("has 1 trade already. Import into it?; way out: say --yes"), "{again}");
    let again = json(root, &["import", "--yes", "old.db"]);
    assert_eq!((&again["changed"], &again["trades"]["unchanged"]), (&false.into(), &1.into()), "{again}");
    assert_eq!(
        (&again["sums"]["quantity"], &again["sums"]["trades_of"]["nancy_pelosi"]),
        (&"0.2103".into(), &1.into())
    );
    assert_eq!(again["agents_registered"], Value::Array(Vec::new()));
    well(root, &["init-db", "--sample-data", "--path", "sample.db"]);
    let error = fails(root, &["--set", "database.path=sample.db", "import", "--yes", "old.db"], 1);
    assert_eq!(
        error,
        "error: the trades of …/sample.db are made up, and real ones are not mixed with them; way out: name another path, make a \
         new record there without sample data, and import into that"
    );
    let error = fails(root, &["import", "none.db"], 1);
    assert!(error.contains("none.db"), "{error}");
    let error = fails(root, &["import", "--yes", "config/agents.json"], 1);
    let way_out = "name the database of the earlier system; its DATABASE_PATH said where it is";
    assert_eq!(error, format!("error: config/agents.json is not a database; way out: {way_out}"));
    let error = fails(root, &["import", "--zone", "Mars/Phobos", "old.db"], 2);
    assert_eq!(
        error,
        "error: there is no time zone Mars/Phobos; way out: name one of the IANA list, such as US/Eastern"
    );
}

#[test]
fn nothing_changes_the_record_of_a_running_instance() {
    let folder = project();
    let root = folder.path();
    let running = Running::start(root, &[]);
    for arguments in [&["init-db"][..], &["import", "--yes", "config/agents.json"]] {
        let error = fails(root, arguments, 1);
        let expected = format!(
            "error: the database …/data/trading_automation.db is in use by process {}; way out: end the other process that uses \
             it; the path is the setting DATABASE_PATH",
            running.child.id()
        );
        assert_eq!(error, expected, "{arguments:?}");
    }
    // What only reads may.
    assert_eq!(json(root, &["agents", "list"])[0]["record"]["positions"], 10);
    assert_eq!(json(root, &["verify"])["trades"], 400);
    let made = json(root, &["backup", "create"]);
    assert_eq!((&made["proven"], &made["trades"]), (&true.into(), &400.into()));
    assert_eq!(json(root, &["backup", "list"]).as_array().map(Vec::len), Some(1));
    // Nor is anybody asked first.
    for arguments in [&["restore", "--yes", made["path"].as_str().expect("a path")][..], &["restore"]] {
        let error = fails(root, arguments, 1);
        assert!(error.contains("is in use by process "), "{error}");
    }
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
}

#[test]
fn health_asks_the_running_program() {
    let folder = project();
    let root = folder.path();
    let running = Running::start(root, &[]);
    let url = format!("http://{}/health", running.address);
    let said = well(root, &["health", "--url", &url]);
    assert!(said.starts_with("healthy\nCOMPONENT        STATUS   MESSAGE\n"), "{said}");
    assert!(said.contains("\ndatabase         healthy  answers\n"), "{said}");
    assert_eq!(json(root, &["health", "--url", &url])["status"], "healthy");
    for path in ["", "/"] {
        let server = format!("http://{}{path}", running.address);
        assert!(well(root, &["health", "--url", &server]).starts_with("healthy\nCOMPONENT "), "{server}");
    }
    let ready = format!("http://{}/ready", running.address);
    assert_eq!(well(root, &["health", "--url", &ready]), "ready\n");
    assert_eq!(json(root, &["health", "--url", &ready])["ready"], true);
    let elsewhere = format!("http://{}/ping", running.address);
    let error = fails(root, &["health", "--url", &elsewhere], 1);
    assert!(error.contains(" answered 200, and not as our health server does; way out: "), "{error}");
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    let error = fails(root, &["health", "--url", &url], 1);
    assert!(error.contains("does not answer as it should: "), "{error}");
}

#[test]
fn completions_are_those_of_each_shell() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shell, word) in
        [("bash", "complete -F _trading"), ("zsh", "#compdef trading"), ("fish", "complete -c trading")]
    {
        assert!(well(folder.path(), &["completions", shell]).contains(word), "{shell}");
    }
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let folder = project();
    let mut command = crate::trading(folder.path(), &[]);
    let mut child = command.args(["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().expect("starts");
    drop(child.stdout.take());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("is piped"), &mut said).expect("is read");
    assert_eq!((child.wait().expect("ends").code(), said.as_str()), (Some(0), ""));
}

//! What the commands answer where something that they are asked with, or find, is not good.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
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

#[test]
fn output_that_is_lost_is_an_error() {
    let folder = project();
    let root = folder.path();
    for arguments in [&["init-db"][..], &["backup", "create"]] {
        assert_eq!(run(root, &[], arguments).status.code(), Some(0), "{arguments:?}");
    }
    let all = [
        &["explain"][..],
        &["explain", "LOG_LEVEL", "--json"],
        &["check-config"],
        &["agents", "list"],
        &["backup", "list", "--json"],
        &["verify"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
        &["--version", "--json"],
    ];
    for arguments in all {
        let full = fs::File::options().write(true).open("/dev/full").expect("every Linux has it");
        let output = crate::trading(root, &[]).args(arguments).stdout(full).stderr(Stdio::piped()).output();
        let output = output.expect("runs");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("the output could not be written: No space left on device"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn usage_and_version_are_json_where_that_is_asked_for() {
    let folder = project();
    let root = folder.path();
    let error = json_error(root, &[], &["--json", "foo"], 2);
    assert_eq!(error["error"], "unrecognized subcommand 'foo'");
    assert!(error["way_out"].as_str().is_some_and(|text| text.contains("try '--help'")), "{error}");
    assert_eq!(json_error(root, &[], &["init-db", "--trades", "x", "--json"], 2)["causes"], Value::Array(vec![]));
    json_error(root, &[], &["backup", "--json"], 2);
    json_error(root, &[], &["health", "--foo", "--json"], 1);
    assert!(fails(root, &[], &["health", "--foo"], 1).starts_with("error: unexpected argument '--foo' found"));
    assert!(fails(root, &[], &["verify", "--foo"], 2).starts_with("error: unexpected argument '--foo' found"));
    assert!(fails(root, &[], &["explain", "--foo", "health"], 2).starts_with("error: unexpected argument"));
    let (code, version, stderr) = answer(root, &[], &["--version", "--json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let version: Value = serde_json::from_str(&version).expect("JSON");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["sqlite"].as_str().is_some_and(|text| text.starts_with("3.")), "{version}");
    for name in ["app", "config", "logging", "monitoring", "resilience", "storage"] {
        assert_eq!(version["crates"][name], env!("CARGO_PKG_VERSION"), "{name}");
    }
    let error = json_error(root, &[], &["completions", "bash", "--json"], 2);
    assert_eq!(error["error"], "completions are a script, and no JSON");
}

#[test]
fn faults_are_a_list_in_json() {
    let folder = project();
    let error = json_error(
        folder.path(),
        &[("LOG_LEVEL", "loud"), ("MONITORING__PORT", "http")],
        &["check-config", "--json"],
        2,
    );
    let faults = error["faults"].as_array().expect("a list");
    let keys: Vec<_> = faults.iter().map(|fault| &fault["key"]).collect();
    assert_eq!(keys, ["logging.level", "monitoring.port"]);
    let expected = serde_json::json!({
        "key": "logging.level", "rule": "must be one of ERROR, WARNING, INFO, DEBUG, TRACE", "found": "\"loud\"",
        "source": "variable LOG_LEVEL", "hint": "for example LOG_LEVEL=INFO",
    });
    assert_eq!(faults[0], expected);
    assert!(json_error(folder.path(), &[], &["verify", "--json"], 1)["faults"].is_null());
}

#[test]
fn an_error_is_one_line_with_a_way_out() {
    let folder = project();
    let root = folder.path();
    let error = fails(root, &[("LOG_LEVEL", "LOUD")], &["check-config"], 2);
    let expected = "error: the configuration has 1 fault: logging.level: must be one of ERROR, WARNING, INFO, DEBUG, TRACE; \
                    found \"LOUD\", from variable LOG_LEVEL; for example LOG_LEVEL=INFO";
    assert_eq!(error, expected);

    let nobody = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address").port().to_string();
    let error = fails(root, &[("MONITORING__PORT", &nobody)], &["health"], 1);
    let way_out = "; way out: see that `trading` runs, and listens there: MONITORING__HOST, MONITORING__PORT, or --url";
    assert!(error.contains("Connection refused") && error.ends_with(way_out), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");

    let make = "way out: make one with `trading backup create`, or set BACKUP__PATH to where they are";
    let none = format!("error: there is no backup typo: neither …/data/backups/typo nor …/typo is one; {make}");
    assert_eq!(fails(root, &[], &["restore", "typo"], 2), none);
    assert_eq!(fails(root, &[], &["backup", "verify", "typo"], 2), none);
    for arguments in [&["init-db"][..], &["backup", "create"]] {
        assert_eq!(run(root, &[], arguments).status.code(), Some(0), "{arguments:?}");
    }
    let error = fails(root, &[], &["restore", "typo"], 2);
    assert!(error.contains("; way out: name one of trading_automation-2"), "{error}");
}

#[test]
fn every_command_has_examples() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = |path: &[String]| {
        let arguments: Vec<_> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let (code, help, stderr) = answer(folder.path(), &[], &arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        help
    };
    let (mut paths, mut seen) = (vec![Vec::<String>::new()], 0);
    while let Some(path) = paths.pop() {
        let help = help(&path);
        let section = |head| help.split(head).nth(1).unwrap_or_default().lines().take_while(|line| !line.is_empty());
        let of_path = ["trading".to_owned()].into_iter().chain(path.iter().cloned()).collect::<Vec<_>>().join(" ");
        let examples: Vec<_> = section("Examples:\n").collect();
        assert!(!examples.is_empty(), "{path:?}: {help}");
        for example in examples {
            assert!(example.trim().starts_with(&of_path), "{path:?}: {example}");
            seen += 1;
        }
        let commands = section("Commands:\n")
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next());
        let commands =
            commands.filter(|name| *name != "help").map(|name| [path.clone(), vec![name.to_owned()]].concat());
        paths.extend(commands.collect::<Vec<_>>());
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn a_restore_without_a_name_means_a_backup_of_this_instance() {
    let (folder, other) = (project(), project());
    let (root, other) = (folder.path(), other.path());
    let backups = root.join("data/backups").display().to_string();
    let variables = [("BACKUP__PATH", backups.as_str())];
    let well = |root: &Path, arguments: &[&str]| {
        let (code, stdout, stderr) = answer(root, &variables, &[arguments, &["--json"]].concat());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        serde_json::from_str::<Value>(&stdout).expect("JSON")
    };
    well(other, &["init-db"]);
    let foreign = well(other, &["backup", "create"])["name"].as_str().expect("a name").to_owned();
    well(root, &["init-db"]);
    let error = fails(root, &variables, &["restore", "--yes"], 2);
    let expected = format!(
        "error: the proven backups in …/data/backups are all of other instances; way out: name one of {foreign}"
    );
    assert_eq!(error, expected);
    let ours = well(root, &["backup", "create"])["path"].as_str().expect("a path").to_owned();
    let newer = well(other, &["backup", "create"])["name"].as_str().expect("a name").to_owned();

    let listed = well(root, &["backup", "list"]);
    let of_us: Vec<_> = (0..3).map(|at| listed[at]["ours"].as_bool()).collect();
    assert_eq!(of_us, [Some(false), Some(true), Some(false)], "the newest first: {listed}");
    let (_, listed, _) = answer(root, &variables, &["backup", "list"]);
    assert_eq!(listed.matches("of another instance").count(), 2, "{listed}");

    let database = root.join("data/trading_automation.db");
    for damage in [false, true] {
        if damage {
            fs::write(&database, "not a database ".repeat(1_000)).expect("is overwritten");
            let error = fails(root, &variables, &["verify"], 1);
            assert!(error.ends_with(&format!("`trading restore {ours}`")), "{error}");
        }
        assert_eq!(well(root, &["restore", "--yes"])["backup"], ours);
    }
    // The head beside it is enough; without it nobody can say, and one must be named.
    fs::remove_file(&database).expect("is removed");
    assert_eq!(well(root, &["restore", "--yes"])["backup"], ours);
    fs::remove_file(&database).expect("is removed");
    fs::remove_file(database.with_extension("db.head")).expect("is removed");
    let error = fails(root, &variables, &["restore", "--yes"], 2);
    assert!(
        error.starts_with(
            "error: nothing at …/data/trading_automation.db says which backups are of it; way out: name one of "
        ),
        "{error}"
    );
    let lists_nothing = well(root, &["backup", "list"]);
    assert!(lists_nothing[0]["ours"].is_null(), "{lists_nothing}");
    well(root, &["restore", "--yes", ours.rsplit('/').next().expect("a name")]);
    let error = fails(root, &variables, &["restore", &newer], 2);
    assert!(error.contains(", which is of another instance, in the place of "), "{error}");
    assert!(well(root, &["restore", "--yes", &newer])["lost"].is_string(), "that was said by name");
}

#[test]
fn the_token_goes_to_the_address_of_the_settings_alone() {
    const TOKEN: &str = "0123456789abcdef-token";
    let folder = project();
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("an address").port().to_string();
    // What it sends, up to the end of its header.
    let sent = |variables: &[(&str, &str)], arguments: &[&str]| {
        thread::scope(|scope| {
            let asked = scope.spawn(|| {
                let (stream, _) = listener.accept().expect("somebody asks");
                let lines = BufReader::new(&stream).lines().map(|line| line.expect("is read"));
                let header: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("is answered");
                header.join("\n")
            });
            fails(folder.path(), &[variables, &[("MONITORING__TOKEN", TOKEN)]].concat(), arguments, 1);
            asked.join().expect("it was asked")
        })
    };
    let ours = [("MONITORING__PORT", port.as_str())];
    assert!(sent(&ours, &["health"]).contains(TOKEN), "the control");
    let url = |host: &str, path: &str| format!("http://{host}:{port}/{path}");
    for url in [url("127.0.0.1", "health"), url("127.0.0.1", "elsewhere"), url("localhost", "health")] {
        let header = sent(&[("MONITORING__PORT", "1")], &["health", "--url", &url]);
        assert!(header.starts_with("GET /") && !header.contains(TOKEN), "{header}");
    }
    assert!(!sent(&ours, &["health", "--url", &url("127.0.0.1", "elsewhere")]).contains(TOKEN));
    assert!(!sent(&[("MONITORING__PORT", "1")], &["health", "--url", &url("127.0.0.1", "")]).contains(TOKEN));
}

#[test]
fn one_that_is_not_ready_is_not_well_and_says_why() {
    let folder = project();
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}/ready", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody asks");
        let lines = BufReader::new(&stream).lines().map(|line| line.expect("is read"));
        let header: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        assert_eq!(header.first().map(String::as_str), Some("GET /ready HTTP/1.1"));
        let body = r#"{"ready":false,"phase":"stopping","reasons":["the program is stopping"]}"#;
        write!(&stream, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .expect("is answered");
    });
    let (code, said, error) = answer(folder.path(), &[], &["health", "--url", &url]);
    assert_eq!((code, said.as_str()), (Some(1), "not ready: the program is stopping\n"));
    assert!(error.starts_with("error: it is not ready: the program is stopping; way out: see "), "{error}");
    server.join().expect("it was asked");
}

#[test]
fn what_the_start_finds_is_mended_or_in_the_log() {
    let folder = project();
    let env = folder.path().join(".env");
    write(folder.path(), ".env", "");
    fs::set_permissions(&env, fs::Permissions::from_mode(0o644)).expect("is set");
    // A soft limit that is too low, below a hard one that is not.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -Sn 100; exec \"$0\"", env!("CARGO_BIN_EXE_trading")]);
    command.current_dir(folder.path()).env_clear().env("MONITORING__PORT", "0");
    command.env("MONITORING__EXTERNAL_CHECKS", "false").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("is piped"));
    let mut banner = String::new();
    while !banner.contains("stop  ") && stdout.read_line(&mut banner).expect("is read") > 0 {}
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("it runs");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("is there");
    assert_eq!(files.split_whitespace().nth(3), Some("1024"), "{files}");
    let log = fs::read_to_string(folder.path().join("logs/trading_automation.log")).expect("is there");
    let warned = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let warned =
        warned.filter(|line| line["message"].as_str().is_some_and(|text| text.starts_with("others may read ")));
    let warned: Vec<_> = warned.collect();
    assert_eq!(warned.len(), 1, "{log}");
    assert_eq!(warned[0]["level"], "WARN");
    assert!(warned[0].to_string().contains(&format!("chmod 600 {}", env.display())), "{warned:?}");
}

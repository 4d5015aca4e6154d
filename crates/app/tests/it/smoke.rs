//! The main job on real input: start, answer, stop, start again.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rustix::process::Signal;
use serde_json::Value;
use trading_storage::{AgentId, ClientOrderId, Counts, Database, Options, Order, Side, Ticker};

use trading_config::{Key, Settings};

use crate::{Running, project, run, text, tree, write};

fn counts(root: &Path) -> Counts {
    let db = Database::open(&Options::at(root.join("data/trading_automation.db"))).expect("opens");
    db.read(|r| r.counts()).expect("is read")
}

/// The lines of a log file, each of which must be one JSON object.
fn lines(root: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(root.join("logs").join(name)).expect("is there");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn it_starts_in_an_empty_project_answers_and_stops() {
    let folder = project();
    let running = Running::start(folder.path(), &[]);
    let banner = running.banner.join("\n");
    assert!(banner.contains("is running: development"), "{banner}");
    assert!(banner.contains("broker    paper account, https://paper-api.alpaca.markets"), "{banner}");
    assert!(banner.contains("agents    5 of 5 enabled, from config/agents.json"), "{banner}");
    assert!(banner.contains("database  created data/trading_automation.db, schema version 1"), "{banner}");
    assert!(banner.contains("sample data: "), "{banner}");
    assert!(banner.contains("logs      logs/trading_automation.log"), "{banner}");
    assert!(
        banner.ends_with(&format!(
            "\n  page      http://{}/\n  stop      Ctrl-C, or kill -TERM {}",
            running.address,
            running.child.id()
        )),
        "{banner}"
    );
    assert!(running.get("/").2.starts_with("<!doctype html>"));

    let (status, ..) = running.get("/ping");
    assert_eq!(status, 200);
    assert_eq!(running.get("/live").0, 200);
    assert_eq!(running.json("/ready")["ready"], true);
    let health = running.json("/health");
    assert_eq!(health["status"], "healthy", "{health}");
    let database = running.json("/health/database");
    assert_eq!((&database["status"], &database["details"]["agents"]), (&"healthy".into(), &5.into()), "{database}");
    let trades = database["details"]["trades"].as_u64().expect("a number");
    let system = running.json("/system");
    assert_eq!(system["process"]["pid"], running.child.id(), "{system}");
    let (status, head, metrics) = running.get("/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(metrics.contains(&format!("\ndatabase_trades {trades}\n")), "{metrics}");
    assert_eq!(running.get("/nothing").0, 404);
    assert_eq!(running.get("/health/nothing").0, 404);
    assert_eq!(running.request("POST", "/health").0, 405);

    let (code, _, stderr) = running.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("started") && stderr.contains("stopped"), "readable lines on the console: {stderr}");
    let lines = lines(folder.path(), "trading_automation.log");
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(messages.first(), Some(&"started"), "{messages:?}");
    assert_eq!(messages.last(), Some(&"stopped"), "{messages:?}");
    assert_eq!(lines[0]["trades"], trades);

    assert!(folder.path().join("data/trading_automation.db").is_file());
    assert!(!folder.path().join("data/trading_automation.db-wal").exists(), "the record was closed in order");
    let counts = counts(folder.path());
    assert_eq!((counts.agents, counts.trades), (5, trades));
    assert!(trades > 100 && counts.positions > 0 && counts.performance_days > 1_000, "{counts:?}");
}

/// A series that is born with its first event shows no increase, so that no alert would fire.
#[test]
fn what_alerts_ask_for_is_there_from_the_start() {
    let folder = project();
    let running = Running::start(folder.path(), &[]);
    let metrics = running.get("/metrics").2;
    for series in [
        "health_status{component=\"database\",status=\"healthy\"} 1",
        "health_status{component=\"backup\",status=\"unhealthy\"} 0",
        "log_lines_dropped_total{component=\"trading\",level=\"WARN\"} 0",
        "log_lines_dropped_total{component=\"trading_automation\",level=\"INFO\"} 0",
        "log_write_errors_total 0",
        "database_reopened_total{success=\"false\"} 0",
        "backup_newest_timestamp_seconds 0",
    ] {
        assert!(metrics.contains(&format!("\n{series}\n")), "{series} in {metrics}");
    }
    for task in ["agents", "anchoring", "checkpoint", "backup", "backup_proof", "retention", "recovery"] {
        assert!(metrics.contains(&format!("\ntask_failures_total{{task=\"{task}\"}} 0\n")), "{task} in {metrics}");
    }
}

#[test]
fn a_second_start_keeps_the_data_and_adds_none() {
    let folder = project();
    drop(Running::start(folder.path(), &[]).stop(Signal::TERM));
    let before = counts(folder.path());
    let running = Running::start(folder.path(), &[]);
    let banner = running.banner.join("\n");
    assert!(banner.contains("data/trading_automation.db has schema version 1: nothing was needed"), "{banner}");
    assert!(banner.contains(&format!("{} trades", before.trades)), "{banner}");
    let (code, _, stderr) = running.stop(Signal::INT);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(counts(folder.path()), before);
}

#[test]
fn it_survives_being_killed() {
    let folder = project();
    let running = Running::start(folder.path(), &[]);
    drop(running.stop(Signal::KILL));
    let running = Running::start(folder.path(), &[]);
    let banner = running.banner.join("\n");
    assert!(banner.contains("the last run did not end in order: what it had committed was recovered"), "{banner}");
    assert_eq!(running.json("/ready")["ready"], true);
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    assert!(counts(folder.path()).trades > 100);
    let banner = Running::start(folder.path(), &[]).banner.join("\n");
    assert!(!banner.contains("did not end in order"), "{banner}");
}

#[test]
fn it_starts_on_the_files_of_the_earlier_system() {
    let folder = project();
    write(folder.path(), ".env", include_str!("../../../config/tests/it/fixtures/python.env"));
    fs::set_permissions(folder.path().join(".env"), fs::Permissions::from_mode(0o600)).expect("is set");
    let running = Running::start(folder.path(), &[]);
    assert_eq!(running.json("/health")["status"], "healthy");
    let (code, stdout, stderr) = running.stop(Signal::TERM);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""), "LOG_LEVEL=WARNING: nothing to say");
    let db = Database::open(&Options::at(folder.path().join("data/trading_automation.db"))).expect("opens");
    let agents: Vec<_> = db.read(|r| r.agents()).expect("is read").into_iter().map(|agent| agent.id).collect();
    let expected = ["dan_meuser", "josh_gottheimer", "nancy_pelosi", "sheldon_whitehouse", "transportation_committee"];
    assert_eq!(agents, expected.map(|id| AgentId::new(id).expect("an id")));
}

#[test]
fn log_files_are_opened_anew_on_sighup() {
    let folder = project();
    let running = Running::start(folder.path(), &[]);
    let log = folder.path().join("logs/trading_automation.log");
    fs::rename(&log, log.with_extension("moved")).expect("is moved");
    running.signal(Signal::HUP);
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    let lines = lines(folder.path(), "trading_automation.log");
    assert_eq!(lines.last().map(|line| &line["message"]), Some(&"stopped".into()), "{lines:?}");
}

#[test]
fn in_a_container_standard_output_has_json_lines_alone() {
    let folder = project();
    let json = [("LOGGING__CONSOLE", "json"), ("MONITORING__PORT", "0")];
    let mut child = crate::trading(folder.path(), &json).stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let stdout = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let mut messages = Vec::new();
    for line in std::io::BufRead::lines(stdout) {
        let line: Value = serde_json::from_str(&line.expect("is read")).expect("each line is JSON");
        if line["message"] == "started" {
            let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
            rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
        }
        messages.push(line["message"].as_str().expect("a text").to_owned());
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(messages.last().map(String::as_str), Some("stopped"), "{messages:?}");
}

#[test]
fn secrets_are_in_no_log_no_answer_and_no_output() {
    const CANARY: &str = "canary5f2c";
    const CONTROL: &str = "https://paper-api.alpaca.markets/control7d1e";
    let folder = project();
    // Nobody listens at port 1, so that the webhook fails, and tells of it.
    let value = |key: &Key| match key.name {
        "webhook_url" => format!("http://127.0.0.1:1/{CANARY}"),
        _ => format!("{CANARY}-{}", key.name),
    };
    let secrets: Vec<_> = Settings::keys().filter(|key| key.secret).map(|key| (key.variable(), value(key))).collect();
    let set = secrets.iter().map(|(name, value)| (name.as_ref(), value.as_str()));
    let set: Vec<_> = set.chain([("LOG_LEVEL", "TRACE"), ("ALPACA_BASE_URL", CONTROL)]).collect();
    let running = Running::start(folder.path(), &set);
    let token = secrets.iter().find(|(name, _)| name == "MONITORING__TOKEN").map(|(_, value)| value.as_str());
    let mut said = running.banner.join("\n");
    for path in ["/", "/?format=json", "/health", "/metrics", "/system", "/panels", "/transitions", "/nothing"] {
        said += &running.get_as(path, token).2;
    }
    for arguments in [&["explain"][..], &["explain", "--json"], &["check-config", "--json"], &["health", "--json"]] {
        let output = run(folder.path(), &set, arguments);
        said += &(text(&output.stdout) + &text(&output.stderr));
    }
    let (code, stdout, stderr) = running.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{stderr}");
    said += &(stdout + &stderr);
    let log = fs::read_to_string(folder.path().join("logs/trading_automation.log")).expect("is there");
    assert!(log.contains("started") && said.contains("is running"), "{log}");
    for (path, content) in tree(folder.path()) {
        let content = String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
        assert!(!content.contains(CANARY), "{}", path.display());
    }
    assert!(!said.contains(CANARY), "{said}");
    // The control: the same look finds what is no secret, in what is said and in the page of the settings.
    assert!(said.matches(CONTROL).count() > 2, "{said}");
}

#[test]
fn orders_without_a_result_are_named_at_the_start() {
    const MORE_THAN_LISTED: u32 = 22;
    let folder = project();
    assert_eq!(run(folder.path(), &[], &["init-db"]).status.code(), Some(0));
    let db = Database::open(&Options::at(folder.path().join("data/trading_automation.db"))).expect("opens");
    let order = |number: u32| {
        let id = ClientOrderId::new(format!("open-{number:02}")).expect("an id");
        let agent = AgentId::new("nancy_pelosi").expect("an id");
        let (quantity, day) = ("1.5".parse().expect("a number"), "2026-11-20".parse().expect("a day"));
        Order::market(id, agent, Side::Buy, quantity, Ticker::new("NVDA").expect("a ticker"), day)
    };
    let orders: Vec<_> = (0..MORE_THAN_LISTED).map(order).collect();
    db.transaction(|tx| tx.insert_trades(&orders).map(drop)).expect("is done");
    drop(db);
    let running = Running::start(folder.path(), &[("ENVIRONMENT", "test")]);
    assert_eq!(running.stop(Signal::TERM).0, Some(0));
    let lines = lines(folder.path(), "trading_automation.log");
    let named: Vec<_> = lines.iter().filter(|line| line["message"] == "an order has no result yet").collect();
    assert_eq!(named.len(), 20, "{lines:?}");
    assert!(named.iter().any(|line| line.to_string().contains("open-00") && line.to_string().contains("NVDA")));
    let more = lines.iter().find(|line| line["message"] == "further orders have no result yet").expect("is said");
    assert!(more.to_string().contains("\"more\":2"), "{more}");
}

#[test]
fn missing_keys_are_one_warning_in_the_log() {
    let folder = project();
    let (code, ..) = Running::start(folder.path(), &[("ALPACA_API_KEY", "a-key")]).stop(Signal::TERM);
    assert_eq!(code, Some(0));
    let warnings: Vec<_> =
        lines(folder.path(), "trading_automation.log").into_iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        warnings[0]["message"],
        "what calls outside services cannot work before these are set: QUIVER_API_KEY and ALPACA_SECRET_KEY"
    );
}

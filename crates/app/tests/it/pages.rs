//! What the health server shows of the app, to whom, and what a program adds to it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use trading_app::{
    App,
    config::Settings,
    monitoring::{Check, Outcome, Pages, Part, Reply},
};

use crate::{Running, project, run, text};

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("is answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a header");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

/// The parts of a panel, by its title.
fn panel<'v>(panels: &'v Value, title: &str) -> &'v Value {
    let panels = panels["panels"].as_array().expect("a list");
    let found = panels.iter().find(|panel| panel["title"] == title).unwrap_or_else(|| panic!("{title} in {panels:?}"));
    assert!(found["parts"].is_array(), "{found}");
    &found["parts"]
}

#[test]
fn the_page_shows_agents_backups_versions_and_the_configuration() {
    let folder = project();
    let set = [("QUIVER_API_KEY", "canary5f2c"), ("LOG_LEVEL", "WARNING")];
    let running = Running::start(folder.path(), &set);
    let panels = running.json("/panels");
    let agents = panel(&panels, "Agents")[0].clone();
    assert_eq!(
        (&agents["columns"][0], agents["rows"].as_array().map(Vec::len)),
        (&"agent".into(), Some(5)),
        "{agents}"
    );
    let row = &agents["rows"][1];
    assert_eq!((&row[0], &row[2], &row[3]), (&"josh_gottheimer".into(), &"yes".into(), &"10".into()), "{row}");
    assert!(row[8].as_str().is_some_and(|part| part.ends_with(" %")), "its last performance: {row}");
    let chart = panel(&panels, "Performance")[0].clone();
    assert_eq!((&chart["kind"], &chart["lines"][0]["name"]), (&"chart".into(), &"dan_meuser".into()));
    let points = chart["lines"][0]["points"].as_array().expect("points");
    assert!(points.len() > 100 && points[0][0].as_i64() < points[1][0].as_i64(), "in the order of time: {points:?}");
    assert_eq!(panel(&panels, "Positions")[0]["total"], 50);
    assert_eq!(panel(&panels, "Backups")[0]["text"], "There is none in data/backups.");
    let program = panel(&panels, "Program").to_string();
    assert!(program.contains(env!("CARGO_PKG_VERSION")) && program.contains("[\"schema\",\"1\"]"), "{program}");
    let configuration = panel(&panels, "Configuration").to_string();
    assert!(configuration.contains(r#"["api.quiver.key","[redacted]","variable QUIVER_API_KEY"]"#), "{configuration}");
    assert!(configuration.contains(r#"["logging.level","WARNING","variable LOG_LEVEL"]"#), "{configuration}");
    assert!(!panels.to_string().contains("canary"));
    assert_eq!(running.stop(Signal::TERM).0, Some(0));

    assert_eq!(run(folder.path(), &[], &["backup", "create"]).status.code(), Some(0));
    let running = Running::start(folder.path(), &[]);
    let backups = panel(&running.json("/panels"), "Backups")[0]["rows"][0].clone();
    assert_eq!((&backups[2], &backups[4], &backups[5]), (&"0 h".into(), &"400".into(), &"yes".into()), "{backups}");
}

#[test]
fn with_a_token_only_those_who_have_it_see_more_than_status_words() {
    const TOKEN: &str = "0123456789abcdef";
    let folder = project();
    let running = Running::start(folder.path(), &[("MONITORING__TOKEN", TOKEN)]);
    for path in ["/panels", "/metrics", "/system"] {
        assert_eq!(running.get(path).0, 401, "{path}");
        assert_eq!(running.get_as(path, Some(TOKEN)).0, 200, "{path}");
    }
    let (status, _, body) = running.get("/health");
    assert!(status == 200 && !body.contains("trades"), "{body}");
    assert!(running.get_as("/health", Some(TOKEN)).2.contains("trades"));
    // The program's own question has the token along.
    let port = running.address.port().to_string();
    let set = [("MONITORING__TOKEN", TOKEN), ("MONITORING__PORT", port.as_str())];
    let asked = text(&run(folder.path(), &set, &["health", "--json"]).stdout);
    assert!(asked.contains("\"trades\""), "{asked}");
    let asked = text(&run(folder.path(), &set[1..], &["health"]).stdout);
    assert_eq!(asked, "healthy\n");
}

#[test]
fn the_log_is_a_component_with_metrics() {
    let folder = project();
    let running = Running::start(folder.path(), &[("MONITORING__CHECK_INTERVAL", "1s")]);
    assert_eq!(running.json("/health/log")["message"], "every line is written");
    let wanted = "log_lines_total{component=\"trading_automation\",level=\"INFO\"} ";
    let lines = || {
        let metrics = running.get("/metrics").2;
        let line = metrics.lines().find_map(|line| line.strip_prefix(wanted).map(str::to_owned));
        (line.expect("is a metric").parse::<u64>().expect("a number"), metrics)
    };
    while lines().0 == 0 {
        std::thread::yield_now();
    }
    let metrics = lines().1;
    for name in [
        "log_bytes_total",
        "log_write_errors_total 0",
        "log_panics_total 0",
        "log_lines_folded_total{component=\"api\",level=\"INFO\"} 0",
        "log_lines_not_shown_total 0",
    ] {
        assert!(metrics.contains(&format!("\n{name}")), "{name} in {metrics}");
    }
}

#[test]
fn a_program_adds_routes_and_panels_and_brings_its_listener() {
    let folder = project();
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let settings =
        Settings::loader().root(folder.path()).environment([("MONITORING__PORT", "1")]).load().expect("loads");
    let ours = Pages::new("/portfolio")
        .route("/size", "how large it is", |query| Reply::text(query.get("of").unwrap_or("nothing").to_owned()))
        .panel("Portfolio", || Ok(vec![Part::text("Nothing yet.")]));
    let later = |handles: &trading_app::Handles| {
        let agents = handles.agents().list().len().to_string();
        let pages = Pages::new("/agents").route("", "how many", move |_query| Reply::text(agents.clone()));
        trading_app::Extension::default().pages(pages)
    };
    let builder = App::builder(settings).without_logging().listener(listener);
    let app = builder.pages(ours).extend(later).start().expect("starts");
    assert_eq!(app.address(), address);
    assert_eq!(get(address, "/portfolio/size?of=it"), (200, "it".to_owned()));
    assert_eq!(get(address, "/agents"), (200, "5".to_owned()));
    let panels: Value = serde_json::from_str(&get(address, "/panels").1).expect("JSON");
    assert_eq!(panel(&panels, "Portfolio")[0]["text"], "Nothing yet.");
    assert!(app.shutdown(Duration::from_secs(5)).record_closed);
}

#[test]
fn a_prefix_that_the_app_has_is_refused() {
    let folder = project();
    let settings =
        Settings::loader().root(folder.path()).environment([("MONITORING__PORT", "0")]).load().expect("loads");
    // A check that has begun is waited for until it has let go of what it had.
    let (_open, never) = mpsc::channel();
    let gone = Arc::new(AtomicBool::new(false));
    let slow = SlowToGo { never: Mutex::new(never), gone: Arc::clone(&gone) };
    let probe = move || Outcome::healthy(format!("{:?}", &slow));
    let builder = App::builder(settings).without_logging().check(Check::new("holder", probe));
    let error = builder.pages(Pages::new("/overview")).start().expect_err("is taken");
    assert!(error.to_string().contains("each prefix is given once"), "{error}");
    assert!(gone.load(Ordering::SeqCst));
}

/// Takes its time to be dropped.
#[derive(Debug)]
struct SlowToGo {
    never: Mutex<mpsc::Receiver<()>>,
    gone: Arc<AtomicBool>,
}

impl Drop for SlowToGo {
    fn drop(&mut self) {
        let never = self.never.lock().expect("nobody panics");
        never.recv_timeout(Duration::from_millis(200)).expect_err("nothing is ever sent");
        self.gone.store(true, Ordering::SeqCst);
    }
}

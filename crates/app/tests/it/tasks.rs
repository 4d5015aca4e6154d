//! Supervised tasks: begun again, seen when they fail or hang, and ended in time.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;
use trading_app::{App, Builder, Extension, Task};
use trading_config::Settings;
use trading_monitoring::Status;
use trading_resilience::retry::{Jitter, Policy, UNBOUNDED};

use crate::{project, write};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

const QUICK: Policy = Policy {
    attempts_max: UNBOUNDED,
    base: Duration::from_millis(1),
    factor: 2.0,
    cap: LONG,
    jitter: Jitter::None,
    deadline: None,
};

fn builder(folder: &TempDir) -> Builder {
    let variables = [("MONITORING__PORT", "0"), ("MONITORING__CHECK_INTERVAL", "1s")];
    let settings = Settings::loader().root(folder.path()).environment(variables).load().expect("loads");
    App::builder(settings).without_logging()
}

/// Waits until a component is as expected, and says what it says.
#[track_caller]
fn becomes(app: &App, component: &str, status: Status) -> String {
    let deadline = Instant::now() + LONG;
    loop {
        let report = app.health().report();
        let found = report.components.iter().find(|other| other.name == component).expect("is a component");
        if found.status == status {
            return found.message.clone();
        }
        assert!(Instant::now() < deadline, "{component} is {}: {}", found.status, found.message);
        std::thread::yield_now();
    }
}

#[test]
fn a_task_that_fails_panics_or_ends_is_begun_again() {
    let folder = project();
    let (sender, calls) = mpsc::channel();
    let mut call = 0;
    let task = Task::new("loop", move |context| {
        call += 1;
        sender.send(call).expect("the test listens");
        match call {
            1 => Err("the first fails".into()),
            2 => panic!("the second panics"),
            3 => Ok(()),
            _ => {
                while context.wait(LONG) {}
                Ok(())
            }
        }
    });
    let app = builder(&folder).task(task.back_off(QUICK)).start().expect("starts");
    for expected in 1..=4 {
        assert_eq!(calls.recv_timeout(LONG), Ok(expected));
    }
    assert_eq!(becomes(&app, "loop", Status::Unhealthy), "failed 3 times in a row: it ended by itself");
    let metrics = app.metrics().prometheus();
    assert!(metrics.contains("task_failures_total{task=\"loop\"} 3\n"), "{metrics}");
    let stopped = app.shutdown(LONG);
    assert!(stopped.tasks_left.is_empty() && stopped.took < LONG / 2, "{stopped:?}");
    assert_eq!(calls.recv(), Err(mpsc::RecvError), "it is gone");
}

#[test]
fn one_failure_is_seen_and_passes() {
    let folder = project();
    let fails = Arc::new(AtomicBool::new(true));
    let task = {
        let fails = Arc::clone(&fails);
        Task::every("job", Duration::from_millis(1), move |_| match fails.load(Ordering::SeqCst) {
            true => Err(std::io::Error::other("the disk is full").into()),
            false => Ok(()),
        })
    };
    let hourly = Task::every("hourly", Duration::from_secs(3600), |_| Ok(()));
    let app = builder(&folder).task(task).task(hourly).start().expect("starts");
    let message = becomes(&app, "job", Status::Degraded);
    assert!(message.starts_with("failed") && message.ends_with(": the disk is full"), "{message}");
    fails.store(false, Ordering::SeqCst);
    let message = becomes(&app, "job", Status::Healthy);
    // Not at a time that is past when it is read.
    assert!(message == "works" || message == "is due within a minute", "{message}");
    let message = becomes(&app, "hourly", Status::Healthy);
    assert!(message.starts_with("is due at "), "{message}");
}

#[test]
fn one_that_hangs_is_seen_and_left_behind() {
    let folder = project();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let task = Task::new("stuck", move |_| {
        // Neither looks if it should stop nor gives a sign of life.
        let _released = held.lock().expect("nobody panics").recv();
        Ok(())
    });
    let app = builder(&folder).task(task.silent_for_at_most(Duration::from_millis(1))).start().expect("starts");
    let message = becomes(&app, "stuck", Status::Unhealthy);
    assert!(message.starts_with("hangs: no sign of life for "), "{message}");
    let series = "\nhealth_status{component=\"stuck\",status=\"unhealthy\"} 1\n";
    let deadline = Instant::now() + LONG;
    while !app.metrics().prometheus().contains(series) {
        assert!(Instant::now() < deadline, "{}", app.metrics().prometheus());
        std::thread::yield_now();
    }
    let stopped = app.shutdown(Duration::from_millis(500));
    assert_eq!(stopped.tasks_left, ["stuck"]);
    drop(release);
}

#[test]
fn what_a_program_adds_has_the_parts() {
    let folder = project();
    let trades = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&trades);
    let app = builder(&folder).extend(move |handles| {
        let database = handles.database().clone();
        let (sender, counted) = mpsc::channel();
        let count = Task::every("count", Duration::from_millis(1), move |context| {
            let trades = context.handles().database().read(|r| r.counts())?.trades;
            seen.store(u32::try_from(trades)?, Ordering::SeqCst);
            sender.send(())?;
            Ok(())
        });
        let counted = Mutex::new(counted);
        let look = move || {
            counted.lock().expect("nobody panics").recv_timeout(LONG).expect("it is counted");
            trading_monitoring::Outcome::healthy(format!("{:?}", database.read(|r| r.counts()).expect("reads").trades))
        };
        Extension::default().task(count).check(trading_monitoring::Check::new("added", look).timeout(LONG))
    });
    let app = app.start().expect("starts");
    let message = becomes(&app, "added", Status::Healthy);
    assert_eq!(message, trades.load(Ordering::SeqCst).to_string());
}

#[test]
fn agents_that_change_are_registered_and_a_bad_file_changes_nothing() {
    let folder = project();
    let app = builder(&folder).start().expect("starts");
    let ids = || -> Vec<(String, bool)> {
        let agents = app.database().read(|r| r.agents()).expect("reads");
        agents.into_iter().map(|agent| (agent.id.as_str().to_owned(), agent.enabled)).collect()
    };
    let until = |wanted: &dyn Fn() -> bool| {
        let deadline = Instant::now() + LONG;
        while !wanted() {
            assert!(Instant::now() < deadline, "{:?}", ids());
            std::thread::yield_now();
        }
    };
    assert_eq!(ids().len(), 5);
    let agents = r#"{"agents": [{"id": "new_one", "name": "New", "type": "technical"}]}"#;
    write(folder.path(), "config/agents.json", agents);
    app.reload();
    until(&|| ids().len() == 6);
    assert_eq!(app.handles().agents().list().len(), 1);
    let enabled: Vec<_> = ids().into_iter().filter(|(_, enabled)| *enabled).collect();
    assert_eq!(enabled, [("new_one".to_owned(), true)], "the others stay, and are not to run");
    write(folder.path(), "config/agents.json", "{");
    app.reload();
    let message = becomes(&app, "configuration", Status::Degraded);
    assert!(message.starts_with("what was configured is not in force: "), "{message}");
    assert_eq!(app.handles().agents().list().len(), 1);
}

#[test]
fn people_are_told_of_a_failed_task_by_a_signed_post() {
    let folder = project();
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let variables = [
        ("MONITORING__PORT", "0"),
        ("NOTIFICATIONS__WEBHOOK_URL", url.as_str()),
        ("NOTIFICATIONS__WEBHOOK_SECRET", "a secret of a test"),
    ];
    let settings = Settings::loader().root(folder.path()).environment(variables).load().expect("loads");
    let task = Task::every("job", Duration::from_millis(1), |_| Err("the disk is full".into()));
    let app = App::builder(settings).without_logging().task(task).start().expect("starts");
    let (mut stream, _) = listener.accept().expect("is called");
    let mut reader = BufReader::new(stream.try_clone().expect("is cloned"));
    let (mut length, mut signed) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("is read");
        let line = line.trim_end().to_lowercase();
        signed |= line.starts_with("webhook-signature: v1,");
        match line.strip_prefix("content-length: ") {
            Some(text) => length = text.parse().expect("a number"),
            None if line.is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("is read");
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").expect("is sent");
    drop((reader, stream));
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert!(signed);
    assert_eq!(body["text"], "trading (development): job is degraded: failed: the disk is full");
    let stopped = app.shutdown(LONG);
    assert!(stopped.notifications_complete, "{stopped:?}");
}

#[test]
fn control_a_thread_that_nobody_supervises_dies_unseen() {
    let folder = project();
    let app = builder(&folder).start().expect("starts");
    let thread = std::thread::spawn(|| panic!("nobody sees this"));
    assert!(thread.join().is_err());
    let report = app.health().report();
    assert!(report.components.iter().all(|component| component.status != Status::Unhealthy), "{report:?}");
    let metrics = app.metrics().prometheus();
    let failures: Vec<_> = metrics.lines().filter(|line| line.starts_with("task_failures_total{")).collect();
    assert!(!failures.is_empty() && failures.iter().all(|line| line.ends_with(" 0")), "{failures:?}");
}

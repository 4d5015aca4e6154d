//! The library, in a program of somebody else.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use trading_app::{App, Builder, Extension, SampleData, Task};
use trading_config::Settings;
use trading_monitoring::{Check, Outcome, Status};
use trading_storage::{Database, Migration, MigrationSet};

use crate::project;

#[test]
fn two_apps_run_side_by_side_in_one_process() {
    let folders = [project(), project()];
    let start = |folder: &tempfile::TempDir| {
        let settings = Settings::loader().root(folder.path()).environment([("MONITORING__PORT", "0")]).load();
        App::builder(settings.expect("loads")).without_logging().start().expect("starts")
    };
    let [one, two] = folders.each_ref().map(start);
    assert_ne!(one.address(), two.address());
    assert_ne!(one.database().path(), two.database().path());
    let stopped = one.shutdown(Duration::from_secs(5));
    assert!(stopped.cut_off().is_empty(), "{stopped:?}");
    assert_eq!(two.database().read(|r| r.counts()).expect("goes on").agents, 5);
    assert!(two.shutdown(Duration::from_secs(5)).logs_complete);
    // And once more where the first one was.
    let again = start(&folders[0]);
    assert!(again.record().sample.is_none(), "the data was kept");
    assert!(!folders[0].path().join("logs").exists(), "no log was asked for");
    drop(again);
}

#[test]
fn a_stop_says_what_was_cut_off() {
    let folder = project();
    let settings = Settings::loader().root(folder.path()).environment([("MONITORING__PORT", "0")]).load();
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let stuck = Task::new("stuck", move |_| {
        let _released = held.lock().expect("nobody panics").recv();
        Ok(())
    });
    let app = App::builder(settings.expect("loads")).without_logging().task(stuck).start().expect("starts");
    let database = app.database().clone();
    let idle = TcpStream::connect(app.address()).expect("it listens");
    let mut half = TcpStream::connect(app.address()).expect("it listens");
    write!(half, "GET /health HT").expect("is sent");
    // One that came after them is answered, so that they were taken in.
    let mut later = TcpStream::connect(app.address()).expect("it listens");
    write!(later, "GET /ping HTTP/1.1\r\nHost: test\r\n\r\n").expect("is sent");
    assert!(later.read(&mut [0; 64]).expect("is answered") > 0);
    let stopped = app.shutdown(Duration::from_millis(500));
    assert_eq!((stopped.connections.in_order, stopped.connections.cut_off), (2, 1));
    let expected = [
        "the health server cut off 1 request",
        "these tasks did not end in time: stuck",
        "the record was still in use; the next start folds its write-ahead log",
    ];
    assert_eq!(stopped.cut_off(), expected);
    assert_eq!(database.read(|r| r.counts()).expect("goes on").agents, 5);
    drop((hold, idle));
}

#[test]
fn one_that_was_dropped_has_let_go_of_the_record() {
    let folder = project();
    let hurried = || {
        let app = builder(&folder);
        // It looks at the record all the time, and so does when the app is dropped.
        app.extend(|handles| {
            let database = handles.database().clone();
            let look = move || {
                let (_hold, held) = mpsc::channel::<()>();
                let _late = held.recv_timeout(Duration::from_millis(50));
                Outcome::healthy(format!("{:?}", database.read(|r| r.counts()).map(|counts| counts.trades)))
            };
            Extension::default().check(Check::new("looks", look).critical(true).every(Duration::from_millis(1)))
        })
    };
    for _ in 0..5 {
        drop(hurried().start().expect("nobody has the record"));
    }
}

#[test]
fn a_start_that_was_killed_before_the_sample_data_is_taken_up() {
    let settings = |folder: &tempfile::TempDir| {
        Settings::loader().root(folder.path()).environment([("MONITORING__PORT", "0")]).load().expect("loads")
    };
    let sample = |folder: &tempfile::TempDir| {
        App::builder(settings(folder)).without_logging().start().expect("starts").record().sample
    };
    let folder = project();
    drop(Database::create(&trading_app::storage_options(&settings(&folder))).expect("creates"));
    assert_eq!(sample(&folder).map(|sample| sample.trades), Some(400));
    assert_eq!(sample(&folder), None, "only once");
    // Who made it without wants none.
    let folder = project();
    trading_app::init_db(&settings(&folder), SampleData::None, |_, _| {}).expect("creates");
    assert_eq!(sample(&folder), None);
}

fn builder(folder: &tempfile::TempDir) -> Builder {
    let settings = Settings::loader().root(folder.path()).environment([("MONITORING__PORT", "0")]).load();
    App::builder(settings.expect("loads")).without_logging()
}

#[test]
fn tables_of_others_are_made_with_ours() {
    const RUNS: Migration =
        Migration { version: 1, name: "runs", sql: "CREATE TABLE quiver_runs (id INTEGER PRIMARY KEY);" };
    let folder = project();
    let set = MigrationSet { component: "quiver", migrations: &[RUNS] };
    let app = builder(&folder).migrations(set).start().expect("starts");
    assert_eq!(app.database().schema_version("quiver").expect("is read"), Some(1));
}

#[test]
fn the_start_waits_for_a_critical_check_that_was_added() {
    let folder = project();
    let (_hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let look = move || {
        let _late = held.lock().expect("nobody panics").recv_timeout(Duration::from_millis(300));
        Outcome::healthy("is well")
    };
    let app = builder(&folder).check(Check::new("late", look).critical(true)).start().expect("starts");
    let report = app.health().report();
    let late = report.components.iter().find(|component| component.name == "late").expect("is there");
    assert_eq!(late.status, Status::Healthy, "its first result is there");
}

#[test]
fn it_is_not_ready_any_more_while_it_stops() {
    let folder = project();
    let app = builder(&folder).start().expect("starts");
    let address = app.address();
    // Asked before the stop, and only half of it: whoever listens waits for the rest.
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET /ready HTTP/1.1\r\nHost: test\r\n").expect("is sent");
    // One that came after it is answered, so that it was taken in.
    let mut later = TcpStream::connect(address).expect("it listens");
    write!(later, "GET /ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("is sent");
    later.read_to_end(&mut Vec::new()).expect("is answered");
    let stop = thread::spawn(move || app.shutdown(Duration::from_secs(30)));
    while TcpStream::connect(address).is_ok() {
        thread::yield_now();
    }
    write!(stream, "Connection: close\r\n\r\n").expect("is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("is answered");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("the program is stopping"), "{answer}");
    let stopped = stop.join().expect("ends");
    assert!(stopped.cut_off().is_empty(), "{stopped:?}");
}

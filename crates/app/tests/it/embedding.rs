//! The library, in a program of somebody else.

use std::time::Duration;

use trading_app::{App, SampleData};
use trading_config::Settings;
use trading_storage::Database;

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
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let stuck = trading_app::Task::new("stuck", move |_| {
        let _released = held.lock().expect("nobody panics").recv();
        Ok(())
    });
    let app = App::builder(settings.expect("loads")).without_logging().task(stuck).start().expect("starts");
    let database = app.database().clone();
    let stopped = app.shutdown(Duration::from_millis(500));
    let expected = [
        "these tasks did not end in time: stuck",
        "the record was still in use; the next start folds its write-ahead log",
    ];
    assert_eq!(stopped.cut_off(), expected);
    assert_eq!(database.read(|r| r.counts()).expect("goes on").agents, 5);
    drop(hold);
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

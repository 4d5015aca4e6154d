//! The global logger: a process of its own, because a process can have one only.

use std::fs;

use log::{Level, LevelFilter};
use trading_logging::{Error, Logging, Options};

#[cfg(target_os = "linux")]
fn writers() -> usize {
    let threads = fs::read_dir("/proc/self/task").expect("Linux tells");
    let names = threads.filter_map(|thread| fs::read_to_string(thread.expect("an entry").path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "log-writer").count()
}

#[cfg(not(target_os = "linux"))]
fn writers() -> usize {
    1
}

#[test]
fn the_global_logger_is_installed_once_and_a_second_install_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    let options = Options { level: LevelFilter::Debug, ..Options::at(&first) };
    let logging = Logging::builder(options).install().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Debug);
    log::debug!(target: "trading", quantity = 5; "order filled");
    log::trace!("not wanted");
    assert!(logging.flush());

    let error = Logging::builder(Options::at(folder.path().join("a/second"))).install().unwrap_err();
    assert!(matches!(error, Error::AlreadyInstalled { .. }));
    assert_eq!(
        error.to_string(),
        "cannot install the logger: this process already has one; install once, or use `build` for a second"
    );
    assert_eq!(writers(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no folder, no file");
    let error = Logging::builder(Options::at(folder.path())).install().unwrap_err();
    assert!(matches!(error, Error::AlreadyInstalled { .. }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no file in a folder that was there");

    // The first is as it was.
    assert_eq!(log::max_level(), LevelFilter::Debug);
    log::info!("still here");
    assert!(log::log_enabled!(Level::Debug));
    assert!(logging.shutdown());
    let lines = fs::read_to_string(first.join("trading_automation.log")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["message"], &lines[0]["quantity"]), (&"order filled".into(), &5.into()));
    assert_eq!((&lines[1]["message"], &lines[1]["logger"]), (&"still here".into(), &"install".into()));
    assert_eq!(fs::read_to_string(first.join("trading.log")).unwrap().lines().count(), 1);
}

//! The global logger: a process of its own, because a process can have one only.

use std::{fs, path::Path};

use log::{Level, LevelFilter};
use trading_logging::{Error, Logging, Options, PerformanceMetric, timed};

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

/// Those that take no logger take the installed one.
fn helpers_lead_to_it(file: &Path, logging: &Logging) {
    let context = [("agent_id", "pelosi".into())];
    PerformanceMetric { metric: "return", value: 1.5, unit: "percent", context: &context }.log();
    let place = line!() + 1;
    assert!(timed("read shares", || "x".parse::<u32>()).is_err());
    let mut expected = vec![(place, "error")];
    expected.extend(async_helpers_lead_to_it());
    assert!(logging.flush());
    let lines = fs::read_to_string(file).expect("is there");
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    let told: Vec<_> = lines.iter().skip(1).map(|line| (&line["file"], &line["line"], &line["outcome"])).collect();
    let here = serde_json::Value::from(file!());
    let expected: Vec<(_, serde_json::Value, serde_json::Value)> =
        expected.into_iter().map(|(line, outcome)| (&here, line.into(), outcome.into())).collect();
    assert!(told.iter().copied().eq(expected.iter().map(|(file, line, outcome)| (*file, line, outcome))), "{told:?}");
}

#[cfg(feature = "tokio")]
fn async_helpers_lead_to_it() -> Vec<(u32, &'static str)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("starts");
    let work = async {
        tokio::task::yield_now().await;
        Ok::<(), std::fmt::Error>(())
    };
    let place = line!() + 1;
    assert_eq!(runtime.block_on(trading_logging::timed_async("await shares", work)), Ok(()));
    drop(trading_logging::timed_async("cancelled", std::future::pending::<Result<(), std::fmt::Error>>()));
    vec![(place, "success"), (place + 1, "abandoned")]
}

#[cfg(not(feature = "tokio"))]
fn async_helpers_lead_to_it() -> Vec<(u32, &'static str)> {
    Vec::new()
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

    // A level that is changed while running changes that of the façade.
    logging.set_level("performance", LevelFilter::Trace).unwrap();
    assert_eq!(log::max_level(), LevelFilter::Trace);
    logging.set_level("performance", LevelFilter::Debug).unwrap();
    helpers_lead_to_it(&first.join("performance.log"), &logging);

    // The first is as it was.
    assert_eq!(log::max_level(), LevelFilter::Debug);
    log::info!("still here");
    assert!(log::log_enabled!(Level::Debug));
    assert!(logging.shutdown());
    let lines = fs::read_to_string(first.join("trading_automation.log")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2 + 2 * usize::from(cfg!(feature = "tokio")) + 2);
    assert_eq!((&lines[0]["message"], &lines[0]["quantity"]), (&"order filled".into(), &5.into()));
    let last = lines.last().unwrap();
    assert_eq!((&last["message"], &last["logger"]), (&"still here".into(), &"install".into()));
    assert_eq!(fs::read_to_string(first.join("trading.log")).unwrap().lines().count(), 1);
}

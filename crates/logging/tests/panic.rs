//! The panic hook: a process of its own, because there is one hook a process.

use std::{
    fs, panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde_json::Value as Json;
use trading_logging::{Logging, Options};

#[test]
fn a_panic_is_logged_with_its_place_and_backtrace_and_flushed_before_the_hook_before_is_called() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trading_automation.log");
    let of_hook = file.clone();
    panic::set_hook(Box::new(move |_| {
        CALLED.fetch_add(1, Ordering::Relaxed);
        SEEN.store(fs::read_to_string(&of_hook).map_or(0, |text| text.lines().count()), Ordering::Relaxed);
    }));
    let options = Options { flush_every: std::time::Duration::from_secs(3_600), ..Options::at(folder.path()) };
    let logging = Logging::builder(options).secret("canary").install().unwrap();

    let place = line!() + 1;
    let work = || panic!("no {} left", "canary");
    assert!(thread::Builder::new().name("worker".into()).spawn(work).unwrap().join().is_err());
    assert_eq!(CALLED.load(Ordering::Relaxed), 1);
    assert_eq!(SEEN.load(Ordering::Relaxed), 1, "the line is there when the hook before is called");
    let line: Json = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["logger"], "panic");
    assert_eq!(line["message"], "no [redacted] left");
    assert_eq!((&line["file"], &line["line"]), (&file!().into(), &place.into()));
    assert_eq!(line["thread"], "worker");
    assert!(line["backtrace"].as_str().unwrap().contains("a_panic_is_logged"), "{line}");
    assert_eq!(logging.statistics().panics, 1);

    // One without a text, and one that is caught.
    assert!(panic::catch_unwind(|| panic::panic_any(5)).is_err());
    let lines = fs::read_to_string(&file).unwrap();
    let line: Json = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
    assert_eq!(line["message"], "a panic without a text");
    assert_eq!((CALLED.load(Ordering::Relaxed), logging.statistics().panics), (2, 2));

    // Whoever ended the logging gets the hook before alone.
    assert!(logging.shutdown());
    assert!(panic::catch_unwind(|| panic!("late")).is_err());
    assert_eq!(CALLED.load(Ordering::Relaxed), 3);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
}

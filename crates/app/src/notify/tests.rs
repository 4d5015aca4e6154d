//! How it ends.

use std::sync::atomic::AtomicBool;

use super::*;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Takes what it is given, or does not, and says who it was about.
struct Letterbox {
    takes: Arc<AtomicBool>,
    tried: mpsc::Sender<String>,
}

impl Channel for Letterbox {
    fn name(&self) -> &'static str {
        "letterbox"
    }

    fn deliver(&mut self, told: &ledger::Told, effort: Effort<'_>) -> Result<(), String> {
        self.tried.send(told.notification.subject.clone()).expect("the test listens");
        if self.takes.load(Ordering::SeqCst) {
            return Ok(());
        }
        effort.cancel.wait(LONG * 100);
        Err("it is full".to_owned())
    }
}

fn letterbox(takes: bool) -> (Notifier, Arc<AtomicBool>, Receiver<String>) {
    let (letterbox, takes, seen) = alone(takes);
    (Notifier::start_with(vec![letterbox], &Metrics::default()).expect("starts"), takes, seen)
}

fn alone(takes: bool) -> (Box<dyn Channel>, Arc<AtomicBool>, Receiver<String>) {
    let (tried, seen) = mpsc::channel();
    let takes = Arc::new(AtomicBool::new(takes));
    (Box::new(Letterbox { takes: Arc::clone(&takes), tried }), takes, seen)
}

fn bad(subject: &str) -> Notification {
    Notification::new(subject, Status::Unhealthy, "is not well")
}

#[test]
fn what_came_before_the_end_is_told() {
    let (notifier, _, tried) = letterbox(true);
    let subjects = ["a", "b", "c"];
    subjects.iter().for_each(|subject| notifier.notify(bad(subject)));
    assert!(notifier.shutdown(LONG));
    let mut told: Vec<_> = tried.iter().collect();
    told.sort();
    assert_eq!(told, subjects);
}

#[test]
fn nobody_waits_for_who_does_not_take_it() {
    let (notifier, _, tried) = letterbox(false);
    notifier.notify(bad("a"));
    assert_eq!(tried.recv_timeout(LONG).as_deref(), Ok("a"));
    notifier.notify(bad("b"));
    assert!(notifier.shutdown(LONG), "the pause ended");
    assert_eq!(tried.iter().collect::<Vec<_>>(), [""; 0], "and no other is tried after one that failed");
}

#[test]
fn a_channel_that_does_not_take_it_delays_no_other() {
    let ((stuck, _, tried), (open, _, told)) = (alone(false), alone(true));
    let notifier = Notifier::start_with(vec![stuck, open], &Metrics::default()).expect("starts");
    for subject in ["a", "b"] {
        notifier.notify(bad(subject));
        assert_eq!(told.recv_timeout(LONG).as_deref(), Ok(subject));
    }
    assert_eq!(tried.recv_timeout(LONG).as_deref(), Ok("a"));
    assert!(notifier.shutdown(LONG));
    assert_eq!(tried.iter().collect::<Vec<_>>(), [""; 0], "it was at the first until the end");
}

#[test]
fn a_queue_that_is_full_ends_too() {
    let (notifier, takes, tried) = letterbox(false);
    notifier.notify(bad("a"));
    assert_eq!(tried.recv_timeout(LONG).as_deref(), Ok("a"));
    (0..=QUEUE).for_each(|_| notifier.notify(bad("b")));
    takes.store(true, Ordering::SeqCst);
    assert!(notifier.shutdown(LONG));
}

#[test]
fn a_stop_does_not_wait_for_a_webhook_that_is_down() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens there.
    let variables = [
        ("NOTIFICATIONS__WEBHOOK_URL", "http://127.0.0.1:1/hook"),
        ("NOTIFICATIONS__WEBHOOK_SECRET", "a secret of a test"),
    ];
    let settings = Settings::loader().root(folder.path()).environment(variables).load().expect("loads");
    let metrics = Metrics::default();
    let notifier = Notifier::start(&settings, &metrics).expect("starts");
    notifier.notify(bad("a"));
    // From the second pause on one is longer than a second.
    let waits = "\nretry_events_total{event=\"waiting\",operation=\"post to the webhook\"} 2\n";
    while !metrics.prometheus().contains(waits) {
        std::thread::yield_now();
    }
    let began = Instant::now();
    assert!(notifier.shutdown(LONG));
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
}

//! Checks that fail in every way, and the others beside them.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use trading_monitoring::{Check, Error, Health, Outcome, Status};

use crate::client::{Fixture, NEVER};

/// A check that hangs until its sender is dropped, and tells when it begins.
fn hanging(name: &str) -> (Sender<()>, Receiver<()>, Check) {
    let (release, hang) = mpsc::channel::<()>();
    let (begins, begun) = mpsc::channel();
    let probe = move || match (begins.send(()), hang.recv()) {
        (watched, Ok(()) | Err(mpsc::RecvError)) => Outcome::healthy("came back").detail("watched", watched.is_ok()),
    };
    (release, begun, Check::new(name, probe).timeout(Duration::from_millis(1)).every(NEVER))
}

/// A check whose every look waits for an outcome from the sender, and tells when it begins.
fn driven(name: &str) -> (Sender<Outcome>, Receiver<()>, Check) {
    let (outcomes, next) = mpsc::channel();
    let (begins, begun) = mpsc::channel();
    let probe = move || {
        let watched = begins.send(()).is_ok();
        next.recv().unwrap_or_else(|_| Outcome::unhealthy(format!("nobody drives it; watched: {watched}")))
    };
    (outcomes, begun, Check::new(name, probe).every(Duration::from_nanos(1)).timeout(NEVER))
}

#[test]
fn a_hanging_check_is_a_failed_check_and_no_request_waits_for_it() {
    let (release, begun, check) = hanging("broker");
    // The control: without its time-out, the same hang is seen by nobody.
    let (release_control, control_begun, control) = hanging("control");
    let without = Health::start([control.timeout(NEVER)]).unwrap();
    let fixture = Fixture::new([check.critical(true), fine()]);
    begun.recv_timeout(NEVER).expect("it is looking");
    control_begun.recv_timeout(NEVER).expect("it is looking");
    let began = Instant::now();
    let reply = fixture.get("/health");
    assert_eq!(reply.status, 503);
    let broker = &reply.json()["components"]["broker"];
    assert_eq!(broker["status"], "unhealthy");
    let message = broker["message"].as_str().unwrap();
    assert!(message.starts_with("has not come back for ") && message.ends_with("longer than its time-out of 1ms"));
    assert_eq!(reply.json()["components"]["fine"]["status"], "healthy");
    assert_ne!(without.report().components[0].status, Status::Unhealthy);
    assert_eq!(fixture.get("/live").status, 200);

    while began.elapsed() <= Duration::from_millis(1) {
        std::thread::yield_now();
    }
    drop((release, release_control));
    assert_eq!(fixture.health.shutdown(NEVER), Vec::<String>::new());
    let came_back = fixture.health.report();
    let message = &came_back.component("broker").unwrap().message;
    assert!(message.starts_with("took ") && message.ends_with("longer than its time-out of 1ms; then: came back"));
}

#[test]
fn a_check_that_panics_is_a_failed_check_and_is_looked_at_again() {
    let (begins, begun) = mpsc::channel();
    let mut looks = 0;
    let check = Check::new("some", move || {
        looks += 1;
        if looks == 1 {
            panic!("look {looks} went wrong");
        }
        let watched = begins.send(looks).is_ok();
        Outcome::healthy("well again").detail("watched", watched)
    });
    let fixture = Fixture::new([check.every(Duration::from_nanos(1)).critical(true), fine()]);
    assert_eq!(begun.recv_timeout(NEVER), Ok(2));
    assert_eq!(begun.recv_timeout(NEVER), Ok(3), "the second look is over");
    assert_eq!(fixture.get("/health").json()["components"]["some"]["message"], "well again");
    // The control: on a thread that does not catch it, a panic ends all further looks.
    let looks = std::thread::spawn(|| (1..=2).for_each(|look| assert!(look > 1, "look {look} went wrong")));
    assert!(looks.join().is_err());
}

fn fine() -> Check {
    Check::new("fine", || Outcome::healthy("fine")).every(NEVER)
}

#[test]
fn a_panic_is_reported_with_its_text() {
    #[track_caller]
    fn check(panic: fn() -> Outcome, message: &str) {
        let fixture = Fixture::new([Check::new("some", panic).every(NEVER).critical(true), fine()]);
        let reply = fixture.get("/health");
        assert_eq!(reply.status, 503);
        let body = reply.json();
        assert_eq!(body["components"]["some"]["message"], message);
        assert_eq!(body["components"]["some"]["status"], "unhealthy");
        assert_eq!(body["components"]["fine"]["status"], "healthy");
    }
    check(|| panic!("a literal"), "the check panicked: a literal");
    check(|| panic!("a number: {}", 7), "the check panicked: a number: 7");
    check(|| std::panic::panic_any(7), "the check panicked: no text was given");
}

#[test]
fn each_look_replaces_the_result_of_the_one_before() {
    let (outcomes, begun, check) = driven("some");
    let health = Health::start([check.critical(true)]).unwrap();
    assert_eq!(health.report().status, Status::Unknown);
    begun.recv_timeout(NEVER).unwrap();
    for (status, message) in [
        (Status::Healthy, "a"),
        (Status::Unhealthy, "b"),
        (Status::Degraded, "c"),
        (Status::Unknown, "d"),
        (Status::Healthy, "e"),
    ] {
        outcomes.send(Outcome::new(status, message)).unwrap();
        begun.recv_timeout(NEVER).expect("the next look begins when this one's result is kept");
        let component = &health.report().components[0];
        assert_eq!((component.status, component.message.as_str()), (status, message));
    }
}

#[test]
fn waiting_for_the_first_results_is_bounded() {
    let (outcomes, _begun, check) = driven("some");
    let health = Health::start([check]).unwrap();
    assert!(!health.wait_first(Duration::ZERO));
    assert!(!health.wait_first(Duration::from_millis(1)));
    outcomes.send(Outcome::healthy("")).unwrap();
    assert!(health.wait_first(NEVER));
    assert!(Health::start([]).unwrap().wait_first(Duration::ZERO));
}

#[test]
fn shutdown_names_what_hangs_and_lets_go_of_what_the_others_hold() {
    let held = Arc::new(Mutex::new(()));
    let holder = Arc::clone(&held);
    let holds = Check::new("holds", move || Outcome::healthy(format!("{}", holder.lock().is_ok()))).every(NEVER);
    let (release, begun, hangs) = hanging("hangs");
    let health = Health::start([holds, hangs]).unwrap();
    begun.recv_timeout(NEVER).expect("it is looking");
    assert!(health.wait_first(NEVER));
    // The one that rests ends at once: it is only a matter of when this thread sees it.
    let mut left = (0..60_000).map(|_| health.shutdown(Duration::from_millis(1)));
    assert_eq!(left.find(|left| left.len() == 1).expect("the one that rests ends"), ["hangs"]);
    assert_eq!(Arc::strong_count(&held), 1);
    drop((left, release));
    assert_eq!(health.shutdown(NEVER), Vec::<String>::new());
    assert_eq!(health.report().component("holds").unwrap().message, "true", "results stay readable");
}

#[test]
fn dropping_the_last_clone_stops_the_checks() {
    let (held, alive) = mpsc::channel::<()>();
    let check = Check::new("some", move || {
        let _held = &held;
        Outcome::healthy("")
    });
    let health = Health::start([check.every(NEVER)]).unwrap();
    drop(health.clone());
    assert!(health.wait_first(NEVER));
    assert_eq!(alive.try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(health);
    assert_eq!(alive.recv_timeout(NEVER), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_check_that_cannot_be_run_is_refused() {
    #[track_caller]
    fn check(checks: impl IntoIterator<Item = Check>, expected: &str) {
        let error = Health::start(checks).unwrap_err();
        assert!(matches!(error, Error::InvalidCheck { .. }));
        assert_eq!(error.to_string(), expected);
    }
    let named = |name: &str| Check::new(name, || Outcome::healthy(""));
    let rule = "a name is 1 to 64 ASCII letters, digits, `_`, `-` and `.`";
    for name in ["", "a b", "a/b", "../x", "ä", "a\nb", "a\0b", &"x".repeat(65)] {
        check([named(name)], &format!("the health check {name:?} is refused: {rule}"));
    }
    for name in [".", ".."] {
        check([named(name)], &format!("the health check {name:?} is refused: a name has more than dots"));
    }
    check([fine(), fine()], "the health check \"fine\" is refused: each name is given once");
    check([fine().every(Duration::ZERO)], "the health check \"fine\" is refused: the interval is above zero");
    check([fine().timeout(Duration::ZERO)], "the health check \"fine\" is refused: the time-out is above zero");
    let longest = "x".repeat(Check::NAME_BYTES_MAX);
    assert!(Health::start([named(&longest), named("a.b-c_D9"), named("..a")]).is_ok());
}

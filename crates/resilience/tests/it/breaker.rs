//! The breaker: its rates, its probes, its changes by hand, and what it tells.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use trading_resilience::{
    BreakerOptions, BreakerReport, BreakerState, CircuitBreaker, Class, Event, Observer, Refusal,
};

use crate::world::secs;

const OPTIONS: BreakerOptions = BreakerOptions {
    window: secs(60),
    calls_min: 4,
    failure_rate: 0.5,
    slow_after: secs(5),
    slow_rate: 0.75,
    open_base: secs(10),
    open_factor: 2.0,
    open_cap: secs(35),
    probes: 2,
};

const FAILED: Option<Class> = Some(Class::Transient);

/// A breaker on a clock that only the test moves.
struct Stage {
    breaker: CircuitBreaker,
    now: Cell<Instant>,
}

impl Stage {
    fn new(options: BreakerOptions) -> Self {
        Self {
            breaker: CircuitBreaker::new("alpaca", options).expect("they make sense"),
            now: Cell::new(Instant::now()),
        }
    }

    fn pass(&self, time: Duration) {
        self.now.set(self.now() + time);
    }

    fn now(&self) -> Instant {
        self.now.get()
    }

    #[track_caller]
    fn call(&self, failure: Option<Class>) {
        self.breaker.permit(self.now()).expect("it lets calls through").finish(failure, self.now());
    }

    fn report(&self) -> BreakerReport {
        self.breaker.report(self.now())
    }

    #[track_caller]
    fn check(&self, state: BreakerState, reason: &str) {
        let report = self.report();
        assert_eq!((report.state, report.reason.as_str()), (state, reason));
    }

    /// Opens it by four failures.
    fn open() -> Self {
        let stage = Self::new(OPTIONS);
        (0..4).for_each(|_| stage.call(FAILED));
        stage.check(BreakerState::Open, "4 of 4 calls failed");
        stage
    }
}

#[test]
fn it_opens_at_the_rate_and_not_before() {
    let stage = Stage::new(OPTIONS);
    stage.call(FAILED);
    stage.call(None);
    stage.call(None);
    stage.check(BreakerState::Closed, "new");
    stage.call(FAILED);
    stage.check(BreakerState::Open, "2 of 4 calls failed");
    let stage = Stage::new(OPTIONS);
    (0..3).for_each(|_| stage.call(None));
    stage.call(FAILED);
    stage.call(FAILED);
    stage.check(BreakerState::Closed, "new");
    assert_eq!((stage.report().calls, stage.report().failures), (5, 2));
}

#[test]
fn too_few_calls_say_nothing() {
    let stage = Stage::new(OPTIONS);
    (0..3).for_each(|_| stage.call(FAILED));
    stage.check(BreakerState::Closed, "new");
}

#[test]
fn old_calls_are_forgotten() {
    let stage = Stage::new(OPTIONS);
    (0..3).for_each(|_| stage.call(FAILED));
    stage.pass(secs(54));
    assert_eq!(stage.report().failures, 3);
    stage.pass(secs(6));
    assert_eq!(stage.report().failures, 0);
    stage.call(FAILED);
    stage.check(BreakerState::Closed, "new");
    stage.pass(secs(1_000_000));
    assert_eq!(stage.report().calls, 0);
}

#[test]
fn each_class_counts_as_what_it_says_of_health() {
    let count = |failure: Option<Class>| {
        let stage = Stage::new(OPTIONS);
        stage.call(failure);
        (stage.report().calls, stage.report().failures)
    };
    assert_eq!(count(None), (1, 0));
    assert_eq!(count(Some(Class::Permanent)), (1, 0));
    assert_eq!(count(Some(Class::Transient)), (1, 1));
    assert_eq!(count(Some(Class::Unknown)), (1, 1));
    assert_eq!(count(Some(Class::RateLimited { retry_after: None })), (0, 0));
}

#[test]
fn slow_calls_open_it_too() {
    let stage = Stage::new(OPTIONS);
    let start = stage.now();
    let slow = |time: Duration| {
        let permit = stage.breaker.permit(start).expect("it lets calls through");
        stage.now.set(start + time);
        permit.finish(None, stage.now());
        stage.report()
    };
    assert_eq!(slow(secs(5) - Duration::from_nanos(1)).slow, 0);
    assert_eq!(slow(secs(5)).slow, 1);
    assert_eq!(slow(secs(6)).slow, 2);
    let report = slow(secs(7));
    assert_eq!((report.state, report.reason.as_str()), (BreakerState::Open, "3 of 4 calls were slow"));
}

#[test]
fn probes_close_it() {
    let stage = Stage::open();
    stage.pass(secs(10) - Duration::from_nanos(1));
    let refusal = stage.breaker.permit(stage.now()).unwrap_err();
    assert_eq!(refusal, Refusal::CircuitOpen { come_back_after: Some(Duration::from_nanos(1)) });
    stage.pass(Duration::from_nanos(1));
    let one = stage.breaker.permit(stage.now()).expect("the first probe");
    stage.check(BreakerState::HalfOpen, "the open time is over");
    let other = stage.breaker.permit(stage.now()).expect("the second probe");
    // After the second opening in a row the probes have 20 s.
    let refusal = stage.breaker.permit(stage.now()).unwrap_err();
    assert_eq!(refusal, Refusal::CircuitOpen { come_back_after: Some(secs(20)) });
    one.finish(None, stage.now());
    stage.check(BreakerState::HalfOpen, "the open time is over");
    other.finish(Some(Class::Permanent), stage.now());
    stage.check(BreakerState::Closed, "all probes succeeded");
    assert_eq!(stage.report().opened_in_a_row, 0);
}

#[test]
fn it_stays_open_longer_each_time_up_to_the_cap() {
    let stage = Stage::open();
    for (times, wait) in [(1, 10), (2, 20), (3, 35), (4, 35)] {
        let report = stage.report();
        assert_eq!((report.opened_in_a_row, report.come_back_after), (times, Some(secs(wait))));
        stage.pass(secs(wait));
        stage.call(FAILED);
        stage.check(BreakerState::Open, "a probe failed");
    }
    stage.pass(secs(35));
    let slow = stage.breaker.permit(stage.now()).expect("a probe");
    stage.pass(secs(5));
    slow.finish(None, stage.now());
    stage.check(BreakerState::Open, "a probe was slow");
}

#[test]
fn a_dropped_permit_is_recorded() {
    let stage = Stage::new(OPTIONS);
    drop(stage.breaker.permit(stage.now()));
    assert_eq!((stage.report().calls, stage.report().failures), (1, 1));
    let panic = || {
        let _permit = stage.breaker.permit(stage.now());
        panic!("on purpose");
    };
    catch_unwind(AssertUnwindSafe(panic)).expect_err("it panics");
    assert_eq!((stage.report().calls, stage.report().failures), (2, 2));
    stage.breaker.permit(stage.now()).expect("it lets calls through").unused();
    assert_eq!(stage.report().calls, 2);
    let stage = Stage::open();
    stage.pass(secs(10));
    drop(stage.breaker.permit(stage.now()));
    stage.check(BreakerState::Open, "a probe failed");
}

#[test]
fn a_probe_that_was_not_made_makes_room() {
    let stage = Stage::open();
    stage.pass(secs(10));
    for _ in 0..5 {
        stage.breaker.permit(stage.now()).expect("a probe").unused();
        stage.call(Some(Class::RateLimited { retry_after: None }));
    }
    stage.call(None);
    stage.call(None);
    stage.check(BreakerState::Closed, "all probes succeeded");
}

#[test]
fn forgotten_probes_do_not_hold_it_for_ever() {
    let stage = Stage::open();
    stage.pass(secs(10));
    std::mem::forget(stage.breaker.permit(stage.now()).expect("a probe"));
    std::mem::forget(stage.breaker.permit(stage.now()).expect("a probe"));
    stage.pass(secs(20));
    stage.call(None);
    stage.check(BreakerState::HalfOpen, "the probes did not come back");
    stage.call(None);
    stage.check(BreakerState::Closed, "all probes succeeded");
}

#[test]
fn results_of_a_state_that_has_passed_do_not_count() {
    let stage = Stage::new(OPTIONS);
    let late = stage.breaker.permit(stage.now()).expect("it lets calls through");
    (0..4).for_each(|_| stage.call(FAILED));
    stage.pass(secs(10));
    stage.call(None);
    late.finish(FAILED, stage.now());
    stage.check(BreakerState::HalfOpen, "the open time is over");
}

#[test]
fn somebodys_word_goes_first() {
    let stage = Stage::new(OPTIONS);
    stage.breaker.force_open("maintenance", stage.now());
    stage.pass(secs(1_000));
    assert_eq!(stage.breaker.permit(stage.now()).unwrap_err(), Refusal::CircuitOpen { come_back_after: None });
    stage.check(BreakerState::ForcedOpen, "maintenance");
    stage.breaker.disable("false alarms", stage.now());
    (0..10).for_each(|_| stage.call(FAILED));
    stage.check(BreakerState::Disabled, "false alarms");
    stage.breaker.reset("well again", stage.now());
    stage.check(BreakerState::Closed, "well again");
    assert_eq!(stage.report().calls, 0);
}

#[test]
fn changes_are_told() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&told);
    let observer: Arc<dyn Observer + Send> = Arc::new(move |event: &Event<'_>| {
        if let Event::BreakerChanged { breaker, from, to, reason } = event {
            sink.lock().unwrap().push(format!("{breaker}: {} to {}: {reason}", from.as_str(), to.as_str()));
        }
    });
    let breaker = CircuitBreaker::new("quiver", OPTIONS).expect("they make sense").observed_by(observer);
    let stage = Stage { breaker, now: Cell::new(Instant::now()) };
    (0..4).for_each(|_| stage.call(FAILED));
    stage.pass(secs(10));
    (0..2).for_each(|_| stage.call(None));
    stage.breaker.force_open("maintenance", stage.now());
    let expected = [
        "quiver: closed to open: 4 of 4 calls failed",
        "quiver: open to half_open: the open time is over",
        "quiver: half_open to closed: all probes succeeded",
        "quiver: closed to forced_open: maintenance",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[track_caller]
fn check(options: BreakerOptions, expected: Result<(), &str>) {
    let found = CircuitBreaker::new("x", options).map(drop).map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned), "{options:?}");
}

#[test]
fn options_are_checked() {
    check(BreakerOptions::default(), Ok(()));
    check(BreakerOptions { window: Duration::ZERO, ..OPTIONS }, Err("window must be above zero, found \"0ns\""));
    check(BreakerOptions { window: Duration::from_nanos(10), ..OPTIONS }, Ok(()));
    check(BreakerOptions { calls_min: 0, ..OPTIONS }, Err("calls_min must be at least 1, found \"0\""));
    check(BreakerOptions { calls_min: 1, ..OPTIONS }, Ok(()));
    check(BreakerOptions { failure_rate: 0.0, ..OPTIONS }, Err("failure_rate must be above 0, found \"0.0\""));
    check(BreakerOptions { failure_rate: f64::NAN, ..OPTIONS }, Err("failure_rate must be above 0, found \"NaN\""));
    check(BreakerOptions { failure_rate: 2.0, ..OPTIONS }, Ok(()));
    check(BreakerOptions { slow_rate: -1.0, ..OPTIONS }, Err("slow_rate must be above 0, found \"-1.0\""));
    check(BreakerOptions { open_base: Duration::ZERO, ..OPTIONS }, Err("open_base must be above zero, found \"0ns\""));
    check(
        BreakerOptions { open_factor: 0.9, ..OPTIONS },
        Err("open_factor must be a number of at least 1, found \"0.9\""),
    );
    check(BreakerOptions { open_cap: secs(9), ..OPTIONS }, Err("open_cap must be at least open_base, found \"9s\""));
    check(BreakerOptions { open_cap: secs(10), ..OPTIONS }, Ok(()));
    check(BreakerOptions { probes: 0, ..OPTIONS }, Err("probes must be at least 1, found \"0\""));
}

#[test]
fn the_defaults_are_these() {
    let expected = BreakerOptions {
        window: secs(60),
        calls_min: 10,
        failure_rate: 0.5,
        slow_after: secs(10),
        slow_rate: 0.8,
        open_base: secs(10),
        open_factor: 2.0,
        open_cap: secs(300),
        probes: 3,
    };
    assert_eq!(BreakerOptions::default(), expected);
}

#[test]
fn threads_share_the_probes() {
    let stage = Stage::open();
    stage.pass(secs(10));
    let (breaker, now) = (&stage.breaker, stage.now());
    let probe = || (0..50).filter_map(|_| breaker.permit(now).ok()).collect::<Vec<_>>();
    let permits: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(probe)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(permits.len(), 2);
    permits.into_iter().for_each(|permit| permit.finish(None, now));
    stage.check(BreakerState::Closed, "all probes succeeded");
}

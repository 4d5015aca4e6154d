//! What ends a retry before its attempts are used: nesting, cancelling, a predicate; and policies that make no sense.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use std::time::Duration;

use trading_resilience::retry::{self, GaveUp, Jitter, Policy, Reason};
use trading_resilience::{Cancel, Class, Classify, Event};

use crate::world::{Failed, TRANSIENT, World, secs, told};

const POLICY: Policy =
    Policy { attempts_max: 3, base: secs(1), factor: 2.0, cap: secs(10), jitter: Jitter::None, deadline: None };

#[test]
fn a_retry_inside_a_retry_runs_once_and_says_so() {
    let world = World::new(0);
    let mut calls = 0;
    let outer = POLICY
        .effects(&world)
        .run("outer", |_| {
            POLICY.effects(&world).run("inner", |_| {
                calls += 1;
                Err::<(), _>(TRANSIENT)
            })
        })
        .unwrap_err();
    assert_eq!((calls, outer.attempts, outer.reason), (3, 3, Reason::AttemptsUsed));
    let inner: &GaveUp<Failed> = &outer.source;
    assert_eq!((inner.attempts, inner.reason, inner.class()), (1, Reason::Nested, Class::Transient));
    assert_eq!(inner.to_string(), "inner: gave up after 1 attempt in 0ns: a retry inside a retry runs once");
    assert_eq!(world.slept(), [secs(1), secs(2)]);
}

#[test]
fn what_the_inner_one_was_asked_for_the_outer_one_waits_for() {
    let world = World::new(0);
    let inner = |_| POLICY.effects(&world).run("inner", |_| Err::<(), _>(told(7)));
    let outer = POLICY.effects(&world).run("outer", inner).unwrap_err();
    assert_eq!((world.slept(), outer.come_back_after), (vec![secs(7), secs(7)], Some(secs(7))));
}

#[track_caller]
fn check_not_nested() {
    let world = World::new(0);
    let gave_up = POLICY.effects(&world).run("alone", |_| Err::<(), _>(TRANSIENT)).expect_err("it fails");
    assert_eq!((gave_up.attempts, gave_up.reason), (3, Reason::AttemptsUsed));
}

#[test]
fn only_what_runs_inside_an_attempt_is_nested() {
    let world = World::new(0);
    check_not_nested();
    // After an inner one, and between the attempts of an outer one.
    POLICY
        .effects(&world)
        .run("outer", |attempt| {
            assert_eq!(POLICY.effects(&world).run("inner", |_| Ok::<_, Failed>(7)).unwrap(), 7);
            if attempt.number < 2 { Err(TRANSIENT) } else { Ok(()) }
        })
        .unwrap();
    check_not_nested();
    // An observer is no part of an attempt.
    let observer = |_: &Event<'_>| check_not_nested();
    POLICY.effects(&world).observed_by(&observer).run("outer", |_| Err::<(), _>(TRANSIENT)).unwrap_err();
    // On another thread.
    let elsewhere = |_| {
        thread::scope(|scope| scope.spawn(check_not_nested).join()).expect("no panic");
        Ok::<_, Failed>(())
    };
    POLICY.run("outer", elsewhere).unwrap();
    // After a panic.
    let panic = || POLICY.run("outer", |_| -> Result<(), Failed> { panic!("on purpose") });
    catch_unwind(AssertUnwindSafe(panic)).expect_err("it panics");
    check_not_nested();
}

#[test]
fn cancelling_ends_it_after_the_attempt_under_way() {
    let (world, cancel) = (World::new(0), Cancel::new());
    let gave_up = POLICY
        .effects(&world)
        .cancelled_by(&cancel)
        .run("long", |attempt| {
            if attempt.number == 2 {
                cancel.cancel();
            }
            Err::<(), _>(told(5))
        })
        .unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason, gave_up.come_back_after), (2, Reason::Cancelled, Some(secs(5))));
    assert_eq!(world.slept(), [secs(5)]);
    // The first attempt is made in any case.
    let gave_up = POLICY.cancelled_by(&cancel).run("late", |_| Err::<(), _>(TRANSIENT)).unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason), (1, Reason::Cancelled));
    assert_eq!(POLICY.cancelled_by(&cancel).run("late", |_| Ok::<_, Failed>(1)).unwrap(), 1);
}

#[test]
fn cancelling_cuts_a_wait_short() {
    let cancel = Cancel::new();
    let (failed, first) = mpsc::channel();
    let policy = Policy { base: secs(3_600), cap: secs(3_600), ..POLICY };
    let gave_up = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            policy.cancelled_by(&cancel).run("long", |_| {
                failed.send(()).expect("somebody listens");
                Err::<(), _>(TRANSIENT)
            })
        });
        first.recv().expect("a first attempt");
        cancel.clone().cancel();
        waiting.join().expect("no panic").unwrap_err()
    });
    assert_eq!((gave_up.attempts, gave_up.reason), (1, Reason::Cancelled));
    assert!(cancel.is_cancelled());
}

#[test]
fn a_predicate_can_only_refuse() {
    let world = World::new(0);
    let never = |_: &Failed, _| false;
    let gave_up = POLICY.effects(&world).only_if(never).run("once", |_| Err::<(), _>(told(5))).unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason, gave_up.come_back_after), (1, Reason::Declined, Some(secs(5))));
    let second = |error: &Failed, attempt: u32| *error == TRANSIENT && attempt < 2;
    let gave_up = POLICY.effects(&world).only_if(second).run("twice", |_| Err::<(), _>(TRANSIENT)).unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason), (2, Reason::Declined));
    let always = |_: &Failed, _| true;
    let unknown = POLICY.only_if(always).run("order", |_| Err::<(), _>(crate::world::UNKNOWN)).unwrap_err();
    assert_eq!((unknown.attempts, unknown.reason), (1, Reason::NoKey));
}

#[test]
fn the_real_clock_tells_how_long_it_took() {
    // Nothing is waited for, so little is sure: it is no more than the whole test took, give or take the kernel's tick.
    let before = std::time::Instant::now();
    let policy = Policy { base: Duration::ZERO, ..POLICY };
    for policy in [policy, Policy { deadline: Some(secs(60)), ..policy }] {
        let gave_up = policy.run("quick", |_| Err::<(), _>(TRANSIENT)).unwrap_err();
        assert!(gave_up.elapsed <= before.elapsed() + Duration::from_millis(20), "{:?}", gave_up.elapsed);
        assert_eq!(gave_up.attempts, 3);
    }
}

#[track_caller]
fn check(policy: Policy, expected: Result<(), &str>) {
    let found = policy.validated().map(drop).map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned), "{policy:?}");
}

#[test]
fn a_policy_from_settings_is_checked() {
    for ready_made in [retry::API, retry::DATABASE, retry::TRADING] {
        check(ready_made, Ok(()));
    }
    check(Policy { attempts_max: 1, ..POLICY }, Ok(()));
    check(Policy { attempts_max: 0, ..POLICY }, Err("attempts_max must be at least 1, found \"0\""));
    check(Policy { factor: 1.0, ..POLICY }, Ok(()));
    check(Policy { factor: 0.99, ..POLICY }, Err("factor must be a number of at least 1, found \"0.99\""));
    check(Policy { factor: f64::NAN, ..POLICY }, Err("factor must be a number of at least 1, found \"NaN\""));
    check(Policy { factor: f64::INFINITY, ..POLICY }, Err("factor must be a number of at least 1, found \"inf\""));
    check(Policy { base: secs(10), ..POLICY }, Ok(()));
    check(Policy { base: secs(11), ..POLICY }, Err("base must be at most the cap, found \"11s\""));
    check(Policy { cap: Duration::ZERO, base: Duration::ZERO, ..POLICY }, Err("cap must be above zero, found \"0ns\""));
    check(Policy { deadline: Some(Duration::from_nanos(1)), ..POLICY }, Ok(()));
    check(Policy { deadline: Some(Duration::ZERO), ..POLICY }, Err("deadline must be above zero, found \"0ns\""));
}

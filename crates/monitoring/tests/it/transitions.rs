//! Changes of status: who is told of them, and where they are read.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use serde_json::json;
use trading_monitoring::{Check, Health, Outcome, Status};

use crate::client::{Fixture, NEVER};

/// A check whose every look waits for an outcome.
fn driven(name: &str) -> (Sender<Outcome>, Check) {
    let (outcomes, next) = mpsc::channel();
    let probe = move || next.recv().unwrap_or_else(|_| Outcome::healthy("nobody drives it"));
    (outcomes, Check::new(name, probe).every(Duration::from_nanos(1)).timeout(NEVER))
}

#[test]
fn observers_are_told_of_each_change_in_order_and_of_nothing_else() {
    let (outcomes, check) = driven("quiver");
    let health = Health::start([check]).unwrap();
    let (first, told) = mpsc::channel();
    health.observe(|_| panic!("one that panics costs the others nothing")).unwrap();
    health
        .observe(move |transition| {
            first.send((transition.from, transition.to, transition.message.clone())).expect("the test listens")
        })
        .unwrap();
    for (status, message) in [
        (Status::Healthy, "a"),
        (Status::Degraded, "b"),
        (Status::Degraded, "c"),
        (Status::Unhealthy, "d"),
        (Status::Healthy, "e"),
    ] {
        outcomes.send(Outcome::new(status, message)).unwrap();
        // One that changes something is waited for, so that none is overtaken by the next.
        if matches!(message, "b" | "d" | "e") {
            let (from, to, said) = told.recv_timeout(NEVER).unwrap();
            assert_eq!((to, said.as_str()), (status, message));
            assert_ne!(from, to);
        }
    }
    drop(outcomes);
    health.shutdown(NEVER);
    assert!(told.try_recv().is_err(), "nothing else");
    let kept: Vec<_> = health.transitions().into_iter().map(|transition| (transition.from, transition.to)).collect();
    let all = [Status::Healthy, Status::Degraded, Status::Unhealthy, Status::Healthy];
    assert_eq!(kept, all.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>());
}

#[test]
fn what_hangs_is_told_while_it_hangs() {
    let (release, hang) = mpsc::channel::<()>();
    let check = Check::new("broker", move || {
        let released = hang.recv().is_err();
        Outcome::healthy("came back").detail("released", released)
    });
    let health = Health::start([check.timeout(Duration::from_millis(1)).every(NEVER)]).unwrap();
    let (sender, told) = mpsc::channel();
    health.observe(move |transition| drop(sender.send(transition.clone()))).unwrap();
    // It may have been told of before there was an observer.
    let transition = told.recv_timeout(Duration::from_millis(500)).ok().or_else(|| health.transitions().pop()).unwrap();
    assert_eq!((transition.component.as_str(), transition.to), ("broker", Status::Unhealthy));
    assert!(transition.message.starts_with("has not come back for "), "{}", transition.message);
    drop(release);
}

#[test]
fn an_observer_that_blocks_delays_no_check_no_request_and_no_other_observer() {
    let (outcomes, check) = driven("quiver");
    let fixture = Fixture::new([Check::new("fine", || Outcome::healthy("fine")).every(NEVER)]);
    let health = Health::start([check]).unwrap();
    let (release, hold) = mpsc::channel::<()>();
    let (begins, begun) = mpsc::channel();
    let blocks = move |_: &_| {
        assert_eq!(begins.send(()), Ok(()));
        assert!(hold.recv().is_err(), "is never sent to");
    };
    health.observe(blocks).unwrap();
    outcomes.send(Outcome::unhealthy("a")).unwrap();
    begun.recv_timeout(NEVER).unwrap();
    let (sender, told) = mpsc::channel();
    health.observe(move |transition| drop(sender.send(transition.message.clone()))).unwrap();
    // More than wait for the one that blocks.
    for number in 0..150 {
        let status = if number % 2 == 0 { Status::Degraded } else { Status::Unhealthy };
        outcomes.send(Outcome::new(status, number.to_string())).unwrap();
        assert_eq!(told.recv_timeout(NEVER), Ok(number.to_string()));
    }
    assert_eq!(health.report().components[0].message, "149");
    assert_eq!(health.transitions().last().map(|last| last.message.clone()), Some("149".to_owned()));
    assert_eq!(fixture.get("/health").status, 200);
    drop(release);
}

#[test]
fn an_observer_may_add_another_one() {
    let (outcomes, check) = driven("quiver");
    let health = Health::start([check]).unwrap();
    let (sender, told) = mpsc::channel();
    let (within, next) = (health.clone(), outcomes.clone());
    let add = move |_: &_| {
        let sender = sender.clone();
        within.observe(move |transition| drop(sender.send(transition.message.clone()))).unwrap();
        next.send(Outcome::healthy("b")).unwrap_or_default();
    };
    health.observe(add).unwrap();
    outcomes.send(Outcome::degraded("a")).unwrap();
    assert_eq!(told.recv_timeout(NEVER), Ok("b".to_owned()));
}

#[test]
fn the_page_of_transitions_has_the_keys_that_the_readme_promises() {
    let (outcomes, check) = driven("quiver");
    let fixture = {
        outcomes.send(Outcome::degraded("429")).unwrap();
        Fixture::new([check])
    };
    while fixture.health.transitions().is_empty() {
        std::thread::yield_now();
    }
    let body = fixture.get("/transitions").json();
    let mut one = body["transitions"][0].clone();
    assert!(one["time"].as_str().unwrap().ends_with('Z'));
    one["time"] = json!("then");
    let expected = json!({ "time": "then", "component": "quiver", "from": "healthy", "to": "degraded",
        "message": "429", "critical": false });
    assert_eq!(one, expected);
    let readme = include_str!("../../README.md");
    let row = readme.lines().find(|line| line.starts_with("| `/transitions` |")).unwrap();
    for key in expected.as_object().unwrap().keys() {
        assert!(row.contains(&format!("`{key}`")), "{key}");
    }
}

//! Checks of each sort as they run: async ones, and those that are ready made.

use std::sync::mpsc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use trading_monitoring::{
    Check, ComponentReport, Health, Heartbeat, LogSink, Outcome, Status, System, SystemOptions, UsageLimits,
};

use crate::client::NEVER;

/// What the first look finds.
fn first(check: Check) -> ComponentReport {
    let health = Health::start([check.every(NEVER)]).unwrap();
    assert!(health.wait_first(NEVER));
    health.report().components.remove(0)
}

#[track_caller]
fn check(check: Check, name: &str, status: Status, message: &str) {
    let found = first(check);
    assert_eq!((found.name.as_str(), found.status, found.message.as_str()), (name, status, message));
}

#[test]
fn an_async_check_may_use_clocks_and_sockets_and_fail_in_any_way() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connects = Check::new_async("port", move || async move {
        match tokio::time::timeout(NEVER, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => Outcome::healthy("listens"),
            failed => Outcome::unhealthy(format!("{failed:?}")),
        }
    });
    check(connects, "port", Status::Healthy, "listens");
    let hangs = Check::new_async("hangs", std::future::pending::<Outcome>).timeout(Duration::from_millis(5));
    let found = first(hangs);
    assert_eq!(found.status, Status::Unhealthy);
    assert!(found.message.contains("its time-out of 5ms"), "{}", found.message);
    async fn panics() -> Outcome {
        panic!("went wrong")
    }
    check(Check::new_async("panics", panics), "panics", Status::Unhealthy, "the check panicked: went wrong");
}

#[test]
fn an_async_check_that_hangs_is_dropped_and_tried_again() {
    let (looks, looked) = mpsc::channel();
    let mut look = 0;
    let check = Check::new_async("service", move || {
        look += 1;
        let number = look;
        let looks = looks.clone();
        async move {
            assert_eq!(looks.send(number), Ok(()));
            if number == 1 {
                std::future::pending::<()>().await;
            }
            Outcome::healthy("well again")
        }
    });
    let check = check.timeout(Duration::from_millis(5)).every(Duration::from_millis(20));
    let health = Health::start([check]).unwrap();
    for expected in 1..=3 {
        assert_eq!(looked.recv_timeout(NEVER), Ok(expected));
    }
    drop(health.shutdown(NEVER));
    // The next ones may have been late too, on a machine that is busy.
    assert_eq!(health.history("service").unwrap()[0].status, Status::Unhealthy);
}

#[test]
fn one_that_blocks_its_thread_in_async_code_holds_up_nobody_else() {
    let (release, hang) = mpsc::channel::<()>();
    let hang = std::sync::Arc::new(std::sync::Mutex::new(hang));
    let blocks = Check::new_async("blocks", move || {
        let hang = hang.clone();
        async move {
            drop(hang.lock().map(|hang| hang.recv()));
            Outcome::healthy("came back")
        }
    });
    let fine = Check::new_async("fine", || async { Outcome::healthy("fine") });
    let health = Health::start([blocks.timeout(Duration::from_millis(1)), fine.every(NEVER)]).unwrap();
    assert!(health.wait_first(NEVER));
    let report = health.report();
    let status = |name| report.component(name).map(|component| component.status);
    assert_eq!((status("blocks"), status("fine")), (Some(Status::Unhealthy), Some(Status::Healthy)));
    drop(release);
}

#[test]
fn each_ready_made_check_has_its_name_and_looks() {
    let answers = || Ok::<_, std::io::Error>(Outcome::healthy("answers"));
    let found = first(Check::database(answers));
    assert_eq!((found.name.as_str(), found.critical), ("database", true));
    let fails = || Err::<Outcome, _>(std::io::Error::other("disk I/O error"));
    check(Check::database(fails), "database", Status::Unhealthy, "disk I/O error");
    check(Check::heartbeat("loop", &Heartbeat::new(), NEVER), "loop", Status::Healthy, "gives signs of life");
    let silent = first(Check::heartbeat("loop", &Heartbeat::new(), Duration::ZERO).timeout(NEVER));
    assert!(matches!(silent.status, Status::Healthy | Status::Unhealthy), "within a millisecond either");
    let dropped = || LogSink { lines: 9, dropped: 2, errors: 0 };
    check(Check::log_sink(dropped), "log", Status::Degraded, "2 lines were dropped");
    let old = || Ok::<_, std::io::Error>(Some(Utc::now() - TimeDelta::hours(30)));
    let day = Duration::from_secs(86_400);
    check(Check::backup_age(day, Utc::now(), old), "backups", Status::Degraded, "the newest is 30 h old");
    let none = || Ok::<_, std::io::Error>(None);
    let long_ago = Utc::now() - TimeDelta::hours(25);
    check(Check::backup_age(day, Utc::now(), none), "backups", Status::Healthy, "there is none yet");
    check(Check::backup_age(day, long_ago, none), "backups", Status::Degraded, "there is none yet");
    let refused = || Some("agents.json:7: no such kind");
    let message = "what was configured is not in force: agents.json:7: no such kind";
    check(Check::configuration(refused), "configuration", Status::Degraded, message);
    check(Check::configuration(|| None::<String>), "configuration", Status::Healthy, "what was configured is in force");
    check(Check::clock(), "clock", Status::Healthy, "ticks evenly");
    let system = System::start(SystemOptions::default()).unwrap();
    let limits = UsageLimits { degraded_percent: 101.0, unhealthy_percent: 101.0 };
    for (check, name) in [
        (Check::cpu(&system, limits), "cpu"),
        (Check::memory(&system, limits), "memory"),
        (Check::disk_space(&system, limits), "disk"),
    ] {
        let found = first(check);
        assert_eq!((found.name.as_str(), found.status), (name, Status::Healthy), "{}", found.message);
    }
}

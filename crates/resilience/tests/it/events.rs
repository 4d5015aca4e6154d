//! What a retry tells the log.

use std::cell::RefCell;
use std::sync::{Mutex, Once};

use log::kv::{Error, Key, Value, VisitSource};
use log::{Log, Metadata, Record};
use trading_resilience::retry::{Attempt, Jitter, Policy};
use trading_resilience::{Api, ApiError, BreakerOptions, CircuitBreaker, Class, Effects, Event, Method};

use crate::world::{World, secs};

const POLICY: Policy =
    Policy { attempts_max: 3, base: secs(1), factor: 2.0, cap: secs(10), jitter: Jitter::None, deadline: None };

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps each thread's records apart, because tests run side by side.
struct Capture;

struct Pairs(String);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut pairs = Pairs(String::new());
        record.key_values().visit(&mut pairs).expect("the visitor never fails");
        let line = format!("{} {} {} |{}", record.level(), record.target(), record.args(), pairs.0);
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

#[expect(clippy::disallowed_methods, reason = "the test binary is its own application, and needs the lines back")]
fn captured(run: impl FnOnce()) -> Vec<String> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Capture).expect("nobody else installs one");
        log::set_max_level(log::LevelFilter::Trace);
    });
    LINES.take();
    run();
    LINES.take()
}

fn refused() -> ApiError {
    ApiError::not_sent(Api::Alpaca, Method::Get, "/v2/account", "connection refused")
}

#[test]
fn a_success_at_once_is_silent() {
    let lines =
        captured(|| assert!(POLICY.effects(&World::new(0)).run("get account", |_| Ok::<_, ApiError>(1)).is_ok()));
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn a_recovery_is_told() {
    let lines = captured(|| {
        let call = |attempt: Attempt| if attempt.number < 2 { Err(refused()) } else { Ok(()) };
        assert!(POLICY.effects(&World::new(0)).run("get account", call).is_ok());
    });
    let expected = [
        "DEBUG trading_resilience get account: attempt 1 failed | event=attempt_failed operation=get account attempt=1 \
         class=transient error=alpaca GET /v2/account could not be sent: connection refused",
        "WARN trading_resilience get account: attempt 1 failed, waiting 1s | event=waiting operation=get account \
         idempotency=None attempt=1 attempts_max=3 class=transient delay_ms=1000 \
         error=alpaca GET /v2/account could not be sent: connection refused",
        "INFO trading_resilience get account: succeeded at attempt 2 | event=recovered operation=get account \
         idempotency=None attempts=2 elapsed_ms=1000",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn giving_up_is_told_once() {
    let policy = Policy { attempts_max: 1, ..POLICY };
    let lines = captured(|| {
        let world = World::new(0);
        let call = |_| Err::<(), _>(refused().caused_by("sent Bearer abc123def"));
        assert!(policy.idempotent("order-1").effects(&world).run("get account", call).is_err());
    });
    let expected = [
        "DEBUG trading_resilience get account: attempt 1 failed | event=attempt_failed operation=get account attempt=1 \
         class=transient error=alpaca GET /v2/account could not be sent: sent Bearer [redacted]",
        "WARN trading_resilience get account: gave up after 1 attempt in 0ns: no attempts left | event=gave_up \
         operation=get account idempotency=order-1 attempts=1 elapsed_ms=0 class=transient reason=attempts_used \
         come_back_after_ms=None error=alpaca GET /v2/account could not be sent: sent Bearer [redacted]",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_observer_is_told_instead_of_the_log() {
    let told = Mutex::new(Vec::new());
    let observer = |event: &Event<'_>| {
        told.lock().unwrap().push(match event {
            Event::AttemptFailed { attempt, .. } => format!("failed {attempt}"),
            Event::Waiting { delay, .. } => format!("waiting {delay:?}"),
            Event::GaveUp { reason, come_back_after, .. } => format!("gave up {} {come_back_after:?}", reason.as_str()),
            other => format!("{other:?}"),
        });
    };
    let lines = captured(|| {
        let limited = |_| Err::<(), _>(ApiError::answered(Api::Quiver, Method::Get, "/", 429).retry_after(secs(90)));
        let policy = Policy { deadline: Some(secs(8)), ..POLICY };
        let gave_up = policy.effects(&World::new(0)).observed_by(&observer).run("get trades", limited).unwrap_err();
        assert_eq!(gave_up.attempts, 1);
        assert!(POLICY.effects(&World::new(0)).observed_by(&observer).run("x", |_| Err::<(), _>(refused())).is_err());
    });
    assert!(lines.is_empty(), "{lines:?}");
    let expected = [
        "failed 1",
        "gave up deadline Some(90s)",
        "failed 1",
        "waiting 1s",
        "failed 2",
        "waiting 2s",
        "failed 3",
        "gave up attempts_used None",
    ];
    assert_eq!(told.into_inner().unwrap(), expected);
}

#[test]
fn a_breakers_changes_are_told() {
    let options = BreakerOptions { calls_min: 1, ..BreakerOptions::default() };
    let breaker = CircuitBreaker::new("alpaca", options).expect("it makes sense");
    let world = World::new(0);
    let lines = captured(|| {
        breaker.permit(world.now()).expect("it is closed").finish(Some(Class::Transient), world.now());
        breaker.reset("well again", world.now());
    });
    let expected = [
        "WARN trading_resilience breaker alpaca is open: 1 of 1 calls failed | event=breaker_changed breaker=alpaca \
         from=closed to=open reason=1 of 1 calls failed",
        "INFO trading_resilience breaker alpaca is closed: well again | event=breaker_changed breaker=alpaca from=open \
         to=closed reason=well again",
    ];
    assert_eq!(lines, expected);
}

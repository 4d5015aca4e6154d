//! Retries from call to outcome, on virtual time.

use std::error::Error as _;
use std::time::{Duration, Instant};

use chrono::DateTime;
use trading_resilience::retry::{self, Attempt, GaveUp, Jitter, Policy, Reason, Retry};
use trading_resilience::{Api, ApiError, Cancel, Class, Classify, Effects, Error, Method, Started};

use crate::world::{Failed, PERMANENT, TRANSIENT, UNKNOWN, World, secs, told};

const POLICY: Policy =
    Policy { attempts_max: 4, base: secs(1), factor: 2.0, cap: secs(10), jitter: Jitter::None, deadline: None };

/// Answers with the script's failures in turn, then with the number of the attempt.
fn play(retry: Retry<'_, &World>, script: &[Failed]) -> Result<u32, GaveUp<Failed>> {
    let mut script = script.iter();
    retry.run("play", |attempt| script.next().map_or(Ok(attempt.number), |failure| Err(*failure)))
}

#[test]
fn the_first_success_ends_it() {
    let world = World::new(0);
    assert_eq!(play(POLICY.effects(&world), &[]).unwrap(), 1);
    assert_eq!(world.slept(), []);
    assert_eq!(play(POLICY.effects(&world), &[TRANSIENT, TRANSIENT]).unwrap(), 3);
    assert_eq!(world.slept(), [secs(1), secs(2)]);
}

#[test]
fn attempts_are_counted_with_the_first() {
    for attempts_max in 0..5 {
        let world = World::new(0);
        let gave_up = play(Policy { attempts_max, ..POLICY }.effects(&world), &[TRANSIENT; 9]).unwrap_err();
        assert_eq!(gave_up.attempts, attempts_max.max(1));
        assert_eq!(gave_up.reason, Reason::AttemptsUsed);
        assert_eq!(gave_up.class(), Class::Transient);
    }
}

#[test]
fn a_permanent_failure_is_not_tried_again() {
    let world = World::new(0);
    let gave_up = play(POLICY.effects(&world).idempotent("key"), &[PERMANENT]).unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason, gave_up.class()), (1, Reason::Permanent, Class::Permanent));
    let gave_up = play(POLICY.effects(&world), &[TRANSIENT, PERMANENT]).unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason, gave_up.class()), (2, Reason::Permanent, Class::Permanent));
}

/// Places an order that arrives, but whose answer is lost, and tells how often it was sent.
fn sent(retry: Retry<'_, &World>) -> (u32, GaveUp<ApiError>) {
    let mut sent = 0;
    let gave_up = retry
        .run("place order", |_| {
            sent += 1;
            Err::<(), _>(ApiError::no_answer(Api::Alpaca, Method::Post, "/v2/orders", "timed out"))
        })
        .expect_err("no answer ever comes");
    (sent, gave_up)
}

#[test]
fn an_order_without_a_key_is_sent_once() {
    let world = World::new(0);
    for retry in [POLICY.effects(&world), POLICY.effects(&world).idempotent(""), retry::TRADING.effects(&world)] {
        let (sent, gave_up) = sent(retry);
        assert_eq!(sent, 1);
        assert_eq!((gave_up.attempts, gave_up.reason, gave_up.class()), (1, Reason::NoKey, Class::Unknown));
    }
    assert_eq!(world.slept(), []);
}

#[test]
fn an_order_with_a_key_is_sent_again() {
    let world = World::new(0);
    for retry in [POLICY.idempotent("nancy-1").effects(&world), POLICY.effects(&world).idempotent("nancy-1")] {
        let (sent, gave_up) = sent(retry);
        assert_eq!(sent, 4);
        assert_eq!((gave_up.reason, gave_up.class()), (Reason::AttemptsUsed, Class::Unknown));
    }
}

#[test]
fn what_may_have_happened_is_not_forgotten_over_a_later_failure() {
    let world = World::new(0);
    let gave_up = play(POLICY.idempotent("key").effects(&world), &[UNKNOWN, TRANSIENT, PERMANENT]).unwrap_err();
    assert_eq!(*gave_up.source, PERMANENT);
    assert_eq!(gave_up.class(), Class::Unknown);
}

#[test]
fn a_rate_limit_is_waited_for() {
    let world = World::new(0);
    assert_eq!(play(POLICY.effects(&world), &[told(7), told(0), told(3_600)]).unwrap(), 4);
    assert_eq!(world.slept(), [secs(7), secs(2), secs(10)]);
}

#[test]
fn a_busy_broker_is_left_alone_though_the_order_may_have_arrived() {
    let world = World::new(0);
    let mut statuses = [503, 503].into_iter();
    let mut place = |_| match statuses.next() {
        Some(status) => Err(ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", status).retry_after(secs(7))),
        None => Ok(()),
    };
    // As the error itself, and as the system-wide one.
    POLICY.effects(&world).idempotent("nancy-1").run("place order", &mut place).unwrap();
    assert_eq!(world.slept(), [secs(7), secs(7)]);
    let world = World::new(0);
    let busy = |_| {
        let busy = ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", 503).retry_after(secs(7));
        Err::<(), _>(Error::from(busy))
    };
    let policy = Policy { attempts_max: 2, ..POLICY };
    let gave_up = policy.effects(&world).idempotent("nancy-1").run("place order", busy).unwrap_err();
    assert_eq!((world.slept(), gave_up.come_back_after), (vec![secs(7)], Some(secs(7))));
    assert_eq!(Error::from(gave_up).come_back_after(), Some(secs(7)));
}

#[test]
fn a_wait_beyond_the_deadline_fails_at_once_and_says_when_to_come_back() {
    let world = World::new(0);
    let gave_up =
        play(Policy { deadline: Some(secs(5)), ..POLICY }.effects(&world), &[TRANSIENT, told(42)]).unwrap_err();
    assert_eq!(world.slept(), [secs(1)]);
    assert_eq!((gave_up.reason, gave_up.come_back_after), (Reason::Deadline, Some(secs(42))));
    assert_eq!(gave_up.class(), Class::RateLimited { retry_after: Some(secs(42)) });
    assert_eq!(
        gave_up.to_string(),
        "play: gave up after 2 attempts in 1s: the next attempt would be too late, come back in 42s"
    );
    assert_eq!(gave_up.source().expect("the last error").to_string(), "failed (rate_limited)");
    let at = |seconds: i64| DateTime::from_timestamp(1_767_225_600 + seconds, 0).expect("a time");
    assert_eq!((gave_up.time, gave_up.come_back_at()), (at(1), Some(at(43))));
}

#[test]
fn when_to_come_back_is_a_time_of_day_in_the_system_wide_error() {
    let (world, policy) = (World::new(0), Policy { deadline: Some(secs(5)), ..POLICY });
    let limited = |_| Err::<(), _>(ApiError::answered(Api::Quiver, Method::Get, "/", 429).retry_after(secs(42)));
    world.pass(secs(1));
    let error = Error::from(policy.effects(&world).run("get trades", limited).unwrap_err());
    assert_eq!(error.time().to_rfc3339(), "2026-01-01T00:00:01+00:00");
    assert_eq!(error.context().last(), Some(("come_back_at", "2026-01-01T00:00:43Z")));
    // What the deadline did not allow is told too, where the other side said nothing.
    let busy = |_| Err::<(), _>(ApiError::answered(Api::Quiver, Method::Get, "/", 503));
    let error = Error::from(policy.effects(&world).run("get trades", busy).unwrap_err());
    assert_eq!(error.come_back_after(), Some(secs(4)));
    // No calendar reaches that far.
    let never = |_| Err::<(), _>(Failed(Class::RateLimited { retry_after: Some(Duration::MAX) }));
    let gave_up = policy.effects(&world).run("get trades", never).unwrap_err();
    assert_eq!((gave_up.come_back_after, gave_up.come_back_at()), (Some(Duration::MAX), None));
}

/// A world whose start is a tick of 10 ms too early, as on the coarse clock.
struct Ticking<'a>(&'a World);

impl Effects for Ticking<'_> {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep(&self, duration: Duration, cancel: Option<&Cancel>) {
        self.0.sleep(duration, cancel);
    }

    fn seed(&self) -> u64 {
        0
    }

    fn start(&self) -> Started {
        Started::at(self.now().checked_sub(TICK).expect("a moment ago"))
    }
}

const TICK: Duration = Duration::from_millis(10);

#[test]
fn a_tick_of_the_coarse_clock_never_lengthens_a_deadline_and_never_uses_up_a_short_one() {
    let elapsed = |deadline, expected| {
        let world = World::new(0);
        world.pass(secs(1));
        let policy = Policy { attempts_max: 2, base: Duration::ZERO, deadline, ..POLICY };
        let gave_up = policy.effects(Ticking(&world)).run("quick", |_| Err::<(), _>(TRANSIENT)).unwrap_err();
        assert_eq!((gave_up.attempts, gave_up.elapsed), (2, expected), "{deadline:?}");
    };
    elapsed(Some(TICK), Duration::ZERO);
    elapsed(Some(secs(1) - Duration::from_nanos(1)), Duration::ZERO);
    elapsed(Some(secs(1)), TICK);
    elapsed(None, TICK);
}

#[test]
fn the_call_is_told_what_is_left() {
    let world = World::new(0);
    let mut seen = Vec::new();
    let policy = Policy { deadline: Some(secs(20)), ..POLICY };
    let gave_up = policy
        .effects(&world)
        .run("slow call", |attempt: Attempt| {
            seen.push((attempt.number, attempt.remaining));
            world.pass(secs(3));
            Err::<(), _>(TRANSIENT)
        })
        .unwrap_err();
    let left = |seconds| Some(secs(seconds));
    assert_eq!(seen, [(1, left(20)), (2, left(16)), (3, left(11)), (4, left(4))]);
    assert_eq!(gave_up.elapsed, secs(19));
}

#[test]
fn a_sleep_that_took_too_long_is_noticed() {
    let world = World::oversleeping(secs(30));
    let gave_up = play(Policy { deadline: Some(secs(20)), ..POLICY }.effects(&world), &[TRANSIENT; 9]).unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason, gave_up.elapsed), (1, Reason::Deadline, secs(31)));
}

#[test]
fn no_attempt_starts_at_or_after_the_deadline() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::new(seed);
        let deadline = Duration::from_millis(random.u64(1..60_000));
        let policy = Policy {
            attempts_max: random.u32(1..20),
            base: Duration::from_millis(random.u64(0..5_000)),
            jitter: *random.choice(&[Jitter::Full, Jitter::Equal, Jitter::None]).expect("there are three"),
            deadline: Some(deadline),
            ..POLICY
        };
        let gave_up = policy
            .effects(&world)
            .run("unlucky", |attempt| {
                assert!(world.elapsed() < deadline, "seed {seed}: attempt at {:?}, {policy:?}", world.elapsed());
                assert_eq!(attempt.remaining, Some(deadline - world.elapsed()), "seed {seed}");
                world.pass(Duration::from_millis(random.u64(0..4_000)));
                Err::<(), _>(if random.bool() { TRANSIENT } else { told(random.u64(0..30)) })
            })
            .unwrap_err();
        let waits: Duration = world.slept().iter().sum();
        assert!(waits < deadline, "seed {seed}: waited {waits:?}, {policy:?}");
        assert!(world.slept().iter().all(|wait| *wait <= policy.cap), "seed {seed}: {:?}", world.slept());
        assert!(gave_up.attempts <= policy.attempts_max, "seed {seed}");
    }
}

#[test]
fn giving_up_converts_into_the_system_wide_error_with_its_story() {
    let (_, gave_up) = sent(Policy { attempts_max: 2, ..POLICY }.idempotent("nancy-1").effects(&World::new(0)));
    let error = Error::from(gave_up).with("agent_id", "nancy");
    assert_eq!(error.class(), Class::Unknown);
    let context: Vec<(&str, &str)> = error.context().collect();
    let expected = [
        ("operation", "place order"),
        ("attempts", "2"),
        ("elapsed_ms", "1000"),
        ("gave_up", "attempts_used"),
        ("agent_id", "nancy"),
    ];
    assert_eq!(context, expected);
}

#[test]
fn the_class_of_the_whole_retry_survives_the_conversion() {
    let mut statuses = [504, 422].into_iter();
    let gave_up = POLICY
        .idempotent("nancy-1")
        .effects(&World::new(0))
        .run("place order", |_| {
            let status = statuses.next().expect("a refusal ends it");
            Err::<(), _>(ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", status))
        })
        .unwrap_err();
    assert_eq!(gave_up.source.class(), Class::Permanent);
    assert_eq!(Error::from(gave_up).class(), Class::Unknown);
}

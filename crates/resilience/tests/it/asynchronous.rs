//! Retries in async code, on Tokio's paused clock.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, advance, timeout};
use trading_resilience::retry::{Attempt, Jitter, Policy, Reason};
use trading_resilience::{
    BreakerOptions, BudgetOptions, CallError, Cancel, CircuitBreaker, Class, Classify, Effects, Guard, LimiterOptions,
    Quota, RateLimiter, RetryBudget, System, TimedOut, VirtualClock,
};

use crate::world::{Failed, TRANSIENT, UNKNOWN, World, secs, told};

const POLICY: Policy =
    Policy { attempts_max: 4, base: secs(1), factor: 2.0, cap: secs(10), jitter: Jitter::None, deadline: None };

#[tokio::test(start_paused = true)]
async fn waits_pass_on_tokios_clock() {
    let started = Instant::now();
    let answer = POLICY
        .run_async("get account", async |attempt| if attempt.number < 3 { Err(TRANSIENT) } else { Ok(attempt.number) })
        .await;
    assert_eq!((answer.unwrap(), started.elapsed()), (3, secs(3)));
}

#[tokio::test(start_paused = true)]
async fn the_call_counts_towards_the_deadline() {
    let mut seen = Vec::new();
    let gave_up = Policy { deadline: Some(secs(20)), ..POLICY }
        .run_async("slow call", |attempt| {
            seen.push((attempt.number, attempt.remaining));
            async {
                advance(secs(3)).await;
                Err::<(), _>(told(7))
            }
        })
        .await
        .unwrap_err();
    assert_eq!(seen, [(1, Some(secs(20))), (2, Some(secs(10)))]);
    assert_eq!((gave_up.reason, gave_up.elapsed, gave_up.come_back_after), (Reason::Deadline, secs(13), Some(secs(7))));
}

#[tokio::test]
async fn both_drivers_decide_alike() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let policy = Policy {
            attempts_max: random.u32(1..8),
            jitter: *random.choice(&[Jitter::Full, Jitter::Equal, Jitter::None]).expect("there are three"),
            deadline: random.bool().then(|| Duration::from_millis(random.u64(1..30_000))),
            ..POLICY
        };
        let script: Vec<Result<(), Failed>> = (0..8)
            .map(|_| match random.u8(0..10) {
                0..5 => Err(TRANSIENT),
                5..7 => Err(told(random.u64(0..20))),
                7 => Err(UNKNOWN),
                8 => Err(crate::world::PERMANENT),
                _ => Ok(()),
            })
            .collect();
        let key = if random.bool() { "key" } else { "" };
        let call = |world: &World, number: u32| {
            world.pass(Duration::from_millis(u64::from(number) * 100));
            script[usize::try_from(number - 1).unwrap()]
        };
        let (one, other) = (World::new(seed), World::new(seed));
        let sync = policy
            .effects(&one)
            .idempotent(key)
            .run("play", |attempt| call(&one, attempt.number).map_err(CallError::Failed));
        let play = async |attempt: trading_resilience::retry::Attempt| call(&other, attempt.number);
        let asynchronous = policy.effects(&other).idempotent(key).run_async("play", play).await;
        assert_eq!(format!("{sync:?}"), format!("{asynchronous:?}"), "seed {seed}");
        assert_eq!(one.slept(), other.slept(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_cuts_a_wait_short() {
    let cancel = Cancel::new();
    let started = Instant::now();
    let call = || async |_| Err::<(), _>(told(8));
    let retry = POLICY.cancelled_by(&cancel);
    let (gave_up, ()) = tokio::join!(retry.run_async("long", call()), async {
        advance(secs(3)).await;
        cancel.cancel();
    });
    let gave_up = gave_up.unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason, started.elapsed()), (1, Reason::Cancelled, secs(3)));
    let gave_up = POLICY.cancelled_by(&cancel).run_async("late", call()).await.unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason), (1, Reason::Cancelled));
    cancel.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_it_ends_it() {
    let mut calls = 0;
    let endless = POLICY.run_async("endless", |_| {
        calls += 1;
        async { Err::<(), _>(told(8)) }
    });
    timeout(secs(10), endless).await.expect_err("two waits of 8 s do not fit");
    assert_eq!(calls, 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_inside_a_retry_runs_once_and_says_so() {
    let inner = |_| POLICY.run_async("inner", async |_| Err::<(), _>(TRANSIENT));
    let outer = POLICY.run_async("outer", inner).await.unwrap_err();
    let CallError::Failed(inner) = *outer.source else { panic!("it failed") };
    assert_eq!((outer.attempts, inner.attempts, inner.reason), (4, 1, Reason::Nested));
    // A blocking one inside too.
    let blocking = async |_| POLICY.effects(&World::new(0)).run("inner", |_| Err::<(), _>(TRANSIENT));
    let outer = POLICY.run_async("outer", blocking).await.unwrap_err();
    let CallError::Failed(inner) = *outer.source else { panic!("it failed") };
    assert_eq!(inner.reason, Reason::Nested);
    // But not those that only take turns on the thread.
    let alone = || POLICY.run_async("alone", async |_| Err::<(), _>(TRANSIENT));
    let (one, other) = tokio::join!(alone(), alone());
    assert_eq!((one.unwrap_err().attempts, other.unwrap_err().attempts), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn it_can_be_spawned() {
    let task = tokio::spawn(async {
        let gave_up = POLICY.run_async("play", async |_| Err::<(), _>(TRANSIENT)).await.unwrap_err();
        gave_up.attempts
    });
    assert_eq!(task.await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_timed_out_is_unknown() {
    let elapsed = timeout(secs(1), std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(elapsed.class(), Class::Unknown);
    assert_eq!(io::Error::from(elapsed).class(), Class::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_guard_abandons_what_takes_too_long() {
    let breaker = Arc::new(CircuitBreaker::new("alpaca", BreakerOptions::default()).expect("it makes sense"));
    let guard = Guard::new(POLICY).breaker(Arc::clone(&breaker)).time_out(secs(5));
    let started = Instant::now();
    let silent = async |attempt: Attempt| {
        assert_eq!(attempt.remaining, Some(secs(5)));
        std::future::pending::<Result<(), Failed>>().await
    };
    let gave_up = guard.run_async("place order", silent).await.unwrap_err();
    let timed_out = CallError::TimedOut(TimedOut { limit: secs(5) });
    assert_eq!((gave_up.attempts, gave_up.reason, *gave_up.source), (1, Reason::NoKey, timed_out));
    assert_eq!(started.elapsed(), secs(5));
    let gave_up = guard.idempotent("order-1").run_async("place order", silent).await.unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.elapsed), (4, secs(4 * 5 + 1 + 2 + 4)));
    assert_eq!(breaker.report(System.now()).failures, 5);
    // A dropped future is no sign of health either.
    timeout(secs(1), guard.run_async("dropped", silent)).await.unwrap_err();
    assert_eq!(breaker.report(System.now()).failures, 6);
}

#[tokio::test]
async fn a_guard_does_the_same_in_both_worlds() {
    for seed in 0..300 {
        let play = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let quota = Quota { calls: random.u32(1..6), per: secs(20) };
            let options = BreakerOptions { calls_min: random.u32(2..9), ..BreakerOptions::default() };
            let budget = BudgetOptions { floor: random.u32(0..6), ..BudgetOptions::default() };
            let guard = Guard::new(Policy { deadline: random.bool().then(|| secs(30)), ..POLICY })
                .limiter(Arc::new(RateLimiter::new(LimiterOptions::of(&[quota])).unwrap()), secs(random.u64(0..20)))
                .breaker(Arc::new(CircuitBreaker::new("x", options).unwrap()))
                .budget(Arc::new(RetryBudget::new(budget).unwrap()));
            (guard, random)
        };
        let call = |random: &mut fastrand::Rng, world: &World| {
            world.pass(Duration::from_millis(random.u64(0..2_000)));
            match random.u8(0..4) {
                0 => Ok(()),
                1 => Err(told(random.u64(0..9))),
                _ => Err(TRANSIENT),
            }
        };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let (world, (guard, mut random)) = (World::new(seed), play(seed));
        let guard = guard.effects(&world);
        for _ in 0..6 {
            one.push(format!("{:?}", guard.run("play", |_| call(&mut random, &world))));
        }
        let (shadow, (guard, random)) = (World::new(seed), play(seed));
        let guard = guard.effects(&shadow);
        let random = Mutex::new(random);
        for _ in 0..6 {
            let play = async |_| call(&mut random.lock().unwrap(), &shadow);
            other.push(format!("{:?}", guard.run_async("play", play).await));
        }
        assert_eq!(one, other, "seed {seed}");
        assert_eq!(world.slept(), shadow.slept(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guarded_call_can_be_spawned() {
    let limiter = Arc::new(RateLimiter::new(LimiterOptions::of(&[Quota::per_minute(2)])).unwrap());
    let guard = Guard::new(POLICY).limiter(limiter, secs(60)).time_out(secs(1));
    let started = Instant::now();
    let task = tokio::spawn(async move {
        let call = async |attempt: Attempt| if attempt.number < 3 { Err(TRANSIENT) } else { Ok(attempt.number) };
        guard.run_async("play", call).await.map_err(|gave_up| gave_up.to_string())
    });
    assert_eq!(task.await.unwrap(), Ok(3));
    assert_eq!(started.elapsed(), secs(60));
}

#[test]
fn a_neighbour_that_an_attempt_s_runtime_happens_to_drive_is_not_inside_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (world, clock) = (World::new(0), Arc::new(VirtualClock::new(0)));
    let fail = async |_| Err::<(), _>(TRANSIENT);
    let blocking = move |clock: &VirtualClock| POLICY.effects(clock).run("blocking", |_| Err::<(), _>(TRANSIENT));
    let shared = Arc::clone(&clock);
    let neighbour = runtime.spawn(async move {
        let alone = POLICY.effects(&*shared).run_async("alone", fail).await.unwrap_err();
        [alone.attempts, blocking(&shared).unwrap_err().attempts]
    });
    let mut neighbour = Some(neighbour);
    let attempt = |_| {
        // What it awaits itself is inside, before the neighbour and after.
        runtime.block_on(async {
            let before = POLICY.effects(&*clock).run_async("inner", fail).await.unwrap_err();
            let alone = neighbour.take().expect("one attempt").await.expect("no panic");
            let after = blocking(&clock).unwrap_err();
            assert_eq!((before.attempts, alone, after.attempts), (1, [4, 4], 1));
        });
        Ok::<_, Failed>(())
    };
    POLICY.effects(&world).run("outer", attempt).unwrap();
}

#[tokio::test]
async fn what_an_attempt_spawns_is_inside_it_when_it_is_carried() {
    let clock = Arc::new(VirtualClock::new(0));
    for (carried, expected) in [(true, 1), (false, 4)] {
        let attempt = async |attempt: Attempt| {
            let clock = Arc::clone(&clock);
            let inner = async move {
                // It is inside on whatever thread, and after each wait.
                tokio::task::yield_now().await;
                let fail = async |_| Err::<(), _>(TRANSIENT);
                POLICY.effects(&*clock).run_async("inner", fail).await.unwrap_err().attempts
            };
            let task = if carried { tokio::spawn(attempt.carry_async(inner)) } else { tokio::spawn(inner) };
            Ok::<_, Failed>(task.await.expect("no panic"))
        };
        assert_eq!(POLICY.run_async("outer", attempt).await.unwrap(), expected);
    }
}

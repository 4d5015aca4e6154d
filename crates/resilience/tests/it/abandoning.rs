//! Async calls that end before their answer: at the deadline, at a time-out, and when they are cancelled.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::{Instant, advance};
use trading_resilience::retry::{Attempt, GaveUp, Jitter, Policy, Reason};
use trading_resilience::{
    Api, ApiError, CallError, Cancel, Class, Code, Effects, Error, Guard, Method, TimedOut, VirtualClock,
};

use crate::world::{Failed, TRANSIENT, World, secs, told};

const POLICY: Policy =
    Policy { attempts_max: 4, base: secs(1), factor: 2.0, cap: secs(10), jitter: Jitter::None, deadline: None };

/// How many are alive: the calls that are waited for.
#[derive(Default)]
struct Alive(AtomicU32);

impl Alive {
    /// Never answers.
    async fn silent(&self) -> Result<u32, Failed> {
        struct Leaves<'a>(&'a Alive);
        impl Drop for Leaves<'_> {
            fn drop(&mut self) {
                self.0.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let _leaves = Leaves(self);
        pending().await
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of a call that was waited for so long, and of its retry.
#[track_caller]
fn check(gave_up: &GaveUp<CallError<Failed>>, attempts: u32, reason: Reason, waited: Duration) {
    assert_eq!((gave_up.attempts, gave_up.reason, gave_up.class), (attempts, reason, Class::Unknown));
    assert_eq!(*gave_up.source, CallError::TimedOut(TimedOut { limit: waited }));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_call_that_is_under_way() {
    let (alive, started) = (Alive::default(), Instant::now());
    let policy = Policy { deadline: Some(secs(20)), ..POLICY };
    let gave_up = policy.run_async("place order", |_| alive.silent()).await.unwrap_err();
    check(&gave_up, 1, Reason::NoKey, secs(20));
    assert_eq!((gave_up.elapsed, started.elapsed(), alive.count()), (secs(20), secs(20), 0));
    // With a key there is no time for another, and a later attempt has only what is left.
    let second = async |attempt: Attempt| if attempt.number < 2 { Err(told(7)) } else { alive.silent().await };
    let gave_up = policy.idempotent("order-1").run_async("place order", second).await.unwrap_err();
    check(&gave_up, 2, Reason::Deadline, secs(13));
    assert_eq!((gave_up.elapsed, gave_up.come_back_after, alive.count()), (secs(20), Some(secs(2)), 0));
}

#[tokio::test(start_paused = true)]
async fn the_system_wide_error_says_that_it_may_have_happened() {
    let policy = Policy { deadline: Some(secs(20)), ..POLICY };
    let silent = async |_| pending::<Result<(), ApiError>>().await;
    let error = Error::from(policy.run_async("place order", silent).await.unwrap_err());
    assert_eq!((error.code(), error.to_string().as_str()), (Code::TimedOut, "no result within 20s"));
    assert_eq!(error.context().last(), Some(("gave_up", "no_key")));
    // The error of the call itself is told as ever.
    let refused = async |_| Err::<(), _>(ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", 422));
    let error = Error::from(policy.run_async("place order", refused).await.unwrap_err());
    assert_eq!(error.code(), Code::ApiRefused);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_call_that_is_under_way() {
    for key in ["", "order-1"] {
        for attempts_max in [1, 4] {
            let (alive, cancel, started) = (Alive::default(), Cancel::new(), Instant::now());
            let retry = Policy { attempts_max, ..POLICY }.cancelled_by(&cancel).idempotent(key);
            let (gave_up, ()) = tokio::join!(retry.run_async("place order", |_| alive.silent()), async {
                advance(secs(3)).await;
                assert_eq!(alive.count(), 1);
                cancel.cancel();
            });
            check(&gave_up.unwrap_err(), 1, Reason::Cancelled, secs(3));
            assert_eq!((started.elapsed(), alive.count()), (secs(3), 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_a_guarded_call_too() {
    let (alive, cancel) = (Alive::default(), Cancel::new());
    let guard = Guard::new(POLICY).cancelled_by(cancel.clone()).time_out(secs(60));
    let (gave_up, ()) = tokio::join!(guard.run_async("place order", |_| alive.silent()), async {
        advance(secs(3)).await;
        cancel.cancel();
    });
    check(&gave_up.unwrap_err(), 1, Reason::Cancelled, secs(3));
    assert_eq!(alive.count(), 0);
}

#[tokio::test]
async fn what_was_cancelled_before_is_begun_and_not_waited_for() {
    let (alive, cancel) = (Alive::default(), Cancel::new());
    cancel.cancel();
    let retry = POLICY.cancelled_by(&cancel);
    assert_eq!(retry.run_async("late", async |_| Ok::<_, Failed>(1)).await.unwrap(), 1);
    let gave_up = retry.effects(&World::new(0)).run_async("late", |_| alive.silent()).await.unwrap_err();
    check(&gave_up, 1, Reason::Cancelled, Duration::ZERO);
}

#[tokio::test]
async fn an_answer_that_is_there_is_never_too_late() {
    let (world, cancel) = (World::new(0), Cancel::new());
    let late = async |_| {
        world.pass(secs(60));
        cancel.cancel();
        Ok::<_, Failed>(7)
    };
    let policy = Policy { deadline: Some(secs(20)), ..POLICY };
    assert_eq!(policy.effects(&world).cancelled_by(&cancel).run_async("late", late).await.unwrap(), 7);
}

#[tokio::test]
async fn a_predicate_judges_the_failures_of_the_call() {
    let world = World::new(0);
    let second = |error: &Failed, attempt: u32| *error == TRANSIENT && attempt < 2;
    let failing = async |_| Err::<(), _>(TRANSIENT);
    let gave_up = POLICY.only_if(second).effects(&world).run_async("twice", failing).await.unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.reason), (2, Reason::Declined));
}

/// Runs a future where there is no other clock, and lets a tenth of a second pass each time that it waits.
fn ticking<T>(clock: &VirtualClock, future: impl Future<Output = T>) -> T {
    let ticks = async {
        loop {
            tokio::task::yield_now().await;
            clock.pass(Duration::from_millis(100));
        }
    };
    let both = async {
        tokio::select! {
            biased;
            output = future => output,
            () = ticks => unreachable!("it never ends"),
        }
    };
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(both)
}

#[test]
fn it_is_the_injected_clock_that_ends_calls() {
    let (alive, clock) = (Alive::default(), VirtualClock::new(0));
    let retry = Policy { deadline: Some(secs(20)), ..POLICY }.effects(&clock);
    let answer = ticking(&clock, retry.run_async("place order", |_| alive.silent()));
    check(&answer.unwrap_err(), 1, Reason::NoKey, secs(20));
    let guard = Guard::new(POLICY).time_out(secs(5)).effects(&clock);
    let answer = ticking(&clock, guard.run_async("place order", |_| alive.silent()));
    check(&answer.unwrap_err(), 1, Reason::NoKey, secs(5));
    assert_eq!(alive.count(), 0);
}

#[test]
fn no_retry_outlives_its_deadline() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let clock = VirtualClock::new(seed);
        let deadline = Duration::from_millis(random.u64(1..300) * 100);
        let policy = Policy { attempts_max: random.u32(1..9), deadline: Some(deadline), ..POLICY };
        let play = |attempt: Attempt| {
            assert_eq!(attempt.remaining, Some(deadline.saturating_sub(clock.elapsed())), "seed {seed}");
            let (takes, fails) = (Duration::from_millis(random.u64(0..80) * 100), random.u8(0..4) > 0);
            let clock = &clock;
            async move {
                clock.until(clock.now() + takes).await;
                if fails { Err(TRANSIENT) } else { Ok(()) }
            }
        };
        let retry = policy.effects(&clock).idempotent("key");
        let answer = ticking(&clock, retry.run_async("play", play));
        assert!(clock.elapsed() <= deadline, "seed {seed}: {:?} of {deadline:?}, {answer:?}", clock.elapsed());
        if let Err(gave_up) = answer {
            let abandoned = matches!(*gave_up.source, CallError::TimedOut(_));
            assert_eq!(gave_up.elapsed, clock.elapsed(), "seed {seed}");
            assert!(!abandoned || gave_up.elapsed == deadline, "seed {seed}: {gave_up:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_always_busy_is_ended_too() {
    let policy = Policy { deadline: Some(secs(20)), ..POLICY };
    let calls = Arc::new(AtomicU32::new(0));
    let busy = async |_| {
        while calls.fetch_add(1, Ordering::Relaxed) < 1_000_000 {
            tokio::task::consume_budget().await;
        }
        Ok::<_, Failed>("busy to the end")
    };
    let (answer, ()) = tokio::join!(policy.run_async("busy", busy), advance(secs(20)));
    assert_eq!(answer.unwrap_err().elapsed, secs(20));
}

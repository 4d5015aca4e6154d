//! The guard: its order, what each part does to the others, and what it proves.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use trading_resilience::retry::{GaveUp, Jitter, Policy, Reason};
use trading_resilience::{
    Api, ApiError, BreakerOptions, BreakerState, BudgetOptions, Bulkhead, CallError, Cancel, CircuitBreaker, Class,
    Classify, Effects, Error, Event, Guard, LimiterOptions, Method, Priority, Quota, RateLimiter, Refusal, RetryBudget,
    Scenario, TimedOut, TradingError,
};

use crate::world::{Failed, PERMANENT, TRANSIENT, UNKNOWN, World, secs, told};

const POLICY: Policy =
    Policy { attempts_max: 4, base: secs(1), factor: 2.0, cap: secs(10), jitter: Jitter::None, deadline: None };

fn limiter(calls: u32) -> Arc<RateLimiter> {
    Arc::new(RateLimiter::new(LimiterOptions::of(&[Quota::per_minute(calls)])).expect("it makes sense"))
}

fn breaker(calls_min: u32) -> Arc<CircuitBreaker> {
    let options = BreakerOptions { calls_min, ..BreakerOptions::default() };
    Arc::new(CircuitBreaker::new("alpaca", options).expect("it makes sense"))
}

fn budget(floor: u32) -> Arc<RetryBudget> {
    Arc::new(RetryBudget::new(BudgetOptions { floor, ratio: 0.0, ..BudgetOptions::default() }).expect("it makes sense"))
}

type Answer<T> = Result<T, GaveUp<CallError<Failed>>>;

/// Answers each attempt with the same failure, and tells how often it was asked.
fn fail(guard: &Guard<&World>, failure: Failed) -> (u32, GaveUp<CallError<Failed>>) {
    let mut calls = 0;
    let answer: Answer<()> = guard.run("play", |_| {
        calls += 1;
        Err(failure)
    });
    (calls, answer.expect_err("it fails"))
}

#[test]
fn a_guard_of_nothing_is_a_retry() {
    let world = World::new(0);
    let guard = Guard::new(POLICY).effects(&world);
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.reason, *gave_up.source), (4, Reason::AttemptsUsed, CallError::Failed(TRANSIENT)));
    assert_eq!(fail(&guard, UNKNOWN).1.reason, Reason::NoKey);
    let mut calls = 0;
    let keyed: Answer<()> = guard.idempotent("key").run("play", |_| {
        calls += 1;
        Err(UNKNOWN)
    });
    assert_eq!((calls, keyed.unwrap_err().class()), (4, Class::Unknown));
}

#[test]
fn every_attempt_uses_quota_and_waits_for_it() {
    let world = World::new(0);
    let limiter = limiter(3);
    let guard = Guard::new(POLICY).limiter(Arc::clone(&limiter), secs(60)).effects(&world);
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    // Retry waits of 1, 2 and 4 s; the fourth call waits until the first is a minute old.
    assert_eq!((calls, gave_up.reason), (4, Reason::AttemptsUsed));
    assert_eq!(world.slept(), [secs(1), secs(2), secs(4), secs(53)]);
}

#[test]
fn without_room_in_time_it_is_refused_at_once() {
    let world = World::new(0);
    let guard = Guard::new(POLICY).limiter(limiter(2), secs(10)).effects(&world);
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.attempts, gave_up.reason), (2, 3, Reason::Refused));
    assert_eq!(*gave_up.source, CallError::Refused(Refusal::QuotaSpent { come_back_after: secs(57) }));
    assert_eq!(gave_up.come_back_after, Some(secs(57)));
    assert_eq!(world.slept(), [secs(1), secs(2)]);
}

#[test]
fn the_limiter_is_never_waited_for_up_to_the_deadline() {
    let world = World::new(0);
    let policy = Policy { deadline: Some(secs(30)), ..POLICY };
    let guard = Guard::new(policy).limiter(limiter(1), secs(600)).effects(&world);
    assert_eq!(guard.run("play", |_| Ok::<_, Failed>(1)).unwrap(), 1);
    world.pass(secs(30));
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.class()), (0, Class::RateLimited { retry_after: Some(secs(30)) }));
    world.pass(Duration::from_nanos(1));
    let remaining = guard.run("play", |attempt| Ok::<_, Failed>(attempt.remaining)).unwrap();
    assert_eq!(remaining, Some(Duration::from_nanos(1)));
}

#[test]
fn a_wait_for_the_limiter_that_took_too_long_is_noticed() {
    let world = World::oversleeping(secs(20));
    let policy = Policy { deadline: Some(secs(5)), ..POLICY };
    let limiter =
        Arc::new(RateLimiter::new(LimiterOptions::of(&[Quota { calls: 1, per: secs(3) }])).expect("it makes sense"));
    let guard = Guard::new(policy).limiter(Arc::clone(&limiter), secs(10)).effects(&world);
    assert_eq!(guard.run("play", |_| Ok::<_, Failed>(1)).unwrap(), 1);
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.reason, gave_up.elapsed), (0, Reason::Deadline, secs(23)));
    assert_eq!(*gave_up.source, CallError::Refused(Refusal::QuotaSpent { come_back_after: Duration::ZERO }));
    assert_eq!(limiter.report(world.now())[0].used, 0, "what was not called used nothing");
}

#[test]
fn the_limiter_learns_from_refusals() {
    let world = World::new(0);
    let limiter = limiter(100);
    let guard = Guard::new(Policy { attempts_max: 1, ..POLICY }).limiter(Arc::clone(&limiter), secs(0)).effects(&world);
    assert_eq!(fail(&guard, told(20)).0, 1);
    assert_eq!(
        limiter.try_acquire(Priority::Order, world.now()),
        Err(Refusal::QuotaSpent { come_back_after: secs(20) })
    );
}

#[test]
fn the_limiter_learns_from_unknown_outcomes_too() {
    let world = World::new(0);
    let limiter = limiter(100);
    let guard = Guard::new(Policy { attempts_max: 1, ..POLICY }).limiter(Arc::clone(&limiter), secs(0)).effects(&world);
    let busy = |_| Err::<(), _>(ApiError::answered(Api::Alpaca, Method::Post, "/v2/orders", 503).retry_after(secs(20)));
    let gave_up = guard.run("place order", busy).unwrap_err();
    assert_eq!((gave_up.class(), gave_up.come_back_after), (Class::Unknown, Some(secs(20))));
    assert_eq!(
        limiter.try_acquire(Priority::Order, world.now()),
        Err(Refusal::QuotaSpent { come_back_after: secs(20) })
    );
}

#[test]
fn priorities_reach_the_limiter() {
    let world = World::new(0);
    let guard = Guard::new(POLICY).limiter(limiter(10), secs(0)).effects(&world);
    let place = |priority| guard.priority(priority).run("place", |_| Ok::<_, Failed>(())).is_ok();
    assert_eq!((0..20).filter(|_| place(Priority::Probe)).count(), 5);
    assert_eq!((0..20).filter(|_| guard.run("read", |_| Ok::<_, Failed>(())).is_ok()).count(), 4);
    assert_eq!((0..20).filter(|_| place(Priority::Order)).count(), 1);
}

#[test]
fn what_the_breaker_refuses_uses_no_quota() {
    let world = World::new(0);
    let (limiter, breaker) = (limiter(100), breaker(2));
    let guard =
        Guard::new(POLICY).limiter(Arc::clone(&limiter), secs(60)).breaker(Arc::clone(&breaker)).effects(&world);
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.attempts, gave_up.reason), (2, 3, Reason::Refused));
    assert_eq!(breaker.report(world.now()).state, BreakerState::Open);
    assert_eq!(limiter.report(world.now())[0].used, 2);
    assert_eq!(fail(&guard, TRANSIENT).0, 0);
    assert_eq!(limiter.report(world.now())[0].used, 2);
}

#[test]
fn the_breaker_counts_what_the_class_says_and_not_the_queue() {
    let world = World::new(0);
    let breaker = breaker(100);
    let guard = Guard::new(Policy { attempts_max: 1, ..POLICY })
        .limiter(limiter(1), secs(60))
        .breaker(Arc::clone(&breaker))
        .effects(&world);
    fail(&guard, TRANSIENT);
    fail(&guard, PERMANENT);
    assert_eq!(guard.run("play", |_| Ok::<_, Failed>(1)).unwrap(), 1);
    let report = breaker.report(world.now());
    // Two of the three waited in the queue for a minute each; the first has left the window meanwhile.
    assert_eq!(world.slept(), [secs(60), secs(60)]);
    assert_eq!((report.calls, report.failures, report.slow), (1, 0, 0));
}

#[test]
fn the_budget_ends_retries_and_not_calls() {
    let world = World::new(0);
    let budget = budget(4);
    let guard = Guard::new(POLICY).budget(Arc::clone(&budget)).effects(&world);
    assert_eq!(fail(&guard, TRANSIENT).1.reason, Reason::AttemptsUsed);
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.reason), (2, Reason::BudgetSpent));
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.reason), (1, Reason::BudgetSpent));
}

#[test]
fn the_budget_grows_with_calls_and_not_with_retries() {
    let world = World::new(0);
    let options = BudgetOptions { floor: 0, ratio: 1.0, ..BudgetOptions::default() };
    let guard = Guard::new(POLICY).budget(Arc::new(RetryBudget::new(options).expect("it makes sense"))).effects(&world);
    let (calls, gave_up) = fail(&guard, TRANSIENT);
    assert_eq!((calls, gave_up.reason), (2, Reason::BudgetSpent));
    assert_eq!(guard.run("play", |_| Ok::<_, Failed>(1)).unwrap(), 1);
    assert_eq!(fail(&guard, TRANSIENT).0, 3);
}

#[test]
fn the_bulkhead_bounds_operations() {
    let world = World::new(0);
    let bulkhead = Arc::new(Bulkhead::new(NonZeroU32::MIN));
    let budget = budget(9);
    let guard =
        Guard::new(POLICY).bulkhead(Arc::clone(&bulkhead)).budget(budget).limiter(limiter(9), secs(0)).effects(&world);
    let inner = guard
        .run("outer", |_| {
            assert_eq!(bulkhead.calls(), 1);
            Ok::<_, Failed>(fail(&guard, TRANSIENT))
        })
        .unwrap();
    assert_eq!(
        (inner.0, inner.1.attempts, &*inner.1.source),
        (0, 1, &CallError::Refused(Refusal::Full { calls_max: 1 }))
    );
    assert_eq!(bulkhead.calls(), 0);
}

#[test]
fn the_call_is_told_its_time() {
    let world = World::new(0);
    let policy = Policy { deadline: Some(secs(12)), ..POLICY };
    let guard = Guard::new(policy).time_out(secs(5)).effects(&world);
    let mut seen = Vec::new();
    let answer: Answer<()> = guard.run("slow", |attempt| {
        seen.push(attempt.remaining.unwrap());
        world.pass(secs(4));
        Err(TRANSIENT)
    });
    assert_eq!(seen, [secs(5), secs(5), secs(1)]);
    assert_eq!(answer.unwrap_err().reason, Reason::Deadline);
}

#[test]
fn cancelling_and_observing_reach_the_retry() {
    let (world, cancel, told) = (World::new(0), Cancel::new(), Arc::new(Mutex::new(0)));
    let count = Arc::clone(&told);
    let guard = Guard::new(POLICY)
        .cancelled_by(cancel.clone())
        .observed_by(Arc::new(move |_: &Event<'_>| *count.lock().unwrap() += 1))
        .effects(&world);
    let answer: Answer<()> = guard.run("play", |_| {
        cancel.cancel();
        Err(TRANSIENT)
    });
    assert_eq!(answer.unwrap_err().reason, Reason::Cancelled);
    assert_eq!(*told.lock().unwrap(), 2);
}

#[test]
fn its_errors_are_those_inside() {
    #[track_caller]
    fn check(error: CallError<TradingError>, code: &str, class: Class) {
        assert_eq!(error.class(), class);
        assert_eq!(error.to_string(), Error::from(error.clone()).to_string());
        assert_eq!(Error::from(error).code().as_str(), code);
    }
    check(CallError::Failed(TradingError::MarketClosed { next_open: None }), "TRADING_MARKET_CLOSED", Class::Permanent);
    check(CallError::TimedOut(TimedOut { limit: secs(1) }), "TIMED_OUT", Class::Unknown);
    check(CallError::Refused(Refusal::Full { calls_max: 1 }), "GUARD_FULL", Class::Transient);
}

#[test]
fn retries_stay_within_the_budget() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let tick = secs(6);
        let fifths = *random.choice(&[0_u32, 1, 5]).expect("some");
        let options = BudgetOptions { window: tick * 10, ratio: f64::from(fifths) / 5.0, floor: random.u32(0..5) };
        let budget = RetryBudget::new(options).expect("it makes sense");
        let world = World::new(seed);
        let (mut calls, mut retries): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
        for _ in 0..500 {
            let now = world.elapsed();
            let recent = |all: &[Duration]| {
                u32::try_from(all.iter().filter(|at| **at + options.window > now).count()).expect("few")
            };
            match random.u8(0..4) {
                0 => {
                    budget.count_call(world.now());
                    calls.push(now);
                }
                1 | 2 => {
                    let allowed = (options.floor * 5 + recent(&calls) * fifths) / 5;
                    let taken = budget.take_retry(world.now());
                    assert_eq!(taken, recent(&retries) < allowed, "seed {seed}, {options:?}");
                    retries.extend(taken.then_some(now));
                }
                _ => world.pass(tick * random.u32(0..3)),
            }
        }
    }
}

#[track_caller]
fn check_budget(options: BudgetOptions, expected: Result<(), &str>) {
    let found = RetryBudget::new(options).map(drop).map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned), "{options:?}");
}

#[test]
fn budget_options_are_checked() {
    let default = BudgetOptions::default();
    assert_eq!(default, BudgetOptions { window: secs(60), ratio: 0.2, floor: 3 });
    check_budget(default, Ok(()));
    check_budget(BudgetOptions { window: Duration::ZERO, ..default }, Err("window must be above zero, found \"0ns\""));
    check_budget(BudgetOptions { ratio: 0.0, ..default }, Ok(()));
    check_budget(BudgetOptions { ratio: 1.0, ..default }, Ok(()));
    check_budget(BudgetOptions { ratio: 1.1, ..default }, Err("ratio must be from 0 to 1, found \"1.1\""));
    check_budget(BudgetOptions { ratio: -0.1, ..default }, Err("ratio must be from 0 to 1, found \"-0.1\""));
}

#[test]
fn a_simulation_shows_what_a_guard_does_at_worst() {
    let guard = Guard::new(Policy { jitter: Jitter::Full, ..POLICY })
        .limiter(limiter(100), secs(5))
        .budget(budget(10))
        .time_out(secs(20));
    let simulation = guard.simulate(50);
    assert_eq!((simulation.duration_bound, simulation.calls_bound), (Some(secs(4 * 25 + 3 * 10)), 4));
    assert_eq!(
        simulation.to_string(),
        "50 operations: at most 130s and 4 calls each, 100 of 100 in 60s\n\
         slow      longest 110s, 4 calls, 0 succeeded, 2 of 100 in 60s\n\
         refusing  longest 0ns, 60 calls, 0 succeeded, 60 of 100 in 60s\n\
         well      longest 0ns, 50 calls, 50 succeeded, 50 of 100 in 60s\n"
    );
    // The guard itself was left alone: everything is still to be had.
    assert_eq!(guard.simulate(50), simulation);
    let breaker = breaker(1);
    assert_eq!(Guard::new(POLICY).breaker(Arc::clone(&breaker)).simulate(5).outcomes[1].calls, 1);
    assert_eq!(breaker.report(World::new(0).now()).state, BreakerState::Closed);
}

/// A dependency that fails each second call keeps a breaker closed, and costs more than one that is always down.
#[test]
fn no_dependency_uses_more_of_a_quota_than_the_bound() {
    let world = World::new(0);
    let quotas = limiter(200);
    let guard = Guard::new(POLICY).limiter(Arc::clone(&quotas), secs(5)).breaker(breaker(20));
    let bound = guard.simulate(60).quota_bounds[0].used;
    assert_eq!((bound, guard.simulate(10).quota_bounds[0].used), (200, 40));
    let guard = guard.effects(&world);
    let (mut calls, mut most) = (0, 0);
    for _ in 0..60 {
        let call = guard.priority(Priority::Order);
        let answer: Answer<()> = call.run("flap", |_| {
            calls += 1;
            most = most.max(quotas.report(world.now())[0].used);
            if calls % 3 == 1 { Err(TRANSIENT) } else { Ok(()) }
        });
        answer.expect("the second attempt succeeds");
    }
    let simulated = guard.simulate(60).outcomes.iter().map(|outcome| outcome.calls).max();
    assert!(Some(calls) > simulated, "{calls} calls are more than any scenario has");
    assert!(most <= bound, "{most}");
}

#[test]
fn a_simulation_without_bounds_says_so() {
    let simulation = Guard::new(POLICY).simulate(1);
    assert_eq!(simulation.duration_bound, None);
    assert_eq!(simulation.outcomes[0].longest, None);
    assert_eq!(
        simulation.to_string(),
        "1 operation: at most any time and 4 calls each\n\
         slow      longest any time, 4 calls, 0 succeeded\n\
         refusing  longest 7s, 4 calls, 0 succeeded\n\
         well      longest 0ns, 1 call, 1 succeeded\n"
    );
}

#[test]
fn no_life_is_worse_than_the_bound() {
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::new(seed);
        let policy = Policy {
            attempts_max: random.u32(1..6),
            base: Duration::from_millis(random.u64(0..5_000)),
            jitter: *random.choice(&[Jitter::Full, Jitter::Equal, Jitter::None]).expect("there are three"),
            deadline: random.bool().then(|| Duration::from_millis(random.u64(1..60_000))),
            ..POLICY
        };
        let mut guard = Guard::new(policy).time_out(Duration::from_millis(random.u64(1..20_000)));
        let limiter = limiter(random.u32(1..10));
        if random.bool() {
            guard = guard.limiter(Arc::clone(&limiter), Duration::from_millis(random.u64(0..90_000)));
        }
        if random.bool() {
            guard = guard.breaker(breaker(random.u32(1..20)));
        }
        let operations = random.u32(1..6);
        let simulation = guard.simulate(operations);
        let bound = simulation.duration_bound.expect("there is a time-out");
        for outcome in &simulation.outcomes {
            assert!(outcome.longest <= Some(bound), "seed {seed}: {simulation}");
            assert!(outcome.calls <= operations * simulation.calls_bound, "seed {seed}: {simulation}");
            assert!(outcome.quotas.iter().all(|quota| quota.used <= quota.quota.calls), "seed {seed}: {simulation}");
        }
        // The slow adversary reaches the bound, where neither a deadline nor a part gets in its way.
        let bare = Guard::new(Policy { deadline: None, ..policy }).time_out(secs(7)).simulate(1);
        assert_eq!(bare.outcomes[0].longest, bare.duration_bound, "seed {seed}: {bare}");
        let guard = guard.effects(&world);
        for _ in 0..operations {
            let (began, mut calls) = (world.elapsed(), 0);
            let answer: Answer<()> = guard.idempotent("key").run("play", |attempt| {
                calls += 1;
                let limit = attempt.remaining.expect("there is a time-out");
                world.pass(limit.mul_f64(random.f64()));
                match random.u8(0..5) {
                    0 => Ok(()),
                    1 => Err(told(random.u64(0..100))),
                    2 => Err(UNKNOWN),
                    _ => Err(TRANSIENT),
                }
            });
            let took = world.elapsed() - began;
            assert!(took <= bound && calls <= simulation.calls_bound, "seed {seed}: {took:?}, {calls}: {answer:?}");
            // Somebody else uses the quota too.
            let others = limiter.try_acquire(Priority::Order, world.now());
            assert!(others.is_ok() || limiter.report(world.now())[0].used > 0 || answer.is_err(), "seed {seed}");
        }
    }
}

#[test]
fn scenarios_come_in_their_order() {
    let scenarios: Vec<Scenario> = Guard::new(POLICY).simulate(0).outcomes.iter().map(|one| one.scenario).collect();
    assert_eq!(scenarios, [Scenario::Slow, Scenario::Refusing, Scenario::Well]);
}

#[test]
fn threads_share_the_bulkhead() {
    let bulkhead = Bulkhead::new(NonZeroU32::new(5).expect("not zero"));
    let entered = |_: u32| (0..50).filter_map(|_| bulkhead.enter().ok()).collect::<Vec<_>>();
    let entries: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || entered(number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!((entries.len(), bulkhead.calls()), (5, 5));
    drop(entries);
    assert_eq!(bulkhead.calls(), 0);
}

#[test]
fn a_simulation_of_endless_patience_ends() {
    let policy = Policy { attempts_max: u32::MAX, cap: Duration::MAX, deadline: Some(Duration::MAX), ..POLICY };
    let simulation = Guard::new(policy).time_out(Duration::MAX).limiter(limiter(10), Duration::MAX).simulate(2);
    assert_eq!((simulation.duration_bound, simulation.calls_bound), (Some(Duration::MAX), u32::MAX));
}

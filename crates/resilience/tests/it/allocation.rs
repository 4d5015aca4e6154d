//! A success at once allocates nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use allocation_counter::measure;
use trading_resilience::{
    BreakerOptions, BudgetOptions, Bulkhead, CircuitBreaker, Guard, LimiterOptions, Priority, Quota, RateLimiter,
    RetryBudget, retry,
};
#[cfg(feature = "tokio")]
use trading_resilience::{Cancel, retry::Policy};

use crate::world::{Failed, TRANSIENT, World, secs};

#[test]
fn a_retry_that_succeeds_at_once_allocates_nothing() {
    let allocations = measure(|| {
        for number in 0..100 {
            assert_eq!(retry::API.idempotent("key").run("play", |_| Ok::<_, Failed>(number)).ok(), Some(number));
        }
    });
    assert_eq!(allocations.count_total, 0);
    // It does count: one that gives up keeps its story.
    let world = World::new(0);
    let gave_up = measure(|| drop(retry::API.effects(&world).run("play", |_| Err::<(), _>(TRANSIENT))));
    assert!(gave_up.count_total > 0);
}

fn guard() -> Guard {
    let quotas = [Quota::per_minute(500), Quota::per_hour(900)];
    Guard::new(retry::API)
        .bulkhead(Arc::new(Bulkhead::new(NonZeroU32::MIN)))
        .budget(Arc::new(RetryBudget::new(BudgetOptions::default()).expect("it makes sense")))
        .limiter(Arc::new(RateLimiter::new(LimiterOptions::of(&quotas)).expect("it makes sense")), secs(1))
        .breaker(Arc::new(CircuitBreaker::new("alpaca", BreakerOptions::default()).expect("it makes sense")))
        .time_out(secs(5))
}

#[test]
fn a_guard_that_succeeds_at_once_allocates_nothing() {
    let guard = guard();
    let allocations = measure(|| {
        for number in 0..400 {
            let answer = guard.priority(Priority::Order).idempotent("key").run("play", |_| Ok::<_, Failed>(number));
            assert_eq!(answer.ok(), Some(number));
        }
    });
    assert_eq!(allocations.count_total, 0);
}

/// Without a runtime: what has its answer at once needs no timer either.
#[cfg(feature = "tokio")]
#[test]
fn async_calls_that_succeed_at_once_allocate_nothing() {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[track_caller]
    fn check(answer: impl Future<Output = Option<u32>>) {
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(pin!(answer).poll(&mut context), Poll::Ready(Some(7)));
    }
    let (guard, cancel) = (guard(), Cancel::new());
    let policy = Policy { deadline: Some(secs(60)), ..retry::API };
    let allocations = measure(|| {
        for _ in 0..100 {
            let seven = async |_| Ok::<_, Failed>(7);
            check(async { policy.cancelled_by(&cancel).run_async("play", seven).await.ok() });
            check(async { guard.idempotent("key").run_async("play", seven).await.ok() });
        }
    });
    assert_eq!(allocations.count_total, 0);
}

//! A success at once allocates nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use allocation_counter::measure;
use trading_resilience::{
    BreakerOptions, BudgetOptions, Bulkhead, CircuitBreaker, Guard, LimiterOptions, Priority, Quota, RateLimiter,
    RetryBudget, retry,
};

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

#[test]
fn a_guard_that_succeeds_at_once_allocates_nothing() {
    let quotas = [Quota::per_minute(500), Quota::per_hour(900)];
    let guard = Guard::new(retry::API)
        .bulkhead(Arc::new(Bulkhead::new(NonZeroU32::MIN)))
        .budget(Arc::new(RetryBudget::new(BudgetOptions::default()).unwrap()))
        .limiter(Arc::new(RateLimiter::new(LimiterOptions::of(&quotas)).unwrap()), secs(1))
        .breaker(Arc::new(CircuitBreaker::new("alpaca", BreakerOptions::default()).unwrap()))
        .time_out(secs(5));
    let allocations = measure(|| {
        for number in 0..400 {
            let answer = guard.priority(Priority::Order).idempotent("key").run("play", |_| Ok::<_, Failed>(number));
            assert_eq!(answer.ok(), Some(number));
        }
    });
    assert_eq!(allocations.count_total, 0);
}

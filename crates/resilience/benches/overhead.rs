//! What a call costs more when it succeeds at once: `cargo bench -p trading-resilience`.
//!
//! Figures are the medians of many rounds, in which the ways take turns, so that a busy machine is busy for all of them.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trading_resilience::retry::{self, Policy};
use trading_resilience::{
    BreakerOptions, BudgetOptions, Bulkhead, CircuitBreaker, Guard, LimiterOptions, Quota, RateLimiter, RetryBudget,
    TimedOut,
};

const ROUNDS: usize = 2_001;

/// So few that a round is over before the kernel takes the processor away, which it does on a busy machine.
const CALLS: u32 = 2_000;

/// What is called: short, and not inlined, as a call of a client would not be.
#[inline(never)]
fn call(number: u32) -> Result<u32, TimedOut> {
    if number == u32::MAX { Err(TimedOut { limit: Duration::ZERO }) } else { Ok(number.wrapping_mul(3)) }
}

/// Nanoseconds a call.
fn round(mut way: impl FnMut(u32) -> u32) -> f64 {
    let started = Instant::now();
    for number in 0..CALLS {
        black_box(way(black_box(number)));
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

/// Nanoseconds a call, in async code.
#[cfg(feature = "tokio")]
fn round_async(policy: &Policy) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let started = Instant::now();
        for number in 0..CALLS {
            let number = black_box(number);
            black_box(policy.run_async("bench", async |_| call(number)).await.unwrap_or(0));
        }
        started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    })
}

/// Runs a round.
type Way = Box<dyn Fn() -> f64>;

fn guard() -> Guard {
    // Room for all calls of the bench within its window, so that each takes the way of a success.
    let quotas = [
        Quota { calls: 100_000, per: Duration::from_micros(1) },
        Quota { calls: 50_000, per: Duration::from_micros(1) },
    ];
    Guard::new(Policy { deadline: Some(Duration::from_secs(60)), ..retry::API })
        .bulkhead(Arc::new(Bulkhead::new(NonZeroU32::new(8).expect("not zero"))))
        .budget(Arc::new(RetryBudget::new(BudgetOptions::default()).expect("it makes sense")))
        .limiter(Arc::new(RateLimiter::new(LimiterOptions::of(&quotas)).expect("it makes sense")), Duration::ZERO)
        .breaker(Arc::new(CircuitBreaker::new("bench", BreakerOptions::default()).expect("it makes sense")))
        .time_out(Duration::from_secs(10))
}

fn main() {
    let guard = guard();
    let timed = Policy { deadline: Some(Duration::from_secs(60)), ..retry::API };
    let ways: Vec<(&str, Way)> = vec![
        ("a plain call", Box::new(|| round(|number| call(number).unwrap_or(0)))),
        ("retry::API.run", Box::new(|| round(|number| retry::API.run("bench", |_| call(number)).unwrap_or(0)))),
        (
            "the same with a deadline",
            Box::new(move || round(|number| timed.run("bench", |_| call(number)).unwrap_or(0))),
        ),
        ("a guard with all parts", Box::new(move || round(|number| guard.run("bench", |_| call(number)).unwrap_or(0)))),
        #[cfg(feature = "tokio")]
        ("retry::API.run_async", Box::new(|| round_async(&retry::API))),
        ("Instant::now, to compare", Box::new(|| round(|number| Instant::now().elapsed().subsec_nanos() / 2 + number))),
    ];
    let mut rounds: Vec<Vec<f64>> = ways.iter().map(|_| Vec::with_capacity(ROUNDS)).collect();
    for _ in 0..ROUNDS {
        for ((_, way), rounds) in ways.iter().zip(&mut rounds) {
            rounds.push(way());
        }
    }
    let medians: Vec<f64> = rounds.into_iter().map(median).collect();
    let plain = medians.first().copied().unwrap_or_default();
    for ((name, _), median) in ways.iter().zip(&medians) {
        println!("{name:<26} {median:>7.1} ns, {:>6.1} ns more than a plain call", median - plain);
    }
}

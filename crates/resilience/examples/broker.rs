//! A broker has a bad day, and what stands around its calls keeps it from being a bad day for us. Time is virtual: it runs
//! in no time. `cargo run -p trading-resilience --example broker`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use trading_resilience::retry::{self, Policy};
use trading_resilience::{
    Api, ApiError, BreakerOptions, BudgetOptions, CircuitBreaker, Error, Event, Guard, LimiterOptions, Method,
    Priority, Quota, RateLimiter, RetryBudget, VirtualClock,
};

/// Answers each request with the next status of its day.
struct Broker {
    day: Cell<&'static [u16]>,
}

impl Broker {
    fn call(&self, method: Method, endpoint: &str) -> Result<u16, ApiError> {
        let (status, rest) = self.day.get().split_first().unwrap_or((&200, &[]));
        self.day.set(rest);
        match status {
            200 => Ok(*status),
            429 => Err(ApiError::answered(Api::Alpaca, method, endpoint, 429).retry_after(Duration::from_secs(7))),
            403 => {
                let body = r#"{"code":40310000,"message":"insufficient buying power","cost_basis":"1000","buying_power":"12.50"}"#;
                Err(ApiError::answered(Api::Alpaca, method, endpoint, 403).body(body))
            }
            status => Err(ApiError::answered(Api::Alpaca, method, endpoint, *status)),
        }
    }
}

fn tell(event: &Event<'_>) {
    match event {
        Event::Waiting { attempt, delay, error, .. } => println!("    attempt {attempt}: {error}; waiting {delay:.1?}"),
        Event::Recovered { attempts, .. } => println!("    succeeded at attempt {attempts}"),
        Event::BreakerChanged { breaker, to, reason, .. } => {
            println!("    breaker {breaker} {}: {reason}", to.as_str())
        }
        _ => {}
    }
}

fn main() -> Result<(), Error> {
    let clock = VirtualClock::new(1);
    let broker = Broker { day: Cell::new(&[503, 429, 200, 504, 504, 200, 403, 500, 500, 500, 500, 500, 500]) };
    let breaker = CircuitBreaker::new("alpaca", BreakerOptions { calls_min: 8, ..BreakerOptions::default() })?;
    let guard = Guard::new(Policy { deadline: Some(Duration::from_secs(60)), ..retry::API })
        .limiter(Arc::new(RateLimiter::new(LimiterOptions::of(&[Quota::per_minute(200)]))?), Duration::from_secs(5))
        .breaker(Arc::new(breaker.observed_by(Arc::new(tell))))
        .budget(Arc::new(RetryBudget::new(BudgetOptions { floor: 10, ..BudgetOptions::default() })?))
        .time_out(Duration::from_secs(10))
        .observed_by(Arc::new(tell))
        .effects(&clock);

    println!("What can happen at worst, with 3 operations:\n{}", guard.simulate(3));

    let read = |_attempt| broker.call(Method::Get, "/v2/account");
    let order = |_attempt| broker.call(Method::Post, "/v2/orders");
    println!("A read, while the broker is busy:");
    println!("    {:?}", guard.run("get account", read).map_err(report));
    println!("An order without a key: whether it was placed is not known, so it is sent once.");
    println!("    {:?}", guard.priority(Priority::Order).run("place order", order).map_err(report));
    println!("The same order with its key: now it may be sent again.");
    println!(
        "    {:?}",
        guard.priority(Priority::Order).idempotent("nancy-1").run("place order", order).map_err(report)
    );
    println!("An order that the account cannot pay for: nothing is retried.");
    println!(
        "    {:?}",
        guard.priority(Priority::Order).idempotent("nancy-2").run("place order", order).map_err(report)
    );
    println!("The broker breaks down:");
    for _ in 0..3 {
        println!("    {:?}", guard.run("get account", read).map_err(report));
    }
    Ok(())
}

fn report(gave_up: impl Into<Error>) -> String {
    gave_up.into().with("agent_id", "nancy").report()
}

//! A program with checks, metrics and pages of its own: `cargo run -p trading-monitoring --example serve`, then open the
//! address that it prints. Enter ends it.

#![expect(clippy::print_stdout, reason = "an example says where it is")]

use std::io::Read as _;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use trading_monitoring::{
    Check, Health, Heartbeat, Lifecycle, Metrics, Outcome, Pages, Part, Phase, Reply, Server, ServerOptions, Sources,
    System, SystemOptions, UsageLimits,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = Metrics::default();
    let system = System::start(SystemOptions::default())?;
    let every = Duration::from_secs(3);
    let mut looks = 0;
    let heartbeat = Heartbeat::new();
    let health = Health::start([
        Check::new("database", || Outcome::healthy("answers").detail("trades", 1_204)).every(every).critical(true),
        Check::heartbeat("scheduler", &heartbeat, Duration::from_secs(60)).every(every),
        Check::new("quiver", move || {
            looks += 1;
            if looks % 20 > 17 {
                Outcome::degraded("too many requests: it is asked again in 60 s").detail("http_status", 429)
            } else {
                Outcome::healthy("answers")
            }
        })
        .every(every),
        Check::disk_space(&system, UsageLimits::default()),
        Check::memory(&system, UsageLimits::default()),
    ])?;
    let lifecycle = Lifecycle::default();
    let sources =
        Sources { metrics: metrics.clone(), health, system, lifecycle: lifecycle.clone(), pages: vec![portfolio()] };
    let server = Server::start(ServerOptions::at("127.0.0.1:0".parse()?), sources)?;
    lifecycle.advance(Phase::Running);
    println!("http://{}/", server.address());
    std::thread::spawn(move || work(&metrics, &heartbeat));
    std::io::stdin().read_exact(&mut [0])?;
    lifecycle.advance(Phase::Stopping);
    server.shutdown(Duration::from_secs(1));
    Ok(())
}

/// What a program does, as far as its metrics tell.
fn work(metrics: &Metrics, heartbeat: &Heartbeat) {
    metrics.describe("trade_processing_seconds", "From a disclosure to its order.");
    metrics.describe("api_response_time_seconds", "How long an API took to answer.");
    metrics.describe("positions_open", "Positions that an agent holds.");
    metrics.describe("orders_total", "Orders that were sent.");
    let (trades, orders) = (metrics.timing("trade_processing", &[]), metrics.counter("orders", &[("side", "buy")]));
    for number in 0_u64.. {
        let spread = number.wrapping_mul(7_919) % 9_000;
        trades.record(Duration::from_micros(20_000 + spread * (1 + number % 17 / 15 * 6)));
        metrics.record_api_response_time("alpaca", "/v2/orders", 200, Duration::from_micros(110_000 + spread * 9));
        orders.increment(number % 3);
        for (agent, positions) in [("pelosi", 12), ("tuberville", 5)] {
            let held = f64::from(positions) + f64::from(u32::try_from(number / 50 % 4).unwrap_or_default());
            metrics.gauge("positions_open", &[("agent", agent)]).set(held);
        }
        heartbeat.beat();
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// What a program shows of itself: a route, and a panel with figures, a table and a chart.
fn portfolio() -> Pages {
    let positions = [["pelosi", "NVDA", "12.5", "1,720.40 $"], ["pelosi", "AAPL", "3", "702.10 $"]];
    Pages::new("/portfolio")
        .route("/positions", "open positions", move |_| Reply::json(&json!({ "positions": positions })))
        .panel("Agents", move || {
            let day = |day: i64| Utc::now() - TimeDelta::days(30 - day);
            let worth = |agent: f64, day: i64| {
                let day = f64::from(i32::try_from(day).unwrap_or_default());
                10_000.0 + agent * (day * 11.0 + (day * agent).sin() * 90.0)
            };
            let line = |agent| (0..=30).map(|n| (day(n), worth(agent, n))).collect::<Vec<_>>();
            Ok(vec![
                Part::facts([("agents", "2 of 5 enabled"), ("last run", "today, 09:30"), ("positions", "2")]),
                Part::table(["agent", "ticker", "quantity", "worth"], positions),
                Part::chart("USD", [("pelosi", line(1.0)), ("tuberville", line(0.6))]),
            ])
        })
}

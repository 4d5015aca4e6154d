//! A program with checks, metrics and pages of its own: `cargo run -p trading-monitoring --example serve`, then open the
//! address that it prints. Enter ends it.

#![expect(clippy::print_stdout, reason = "an example says where it is")]

use std::io::Read as _;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use trading_monitoring::{
    Check, Health, Lifecycle, Metrics, Outcome, Pages, Part, Phase, Reply, Server, ServerOptions, Sources, System,
    SystemOptions, UsageLimits,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = Metrics::default();
    let system = System::start(SystemOptions::default())?;
    let every = Duration::from_secs(3);
    let mut looks = 0;
    let health = Health::start([
        Check::new("database", || Outcome::healthy("answers").detail("trades", 1_204)).every(every).critical(true),
        Check::new("quiver", move || {
            looks += 1;
            if looks % 5 == 0 {
                Outcome::degraded("429: asks for a pause of 60 s")
            } else {
                Outcome::healthy("answers")
            }
        })
        .every(every),
        Check::disk_space(&system, UsageLimits::default()),
        Check::memory(&system, UsageLimits::default()),
    ])?;
    let lifecycle = Lifecycle::default();
    let sources = Sources {
        metrics: metrics.clone(),
        health: health.clone(),
        system,
        lifecycle: lifecycle.clone(),
        pages: vec![portfolio()],
    };
    let server = Server::start(ServerOptions::at("127.0.0.1:0".parse()?), sources)?;
    lifecycle.advance(Phase::Running);
    println!("http://{}/", server.address());
    let work = metrics.timing("trade_processing", &[]);
    metrics.describe("trade_processing_seconds", "From a disclosure to its order.");
    let orders = metrics.counter("orders", &[("side", "buy")]);
    std::thread::spawn(move || {
        for number in 0_u64.. {
            work.record(Duration::from_micros(
                20_000 + number.wrapping_mul(7_919) % 9_000 * (1 + number % 17 / 15 * 6),
            ));
            orders.increment(number % 3);
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    std::io::stdin().read_exact(&mut [0])?;
    lifecycle.advance(Phase::Stopping);
    server.shutdown(Duration::from_secs(1));
    Ok(())
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

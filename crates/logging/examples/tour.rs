//! Each output once: `cargo run -p trading-logging --example tour`.

#![expect(clippy::print_stdout, reason = "it shows what it wrote")]

use std::{error::Error, fs, time::Duration};

use log::{LevelFilter, debug, info, warn};
use trading_logging::{ApiCall, Console, Correlation, Logging, Options, PerformanceMetric, TradeExecution, timed};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut options = Options { console: Console::Text, ..Options::at(folder.path()) };
    options.components.push("quiver".into());
    let logging = Logging::builder(options).secret("hunter22").install()?;

    info!(target: "agents", agent_id = "pelosi"; "watching");
    Correlation::new("order-7").scope(|| {
        TradeExecution {
            agent_id: "pelosi",
            ticker: "NVDA",
            side: "buy",
            quantity: &"5",
            price: Some(&"912.30"),
            order_id: Some("o-1"),
            status: "filled",
            error: None,
        }
        .log();
        let took = Duration::from_millis(120);
        ApiCall { api: "alpaca", method: "POST", endpoint: "/v2/orders", status: Some(200), took, error: None }.log();
    });
    PerformanceMetric { metric: "daily_return", value: 1.5, unit: "percent", context: &[] }.log();
    let _shares: u32 = timed("read shares", || "5".parse())?;

    logging.set_level("quiver", LevelFilter::Debug)?;
    debug!(target: "quiver", rows = 100; "fetched");
    warn!(api_key = "abc"; "the password hunter22 was refused");
    (0..15).for_each(|_| warn!(target: "quiver", "no answer"));

    assert!(logging.flush());
    for name in ["trading_automation", "agents", "api", "trading", "performance", "quiver"] {
        println!("\n{name}.log");
        print!("{}", fs::read_to_string(folder.path().join(format!("{name}.log")))?);
    }
    println!("\n{} lines, {} folded", logging.statistics().lines_written, logging.statistics().lines_folded);
    Ok(())
}

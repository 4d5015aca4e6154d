//! A line costs the calling thread no memory.

use std::time::Duration;

use allocation_counter::measure;
use log::LevelFilter;
use trading_logging::{ApiCall, Console, Correlation, Options, PerformanceMetric, Timer, TradeExecution};

use crate::stage::Stage;

const TRADE: TradeExecution<'_> = TradeExecution {
    agent_id: "pelosi",
    ticker: "NVDA",
    side: "buy",
    quantity: &5,
    price: Some(&912.30),
    order_id: Some("o-1"),
    status: "filled",
    error: None,
};

const CALL: ApiCall<'_> = ApiCall {
    api: "alpaca",
    method: "GET",
    endpoint: "/v2/clock",
    status: Some(200),
    took: Duration::from_micros(120_500),
    error: None,
};

const METRIC: PerformanceMetric<'_> =
    PerformanceMetric { metric: "return", value: 1.0 / 3.0, unit: "percent", context: &[] };

#[test]
fn the_caller_allocates_nothing_once_its_buffers_have_grown() {
    for console in [Console::Off, Console::Text] {
        let stage = Stage::new();
        let (logging, logger) = stage.builder(Options { console, ..stage.options() }).secret("canary").build().unwrap();
        logging.set_level("api", LevelFilter::Debug).unwrap();
        let _entered = Correlation::new("run-7").enter();
        let log = |lines: u32| {
            for quantity in 0..lines {
                let price = format_args!("{}.{:02}", 912, 30);
                log::info!(logger: &*logger, target: "trading", agent_id = "pelosi", quantity, price:%; "order {}", "filled");
                log::info!(logger: &*logger, target: "app", ratio = 0.1, paper = true, note:? = "two\nlines"; "again");
                log::debug!(logger: &*logger, target: "app", quantity; "not wanted");
                TRADE.log_to(&*logger);
                CALL.log_to(&*logger);
                METRIC.log_to(&*logger);
                Timer::start_for(&*logger, "rebalance").success();
                // Beyond its rate: this one is folded.
                log::warn!(logger: &*logger, target: "app", "no answer");
            }
        };
        // Both batches of the queue, and the buffers of this thread.
        for _ in 0..4 {
            log(1_000);
            assert!(logging.flush());
        }
        let measured = measure(|| log(1_000));
        assert_eq!((measured.count_total, measured.bytes_total), (0, 0), "{console:?}");
        assert!(logging.flush());
        assert_eq!(logging.statistics().lines_dropped, 0);
    }
}

#[test]
fn the_count_counts() {
    let measured = measure(|| drop(std::hint::black_box(String::from("control"))));
    assert_eq!(measured.count_total, 1);
}

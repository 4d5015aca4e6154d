//! A line costs the calling thread no memory.

use allocation_counter::measure;
use log::LevelFilter;
use trading_logging::{Console, Correlation, Options};

use crate::stage::Stage;

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

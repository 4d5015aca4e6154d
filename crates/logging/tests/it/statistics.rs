//! What monitoring is told.

use log::{Level, LevelFilter};
use trading_logging::{Options, Statistics, Tally};

use crate::stage::{Stage, line, say};

fn row<'a>(statistics: &'a Statistics, component: &str, level: Level) -> &'a Tally {
    let mut rows = statistics.tallies.iter().filter(|row| row.component == component && row.level == level);
    rows.next().expect("there is a row for each")
}

#[test]
fn lines_and_bytes_are_counted_by_level_and_component() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { level: LevelFilter::Debug, ..stage.options() });
    for (target, level, count) in
        [("trading", Level::Info, 3), ("trading", Level::Error, 1), ("app", Level::Debug, 2), ("api", Level::Trace, 9)]
    {
        (0..count).for_each(|index| say(&*logger, level, target, &index.to_string()));
    }
    assert!(logging.flush());
    let statistics = logging.statistics();
    assert_eq!(statistics.tallies.len(), 5 * 5);
    let trades = row(&statistics, "trading", Level::Info);
    assert_eq!((trades.lines, trades.dropped), (3, 0));
    assert_eq!(trades.bytes, 3 * line(Level::Info, "trading", "0", "").len() as u64);
    assert_eq!(row(&statistics, "trading", Level::Error).lines, 1);
    assert_eq!(row(&statistics, "trading_automation", Level::Debug).lines, 2);
    assert_eq!(row(&statistics, "api", Level::Trace).lines, 0);
    assert_eq!((statistics.lines_of("trading"), statistics.lines_of("nothing")), (4, 0));
    assert_eq!((statistics.lines_at(Level::Info), statistics.lines_at(Level::Warn)), (3, 0));
    assert_eq!(statistics.lines_written, 6);
    assert_eq!(statistics.bytes_written, stage.read("trading_automation.log").len() as u64);
    assert_eq!(statistics.bytes_written, statistics.tallies.iter().map(|row| row.bytes).sum::<u64>());
}

#[test]
fn what_is_dropped_is_counted_where_it_belongs() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    assert!(logging.flush());
    stage.break_folder();
    let filler = "x".repeat(60_000);
    // The default holds 8 MiB in memory for each file.
    for index in 0..200 {
        say(&*logger, Level::Info, "api", &format!("{index} {filler}"));
        assert!(!logging.flush());
    }
    let statistics = logging.statistics();
    let dropped = row(&statistics, "api", Level::Info).dropped;
    assert!(dropped > 50, "{dropped}");
    assert_eq!(dropped, statistics.lines_dropped);
    assert_eq!(statistics.lines_of("api") + dropped, 200);
}

#[test]
fn what_is_folded_is_counted_where_it_belongs() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    for (target, level, count) in [("api", Level::Error, 1_000), ("app", Level::Info, 15), ("trading", Level::Info, 15)]
    {
        (0..count).for_each(|_| say(&*logger, level, target, "same"));
    }
    assert!(logging.flush());
    let statistics = logging.statistics();
    let of = |component, level| (row(&statistics, component, level).lines, row(&statistics, component, level).folded);
    // Ten, and the one that tells of the others.
    assert_eq!(of("api", Level::Error), (11, 990));
    assert_eq!(of("trading_automation", Level::Info), (11, 5));
    assert_eq!(of("trading", Level::Info), (15, 0));
    assert_eq!(statistics.lines_folded, 990 + 5);
}

//! S10: the clock goes back an hour, forward a year, and through both changes of daylight saving time.

use std::process::Command;

use chrono::{DateTime, Utc};
use trading_storage::{Database, Options, TradeFilter};

use super::{
    judge::Expected,
    say, scratch, skip,
    subject::{executable, run, works},
};

/// Each in New York's time, with the moment that it is in UTC.
const CLOCKS: [(&str, &str); 6] = [
    ("2026-06-01 12:00:00", "2026-06-01T16:00:00Z"),
    ("2026-06-01 11:00:00", "2026-06-01T15:00:00Z"),
    ("2027-06-01 12:00:00", "2027-06-01T16:00:00Z"),
    ("2026-03-08 01:59:59", "2026-03-08T06:59:59Z"),
    ("2026-03-08 03:00:00", "2026-03-08T07:00:00Z"),
    ("2026-11-01 02:00:00", "2026-11-01T07:00:00Z"),
];

#[test]
fn s10_the_order_is_by_sequence_and_the_times_are_utc() {
    let executable = match executable() {
        Ok(executable) if works("faketime", &["2026-06-01 12:00:00", "true"]) => executable,
        Ok(_) => return skip("S10", "faketime is missing"),
        Err(reason) => return skip("S10", reason),
    };
    let folder = scratch();
    let mut expected = Expected::new(0);
    for (index, (local, _)) in CLOCKS.iter().enumerate() {
        let mut command = Command::new("faketime");
        // Standing still, so that the recorded time can be compared.
        command.env("TZ", "America/New_York").args(["-f", local]).arg(&executable).arg(folder.path());
        let heard = run(command.args(["script", &(10 * index + 1).to_string(), "1"]));
        assert_eq!(heard.last().map(String::as_str), Some("closed"), "{local}: {heard:?}");
        expected.hear(heard.iter().map(String::as_str));
    }
    let path = folder.path().join("record.db");
    let db = Database::open(&Options::at(&path)).expect("opens");
    let newest_first = db.read(|r| r.trades(&TradeFilter::All, None, 100)).expect("is read").trades;
    let ids: Vec<i64> = newest_first.iter().map(|trade| trade.id.get()).collect();
    assert_eq!(ids, [6, 5, 4, 3, 2, 1], "by sequence");
    let times: Vec<DateTime<Utc>> = newest_first.iter().rev().map(|trade| trade.created_at).collect();
    let moments: Vec<DateTime<Utc>> = CLOCKS.iter().map(|(_, utc)| utc.parse().expect("a time")).collect();
    assert_eq!(times, moments);
    let mut by_time = newest_first.clone();
    by_time.sort_by_key(|trade| trade.created_at);
    assert!(by_time.iter().rev().ne(&newest_first), "the control: by time they would stand otherwise");
    drop(db);
    let found = expected.judge(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
    say(
        "S10",
        format_args!(
            "{} clocks, {} acknowledgements made and found, in their order; control (by time): not",
            CLOCKS.len(),
            found.acknowledgements
        ),
    );
}

//! B6: death between the intent and the result of an order. The test is the broker.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use trading_storage::{Database, Options};

use super::{
    POINTS_MAX,
    judge::Expected,
    say, scenario, scratch, seeded, skip, some_of,
    subject::{Running, can_trace, run, subject, traced},
};

/// How many orders a life of the subject is about.
const ORDERS: usize = 4;

/// Where it is killed: before a call by which it writes, syncs, speaks or listens; and about how many of each it makes.
const CALLS: [(&str, u32); 4] = [("pwrite64", 140), ("fsync", 16), ("write", 28), ("read", 11)];

#[derive(Debug, Default)]
struct Broker {
    /// How often each order came.
    seen: BTreeMap<u64, u32>,
}

impl Broker {
    /// Answers until the subject ends, and returns what it said.
    fn serve(&mut self, mut subject: Running) -> Vec<String> {
        while let Some(line) = subject.hear() {
            let answer = match line.split_once(' ') {
                Some(("send", number)) => {
                    *self.seen.entry(number.parse().expect("a number")).or_default() += 1;
                    "filled"
                }
                Some(("ask", number)) => {
                    let number = number.parse().expect("a number");
                    if self.seen.contains_key(&number) { "filled" } else { "unknown" }
                }
                _ => continue,
            };
            subject.tell_if_alive(answer);
        }
        subject.end()
    }
}

/// What a life that was cut short, and the next one, came to.
#[derive(Debug, Default)]
struct Tally {
    fired: u32,
    /// Orders that were recorded, and their results not.
    unresolved: u32,
    /// Those of them that the broker had.
    sent: u32,
    acknowledgements: u64,
}

/// What a subject says of an order: `ack NUMBER new`, `ack NUMBER filled`.
fn acknowledged(heard: &[String], what: &str) -> BTreeSet<u64> {
    let numbers = heard.iter().filter_map(|line| line.strip_prefix("ack ")?.strip_suffix(what)?.trim().parse().ok());
    numbers.collect()
}

/// All that is unresolved is listed: what was sent and has no result; and no more than what was about to be sent.
fn listed(path: &Path, heard: &[String], broker: &Broker, tally: &mut Tally) -> Result<(), String> {
    let (intended, done) = (acknowledged(heard, "new"), acknowledged(heard, "filled"));
    let db = Database::open(&Options::at(path)).map_err(|error| error.to_string())?;
    let open = db.read(|r| r.open_orders()).map_err(|error| error.to_string())?;
    let open = open.iter().map(|open| scenario::number(&open.order)).collect::<Result<BTreeSet<u64>, _>>()?;
    for number in intended.iter().chain(broker.seen.keys()).filter(|number| !done.contains(number)) {
        let id = scenario::order(*number).map_err(|error| error.to_string())?.client_order_id;
        let found = db.read(|r| r.trade_by_client_order_id(&id)).map_err(|error| error.to_string())?;
        // Its result may have been on the disk, and not told yet.
        if found.is_none_or(|trade| !trade.order.status.is_final()) && !open.contains(number) {
            return Err(format!("{number} has no result, and is not listed"));
        }
    }
    if open.len() > 1 || !open.is_disjoint(&done) {
        return Err(format!("{open:?} are listed"));
    }
    tally.unresolved += u32::try_from(open.len()).unwrap_or(u32::MAX);
    tally.sent += u32::try_from(open.iter().filter(|number| broker.seen.contains_key(number)).count()).unwrap_or(0);
    Ok(())
}

/// Kills the subject there, looks at what is left, and lets another one go on.
fn die((call, n): (&str, u32), extra: &[&str], tally: &mut Tally) -> Result<(), String> {
    let folder = scratch();
    run(&mut subject(folder.path(), &["script", "0", "0"]));
    let path = folder.path().join("record.db");
    let orders = ORDERS.to_string();
    let arguments: Vec<_> = ["trade", &orders].into_iter().chain(extra.iter().copied()).collect();
    let (mut broker, mut expected) = (Broker::default(), Expected::new(1));
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let strace = ["-o/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
    let heard = broker.serve(Running::start(&mut traced(folder.path(), &arguments, &strace)));
    expected.hear(heard.iter().map(String::as_str));
    if heard.last().is_some_and(|line| line == "closed") {
        return Ok(());
    }
    tally.fired += 1;
    let listed = listed(&path, &heard, &broker, tally);

    let again = broker.serve(Running::start(&mut subject(folder.path(), &arguments)));
    expected.hear(again.iter().map(String::as_str));
    if broker.seen.len() != ORDERS || broker.seen.values().any(|times| *times != 1) {
        return Err(format!("the broker saw {:?}: {heard:?}, then {again:?}", broker.seen));
    }
    listed.map_err(|wrong| format!("{wrong}: {heard:?}"))?;
    let filled = acknowledged(&heard, "filled").union(&acknowledged(&again, "filled")).count();
    if again.last().is_none_or(|line| line != "closed") || filled + 1 < ORDERS {
        return Err(format!("it does not go on: {heard:?}, then {again:?}"));
    }
    let db = Database::open(&Options::at(&path)).map_err(|error| error.to_string())?;
    let open = db.read(|r| r.open_orders()).map_err(|error| error.to_string())?;
    if !open.is_empty() {
        return Err(format!("{open:?} is still open"));
    }
    drop(db);
    tally.acknowledgements += expected.judge(&path)?.acknowledgements;
    Ok(())
}

#[test]
fn b6_the_broker_sees_each_order_once() {
    if let Err(reason) = can_trace() {
        return skip("B6", reason);
    }
    let (seed, mut chance) = seeded();
    let points: Vec<_> = CALLS.into_iter().flat_map(|(call, count)| (1..=count).map(move |n| (call, n))).collect();
    let points = some_of(points, POINTS_MAX.saturating_mul(2), &mut chance);
    let mut tally = Tally::default();
    for point in &points {
        die(*point, &[], &mut tally).unwrap_or_else(|wrong| panic!("seed {seed}, killed before {point:?}: {wrong}"));
    }
    // The control sends an order before its intent is on the disk.
    let mut control = Tally::default();
    let doubled: Vec<_> = points.iter().filter_map(|point| die(*point, &["eager"], &mut control).err()).collect();
    say(
        "B6",
        format_args!(
            "seed {seed}: {} points, {tally:?}, each order seen once; control (sent before it is recorded): {} of {} wrong, \
             the first: {:?}",
            points.len(),
            doubled.len(),
            control.fired,
            doubled.first()
        ),
    );
    assert!(tally.fired > 0 && tally.unresolved >= tally.sent && tally.sent > 0, "the faults fired");
    assert!(doubled.iter().any(|wrong| wrong.starts_with("the broker saw")), "the broker sees what comes twice");
}

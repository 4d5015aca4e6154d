//! S1, S2: the process is killed, at any moment.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    POINTS_MAX,
    judge::{Expected, Found},
    say, scratch, seeded, skip, some_of,
    subject::{Running, can_trace, executable, run, subject, traced},
    trace,
};

const WRITERS: u64 = 16;
const READERS: u64 = 3;
const ROUNDS: u64 = 8;

/// Kills a loaded process after some acknowledgements, again and again on one record, and judges after each.
/// Returns also how long the slowest restart took.
fn kill_under_load(chance: &mut fastrand::Rng, extra: &[&str]) -> Result<(Found, Duration), String> {
    let folder = scratch();
    let path = folder.path().join("record.db");
    let mut expected = Expected::new(WRITERS);
    let (mut found, mut slowest) = (Found::default(), Duration::ZERO);
    for round in 1..=ROUNDS {
        let first = (round * 100_000).to_string();
        let (writers, readers) = (WRITERS.to_string(), READERS.to_string());
        let mut arguments = vec!["load", &first, &writers, &readers];
        arguments.extend(extra);
        let mut process = Running::start(&mut subject(folder.path(), &arguments));
        process.hear_until("opened");
        for _ in 0..chance.u32(0..400) {
            process.hear();
        }
        let heard = process.kill();
        expected.hear(heard.iter().map(String::as_str));
        let left = ["record.db-wal", "record.db-shm", "record.db.lock"].map(|file| folder.path().join(file).exists());
        assert_eq!(left, [true; 3], "nobody tidied up");
        // It starts again by itself, before anybody looks at what is there.
        let start = Instant::now();
        let mut restarted = Running::start(&mut subject(folder.path(), &["open"]));
        restarted.hear_until("opened");
        slowest = slowest.max(start.elapsed());
        restarted.tell(&(round * 100_000 + 99_999).to_string());
        restarted.hear_until("ack");
        expected.hear(restarted.kill().iter().map(String::as_str));
        found = expected.judge(&path)?;
        expected.adopt(&path);
    }
    Ok((found, slowest))
}

#[test]
fn s1_killed_at_random_under_load() {
    if let Err(reason) = executable() {
        return skip("S1", reason);
    }
    let (seed, mut chance) = seeded();
    let (found, slowest) = kill_under_load(&mut chance, &[]).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    let control = kill_under_load(&mut chance, &["eager"]).expect_err("what is acknowledged too early is lost");
    say(
        "S1",
        format_args!(
            "seed {seed}: {ROUNDS} kills of {WRITERS} writers and {READERS} readers, {} acknowledgements made and found; \
             the slowest restart took {} ms; control (acknowledged before the commit): {control}",
            found.acknowledgements,
            slowest.as_millis()
        ),
    );
}

/// One point of a run where it is killed: before the `n`-th call of this name.
pub(super) type Point = (String, usize);

/// All points of a run on what `prepare` makes.
pub(super) fn points(folder: &Path, arguments: &[&str], prepare: impl FnOnce(&Path)) -> Vec<Point> {
    let log = folder.join("trace");
    let log_argument = format!("-o{}", log.display());
    let mut strace = trace::ARGUMENTS.to_vec();
    strace.push(&log_argument);
    let data = folder.join("data");
    std::fs::create_dir(&data).expect("a folder");
    prepare(&data);
    run(&mut traced(&data, arguments, &strace));
    let counts = trace::counts(&log);
    counts.into_iter().flat_map(|(call, count)| (1..=count).map(move |n| (call.clone(), n))).collect()
}

/// Runs the script and kills it at `point`; the judge's word, and if the kill came.
fn kill_at((call, n): &Point, extra: &[&str]) -> (bool, Result<Found, String>) {
    let folder = scratch();
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let trace = format!("trace={call}");
    let arguments: Vec<_> = ["script", "0", "6"].iter().chain(extra).copied().collect();
    let strace = ["-o/dev/null", "-e", &trace, "-e", &inject];
    let heard = run(&mut traced(folder.path(), &arguments, &strace));
    let mut expected = Expected::new(1);
    expected.hear(heard.iter().map(String::as_str));
    let fired = heard.last().is_none_or(|line| line != "closed");
    (fired, expected.judge(&folder.path().join("record.db")))
}

#[test]
fn s2_killed_at_every_write_and_sync() {
    if let Err(reason) = can_trace() {
        return skip("S2", reason);
    }
    let (seed, mut chance) = seeded();
    let folder = scratch();
    let points = points(folder.path(), &["script", "0", "6"], |_| {});
    let (all, chosen) = (points.len(), some_of(points.clone(), POINTS_MAX, &mut chance));
    let (mut fired, mut acknowledgements) = (0, 0);
    for point in &chosen {
        let (killed, judged) = kill_at(point, &[]);
        fired += u32::from(killed);
        acknowledgements +=
            judged.unwrap_or_else(|wrong| panic!("seed {seed}, killed before {point:?}: {wrong}")).acknowledgements;
    }
    // The control strikes where commits are written: late, since the beginning makes the record.
    let writes = points.iter().rev().filter(|(call, _)| call == "pwrite64").step_by(5).take(POINTS_MAX / 4);
    let lost = writes.filter(|point| kill_at(point, &["eager"]).1.is_err()).count();
    say(
        "S2",
        format_args!(
            "seed {seed}: {} of {all} points, {fired} kills, {acknowledgements} acknowledgements made and found; control \
             (acknowledged before the commit): {lost} runs lost some",
            chosen.len()
        ),
    );
    assert!(fired > 0 && acknowledgements > 0, "the faults fired");
    assert!(lost > 0, "the judge sees a loss");
}

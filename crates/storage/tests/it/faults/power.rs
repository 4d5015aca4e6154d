//! S3: the power goes. A scripted run is recorded, call by call, and replayed onto a disk that loses what was not synced.

use std::path::Path;

use super::{
    disk::{Disk, Loss},
    judge::Expected,
    say, scratch, seeded, skip, some_of,
    subject::{can_trace, run, subject, traced},
    trace::{self, Step},
};

/// How many power cuts are tried.
const CUTS: usize = 300;

/// Runs the subject in `folder` and returns what it did to it.
pub(super) fn record(folder: &Path, log: &Path, arguments: &[&str], extra: &[&str]) -> Vec<Step> {
    let log_argument = format!("-o{}", log.display());
    let mut strace = trace::ARGUMENTS.to_vec();
    strace.push(&log_argument);
    strace.extend(extra);
    run(&mut traced(folder, arguments, &strace));
    trace::read(log, folder)
}

#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    /// Cuts that took something along that was not synced.
    fired: usize,
    acknowledgements: u64,
    wrong: Vec<String>,
}

/// The control: nothing waits for the log, as with `synchronous = NORMAL`.
fn is_log(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-wal")
}

/// Cuts the power after each of the steps in `points`, and judges what is left.
fn cut(
    mut disk: Disk,
    (steps, points): (&[Step], &[usize]),
    mut expected: Expected,
    chance: &mut fastrand::Rng,
) -> Tally {
    let mut tally = Tally::default();
    for (index, step) in steps.iter().enumerate() {
        disk.apply(step);
        if let Step::Said(line) = step {
            expected.hear([line.as_str()]);
        }
        if points.binary_search(&index).is_err() {
            continue;
        }
        for loss in Loss::ALL {
            let folder = scratch();
            let lost = disk.cut_power(loss, chance, folder.path());
            tally.cuts += 1;
            tally.fired += usize::from(lost > 0);
            match expected.judge(&folder.path().join("record.db")) {
                Ok(found) => tally.acknowledgements += found.acknowledgements,
                Err(wrong) => tally.wrong.push(format!("after step {index}, losing {loss:?}: {wrong}")),
            }
        }
    }
    tally
}

#[test]
fn s3_the_power_is_cut() {
    if let Err(reason) = can_trace() {
        return skip("S3", reason);
    }
    let (seed, mut chance) = seeded();
    let folder = scratch();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let disk = Disk::of(&data);
    let steps = record(&data, &folder.path().join("log"), &["script", "0", "30"], &[]);
    let points = some_of((0..steps.len()).collect(), CUTS / Loss::ALL.len(), &mut chance);
    let tally = cut(disk.clone(), (&steps, &points), Expected::new(1), &mut chance);
    let fewer = some_of(points.clone(), 20, &mut chance);
    let control = cut(disk.lying_about(is_log), (&steps, &fewer), Expected::new(1), &mut chance);
    say(
        "S3",
        format_args!(
            "seed {seed}: {} power cuts at {} of {} steps, {} of them lost something un-synced, {} acknowledgements made \
             and found, {} wrong; control (no sync of the log, as with NORMAL): {} of {} cuts lost acknowledged trades",
            tally.cuts,
            points.len(),
            steps.len(),
            tally.fired,
            tally.acknowledgements,
            tally.wrong.len(),
            control.wrong.len(),
            control.cuts
        ),
    );
    assert_eq!(tally.wrong, [""; 0], "seed {seed}");
    assert!(tally.fired > 0 && tally.acknowledgements > 0, "the faults fired");
    assert!(!control.wrong.is_empty(), "the judge sees a loss");
}

/// How many threads write at once, and how many syncs each of them makes before the recording ends.
const WRITERS: u64 = 8;
const SYNCS: u64 = 12;

#[test]
fn s3_the_power_is_cut_while_commits_are_shared() {
    if let Err(reason) = can_trace() {
        return skip("S3", reason);
    }
    let (seed, mut chance) = seeded();
    let folder = scratch();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let mut expected = Expected::new(WRITERS);
    expected.hear(run(&mut subject(&data, &["script", "90000", "1"])).iter().map(String::as_str));
    let disk = Disk::of(&data);
    // It writes without end, so it is killed: strace counts the syncs of each thread by itself.
    let inject = format!("inject=fsync:signal=KILL:when={SYNCS}");
    let load = ["load", "0", &WRITERS.to_string(), "0"];
    let steps = record(&data, &folder.path().join("log"), &load, &["-e", &inject]);
    let points = some_of((0..steps.len()).collect(), CUTS / Loss::ALL.len(), &mut chance);
    let tally = cut(disk.clone(), (&steps, &points), expected.clone(), &mut chance);
    let fewer = some_of(points.clone(), 20, &mut chance);
    let control = cut(disk.lying_about(is_log), (&steps, &fewer), expected, &mut chance);
    let acknowledged = steps.iter().filter(|step| matches!(step, Step::Said(line) if line.starts_with("ack"))).count();
    let log = Path::new("record.db-wal");
    let syncs = steps.iter().filter(|step| matches!(step, Step::Sync(path) if path == log)).count();
    say(
        "S3",
        format_args!(
            "seed {seed}: {WRITERS} writers, {acknowledged} acknowledgements with {syncs} syncs of the log; {} power cuts at {} \
             of {} steps, {} of them lost something un-synced, {} acknowledgements found, {} wrong; control (no sync of the \
             log): {} of {} cuts lost acknowledged trades",
            tally.cuts,
            points.len(),
            steps.len(),
            tally.fired,
            tally.acknowledgements,
            tally.wrong.len(),
            control.wrong.len(),
            control.cuts
        ),
    );
    assert_eq!(tally.wrong, [""; 0], "seed {seed}");
    assert!(tally.fired > 0 && tally.acknowledgements > 0, "the faults fired");
    assert!(syncs < acknowledged, "commits were shared: {syncs} syncs, {acknowledged} acknowledgements");
    assert!(!control.wrong.is_empty(), "the judge sees a loss");
}

/// Killed before the sync of a commit, the process comes back, finds the trade in the log, and is asked for the same again.
/// What it then acknowledges must be on the disk, although it has nothing to write.
#[test]
fn s3_the_power_is_cut_after_a_kill() {
    let (seed, mut chance) = seeded();
    if let Err(reason) = can_trace() {
        return skip("S3", reason);
    }
    let (mut killed, mut acknowledgements) = (0, 0);
    for sync in 1..=24 {
        let folder = scratch();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a folder");
        let disk = Disk::of(&data);
        let inject = format!("inject=fsync:signal=KILL:when={sync}");
        let log = folder.path().join("log");
        let mut steps = record(&data, &log, &["script", "0", "5"], &["-e", &inject]);
        killed += u32::from(!said(&steps, "closed"));
        // The same again; cut before it closes, since closing folds the log into the file.
        let again = record(&data, &log, &["script", "0", "1"], &[]);
        let acknowledged = again.iter().rposition(|step| matches!(step, Step::Said(line) if line.starts_with("ack")));
        let end = acknowledged.expect("it writes again") + 1;
        let before = steps.len();
        steps.extend(again.into_iter().take(end));
        let points = some_of((before..steps.len()).collect(), 3, &mut chance);
        let tally = cut(disk, (&steps, &points), Expected::new(1), &mut chance);
        acknowledgements += tally.acknowledgements;
        assert_eq!(tally.wrong, [""; 0], "seed {seed}, killed before sync {sync}");
    }
    say(
        "S3",
        format_args!(
            "seed {seed}: {killed} kills before a sync, each with a power cut later, {acknowledgements} found"
        ),
    );
    assert!(killed > 0 && acknowledgements > 0, "the faults fired");
}

fn said(steps: &[Step], what: &str) -> bool {
    steps.iter().any(|step| matches!(step, Step::Said(line) if line == what))
}

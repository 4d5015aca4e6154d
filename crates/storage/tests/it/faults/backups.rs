//! B1, B3: the power goes while a backup is made, or restored. What was not synced is lost; what was said stays said.

use std::{cell::Cell, fs, path::Path};

use trading_storage::{Backup, BackupOptions, Database, Options};

use super::{
    disk::{Disk, Loss},
    judge::Expected,
    power::record,
    say, scratch, seeded, skip, some_of,
    subject::{Running, can_trace, run, subject},
    trace::Step,
};

/// At how many steps the power is cut.
const POINTS: usize = 80;

#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    /// Cuts that took something along that was not synced.
    fired: usize,
    wrong: Vec<String>,
}

/// Cuts the power after each of the `points`, and has `judge` look at what is left, and at whether the subject had said `done`.
fn cut(
    mut disk: Disk,
    (steps, points): (&[Step], &[usize]),
    done: &str,
    chance: &mut fastrand::Rng,
    judge: impl Fn(&Path, bool) -> Result<(), String>,
) -> Tally {
    let (mut tally, mut is_done) = (Tally::default(), false);
    for (index, step) in steps.iter().enumerate() {
        disk.apply(step);
        is_done |= matches!(step, Step::Said(line) if line == done);
        if points.binary_search(&index).is_err() {
            continue;
        }
        for loss in Loss::ALL {
            let folder = scratch();
            tally.fired += usize::from(disk.cut_power(loss, chance, folder.path()) > 0);
            tally.cuts += 1;
            if let Err(wrong) = judge(folder.path(), is_done) {
                tally.wrong.push(format!("after step {index} ({step:.80?}), losing {loss:?}: {wrong}"));
            }
        }
    }
    tally
}

/// A record with four trades, its backup, and two trades more that only its write-ahead log has; and what must be in each.
fn prepared(folder: &Path) -> (Expected, Expected) {
    let mut old = Expected::new(0);
    old.hear(run(&mut subject(folder, &["script", "0", "4"])).iter().map(String::as_str));
    let new = old.clone();
    let db = Database::open(&Options::at(folder.join("record.db"))).expect("opens");
    db.backup(&BackupOptions::to(folder.join("backups")), |_| {}).expect("is made");
    drop(db);
    let mut process = Running::start(&mut subject(folder, &["open"]));
    for number in ["100", "101"] {
        process.tell(number);
        process.hear_until("present");
    }
    old.hear(process.kill().iter().map(String::as_str));
    assert!(fs::metadata(folder.join("record.db-wal")).expect("is there").len() > 0);
    (old, new)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What is prepared, and the steps of a run on it, some of them chosen.
struct Recorded {
    disk: Disk,
    old: Expected,
    new: Expected,
    steps: Vec<Step>,
    points: Vec<usize>,
}

fn recorded(work: &str, chance: &mut fastrand::Rng) -> Recorded {
    let folder = scratch();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let (old, new) = prepared(&data);
    let disk = Disk::of(&data);
    let steps = record(&data, &folder.path().join("log"), &[work], &[]);
    assert!(matches!(steps.last(), Some(Step::Said(line)) if line == "closed"), "{:?}", steps.last());
    let points = some_of((0..steps.len()).collect(), POINTS, chance);
    Recorded { disk, old, new, steps, points }
}

#[test]
fn b3_the_power_is_cut_during_a_restore() {
    if let Err(reason) = can_trace() {
        return skip("B3", reason);
    }
    let (seed, mut chance) = seeded();
    let Recorded { disk, old, new, steps, points } = recorded("restore", &mut chance);
    let (was_old, was_new) = (Cell::new(0), Cell::new(0));
    let judge = |folder: &Path, is_done: bool| {
        let path = folder.join("record.db");
        // Opening it finishes what was begun.
        let trades = Database::open(&Options::at(&path)).map_err(text)?.read(|r| r.counts()).map_err(text)?.trades;
        let aside = fs::read_dir(folder).map_err(text)?.filter_map(Result::ok).map(|entry| entry.path());
        let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains(".replaced-")).collect();
        match (trades, aside.as_slice()) {
            (6, []) if !is_done => was_old.set(was_old.get() + 1),
            (4, [aside]) => {
                was_new.set(was_new.get() + 1);
                old.look(&aside.join("record.db")).map_err(|wrong| format!("what was moved aside: {wrong}"))?;
            }
            _ => return Err(format!("{trades} trades, moved aside: {aside:?}, done: {is_done}")),
        }
        if trades == 6 { old.judge(&path) } else { new.judge(&path) }?;
        let backups = Backup::list(folder.join("backups")).map_err(text)?;
        backups.iter().try_for_each(|backup| backup.verify(None, |_| {})).map_err(text)?;
        if backups.len() == 1 { Ok(()) } else { Err(format!("backups: {backups:?}")) }
    };
    let tally = cut(disk.clone(), (&steps, &points), "restored", &mut chance, judge);
    let (old_sets, new_sets) = (was_old.get(), was_new.get());
    // The control: a restore that does not wait for the disk.
    let control = cut(disk.lying_about(|_| true), (&steps, &points), "restored", &mut chance, judge);
    say(
        "B3",
        format_args!(
            "seed {seed}: {} power cuts at {} of {} steps of a restore, {} of them lost something un-synced: the old set \
             {old_sets} times, the new one {new_sets}, {} wrong; control (no syncs): {} of {} wrong, the first {:?}",
            tally.cuts,
            points.len(),
            steps.len(),
            tally.fired,
            tally.wrong.len(),
            control.wrong.len(),
            control.cuts,
            control.wrong.first()
        ),
    );
    assert_eq!(tally.wrong, [""; 0], "seed {seed}");
    assert!(tally.fired > 0 && old_sets > 0 && new_sets > 0, "the faults fired");
    assert!(!control.wrong.is_empty(), "the judge sees a loss");
}

#[test]
fn b1_the_power_is_cut_during_a_backup() {
    if let Err(reason) = can_trace() {
        return skip("B1", reason);
    }
    let (seed, mut chance) = seeded();
    let Recorded { disk, old, steps, points, .. } = recorded("backup", &mut chance);
    let (only_old, both) = (Cell::new(0), Cell::new(0));
    let judge = |folder: &Path, is_done: bool| {
        let backups = Backup::list(folder.join("backups")).map_err(text)?;
        backups.iter().try_for_each(|backup| backup.verify(None, |_| {})).map_err(text)?;
        match backups.len() {
            1 if !is_done => only_old.set(only_old.get() + 1),
            2 => both.set(both.get() + 1),
            _ => return Err(format!("backups: {backups:?}, done: {is_done}")),
        }
        old.judge(&folder.join("record.db")).map(drop)
    };
    let tally = cut(disk.clone(), (&steps, &points), "made", &mut chance, judge);
    let (without, with) = (only_old.get(), both.get());
    let control = cut(disk.lying_about(|_| true), (&steps, &points), "made", &mut chance, judge);
    say(
        "B1",
        format_args!(
            "seed {seed}: {} power cuts at {} of {} steps of a backup, {} of them lost something un-synced: no new backup \
             {without} times, a whole one {with}, {} wrong; control (no syncs): {} of {} wrong, the first {:?}",
            tally.cuts,
            points.len(),
            steps.len(),
            tally.fired,
            tally.wrong.len(),
            control.wrong.len(),
            control.cuts,
            control.wrong.first()
        ),
    );
    assert_eq!(tally.wrong, [""; 0], "seed {seed}");
    assert!(tally.fired > 0 && without > 0 && with > 0, "the faults fired");
    assert!(!control.wrong.is_empty(), "the judge sees a loss");
}

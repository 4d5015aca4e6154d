//! What a folder of backups tells, and what may go from it.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use trading_storage::{Backup, BackupOptions, Database};

use super::{
    backup, database_file,
    manifests::{NOT_WALKED, change_manifest},
    names, with_trades,
};

/// Makes a backup and dates it back.
fn backup_of(db: &Database, folder: &Path, days_ago: i64, now: DateTime<Utc>) -> Backup {
    let made = backup(db, folder);
    let time = now - TimeDelta::days(days_ago);
    let manifest = made.path.join("manifest.json");
    let rfc = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let text = fs::read_to_string(&manifest).expect("is read").replace(&rfc(made.created_at), &rfc(time));
    fs::write(&manifest, text).expect("is written");
    let path = folder.join(time.format("record-%Y%m%dT%H%M%S%.6fZ").to_string());
    fs::rename(&made.path, &path).expect("is renamed");
    Backup::open(path).expect("is good")
}

/// Whole microseconds, which is what a name and a manifest hold.
fn now() -> DateTime<Utc> {
    "2026-11-22T20:45:01.123456Z".parse().expect("a time")
}

#[test]
fn the_list_has_the_newest_first_with_age_size_and_worth() {
    let (folder, db) = with_trades(1);
    let place = folder.path().join("backups");
    assert_eq!(Backup::list(&place).expect("is listed"), [], "there is no folder");
    let older = backup_of(&db, &place, 2, now());
    let newer = backup_of(&db, &place, 1, now());
    let future = backup_of(&db, &place, -1, now());
    let listed = Backup::list(&place).expect("is listed");
    assert_eq!(listed, [future, newer, older]);
    let ages: Vec<_> = listed.iter().map(|backup| backup.age(now())).collect();
    assert_eq!(ages, [Duration::ZERO, Duration::from_secs(86_400), Duration::from_secs(2 * 86_400)]);
    for backup in &listed {
        let sizes =
            ["database.db", "manifest.json"].map(|f| fs::metadata(backup.path.join(f)).expect("is there").len());
        assert_eq!((backup.is_proven(), backup.size_bytes), (true, sizes.iter().sum()));
    }
    let mut sorted: Vec<_> = listed.iter().map(|backup| backup.path.clone()).collect();
    sorted.sort();
    sorted.reverse();
    assert!(sorted.iter().eq(listed.iter().map(|backup| &backup.path)), "the names sort by time");
}

#[test]
fn what_is_no_proven_backup_is_listed_with_the_reason_or_not_at_all() {
    let (folder, db) = with_trades(1);
    let place = folder.path().join("backups");
    let check = |spoil: &dyn Fn(&Backup), expected: &str| {
        let made = backup(&db, &place);
        spoil(&made);
        let listed = Backup::list(&place).expect("is listed");
        let [found] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!((found.is_proven(), found.created_at), (false, made.created_at));
        assert_eq!(found.manifest.as_ref().expect_err("is unproven"), expected);
        assert!(found.verify(None, |_| {}).expect_err("is refused").to_string().ends_with(expected));
        fs::remove_dir_all(&made.path).expect("is removed");
    };
    let manifest = |backup: &Backup| backup.path.join("manifest.json");
    check(
        &|backup| fs::remove_file(manifest(backup)).expect("is removed"),
        "its manifest cannot be opened (No such file or directory (os error 2))",
    );
    check(
        &|backup| fs::write(manifest(backup), "{").expect("is written"),
        "its manifest cannot be understood (EOF while parsing an object at line 1 column 1)",
    );
    check(
        &|backup| {
            let text = fs::read_to_string(manifest(backup)).expect("is read").replace("\"format\": 1", "\"format\": 2");
            fs::write(manifest(backup), text).expect("is written");
        },
        "its manifest has the form 2, and this program knows 1",
    );
    check(
        &|backup| fs::remove_file(database_file(backup)).expect("is removed"),
        "its database.db is not there (No such file or directory (os error 2))",
    );
    let bytes = fs::metadata(database_file(&backup(&db, folder.path()))).expect("is there").len();
    check(
        &|backup| fs::write(database_file(backup), "cut").expect("is written"),
        &format!("its file has 3 bytes, and {bytes} were written"),
    );

    let made = backup(&db, folder.path());
    fs::write(place.join("record-20261122T204501.123456Z"), "a file").expect("is written");
    symlink(&made.path, place.join("record-20261122T204502.123456Z")).expect("a link");
    fs::create_dir(place.join("record-20261322T204502.123456Z")).expect("a folder of another name");
    assert_eq!(Backup::list(&place).expect("is listed"), []);
}

#[test]
fn backups_go_by_age_but_the_newest_three_proven_ones_stay() {
    let (folder, db) = with_trades(1);
    let place = folder.path().join("backups");
    let days = [1, 29, 30, 31, 40, 50];
    let made = days.map(|days| backup_of(&db, &place, days, now()));
    let prune = |days| Backup::prune(&place, db.instance_id(), days, now()).expect("are removed");
    assert_eq!(prune(50), Vec::<std::path::PathBuf>::new(), "fifty days is not older than fifty days");
    assert_eq!(prune(30), [made[3].path.clone(), made[4].path.clone(), made[5].path.clone()]);
    assert_eq!(prune(0), Vec::<std::path::PathBuf>::new());
    assert_eq!(names(&place).len(), 3, "and nothing else is left: {:?}", names(&place));
    // One that is not proven does not count among the three.
    fs::write(made[0].path.join("manifest.json"), "").expect("is written");
    backup_of(&db, &place, 60, now());
    assert_eq!(prune(0), Vec::<std::path::PathBuf>::new());
    assert_eq!(names(&place).len(), 4);
    // Nor does one whose chain nobody walked; it goes by its age alone.
    let not_walked = backup_of(&db, &place, 10, now());
    change_manifest(&not_walked.path, &[NOT_WALKED]);
    let newest = |folder: &Path, instance_id: &str| Backup::newest_proven(folder, instance_id).expect("is listed");
    assert_eq!(newest(&place, db.instance_id()).expect("is there").path, made[1].path);
    assert_eq!(newest(&place, with_trades(1).1.instance_id()), None, "they are not of that one");
    assert_eq!(prune(10), Vec::<std::path::PathBuf>::new());
    assert_eq!(prune(0), [not_walked.path]);
    assert_eq!(names(&place).len(), 4);
    assert_eq!(newest(&folder.path().join("none"), db.instance_id()), None);
}

#[test]
fn a_backup_that_changed_since_it_was_proven_counts_for_none_and_stays() {
    let (folder, db) = with_trades(1);
    let place = folder.path().join("backups");
    let made = [1, 2, 3, 4, 5, 6].map(|days| backup_of(&db, &place, days, now()));
    let file = database_file(&made[1]);
    let mut bytes = fs::read(&file).expect("is there");
    bytes[5_000] ^= 1;
    fs::write(&file, bytes).expect("is written");
    let removed = Backup::prune(&place, db.instance_id(), 0, now()).expect("are removed");
    assert_eq!(
        removed,
        [made[4].path.clone(), made[5].path.clone()],
        "the second is no backup any more, the fourth is"
    );
    assert!(made[1].path.exists(), "somebody may want to know what happened to it");
}

#[test]
fn nothing_of_a_stranger_is_removed() {
    let (folder, db) = with_trades(1);
    let (_other_folder, other) = with_trades(1);
    let place = folder.path().join("backups");
    for days in [1, 2, 3] {
        backup_of(&db, &place, days, now());
    }
    let of_another = backup_of(&other, &place, 99, now());
    let with_notes = backup_of(&db, &place, 98, now());
    fs::write(with_notes.path.join("notes.txt"), "mine").expect("is written");
    let damaged = backup_of(&db, &place, 97, now());
    fs::write(damaged.path.join("manifest.json"), "").expect("is written");
    let old = backup_of(&db, &place, 96, now());
    fs::write(place.join("record-20200101T000000.000000Z"), "a file").expect("is written");
    assert_eq!(Backup::prune(&place, db.instance_id(), 0, now()).expect("are removed"), [old.path]);
    for path in [of_another.path, with_notes.path, damaged.path] {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(names(&place).len(), 7);
}

#[test]
fn progress_is_told_for_each_stage_to_its_end() {
    let (folder, db) = with_trades(100);
    let mut seen = Vec::new();
    let options = BackupOptions { compress: true, ..BackupOptions::to(folder.path()) };
    let made = db.backup(&options, |progress| seen.push(progress)).expect("is made");
    made.verify(None, |progress| seen.push(progress)).expect("is good");
    let ends: Vec<_> = seen.iter().filter(|p| p.done == p.total).map(|p| format!("{:?}", p.stage)).collect();
    assert_eq!(ends, ["Copy", "Check", "Pack", "Unpack", "Check"]);
    assert!(seen.iter().all(|progress| progress.done <= progress.total), "{seen:?}");
}

#[test]
fn the_database_or_the_head_beside_it_says_whose_backups_are_its_own() {
    let (folder, db) = with_trades(1);
    let (path, instance) = (db.path().to_owned(), db.instance_id().to_owned());
    let made = backup(&db, &folder.path().join("backups"));
    assert_eq!((made.is_of(&instance), made.is_of("another")), (Some(true), Some(false)));
    assert_eq!(Backup::instance_at(&path).as_ref(), Some(&instance), "while it is open too");
    drop(db);
    let mut head = path.clone().into_os_string();
    head.push(".head");
    let text = fs::read_to_string(&head).expect("is there");
    fs::write(&head, text.replace(&instance, "another")).expect("is written");
    assert_eq!(Backup::instance_at(&path), None, "they disagree");
    fs::remove_file(&path).expect("is removed");
    assert_eq!(Backup::instance_at(&path).as_deref(), Some("another"));
    fs::remove_file(&head).expect("is removed");
    assert_eq!(Backup::instance_at(&path), None);
}

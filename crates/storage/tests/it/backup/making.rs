//! A backup is complete and of one moment, or there is none.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use tempfile::TempDir;
use trading_storage::{Backup, BackupOptions, Database, Error, Progress, RestoreOptions, Stage};

use super::{add_trades, backup, database_file, names, tamper, text, trades, with_trades};
use crate::{options, order};

#[test]
fn a_backup_is_a_folder_with_the_database_and_a_manifest_of_the_owners_alone() {
    let (folder, db) = with_trades(3);
    let place = folder.path().join("back/ups");
    let made = backup(&db, &place);
    let name = made.path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    assert_eq!(names(&place), [name.as_str()], "nothing else is left");
    assert_eq!(name, made.created_at.format("record-%Y%m%dT%H%M%S%.6fZ").to_string());
    assert_eq!(names(&made.path), ["database.db", "manifest.json"]);
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o7777;
    assert_eq!((mode(&place), mode(&made.path)), (0o700, 0o700));
    for file in names(&made.path) {
        assert_eq!(mode(&made.path.join(&file)), 0o600, "{file}");
    }
    assert_eq!(Backup::open(&made.path).expect("is there"), made);
    made.verify(None, |_| {}).expect("is proven again");
    assert_eq!(names(&made.path), ["database.db", "manifest.json"], "a proof leaves nothing");
}

#[test]
fn the_manifest_tells_what_is_in_the_backup() {
    let (folder, db) = with_trades(3);
    let made = backup(&db, folder.path());
    let manifest = made.manifest.as_ref().expect("is proven");
    assert_eq!(manifest.contents.head, Some(db.head()));
    let text = fs::read_to_string(made.path.join("manifest.json")).expect("is read");
    let shown = Command::new("sha256sum").arg(database_file(&made)).output().expect("runs").stdout;
    let sha256 = String::from_utf8(shown).expect("Unicode").split(' ').next().expect("a hash").to_owned();
    let bytes = fs::metadata(database_file(&made)).expect("is there").len();
    let fingerprint = format!("{{\n    \"bytes\": {bytes},\n    \"sha256\": \"{sha256}\"\n  }}");
    assert_eq!(
        text,
        format!(
            r#"{{
  "format": 1,
  "created_at": "{}",
  "contents": {{
    "instance_id": "{}",
    "head": {{
      "sequence": 3,
      "hash": "{}"
    }},
    "schema_versions": {{
      "core": 1
    }},
    "rows": {{
      "agent_positions": 0,
      "agents": 1,
      "daily_performance": 0,
      "record": 1,
      "schema_migrations": 1,
      "trade_events": 3,
      "trades": 3
    }}
  }},
  "chain_verified": true,
  "compressed": false,
  "encrypted": false,
  "file": {fingerprint},
  "database": {fingerprint},
  "program": "0.1.0",
  "sqlite": "{}"
}}
"#,
            made.created_at.format("%Y-%m-%dT%H:%M:%S%.6fZ"),
            db.instance_id(),
            db.head().hash_hex(),
            rusqlite::version(),
        )
    );
}

#[test]
fn writes_during_the_copy_neither_show_in_it_nor_send_it_back() {
    let (folder, db) = with_trades(20_000);
    let (mut written, mut steps, mut before) = (20_000, 0_u64, 0);
    let made = db.backup(&BackupOptions::to(folder.path().join("backups")), |progress: Progress| {
        if progress.stage == Stage::Copy {
            add_trades(&db, written, written + 1);
            (written, steps) = (written + 1, steps + 1);
            assert!(progress.done > before, "it never begins anew: {progress:?}");
            before = progress.done;
        }
    });
    let made = made.expect("is made");
    assert!(steps > 3, "{steps} steps");
    assert_eq!(made.manifest.as_ref().expect("is proven").contents.rows.get("trades"), Some(&20_000));
    assert_eq!(trades(&db), 20_000 + steps);
    made.verify(None, |_| {}).expect("is good");
}

#[test]
fn a_backup_under_concurrent_writers_is_a_prefix_of_what_each_wrote() {
    let (folder, db) = with_trades(2_000);
    let (stop, acknowledged) = (AtomicBool::new(false), [const { AtomicU32::new(0) }; 4]);
    let place = folder.path().join("backups");
    let (known, made) = std::thread::scope(|scope| {
        for (thread, last) in acknowledged.iter().enumerate() {
            let (db, stop) = (&db, &stop);
            scope.spawn(move || {
                for number in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    db.transaction(|tx| tx.insert_trade(&order(&format!("{thread}-{number}")))).expect("is recorded");
                    last.store(number, Ordering::Release);
                }
            });
        }
        while acknowledged.iter().any(|last| last.load(Ordering::Acquire) == 0) {
            std::thread::yield_now();
        }
        let known = acknowledged.each_ref().map(|last| last.load(Ordering::Acquire));
        let made = db.backup(&BackupOptions::to(&place), |_| {});
        stop.store(true, Ordering::Relaxed);
        (known, made.expect("is made"))
    });
    made.verify(None, |_| {}).expect("is good");
    let elsewhere = TempDir::new().expect("a folder");
    made.restore(&RestoreOptions::to(options(&elsewhere).path), |_| {}).expect("is restored");
    let restored = Database::open(&options(&elsewhere)).expect("opens");
    for (thread, known) in known.into_iter().enumerate() {
        let there = |number: u32| {
            let id = order(&format!("{thread}-{number}")).client_order_id;
            restored.read(|r| r.trade_by_client_order_id(&id)).expect("is read").is_some()
        };
        let has = (1..).take_while(|number| there(*number)).count();
        assert!(has >= usize::try_from(known).expect("fits"), "what was acknowledged before the backup is in it");
        assert!(!there(u32::try_from(has).expect("fits") + 2), "and no trade without those before it");
    }
}

#[test]
fn a_compressed_backup_is_smaller_and_as_good() {
    let (folder, db) = with_trades(2_000);
    let place = folder.path().join("backups");
    let made = db.backup(&BackupOptions { compress: true, ..BackupOptions::to(&place) }, |_| {}).expect("is made");
    assert_eq!(names(&made.path), ["database.db.zst", "manifest.json"]);
    let manifest = made.manifest.as_ref().expect("is proven");
    assert!(manifest.file.bytes * 2 < manifest.database.bytes, "{manifest:?}");
    made.verify(None, |_| {}).expect("is good");
    assert_eq!(names(&place).len(), 1, "what was unpacked for the proof is gone");
}

#[test]
fn a_record_that_is_not_good_has_no_backup() {
    let (folder, db) = with_trades(3);
    let place = folder.path().join("backups");
    let old = backup(&db, &place);
    tamper(db.path(), "DROP TRIGGER trades_keep_their_intent; UPDATE trades SET quantity = 7 WHERE id = 2");
    let error = db.backup(&BackupOptions::to(&place), |_| {}).expect_err("is refused");
    assert_eq!(error.to_string(), "the record is damaged at event 2: it, or the order of its trade, was changed");
    assert_eq!(names(&place).len(), 1, "no part of it is left");
    old.verify(None, |_| {}).expect("the old one is kept");
}

#[test]
fn another_file_at_the_path_is_not_backed_up() {
    let (folder, db) = with_trades(3);
    let (other_folder, other) = with_trades(1);
    drop(other);
    let other = other_folder.path().join("record.db");
    for file in ["-wal", "-shm"] {
        drop(fs::remove_file(folder.path().join(format!("record.db{file}"))));
    }
    fs::rename(other, folder.path().join("record.db")).expect("is put there");
    let place = folder.path().join("backups");
    let error = db.backup(&BackupOptions::to(&place), |_| {}).expect_err("is refused");
    assert!(matches!(error, Error::HeadMismatch { .. }), "{error}");
    assert_eq!(names(&place), Vec::<String>::new());
}

#[test]
fn what_a_killed_run_left_is_removed_and_nothing_else() {
    let (folder, db) = with_trades(1);
    let place = folder.path().join("backups");
    let treasure = folder.path().join("treasure");
    fs::create_dir_all(&treasure).expect("a folder");
    fs::write(treasure.join("file"), "mine").expect("is written");
    fs::create_dir_all(place.join(".unfinished-dead")).expect("a folder");
    fs::write(place.join(".unfinished-dead/database.db"), "half").expect("is written");
    symlink(&treasure, place.join(".unfinished-dead/link")).expect("a link");
    symlink(&treasure, place.join(".unfinished-link")).expect("a link");
    fs::create_dir_all(place.join(".unfinished-alive")).expect("a folder");
    let alive = fs::File::open(place.join(".unfinished-alive")).expect("opens");
    alive.lock().expect("is locked");
    fs::write(place.join("notes.txt"), "a stranger's").expect("is written");
    backup(&db, &place);
    let left = names(&place);
    assert_eq!(left[..3], [".unfinished-alive", ".unfinished-link", "notes.txt"], "{left:?}");
    assert_eq!(left.len(), 4);
    assert_eq!(names(&treasure), ["file"]);
}

#[test]
fn no_planted_link_is_followed() {
    let (folder, db) = with_trades(1);
    let made = backup(&db, &folder.path().join("backups"));
    let elsewhere = folder.path().join("elsewhere");
    for file in ["database.db", "manifest.json"] {
        let path = made.path.join(file);
        fs::rename(&path, &elsewhere).expect("is moved");
        symlink(&elsewhere, &path).expect("a link");
        let error = Backup::open(&made.path).expect_err("is refused").to_string();
        assert!(error.contains(" is not good: its "), "{error}");
        fs::remove_file(&path).expect("is removed");
        fs::rename(&elsewhere, &path).expect("is moved back");
    }
    Backup::open(&made.path).expect("is good again");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (folder, db) = with_trades(1);
    fs::write(folder.path().join("file"), "").expect("is written");
    let error = db.backup(&BackupOptions::to(folder.path().join("file/backups")), |_| {}).expect_err("is refused");
    assert_eq!(text(&error, folder.path()), "cannot make the folder …/file/backups");
}

/// A disk of its own, as small as wanted; `None` where this user may not mount one.
struct Disk(TempDir);

impl Disk {
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    fn of_mebibytes(size: u32) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                println!("skipped: no disk could be mounted: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                println!("skipped: no disk could be mounted: {error}");
                None
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).output());
    }
}

#[test]
fn a_disk_without_room_is_refused_before_anything_is_written() {
    let Some(disk) = Disk::of_mebibytes(1) else { return };
    let (_folder, db) = with_trades(1_000);
    let error = db.backup(&BackupOptions::to(disk.0.path()), |_| panic!("nothing is copied")).expect_err("is refused");
    let Error::DiskSpace { path, needed_bytes, available_bytes } = error else { panic!("{error}") };
    assert_eq!((path.parent(), available_bytes), (Some(disk.0.path()), 1024 * 1024));
    assert!(needed_bytes > available_bytes, "{needed_bytes}");
    assert_eq!(names(disk.0.path()), Vec::<String>::new());
}

#[test]
fn a_disk_that_fills_up_meanwhile_leaves_the_old_backups_and_no_part_of_a_new_one() {
    let Some(disk) = Disk::of_mebibytes(16) else { return };
    let (folder, db) = with_trades(100);
    let old = backup(&db, disk.0.path());
    add_trades(&db, 100, 10_000);
    let mut filled = false;
    let result = db.backup(&BackupOptions::to(disk.0.path()), |progress| {
        if progress.stage == Stage::Copy && !filled {
            filled = true;
            drop(fs::write(disk.0.path().join("filler"), vec![0; 16 * 1024 * 1024]));
        }
    });
    let error = result.expect_err("is full");
    assert!(filled && matches!(error, Error::Query { .. } | Error::BackupFile { .. }), "{error}");
    fs::remove_file(disk.0.path().join("filler")).expect("is removed");
    assert_eq!(names(disk.0.path()).len(), 1);
    old.verify(None, |_| {}).expect("is kept");
    assert_eq!(trades(&db), 10_000, "the source is as it was");
    db.verify(|_, _| {}).expect("is good");
    backup(&db, disk.0.path()).verify(None, |_| {}).expect("the next one is made");
    drop(folder);
}

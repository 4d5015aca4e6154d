//! What a manifest says of its backup is compared with it, and not believed.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;
use trading_storage::{Backup, BackupOptions, Error, RestoreOptions, Stage};

use super::{backup, database_file, names, tamper, text, with_trades};

#[test]
fn a_manifest_that_tells_of_another_database_is_refused() {
    let (folder, db) = with_trades(5);
    let options = BackupOptions { compress: true, ..BackupOptions::to(folder.path().join("backups")) };
    let made = db.backup(&options, |_| {}).expect("is made");
    let manifest = made.path.join("manifest.json");
    let whole = fs::read_to_string(&manifest).expect("is read");
    let database = &made.manifest.as_ref().expect("is proven").database;
    // Another hash; and fewer bytes than what the file, a few bytes that could unpack to any number, unpacks to.
    for (from, to) in [(database.sha256.clone(), "0".repeat(64)), (database.bytes.to_string(), "9".to_owned())] {
        fs::write(&manifest, whole.replace(&from, &to)).expect("is written");
        let mut unpacked = 0;
        let backup = Backup::open(&made.path).expect("looks good");
        let error = backup.verify(None, |progress| unpacked = progress.done).expect_err("is refused");
        let expected = "the backup …/backups/record-TIME is not good: the database in it is not the one that the manifest describes";
        assert_eq!(text(&error, folder.path()), expected);
        assert!(unpacked <= database.bytes);
    }
}

/// Changes the database of a backup, and its manifest so that it describes that: as somebody would who may write there.
fn forge(made: &Backup, sql: &str, claims: &[(&str, &str)]) {
    let path = database_file(made);
    tamper(&path, &format!("{sql}; PRAGMA wal_checkpoint;"));
    let hash = Command::new("sha256sum").arg(&path).output().expect("runs").stdout;
    let bytes = fs::metadata(&path).expect("is there").len();
    let manifest = made.manifest.as_ref().expect("is proven");
    change_manifest(
        &made.path,
        &[
            (&manifest.file.sha256, String::from_utf8_lossy(&hash).split(' ').next().expect("a hash")),
            (&format!("\"bytes\": {}", manifest.file.bytes), &format!("\"bytes\": {bytes}")),
        ],
    );
    change_manifest(&made.path, claims);
}

pub(super) fn change_manifest(backup: &Path, changes: &[(&str, &str)]) {
    let path = backup.join("manifest.json");
    let mut text = fs::read_to_string(&path).expect("is read");
    for (from, to) in changes {
        assert!(text.contains(from), "{text}");
        text = text.replace(from, to);
    }
    fs::write(path, text).expect("is written");
}

pub(super) const NOT_WALKED: (&str, &str) = ("\"chain_verified\": true", "\"chain_verified\": false");

#[test]
fn a_backup_that_was_made_anew_by_somebody_else_is_refused() {
    // Also where the manifest says that nobody walked the chain: it is walked now.
    for claims in [&[] as &[_], &[NOT_WALKED]] {
        let (folder, db) = with_trades(5);
        let made = backup(&db, &folder.path().join("backups"));
        forge(&made, "DROP TRIGGER trades_keep_their_intent; UPDATE trades SET quantity = 7 WHERE id = 2", claims);
        let forged = Backup::open(&made.path).expect("looks good");
        let elsewhere = TempDir::new().expect("a folder");
        let restored = forged.restore(&RestoreOptions::to(elsewhere.path().join("record.db")), |_| {});
        for error in [forged.verify(None, |_| {}).expect_err("is not"), restored.expect_err("is refused")] {
            assert!(matches!(error, Error::ChainBroken { sequence: 2, .. }), "{error:?}");
            let expected = "the record is damaged at event 2: it, or the order of its trade, was changed";
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(names(elsewhere.path()), Vec::<String>::new(), "nothing was put there");
    }
}

#[test]
fn a_backup_whose_chain_nobody_walked_is_listed_as_such_and_walked_before_it_is_restored() {
    let (folder, db) = with_trades(5);
    let place = folder.path().join("backups");
    let made = backup(&db, &place);
    change_manifest(&made.path, &[NOT_WALKED]);
    let listed = Backup::list(&place).expect("is listed");
    let [found] = listed.as_slice() else { panic!("{listed:?}") };
    assert!(!found.manifest.as_ref().expect("is there").chain_verified);
    let mut walked = 0;
    let elsewhere = TempDir::new().expect("a folder");
    let restored = found.restore(&RestoreOptions::to(elsewhere.path().join("record.db")), |progress| {
        walked += u32::from(progress.stage == Stage::Check && progress.done == 5);
    });
    assert_eq!((restored.expect("is good").head, walked), (Some(db.head()), 1));
}

#[test]
fn a_manifest_with_a_rule_broken_is_not_proven_and_not_restored() {
    let (folder, db) = with_trades(5);
    let place = folder.path().join("backups");
    let made = backup(&db, &place);
    let whole = fs::read_to_string(made.path.join("manifest.json")).expect("is read");
    for (change, expected) in [
        (("\"chain_verified\": true,", ""), "missing field `chain_verified`"),
        (
            ("\"chain_verified\": true", "\"chain_verified\": \"yes\""),
            "invalid type: string \"yes\", expected a boolean",
        ),
        (("\"hash\": \"", "\"hash\": \"0"), "a hash has 64 hexadecimal digits"),
        (("\"sequence\": 5", "\"sequence\": -5"), "invalid value: integer `-5`, expected u64"),
    ] {
        change_manifest(&made.path, &[change]);
        let listed = Backup::list(&place).expect("is listed");
        let [found] = listed.as_slice() else { panic!("{listed:?}") };
        assert!(!found.is_proven());
        let reason = found.manifest.as_ref().expect_err("is not proven");
        assert!(reason.starts_with(&format!("its manifest cannot be understood ({expected}")), "{reason}");
        let elsewhere = TempDir::new().expect("a folder");
        let restored = found.restore(&RestoreOptions::to(elsewhere.path().join("record.db")), |_| {});
        assert!(matches!(restored, Err(Error::BackupDamaged { .. })), "{restored:?}");
        assert_eq!(names(elsewhere.path()), Vec::<String>::new(), "nothing was put there");
        fs::write(made.path.join("manifest.json"), &whole).expect("is back");
    }
    assert!(Backup::open(&made.path).expect("the control: it is good again").is_proven());
}

#[test]
fn a_manifest_counts_more_or_other_events_than_there_are_and_is_refused() {
    for (change, expected) in [
        (("\"sequence\": 5", "\"sequence\": 6"), "its chain ends at event 5, and at 6 in what was copied"),
        (("\"trades\": 5", "\"trades\": 6"), "it has 5 rows of trades, and 6 were copied"),
        (("\"core\": 1", "\"core\": 0"), "its schema is another one"),
    ] {
        let (folder, db) = with_trades(5);
        let made = backup(&db, &folder.path().join("backups"));
        change_manifest(&made.path, &[change]);
        let error = Backup::open(&made.path).expect("looks good").verify(None, |_| {}).expect_err("is refused");
        let what = text(&error, folder.path());
        assert!(what.ends_with(&format!(" is not good: {expected}")), "{what}");
    }
}

#[test]
fn a_time_without_a_fraction_has_its_zeros() {
    let (folder, db) = with_trades(1);
    let place = folder.path().join("backups");
    let made = backup(&db, &place);
    let mut manifest = made.manifest.expect("is proven");
    for (time, name) in [
        ("2026-11-22T20:45:01.000000Z", "record-20261122T204501.000000Z"),
        ("2026-11-22T20:45:01.120000Z", "record-20261122T204501.120000Z"),
        ("2026-11-22T20:45:01.123456Z", "record-20261122T204501.123456Z"),
    ] {
        manifest.created_at = time.parse().expect("a time");
        let text = serde_json::to_string_pretty(&manifest).expect("has texts and numbers only");
        assert!(text.contains(&format!("\n  \"created_at\": \"{time}\",\n")), "{text}");
        let folder = place.join(name);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("manifest.json"), text + "\n").expect("is written");
        fs::copy(made.path.join("database.db"), folder.join("database.db")).expect("is copied");
        let found = Backup::open(&folder).expect("is good");
        assert_eq!((found.created_at, found.manifest.as_ref()), (manifest.created_at, Ok(&manifest)));
    }
    let sorted: Vec<_> = Backup::list(&place).expect("is listed").into_iter().map(|backup| backup.path).collect();
    assert!(sorted.iter().rev().is_sorted(), "names and times sort alike: {sorted:?}");
}

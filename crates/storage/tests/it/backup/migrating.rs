//! The backup before the first step of a migration.

use tempfile::TempDir;
use trading_storage::{Backup, Database, Error, Migration, MigrationSet, Options};

use super::{names, trades, with_trades};
use crate::options;

const QUIVER: MigrationSet = MigrationSet {
    component: "quiver",
    migrations: &[Migration {
        version: 1,
        name: "runs",
        sql: "CREATE TABLE quiver_runs (day TEXT PRIMARY KEY) STRICT;",
    }],
};

const BROKEN: MigrationSet =
    MigrationSet { component: "broken", migrations: &[Migration { version: 1, name: "typo", sql: "CREATE TABEL x" }] };

fn open(folder: &TempDir, sets: &[MigrationSet]) -> Result<Database, Error> {
    Database::open(&Options { migrations: sets.to_vec(), ..options(folder) })
}

#[test]
fn a_database_is_backed_up_before_it_is_migrated_and_only_then() {
    let (folder, db) = with_trades(3);
    drop(db);
    let place = folder.path().join("backups");
    drop(open(&folder, &[]).expect("opens"));
    assert_eq!(names(&place), Vec::<String>::new(), "there was nothing to do");

    drop(open(&folder, &[QUIVER]).expect("is migrated"));
    let made = Backup::list(&place).expect("is listed");
    assert_eq!(made.len(), 1);
    let manifest = made[0].manifest.as_ref().expect("is proven");
    assert_eq!(manifest.contents.rows.get("trades"), Some(&3));
    assert_eq!(manifest.contents.schema_versions.get("quiver"), None, "it is of before");
    assert!(manifest.chain_verified);

    drop(open(&folder, &[QUIVER]).expect("opens"));
    assert_eq!(names(&place).len(), 1);
}

#[test]
fn a_migration_that_fails_leaves_the_backup_and_the_database() {
    let (folder, db) = with_trades(3);
    drop(db);
    let error = open(&folder, &[BROKEN]).expect_err("fails");
    assert!(matches!(error, Error::Migration { .. }), "{error}");
    assert_eq!(Backup::list(folder.path().join("backups")).expect("is listed").len(), 1);
    assert_eq!(trades(&open(&folder, &[]).expect("opens")), 3);
}

#[test]
fn a_migration_that_cannot_be_backed_up_is_not_begun_unless_that_is_meant() {
    let (folder, db) = with_trades(3);
    drop(db);
    std::fs::write(folder.path().join("backups"), "a file").expect("is written");
    let error = open(&folder, &[QUIVER]).expect_err("is refused");
    assert!(matches!(error, Error::BackupFile { .. }), "{error}");
    assert_eq!(open(&folder, &[]).expect("opens").schema_version("quiver").expect("is read"), None);

    let without = Options { migrations: vec![QUIVER], backups: None, ..options(&folder) };
    let db = Database::open(&without).expect("is migrated");
    assert_eq!(db.schema_version("quiver").expect("is read"), Some(1));
}

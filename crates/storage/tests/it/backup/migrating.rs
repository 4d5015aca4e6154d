//! The backup before the first step of a migration.

use tempfile::TempDir;
use trading_storage::{Backup, Database, Error, Migration, MigrationSet, Options, RestoreOptions, sqlite};

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
fn the_backup_before_a_later_step_is_the_way_back_from_one_that_fails() {
    const LATER: MigrationSet = MigrationSet {
        component: "quiver",
        migrations: &[
            QUIVER.migrations[0],
            Migration { version: 2, name: "forget", sql: "DELETE FROM quiver_runs;" },
            Migration { version: 3, name: "typo", sql: "CREATE TABEL x" },
        ],
    };
    let runs = |db: &Database| {
        let count = |r: &trading_storage::Reader<'_>| {
            let sql = "SELECT count(*) FROM quiver_runs";
            sqlite::connection(r).query_row(sql, [], |row| row.get::<_, u64>(0)).map_err(Error::aborted)
        };
        db.read(count).expect("is read")
    };
    let (folder, db) = with_trades(3);
    drop(db);
    let db = open(&folder, &[QUIVER]).expect("is migrated");
    db.transaction(|tx| {
        let sql = "INSERT INTO quiver_runs VALUES ('2026-11-20')";
        sqlite::connection(tx).execute(sql, []).map(drop).map_err(Error::aborted)
    })
    .expect("is recorded");
    let head = db.head();
    drop(db);

    let error = open(&folder, &[LATER]).expect_err("fails");
    assert!(matches!(error, Error::Migration { version: 3, .. }), "{error}");
    // The step before it is there, and what it did is done: only the backup leads back.
    let older = open(&folder, &[QUIVER]).expect_err("is newer now");
    assert_eq!(
        older.way_out(),
        Some("run the newer version of this program, or restore a backup from before its migration")
    );
    let made = Backup::list(folder.path().join("backups")).expect("is listed");
    let [newest, _of_the_first_migration] = made.as_slice() else { panic!("{made:?}") };
    newest.verify(None, |_| {}).expect("is proven");
    let contents = &newest.manifest.as_ref().expect("is proven").contents;
    assert_eq!((contents.head, contents.schema_versions.get("quiver")), (Some(head), Some(&1)));
    assert_eq!(runs(&open(&folder, &[]).expect("opens")), 0, "the control: without it they are gone");
    newest.restore(&RestoreOptions::to(options(&folder).path), |_| {}).expect("loses no trade");
    let db = open(&folder, &[QUIVER]).expect("opens");
    assert_eq!((runs(&db), trades(&db), db.head()), (1, 3, head));
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

//! B4: migrations that are killed, fail, are newer than the program, or were edited.

use std::path::Path;

use trading_storage::{Backup, Database, Error, Migration, MigrationSet, Options, sqlite};

use super::{
    POINTS_MAX,
    judge::Expected,
    killing::points,
    say, scratch, seeded, skip, some_of,
    subject::{can_trace, run, subject, traced},
};

/// How many rows each of the subject's steps writes.
const ROWS_A_STEP: u64 = 400;

/// How far the subject's tables got, after a look at each: a step is there with all it does, or not at all.
pub(super) fn steps_done(path: &Path) -> Result<u32, String> {
    let db = Database::open(&Options::at(path)).map_err(|error| error.to_string())?;
    let text = |error: Error| error.to_string();
    let version = db.schema_version("subject").map_err(text)?.unwrap_or(0);
    db.read(|r| {
        let connection = sqlite::connection(r);
        let mut done = 0;
        for table in ["subject_one", "subject_two", "subject_three"] {
            if connection.table_exists(None, table).map_err(Error::aborted)? {
                let sql = format!("SELECT count(*) FROM {table}");
                let rows: u64 = connection.query_row(&sql, [], |row| row.get(0)).map_err(Error::aborted)?;
                if rows != ROWS_A_STEP {
                    return Err(Error::aborted(format!("{table} has {rows} rows")));
                }
                done += 1;
            }
        }
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'subject_two_text'";
        let indexes: u32 = connection.query_row(sql, [], |row| row.get(0)).map_err(Error::aborted)?;
        if done != version || indexes != u32::from(done == 2) {
            return Err(Error::aborted(format!("version {version}, {done} tables, {indexes} indexes")));
        }
        Ok(done)
    })
    .map_err(text)
}

/// A closed record with a few trades, and what was acknowledged.
pub(super) fn prepared(folder: &Path) -> Expected {
    let mut expected = Expected::new(0);
    let heard = run(&mut subject(folder, &["script", "0", "4"]));
    expected.hear(heard.iter().map(String::as_str));
    expected
}

#[test]
fn b4_a_migration_is_killed_at_every_write() {
    if let Err(reason) = can_trace() {
        return skip("B4", reason);
    }
    let (seed, mut chance) = seeded();
    let folder = scratch();
    let points = points(folder.path(), &["migrate"], |data| drop(prepared(data)));
    let (all, chosen) = (points.len(), some_of(points, POINTS_MAX, &mut chance));
    let (mut fired, mut acknowledgements, mut backups, mut reached) = (0, 0, 0, [0; 4]);
    for (call, n) in &chosen {
        let folder = scratch();
        let expected = prepared(folder.path());
        let inject = format!("inject={call}:signal=KILL:when={n}");
        let strace = ["-o/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
        let heard = run(&mut traced(folder.path(), &["migrate"], &strace));
        fired += u32::from(heard.last().is_none_or(|line| line != "closed"));
        let path = folder.path().join("record.db");
        let wrong = |wrong: String| panic!("seed {seed}, killed before {call} {n}: {wrong}");
        let done = steps_done(&path).unwrap_or_else(wrong);
        backups += backed_up(folder.path(), done, 0).unwrap_or_else(wrong);
        *reached.get_mut(usize::try_from(done).expect("few")).expect("up to three") += 1;
        // It is taken up where it ended, and the trades are as they were.
        assert_eq!(run(&mut subject(folder.path(), &["migrate"])), ["opened", "closed"], "seed {seed}, {call} {n}");
        assert_eq!(steps_done(&path), Ok(3));
        // And before it was taken up, what was there by then.
        backups += backed_up(folder.path(), 3, done).unwrap_or_else(wrong);
        acknowledgements +=
            expected.judge(&path).unwrap_or_else(|text| panic!("seed {seed}, {call} {n}: {text}")).acknowledgements;
    }
    // The control: a step that is not one transaction, killed halfway.
    let folder = scratch();
    drop(prepared(folder.path()));
    let path = folder.path().join("record.db");
    crate::tamper(&path, "CREATE TABLE subject_one (n INTEGER); INSERT INTO subject_one VALUES (1);");
    steps_done(&path).expect_err("half a step is seen");
    say(
        "B4",
        format_args!(
            "seed {seed}: {} of {all} points, {fired} kills, steps done by then (0 to 3): {reached:?}, {acknowledgements} \
             acknowledgements found, all resumed, {backups} backups of before; control (no transaction): half a step is seen",
            chosen.len()
        ),
    );
    assert!(fired > 0 && acknowledgements > 0 && backups > 0, "the faults fired");
}

/// Where steps were done, from version `from` to `to`: that there is a proven backup with version `from`.
fn backed_up(folder: &Path, to: u32, from: u32) -> Result<u32, String> {
    if to == from {
        return Ok(0);
    }
    let backups = Backup::list(folder.join("backups")).map_err(|error| error.to_string())?;
    for backup in &backups {
        backup.verify(None, |_| {}).map_err(|error| error.to_string())?;
        let versions = &backup.manifest.as_ref().map_err(Clone::clone)?.contents.schema_versions;
        if versions.get("subject").copied().unwrap_or(0) == from {
            return Ok(1);
        }
    }
    Err(format!("version {to}, and no backup of version {from}: {backups:?}"))
}

const FIRST: Migration = Migration { version: 1, name: "one", sql: "CREATE TABLE subject_one (id INTEGER) STRICT;" };
const THIRD: Migration =
    Migration { version: 3, name: "three", sql: "CREATE TABLE subject_three (id INTEGER) STRICT;" };
const FAILING: MigrationSet = MigrationSet {
    component: "subject",
    migrations: &[
        FIRST,
        Migration {
            version: 2,
            name: "two",
            sql: "CREATE TABLE subject_two (id INTEGER) STRICT; INSERT INTO subject_two VALUES (1); SELECT nonsense();",
        },
        THIRD,
    ],
};
const MENDED: MigrationSet = MigrationSet {
    component: "subject",
    migrations: &[
        FIRST,
        Migration { version: 2, name: "two", sql: "CREATE TABLE subject_two (id INTEGER) STRICT;" },
        THIRD,
    ],
};
const EDITED: MigrationSet = MigrationSet {
    component: "subject",
    migrations: &[
        FIRST,
        Migration { version: 2, name: "two", sql: "CREATE TABLE subject_two (id TEXT) STRICT;" },
        THIRD,
    ],
};
const OLDER: MigrationSet = MigrationSet { component: "subject", migrations: &[FIRST] };

fn with(path: &Path, set: MigrationSet) -> Result<Database, Error> {
    Database::open(&Options { migrations: vec![set], ..Options::at(path) })
}

#[track_caller]
fn refused(path: &Path, set: MigrationSet, expected: &str) {
    let error = with(path, set).expect_err("is refused").to_string();
    assert_eq!(error.replace(&path.display().to_string(), "…"), expected);
}

fn tables(path: &Path) -> Vec<String> {
    let db = Database::open(&Options::at(path)).expect("opens");
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'subject%' ORDER BY name";
    db.read(|r| {
        let mut statement = sqlite::connection(r).prepare(sql).map_err(Error::aborted)?;
        let names = statement.query_map([], |row| row.get(0)).map_err(Error::aborted)?;
        names.collect::<Result<_, _>>().map_err(Error::aborted)
    })
    .expect("is read")
}

#[test]
fn b4_a_step_fails_and_nothing_of_it_stays() {
    let folder = scratch();
    let path = folder.path().join("record.db");
    drop(Database::create(&Options::at(&path)).expect("creates"));
    refused(&path, FAILING, "step 2 (two) of the schema subject failed");
    assert_eq!(tables(&path), ["subject_one"], "the step before it is there");
    // Twice is as once, and the mended step goes on from there.
    refused(&path, FAILING, "step 2 (two) of the schema subject failed");
    drop(with(&path, MENDED).expect("goes on"));
    assert_eq!(tables(&path), ["subject_one", "subject_three", "subject_two"]);
}

#[test]
fn b4_a_newer_and_an_edited_set_are_refused_by_name() {
    let folder = scratch();
    let path = folder.path().join("record.db");
    drop(Database::create(&Options { migrations: vec![MENDED], ..Options::at(&path) }).expect("creates"));
    refused(&path, OLDER, "the database … has version 3 of the schema subject, and this program knows 1");
    refused(
        &path,
        EDITED,
        "step 2 (two) of the schema subject of the database … is not the one that this program knows",
    );
    drop(with(&path, MENDED).expect("the control: the right one opens"));
}

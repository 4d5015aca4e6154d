//! The tables of others: made and migrated beside ours, and kept off ours.

use std::sync::Barrier;

use tempfile::TempDir;
use trading_storage::{Database, Error, Migration, MigrationSet, Options, ReadOnlyDatabase, sqlite};

use crate::{agent, database, options, order, tamper};

const RUNS: Migration = Migration {
    version: 1,
    name: "runs",
    sql: "CREATE TABLE quiver_runs (trade_id INTEGER PRIMARY KEY REFERENCES trades (id), note TEXT NOT NULL) STRICT;",
};
const NOTES: Migration = Migration {
    version: 2,
    name: "notes",
    sql: "-- Those of before had none.
          UPDATE quiver_runs SET note = 'of before';
          CREATE INDEX quiver_runs_by_note ON quiver_runs (note);",
};

fn set(migrations: &'static [Migration]) -> MigrationSet {
    MigrationSet { component: "quiver", migrations }
}

fn with(folder: &TempDir, sets: &[MigrationSet]) -> Options {
    Options { migrations: sets.to_vec(), ..options(folder) }
}

/// The whole schema, and the history of it.
fn schema(db: &Database) -> Vec<String> {
    db.read(|r| {
        let sql = "SELECT concat_ws(' ', type, name, sql) FROM sqlite_schema
                   UNION ALL SELECT concat_ws(' ', component, version, name, checksum) FROM schema_migrations ORDER BY 1";
        let mut statement = sqlite::connection(r).prepare(sql).map_err(Error::aborted)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(Error::aborted)?;
        rows.collect::<Result<_, _>>().map_err(Error::aborted)
    })
    .expect("is read")
}

fn refused(folder: &TempDir, sets: &[MigrationSet]) -> Error {
    Database::open(&with(folder, sets)).expect_err("is refused")
}

fn text(folder: &TempDir, error: &Error) -> String {
    error.to_string().replace(&folder.path().display().to_string(), "…")
}

const COLUMN: Migration = Migration {
    version: 2,
    name: "column",
    sql: "ALTER TABLE quiver_runs ADD COLUMN source TEXT; ALTER TABLE quiver_runs RENAME COLUMN note TO remark;
          ALTER TABLE quiver_runs DROP COLUMN remark;",
};

#[test]
fn a_later_step_may_change_the_columns_of_a_strict_table() {
    let (folder, db) = database();
    drop(db);
    for _ in 0..2 {
        let db = Database::open(&with(&folder, &[set(&[RUNS, COLUMN])])).expect("opens");
        assert_eq!(db.schema_version("quiver").expect("is read"), Some(2));
        assert!(schema(&db).iter().any(|line| line.contains("source TEXT") && !line.contains("note")));
    }
}

#[test]
fn a_step_that_is_kept_off_is_told_what_it_may_not() {
    for sql in ["ALTER TABLE trades ADD COLUMN x", "PRAGMA user_version = 9", "DROP TABLE agents", "BEGIN"] {
        let (folder, db) = database();
        drop(db);
        let step = Migration { version: 1, name: "step", sql };
        let error = refused(&folder, &[MigrationSet { component: "quiver", migrations: Box::leak(Box::new([step])) }]);
        let Error::Migration { source, .. } = error else { panic!("{sql}: {error}") };
        assert!(source.to_string().starts_with("a step changes neither the tables of the record"), "{sql}: {source}");
    }
}

#[test]
fn an_edit_within_brackets_is_one() {
    const BEFORE: Migration =
        Migration { version: 1, name: "q", sql: "CREATE TABLE [q--a] (a); CREATE TABLE q_x (a);" };
    const AFTER: Migration = Migration { sql: "CREATE TABLE [q--b] (a); CREATE TABLE q_y (a);", ..BEFORE };
    let (folder, db) = database();
    drop(db);
    drop(Database::open(&with(&folder, &[set(&[BEFORE])])).expect("opens"));
    assert!(matches!(refused(&folder, &[set(&[AFTER])]), Error::MigrationEdited { .. }));
}

#[test]
fn a_set_has_tables_and_a_version_of_its_own_and_grows() {
    let (folder, db) = database();
    assert_eq!(db.schema_version("quiver").expect("is read"), None);
    drop(db);
    for (migrations, version) in [(&[RUNS] as &'static [Migration], 1), (&[RUNS, NOTES], 2), (&[RUNS, NOTES], 2)] {
        let db = Database::open(&with(&folder, &[set(migrations)])).expect("opens");
        assert_eq!(db.schema_version("quiver").expect("is read"), Some(version));
        assert_eq!(db.schema_version("core").expect("is read"), Some(1));
    }
    // Who knows nothing of the set leaves it alone.
    let db = Database::open(&options(&folder)).expect("opens");
    assert_eq!(db.schema_version("quiver").expect("is read"), Some(2));
}

#[test]
fn what_is_written_there_shares_the_transaction() {
    let folder = TempDir::new().expect("a folder");
    let db = Database::create(&with(&folder, &[set(&[RUNS])])).expect("creates");
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    let run = |id: &str, fails: bool| {
        db.transaction(|tx| {
            let trade = tx.insert_trade(&order(id))?;
            let insert = "INSERT INTO quiver_runs (trade_id, note) VALUES (?1, ?2)";
            sqlite::connection(tx).execute(insert, (trade.get(), id)).map_err(Error::aborted)?;
            if fails { Err(Error::aborted("changed my mind")) } else { Ok(()) }
        })
    };
    run("1", false).expect("is recorded");
    run("2", true).expect_err("is given up");
    let notes = db.read(|r| {
        let note = sqlite::connection(r).query_row("SELECT group_concat(note) FROM quiver_runs", [], |row| row.get(0));
        Ok((r.counts()?.trades, note.map_err(Error::aborted)?))
    });
    assert_eq!(notes.expect("is read"), (1, "1".to_owned()));
    let dangling = db.transaction(|tx| {
        let insert = "INSERT INTO quiver_runs (trade_id, note) VALUES (99, '')";
        sqlite::connection(tx).execute(insert, []).map(drop).map_err(Error::aborted)
    });
    dangling.expect_err("there is no such trade");
}

#[test]
fn sets_that_break_a_rule_are_refused_and_leave_nothing() {
    const NAME: &str = "its name is 1 to 32 of a-z, 0-9 and _";
    const OWN: &str = "each set has a name of its own";
    const GAP: &str = "its versions begin at 1 and have no gaps";
    let (folder, db) = database();
    let before = schema(&db);
    drop(db);
    let named = |component| MigrationSet { component, migrations: &[RUNS] };
    let long = "a123456789012345678901234567890_3";
    for (sets, rule) in [
        (vec![named("")], NAME),
        (vec![named("Quiver")], NAME),
        (vec![named("qui-ver")], NAME),
        (vec![named("qui ver")], NAME),
        (vec![named("é")], NAME),
        (vec![named(long)], NAME),
        (vec![named("core")], OWN),
        (vec![named("quiver"), named("other"), named("quiver")], OWN),
        (vec![set(&[NOTES])], GAP),
        (vec![set(&[RUNS, RUNS])], GAP),
        (vec![set(&[NOTES, RUNS])], GAP),
        (vec![set(&[Migration { version: 0, ..RUNS }])], GAP),
        (vec![set(&[RUNS, Migration { version: 3, ..NOTES }])], GAP),
    ] {
        let component = sets.last().expect("there is one").component;
        let error = refused(&folder, &sets);
        assert_eq!(error.to_string(), format!("the migrations of {component} are refused: {rule}"));
        let fresh = TempDir::new().expect("a folder");
        let error = Database::create(&with(&fresh, &sets)).expect_err("is refused");
        assert_eq!(error.to_string(), format!("the migrations of {component} are refused: {rule}"));
        assert!(!fresh.path().join("record.db").exists());
    }
    let accepted = named(&long[..32]);
    Database::open(&with(&folder, &[accepted])).expect("32 are not too many");
    let db = Database::open(&options(&folder)).expect("opens");
    let added = schema(&db).len() - before.len();
    assert_eq!(added, 2, "a table and its line in the history");
}

/// Each after a table of its own, which must not stay either.
#[rustfmt::skip]
const TRESPASSES: [&str; 24] = [
    "UPDATE trades SET price = 1",
    "UPDATE Trades SET price = 1",
    "UPDATE main.trades SET price = 1",
    "UPDATE trade_events SET executed_price = 1",
    "DELETE FROM trade_events",
    "DELETE FROM agent_positions",
    "INSERT INTO agents VALUES ('x', 'X', 'x', 1, 0, 0)",
    "INSERT INTO trades (id) SELECT id FROM trades",
    "UPDATE record SET instance_id = hex(randomblob(16))",
    "REPLACE INTO daily_performance VALUES ('a', '2026-01-01', 1, 1, 1, 1)",
    "DELETE FROM schema_migrations",
    "DROP TABLE agents",
    "DROP TABLE AGENTS",
    "DROP INDEX trades_of_day",
    "DROP TRIGGER trades_are_kept",
    "ALTER TABLE trades ADD COLUMN more TEXT",
    "ALTER TABLE trades RENAME TO other",
    "CREATE INDEX quiver_index ON trades (side)",
    "CREATE TRIGGER quiver_trigger AFTER INSERT ON trades BEGIN SELECT 1; END",
    "COMMIT",
    "ROLLBACK",
    "END; BEGIN",
    "PRAGMA user_version = 9",
    "ATTACH ':memory:' AS other",
];

#[test]
fn a_set_that_reaches_for_our_tables_is_refused_and_leaves_nothing() {
    let (folder, db) = database();
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))
    })
    .expect("is recorded");
    let (before, head) = (schema(&db), db.head());
    drop(db);
    for trespass in TRESPASSES {
        let sql = format!("CREATE TABLE quiver_runs (id INTEGER PRIMARY KEY) STRICT; {trespass};");
        // A set is a constant of its program; a test has many.
        let sql: &'static str = sql.leak();
        let migrations = vec![Migration { version: 1, name: "test", sql }].leak();
        let error = refused(&folder, &[set(migrations)]);
        assert!(matches!(error, Error::Migration { .. }), "{trespass}: {error}");
        assert_eq!(text(&folder, &error), "step 1 (test) of the schema quiver failed");
        let db = Database::open(&options(&folder)).expect("opens");
        assert_eq!(schema(&db), before, "{trespass}");
        assert_eq!(db.verify(|_, _| ()).expect("is whole").head, head, "{trespass}");
    }
}

#[test]
fn a_step_that_fails_is_absent_and_the_steps_before_it_stay() {
    const BROKEN: Migration =
        Migration { version: 2, name: "broken", sql: "CREATE TABLE quiver_b (b); CREATE TABLE quiver_b (b);" };
    let (folder, db) = database();
    drop(db);
    let error = refused(&folder, &[set(&[RUNS, BROKEN])]);
    assert_eq!(error.to_string(), "step 2 (broken) of the schema quiver failed");
    let cause = std::error::Error::source(&error).expect("SQLite says why").to_string();
    assert!(cause.starts_with("table quiver_b already exists"), "{cause}");
    let db = Database::open(&with(&folder, &[set(&[RUNS])])).expect("opens");
    assert_eq!(db.schema_version("quiver").expect("is read"), Some(1));
    assert!(!schema(&db).iter().any(|line| line.contains("quiver_b")));
}

#[test]
fn newer_edited_and_missing_steps_are_refused_by_name() {
    const EDITED: Migration = Migration { sql: "CREATE TABLE quiver_runs (id INTEGER PRIMARY KEY) STRICT;", ..RUNS };
    const REFORMATTED: Migration = Migration {
        sql: "-- A comment.\r\n\r\n  CREATE TABLE quiver_runs (trade_id INTEGER PRIMARY KEY REFERENCES trades (id), note TEXT NOT NULL) STRICT;\r\n",
        ..RUNS
    };
    let (folder, db) = database();
    drop(db);
    drop(Database::open(&with(&folder, &[set(&[RUNS, NOTES])])).expect("opens"));
    for (migrations, expected) in [
        (
            &[RUNS] as &'static [Migration],
            "the database …/record.db has version 2 of the schema quiver, and this program knows 1",
        ),
        (
            &[EDITED, NOTES],
            "step 1 (runs) of the schema quiver of the database …/record.db is not the one that this program knows",
        ),
    ] {
        let error = refused(&folder, &[set(migrations)]);
        assert_eq!(text(&folder, &error), expected);
        assert!(error.way_out().is_some());
        let error = ReadOnlyDatabase::open(&with(&folder, &[set(migrations)])).expect_err("also for reading");
        assert_eq!(text(&folder, &error), expected);
    }
    drop(Database::open(&with(&folder, &[set(&[REFORMATTED, NOTES])])).expect("does the same"));
    tamper(
        &folder.path().join("record.db"),
        "DELETE FROM schema_migrations WHERE component = 'quiver' AND version = 1",
    );
    let error = refused(&folder, &[set(&[RUNS, NOTES])]);
    assert_eq!(
        text(&folder, &error),
        "step 1 (runs) of the schema quiver of the database …/record.db is not the one that this program knows"
    );
}

#[test]
fn of_two_that_migrate_at_once_one_does_it() {
    for _ in 0..20 {
        let (folder, db) = database();
        drop(db);
        let options = with(&folder, &[set(&[RUNS, NOTES])]);
        let start = Barrier::new(2);
        // Nobody closes before both have tried.
        let tried = Barrier::new(2);
        let open = || {
            start.wait();
            let opened = Database::open(&options).map(|db| db.schema_version("quiver").expect("is read"));
            tried.wait();
            opened
        };
        let outcomes = std::thread::scope(|scope| {
            [scope.spawn(open), scope.spawn(open)].map(|open| open.join().expect("no panic"))
        });
        let versions: Vec<_> = outcomes.iter().flatten().collect();
        assert!(!versions.is_empty() && versions.iter().all(|version| **version == Some(2)), "{outcomes:?}");
        let losers = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(losers.into_iter().all(|error| matches!(error, Error::InUse { .. })), "{outcomes:?}");
        let db = Database::open(&options).expect("opens");
        let steps = schema(&db).into_iter().filter(|line| line.starts_with("quiver ")).count();
        assert_eq!(steps, 2, "each once");
    }
}

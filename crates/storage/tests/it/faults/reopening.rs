//! S4: after a commit that was not confirmed, the record is opened anew, by whoever comes first, while others go on asking.
//!
//! The fault is a database that is moved away under the process and back again: its commits go into files that do not stand
//! at the path, so none of them may be acknowledged.

use std::{
    fs,
    path::Path,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use trading_storage::{Database, Error, Options};

use super::{judge::Expected, say, scenario, scratch};

const THREADS: u64 = 16;
const ROUNDS: u64 = 15;

fn database(busy_timeout: Duration) -> (TempDir, Database) {
    let folder = scratch();
    let options = Options { busy_timeout, ..Options::at(folder.path().join("record.db")) };
    let db = Database::create(&options).expect("creates");
    db.transaction(|tx| tx.register_agent(&scenario::agent()?)).expect("is registered");
    (folder, db)
}

fn insert(db: &Database, number: u64) -> Result<(), Error> {
    db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).map(drop)
}

fn away(path: &Path) {
    fs::rename(path, path.with_extension("away")).expect("is moved");
}

fn back(path: &Path) {
    fs::rename(path.with_extension("away"), path).expect("is moved back");
}

/// Has a commit that is not confirmed, and puts the database back.
fn doubt(db: &Database, number: u64) {
    let written = db.transaction(|tx| {
        away(db.path());
        tx.insert_trade(&scenario::order(number)?)
    });
    let error = written.expect_err("is not confirmed");
    assert!(matches!(error, Error::CommitUnknown { .. }), "{error:?}");
    back(db.path());
    assert!(db.is_stopped());
}

#[test]
fn s4_everybody_opens_it_anew_at_once() {
    let (_folder, db) = database(Duration::from_secs(5));
    let (mut expected, mut reopened) = (Expected::new(ROUNDS), 0);
    for round in 0..ROUNDS {
        doubt(&db, round * 1_000 + 999);
        let (barrier, opened) = (Barrier::new(usize::try_from(THREADS).expect("few")), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (db, barrier, opened) = (&db, &barrier, &opened);
                scope.spawn(move || {
                    barrier.wait();
                    match db.reopen() {
                        Ok(()) => opened.fetch_add(1, Ordering::Relaxed),
                        Err(error) => panic!("round {round}: {error:?}"),
                    };
                    for step in 0..5 {
                        // While another one opens it, it is stopped for a moment.
                        loop {
                            match insert(db, round * 1_000 + thread * 10 + step) {
                                Ok(()) => break,
                                Err(Error::Stopped { .. }) => std::thread::yield_now(),
                                Err(error) => {
                                    panic!("round {round}: {error:?}, {:?}", std::error::Error::source(&error))
                                }
                            }
                        }
                    }
                });
            }
        });
        for number in (0..THREADS).flat_map(|thread| (0..5).map(move |step| round * 1_000 + thread * 10 + step)) {
            expected.hear([format!("ack {number} new").as_str()]);
        }
        reopened += opened.into_inner();
        db.verify(|_, _| {}).unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
    let path = db.path().to_owned();
    drop(db);
    let found = expected.judge(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
    say(
        "S4",
        format_args!(
            "{ROUNDS} doubts, opened anew {reopened} times, {} acknowledgements made and found",
            found.acknowledgements
        ),
    );
}

#[test]
fn s4_it_is_not_opened_anew_under_a_running_transaction() {
    let (_folder, db) = database(Duration::from_millis(20));
    db.transaction(|tx| {
        tx.insert_trade(&scenario::order(1)?)?;
        db.reopen().expect_err("this thread is in a transaction");
        tx.insert_trade(&scenario::order(2)?)
    })
    .expect("is recorded");
    // On another thread, which waits for its turn to the limit.
    db.transaction(|tx| {
        tx.insert_trade(&scenario::order(3)?)?;
        std::thread::scope(|scope| {
            scope.spawn(|| db.reopen().expect_err("another thread is in a transaction"));
        });
        tx.insert_trade(&scenario::order(4)?)
    })
    .expect("is recorded");
    for number in 5..10 {
        insert(&db, number).expect("goes on");
    }
    assert_eq!(db.verify(|_, _| {}).expect("is whole").events, 9);
    db.reopen().expect("now it may");
    insert(&db, 10).expect("goes on");
}

#[test]
fn s4_opening_anew_fails_as_long_as_the_files_are_gone() {
    let (_folder, db) = database(Duration::from_secs(5));
    insert(&db, 1).expect("is recorded");
    away(db.path());
    insert(&db, 2).expect_err("is not confirmed");
    db.reopen().expect_err("it is gone");
    assert!(db.is_stopped());
    let Err(Error::Stopped { source }) = insert(&db, 3) else { panic!("nothing is written meanwhile") };
    assert!(source.to_string().starts_with("it could not be opened anew: there is no database"), "{source}");
    back(db.path());
    db.reopen().expect("it is back");
    insert(&db, 3).expect("goes on");
    let proof = db.verify(|_, _| {}).expect("is whole");
    assert!((2..=3).contains(&proof.events), "what was in doubt is there or not");
}

//! S9: callers that fail, panic, or read for too long.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use trading_storage::{Database, Error, Observer, Options};

use super::{say, scenario, scratch, seeded};

const CALLERS: u64 = 64;
const ROUNDS: u64 = 20;

#[derive(Debug, Default)]
struct Commits {
    commits: AtomicU64,
    callers: AtomicU64,
}

impl Observer for Commits {
    fn committed(&self, callers: u32, _took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.callers.fetch_add(u64::from(callers), Ordering::Relaxed);
    }
}

fn database(options: impl FnOnce(Options) -> Options) -> (TempDir, Database) {
    let folder = TempDir::new().expect("a folder on a real disk");
    let db = Database::create(&options(Options::at(folder.path().join("record.db")))).expect("creates");
    db.transaction(|tx| tx.register_agent(&scenario::agent()?)).expect("is registered");
    (folder, db)
}

/// What a caller does after it has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Returns,
    Fails,
    Panics,
    /// Asks for what SQLite refuses, and goes on.
    Recovers,
}

fn call(db: &Database, number: u64, fate: Fate) -> bool {
    let done = catch_unwind(AssertUnwindSafe(|| {
        db.transaction(|tx| {
            tx.insert_trade(&scenario::order(number)?)?;
            match fate {
                Fate::Returns => Ok(()),
                Fate::Fails => Err(Error::aborted("changed its mind")),
                Fate::Panics => panic!("in the middle"),
                Fate::Recovers => {
                    let mut stranger = scenario::order(number + 1_000_000)?;
                    stranger.agent = trading_storage::AgentId::new("stranger")?;
                    tx.nested(|tx| tx.insert_trade(&stranger)).expect_err("is not registered");
                    Ok(())
                }
            }
        })
    }));
    done.is_ok_and(|result| result.is_ok())
}

#[test]
fn s9_only_the_callers_that_fail_are_undone() {
    let (seed, mut chance) = seeded();
    let commits = Arc::new(Commits::default());
    let (_folder, db) =
        database(|options| Options { observer: Some(Arc::clone(&commits) as Arc<dyn Observer>), ..options });
    let fates = [Fate::Returns, Fate::Returns, Fate::Fails, Fate::Panics, Fate::Recovers];
    let mut expected = Vec::new();
    for round in 0..ROUNDS {
        let barrier = Barrier::new(usize::try_from(CALLERS).expect("few"));
        let mut calls = Vec::new();
        for caller in 0..CALLERS {
            calls.push((round * CALLERS + caller, *chance.choice(&fates).expect("one")));
        }
        std::thread::scope(|scope| {
            for (number, fate) in &calls {
                let (db, barrier) = (&db, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let acknowledged = call(db, *number, *fate);
                    assert_eq!(acknowledged, matches!(fate, Fate::Returns | Fate::Recovers), "{number} {fate:?}");
                });
            }
        });
        expected.extend(calls);
    }
    for (number, fate) in &expected {
        let id = scenario::order(*number).expect("an order").client_order_id;
        let there = db.read(|r| r.trade_by_client_order_id(&id)).expect("is read").is_some();
        assert_eq!(there, matches!(fate, Fate::Returns | Fate::Recovers), "seed {seed}: {number} {fate:?}");
    }
    let kept = expected.iter().filter(|(_, fate)| matches!(fate, Fate::Returns | Fate::Recovers)).count();
    let proof = db.verify(|_, _| {}).expect("is whole");
    assert_eq!(u64::try_from(kept), Ok(proof.events));
    // The control: one transaction for all callers of a round, without a part of its own for each.
    let (shared, _) = expected.split_at(usize::try_from(CALLERS).expect("few"));
    let together = db.transaction(|tx| {
        for (number, fate) in shared {
            tx.insert_trade(&scenario::order(number + 500_000)?)?;
            if matches!(fate, Fate::Fails | Fate::Panics) {
                return Err(Error::aborted("changed its mind"));
            }
        }
        Ok(())
    });
    together.expect_err("one of them fails");
    assert_eq!(db.head(), proof.head, "the control: all are undone with the one that fails");
    let (commits, callers) = (commits.commits.load(Ordering::Relaxed), commits.callers.load(Ordering::Relaxed));
    say(
        "S9",
        format_args!(
            "seed {seed}: {} callers, {} of them failed or panicked, {kept} acknowledged and found, {commits} commits for \
             {callers} callers; control (no part of its own for each): one that fails undoes all",
            expected.len(),
            expected.len() - kept
        ),
    );
    assert!(commits < callers, "the control: they did share commits, so one could have undone another");
}

/// A checkpoint that waits in the queue is handed the open transaction, and commits it: as carefully as the callers do.
#[test]
fn s9_a_checkpoint_commits_for_those_before_it() {
    let (folder, db) = database(|options| options);
    let path = folder.path().join("record.db");
    // Long enough for the checkpoint to stand in the queue when it ends.
    let write = |first: u64, barrier: &Barrier| {
        db.transaction(|tx| {
            barrier.wait();
            let orders = (first..first + 200).map(scenario::order).collect::<Result<Vec<_>, _>>()?;
            tx.insert_trades(&orders)
        })
    };
    for round in 0..10 {
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                db.checkpoint().expect("folds");
            });
            write(round * 1_000, &barrier).expect("is recorded");
        });
        let recorded = db.read(|r| r.counts()).expect("is read").events;
        assert_eq!(db.head().sequence, recorded, "round {round}: the head is that of what was acknowledged");
    }
    // Nor does it acknowledge what went into a file that is gone.
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            drop(db.checkpoint());
        });
        let written = db.transaction(|tx| {
            barrier.wait();
            let orders = (90_000..90_200).map(scenario::order).collect::<Result<Vec<_>, _>>()?;
            std::fs::rename(&path, path.with_extension("away")).map_err(Error::aborted)?;
            tx.insert_trades(&orders)
        });
        assert!(matches!(written, Err(Error::CommitUnknown { .. })), "{written:?}");
    });
}

#[derive(Debug)]
struct Panics;

impl Observer for Panics {
    fn committed(&self, _callers: u32, _took: Duration) {
        panic!("in the observer");
    }
}

#[test]
fn s9_an_observer_that_panics_stops_nobody() {
    let folder = scratch();
    let observer: Arc<dyn Observer> = Arc::new(Panics);
    let options = Options {
        observer: Some(observer),
        busy_timeout: Duration::from_millis(20),
        ..Options::at(folder.path().join("record.db"))
    };
    let db = Database::create(&options).expect("creates");
    for kind in ["one", "two"] {
        let agent = trading_storage::Agent { kind: kind.to_owned(), ..scenario::agent().expect("an agent") };
        // Whether the caller sees the panic or not: the next one must get its turn, on this thread and on another.
        for other_thread in [false, true] {
            let write = || match catch_unwind(AssertUnwindSafe(|| db.transaction(|tx| tx.register_agent(&agent)))) {
                Ok(Err(error @ (Error::Nested | Error::Busy { .. }))) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            };
            let written = if other_thread {
                std::thread::scope(|scope| scope.spawn(write).join().expect("was caught"))
            } else {
                write()
            };
            written.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        }
    }
}

#[test]
fn s9_a_long_read_is_ended_and_the_log_stays_small() {
    let (folder, db) = database(|options| Options { read_age_max: Duration::ZERO, ..options });
    let path = folder.path().join("record.db");
    let mut number = 0;
    let mut write = |count: u64| {
        for _ in 0..count {
            db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).expect("is recorded");
            number += 1;
        }
        db.checkpoint().expect("folds").wal_bytes
    };
    assert_eq!(write(100), 0, "without readers nothing is left of the log");
    // A reader that asks again and again; each time the log grows.
    let mut questions = 0;
    let ended = db.read(|r| {
        loop {
            questions += 1;
            assert!(questions < 100_000, "somebody ends it");
            r.open_orders()?;
        }
        #[expect(unreachable_code, reason = "gives the closure its type")]
        Ok(())
    });
    assert!(matches!(ended, Err(Error::ReadTooLong { .. })), "{ended:?}");
    assert_eq!(write(100), 0, "and it holds nothing back any more");

    // The control: another program's reader, which nobody ends.
    #[expect(clippy::disallowed_methods, reason = "plays another program")]
    let other = trading_storage::sqlite::rusqlite::Connection::open(&path).expect("opens");
    other.execute_batch("BEGIN; SELECT count(*) FROM trades").expect("reads");
    let short = Options { busy_timeout: Duration::from_millis(1), ..Options::at(&path) };
    drop(db);
    let db = Database::open(&short).expect("opens");
    for number in 1_000..1_100 {
        db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).expect("is recorded");
    }
    let control = db.checkpoint().expect("folds what it may").wal_bytes;
    other.execute_batch("ROLLBACK").expect("ends");
    let after = db.checkpoint().expect("folds").wal_bytes;
    say(
        "S9",
        format_args!(
            "a read was ended after {questions} questions, the log 0 bytes; control (an endless reader): {control}"
        ),
    );
    assert!(control > 0 && after == 0, "{control} {after}");
}

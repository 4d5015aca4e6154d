//! Who shares a commit with whom, who is told what, and in which order.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::{ScopedJoinHandle, scope, yield_now},
};

use tempfile::TempDir;

use super::*;
use crate::{Agent, AgentId, Counts, Database, Options, Reader, connection, verification};

/// A writer on a new record, and what its commits were.
struct Scene {
    writer: Writer,
    /// How many callers each commit had.
    commits: Mutex<Vec<u32>>,
    /// Whose work ran, in this order.
    ran: Mutex<Vec<u32>>,
    options: Options,
    _folder: TempDir,
}

impl Scene {
    fn new(waits: Duration, group_max: u32) -> Self {
        let folder = TempDir::new().expect("a folder");
        let options = Options::at(folder.path().join("record.db"));
        let db = Database::create(&options).expect("creates");
        db.transaction(|tx| {
            let id = AgentId::new("a")?;
            tx.register_agent(&Agent { id, name: "A".to_owned(), kind: "test".to_owned(), enabled: true })
        })
        .expect("is registered");
        let head = db.head();
        drop(db);
        let connection = connection::open_writer(&options).expect("opens");
        let writer = Writer::new(waits, group_max);
        writer.resume(connection, head).expect("is watched");
        Self { writer, commits: Mutex::default(), ran: Mutex::default(), options, _folder: folder }
    }

    /// Waits far longer than any test takes.
    fn patient() -> Self {
        Self::new(Duration::from_secs(60), 256)
    }

    /// Records the order `number`, and then does `more`.
    fn record<T>(
        &self,
        number: u32,
        more: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, Option<Head>), Error> {
        let work = |tx: &Transaction<'_>| {
            self.ran.lock().expect("no panic").push(number);
            tx.insert_trade(&order(number)?)?;
            more(tx)
        };
        let confirm = |callers, _, _| {
            self.commits.lock().expect("no panic").push(callers);
            Ok(())
        };
        self.writer.run(work, |_, head| Ok(head), confirm)
    }

    /// Waits until so many callers are in the queue.
    fn queued(&self, callers: usize) {
        while self.writer.lock().queue.len() < callers {
            yield_now();
        }
    }

    fn commits(&self) -> Vec<u32> {
        self.commits.lock().expect("no panic").clone()
    }

    /// The orders that are on the disk, after a proof of the chain.
    #[track_caller]
    fn recorded(&self) -> Vec<i64> {
        let connection = connection::open_reader(&self.options.path, self.options.busy_timeout).expect("opens");
        let instance = connection::instance_id(&connection).expect("is read");
        let proven = verification::chain(&connection, &instance, |_, _| ()).expect("the chain is whole");
        let state = self.writer.lock();
        let seat = state.seat.as_ref().expect("nobody has the seat");
        assert_eq!(seat.head, proven.head, "the writer goes on from the head on the disk");
        assert!(seat.group.is_none() && seat.connection.is_autocommit(), "no transaction is open");
        assert_eq!((state.queue.len(), state.holder), (0, None));
        let reader = Reader::new(&connection);
        let Counts { trades, .. } = reader.counts().expect("is read");
        assert_eq!(trades, proven.trades);
        let page = reader.trades(&crate::TradeFilter::All, None, u32::MAX).expect("is read");
        let id = |trade: &crate::Trade| trade.order.client_order_id.as_str().parse().expect("a number");
        page.trades.iter().rev().map(id).collect()
    }
}

fn order(number: u32) -> Result<crate::Order, Error> {
    let (id, agent) = (crate::ClientOrderId::new(number.to_string())?, AgentId::new("a")?);
    let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
    Ok(crate::Order::market(id, agent, crate::Side::Buy, 1.into(), crate::Ticker::new("NVDA")?, day))
}

fn given_back<T>(handle: ScopedJoinHandle<'_, T>) -> T {
    handle.join().expect("it did not panic")
}

#[test]
fn callers_that_wait_share_one_commit_and_are_told_after_it() {
    let scene = Scene::patient();
    let told = AtomicBool::new(false);
    scope(|scope| {
        let first = scope.spawn(|| {
            let done = scene.record(1, |_| {
                scene.queued(3);
                Ok(())
            });
            told.store(true, Ordering::SeqCst);
            done
        });
        while scene.ran.lock().expect("no panic").is_empty() {
            yield_now();
        }
        let others = [2, 3, 4].map(|number| {
            let (scene, told) = (&scene, &told);
            scope.spawn(move || {
                scene.record(number, |_| {
                    for _ in 0..200 {
                        assert!(!told.load(Ordering::SeqCst), "the first was told before the commit");
                        yield_now();
                    }
                    Ok(())
                })
            })
        });
        let heads = others.map(|other| given_back(other).expect("is committed").1);
        assert_eq!(given_back(first).expect("is committed").1, None, "another one committed");
        assert_eq!(heads.iter().flatten().count(), 1, "one of them committed, and has the head");
    });
    assert_eq!(scene.commits(), [4]);
    assert_eq!(scene.recorded().len(), 4);
}

#[test]
fn the_order_of_waiting_is_the_order_of_writing() {
    let scene = Scene::patient();
    scope(|scope| {
        let scene = &scene;
        let work = |_: &Transaction<'_>| {
            for (waiting, number) in (0..).zip(1..=20) {
                scope.spawn(move || scene.record(number, |_| Ok(())).expect("is committed"));
                scene.queued(waiting + 1);
            }
            Ok(())
        };
        scene.record(0, work).expect("is committed");
    });
    assert_eq!(*scene.ran.lock().expect("no panic"), (0..=20).collect::<Vec<_>>());
    assert_eq!(scene.recorded(), (0..=20).collect::<Vec<_>>());
    assert_eq!(scene.commits(), [21]);
}

#[test]
fn one_that_fails_and_one_that_panics_take_nobody_along() {
    let scene = Scene::patient();
    scope(|scope| {
        let scene = &scene;
        let first = scope.spawn(|| {
            scene.record(1, |_| {
                scene.queued(4);
                Ok(())
            })
        });
        while scene.ran.lock().expect("no panic").is_empty() {
            yield_now();
        }
        let fails = scope.spawn(|| scene.record(2, |_| Err::<(), _>(Error::aborted("no"))));
        scene.queued(1);
        let panics = scope.spawn(|| scene.record(3, |_| -> Result<(), Error> { panic!("in the middle") }));
        scene.queued(2);
        let good = [4, 5].map(|number| scope.spawn(move || scene.record(number, |_| Ok(()))));
        assert!(matches!(given_back(fails), Err(Error::Aborted { .. })));
        assert!(panics.join().is_err());
        for good in good {
            given_back(good).expect("is committed");
        }
        given_back(first).expect("is committed");
    });
    assert_eq!(scene.commits(), [3]);
    let mut recorded = scene.recorded();
    recorded.sort_unstable();
    assert_eq!(recorded, [1, 4, 5]);
}

#[test]
fn nothing_is_committed_where_all_fail() {
    let scene = Scene::patient();
    let fail = || scene.record(1, |_| Err::<(), _>(Error::aborted("no")));
    assert!(matches!(fail(), Err(Error::Aborted { .. })));
    assert_eq!((scene.commits(), scene.recorded()), (vec![], vec![]));
    scene.record(2, |_| Ok(())).expect("is committed");
    assert_eq!((scene.commits(), scene.recorded()), (vec![1], vec![2]));
}

#[test]
fn a_group_has_a_limit() {
    let scene = Scene::new(Duration::from_secs(60), 2);
    scope(|scope| {
        let scene = &scene;
        let work = |_: &Transaction<'_>| {
            for number in 2..=5 {
                scope.spawn(move || scene.record(number, |_| Ok(())).expect("is committed"));
            }
            scene.queued(4);
            Ok(())
        };
        scene.record(1, work).expect("is committed");
    });
    assert_eq!(scene.commits(), [2, 2, 1]);
    assert_eq!(scene.recorded().len(), 5);
}

#[test]
fn who_waited_too_long_is_told_so_and_leaves_the_queue() {
    let scene = Scene::new(Duration::from_millis(1), 256);
    let late = scene.record(1, |_| {
        let late = scope(|scope| given_back(scope.spawn(|| scene.record(2, |_| Ok(())))));
        assert!(scene.writer.lock().queue.is_empty());
        Ok(late)
    });
    let late = late.expect("is committed").0;
    assert!(matches!(late, Err(Error::Busy { waited }) if waited >= Duration::from_millis(1)), "{late:?}");
    assert_eq!((scene.commits(), scene.recorded()), (vec![1], vec![1]));
    scene.record(3, |_| Ok(())).expect("the next one works");
    assert_eq!(scene.recorded(), [1, 3]);
}

#[test]
fn a_group_smaller_than_the_last_one_is_left_for_others_to_come() {
    let scene = Scene::patient();
    let mut seat = scene.writer.acquire().expect("nobody has it");
    let group = scene.writer.begin(&mut seat, |_, head| Ok(head)).expect("begins");
    let (outcome, callers) = (Arc::clone(&group.outcome), group.callers);
    let leave = |seat, group| {
        let mut state = scene.writer.lock();
        (state.holder, state.seat) = (None, Some(Seat { group: Some(group), ..seat }));
    };
    leave(seat, group);
    let (seat, group) = scene.writer.take_back(&outcome, callers).expect("nobody came");
    assert_eq!(scene.writer.lock().holder, Some(thread::current().id()));
    leave(seat, group);
    scene.record(1, |_| Ok(())).expect("is recorded");
    assert!(scene.writer.take_back(&outcome, callers).is_none(), "who came committed");
    assert!(matches!(outcome.get(), Some(Outcome::Committed)));
    assert_eq!((scene.commits(), scene.recorded()), (vec![1], vec![1]));
}

#[test]
fn who_comes_alone_after_many_commits_alone() {
    let scene = Scene::patient();
    scene.writer.lock().expected = 64;
    scene.record(1, |_| Ok(())).expect("is recorded");
    assert_eq!(scene.writer.lock().expected, 1, "one is what can be expected from now on");
    scene.record(2, |_| Ok(())).expect("is recorded");
    assert_eq!((scene.commits(), scene.recorded()), (vec![1, 1], vec![1, 2]));
}

#[test]
fn all_are_told_when_sqlite_gave_their_transaction_up() {
    let scene = Scene::patient();
    scene.record(1, |_| Ok(())).expect("is committed");
    scope(|scope| {
        let scene = &scene;
        let work = |_: &Transaction<'_>| {
            let other = scope.spawn(|| {
                scene.record(3, |tx| {
                    // As SQLite does by itself on a full disk.
                    tx.connection().execute_batch("ROLLBACK").map_err(Error::query("roll back"))?;
                    let error = tx.insert_trade(&order(4)?).expect_err("there is no transaction any more");
                    assert!(matches!(error, Error::RolledBack { .. }), "{error}");
                    Ok(())
                })
            });
            scene.queued(1);
            Ok(other)
        };
        let first = scene.record(2, work);
        let first = first.map(drop);
        assert!(matches!(first, Err(Error::RolledBack { .. })), "{first:?}");
    });
    assert_eq!((scene.commits(), scene.recorded()), (vec![1], vec![1]));
    scene.record(5, |_| Ok(())).expect("the next one works");
    assert_eq!(scene.recorded(), [1, 5]);
}

#[test]
fn after_an_unconfirmed_commit_nobody_writes_until_it_is_resumed() {
    let scene = Scene::new(Duration::from_secs(60), 1);
    scope(|scope| {
        let scene = &scene;
        let mut waiting = None;
        let work = |tx: &Transaction<'_>| {
            waiting = Some(scope.spawn(|| scene.record(2, |_| Ok(()))));
            scene.queued(1);
            tx.insert_trade(&order(1)?)
        };
        let unknown = scene.writer.run(work, |_, head| Ok(head), |_, _, _| Err(Cause::text("the disk did not say")));
        assert!(matches!(unknown, Err(Error::CommitUnknown { .. })), "{unknown:?}");
        let refused = given_back(waiting.expect("it ran"));
        let refused = refused.expect_err("is stopped").to_string();
        assert_eq!(refused, "the record takes no more writes until it is opened anew");
    });
    assert!(scene.writer.is_stopped());
    let error = scene.record(3, |_| Ok(())).expect_err("is stopped");
    assert!(matches!(error, Error::Stopped { .. }), "{error}");

    let connection = connection::open_writer(&scene.options).expect("opens");
    let instance = connection::instance_id(&connection).expect("is read");
    let head = connection::head(&connection, &instance).expect("is read");
    scene.writer.resume(connection, head).expect("is watched");
    scene.record(4, |_| Ok(())).expect("is committed");
    assert_eq!(scene.recorded(), [1, 4], "this commit did happen");
}

#[test]
fn a_check_that_fails_writes_nothing_and_lets_the_next_one_write() {
    let scene = Scene::patient();
    scope(|scope| {
        let scene = &scene;
        let check = |_: &Connection, _| {
            scope.spawn(|| scene.record(2, |_| Ok(())).expect("is committed"));
            scene.queued(1);
            Err(Error::Nested)
        };
        let work = |_: &Transaction<'_>| -> Result<(), Error> { unreachable!("it was not begun") };
        let error = scene.writer.run(work, check, |_, _, _| Ok(())).expect_err("the check failed");
        assert!(matches!(error, Error::Nested), "{error}");
    });
    assert_eq!((scene.commits(), scene.recorded()), (vec![1], vec![2]));
}

#[test]
fn who_wants_the_seat_alone_commits_what_is_open_first_and_has_it_confirmed() {
    let scene = Scene::patient();
    scope(|scope| {
        let scene = &scene;
        let work = |_: &Transaction<'_>| {
            let alone = scope.spawn(|| {
                let confirm = |callers, _, _| {
                    scene.commits.lock().expect("no panic").push(callers);
                    Ok(())
                };
                scene.writer.alone(confirm, |seat| seat.connection.is_autocommit())
            });
            scene.queued(1);
            Ok(alone)
        };
        let (alone, _) = scene.record(1, work).expect("is committed");
        assert!(given_back(alone).expect("it had its turn"), "no transaction was open any more");
    });
    assert_eq!((scene.commits(), scene.recorded()), (vec![1], vec![1]));
}

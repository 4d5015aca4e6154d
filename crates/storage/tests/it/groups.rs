//! Transactions within, beside and after each other, through the handle.

use std::{
    os::unix::fs::PermissionsExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use trading_storage::{Database, Error, Observer, Options, ReadOnlyDatabase, TradeFilter, Transaction, sqlite};

use crate::{agent, database, options, order};

fn with_agent() -> (tempfile::TempDir, Database) {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    (folder, db)
}

fn recorded(db: &Database) -> Vec<String> {
    let page = db.read(|r| r.trades(&TradeFilter::All, None, 1_000)).expect("is read");
    page.trades.iter().rev().map(|trade| trade.order.client_order_id.to_string()).collect()
}

#[test]
fn the_handles_go_wherever_threads_go() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Database>();
    shared::<ReadOnlyDatabase>();
    fn sent<T: Send + Sync + 'static>() {}
    sent::<Error>();
    sent::<Options>();
}

#[test]
fn parts_fail_alone_to_any_depth() {
    let (_folder, db) = with_agent();
    let insert = |tx: &Transaction<'_>, id: &str| tx.insert_trade(&order(id)).map(drop);
    db.transaction(|tx| {
        insert(tx, "1")?;
        tx.nested(|tx| {
            insert(tx, "2")?;
            let inner = tx.nested(|tx| {
                insert(tx, "3")?;
                tx.nested(|tx| insert(tx, "4"))?;
                Err::<(), _>(Error::aborted("no"))
            });
            assert!(matches!(inner, Err(Error::Aborted { .. })));
            insert(tx, "5")
        })?;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            tx.nested(|tx| -> Result<(), Error> {
                insert(tx, "6")?;
                panic!("in the middle")
            })
        }));
        assert!(panicked.is_err());
        // A part that SQLite refuses is undone, and what was written before it stays.
        tx.nested(|tx| {
            insert(tx, "7")?;
            let broken = sqlite::connection(tx).execute("INSERT INTO agents (id) VALUES ('b')", []);
            broken.map(drop).map_err(Error::aborted)
        })
        .expect_err("is refused");
        insert(tx, "8")
    })
    .expect("is recorded");
    assert_eq!(recorded(&db), ["1", "2", "5", "8"]);
    assert_eq!(db.verify(|_, _| ()).expect("is whole").trades, 4);
}

#[test]
fn an_error_after_a_good_part_undoes_that_too() {
    let (_folder, db) = with_agent();
    let done = db.transaction(|tx| {
        tx.nested(|tx| tx.insert_trade(&order("1")))?;
        Err::<(), _>(Error::aborted("no"))
    });
    done.expect_err("is given up");
    assert_eq!(recorded(&db), Vec::<String>::new());
}

#[test]
fn a_transaction_within_a_transaction_is_refused_and_does_no_harm() {
    let (_folder, db) = with_agent();
    db.transaction(|tx| {
        tx.insert_trade(&order("1"))?;
        for error in [db.transaction(|tx| tx.insert_trade(&order("2")).map(drop)), db.checkpoint().map(drop)] {
            let error = error.expect_err("is refused");
            assert!(matches!(error, Error::Nested), "{error}");
        }
        Ok(())
    })
    .expect("is recorded");
    assert_eq!(recorded(&db), ["1"]);
    db.transaction(|tx| tx.insert_trade(&order("3"))).expect("the next one works");
}

#[test]
fn several_databases_in_one_process_know_nothing_of_each_other() {
    let ((_f1, one), (_f2, two)) = (with_agent(), with_agent());
    one.transaction(|tx| {
        tx.insert_trade(&order("1"))?;
        // Another database is no part of this transaction.
        two.transaction(|tx| tx.insert_trade(&order("2")))?;
        Err::<(), _>(Error::aborted("no"))
    })
    .expect_err("is given up");
    assert_eq!((recorded(&one), recorded(&two)), (vec![], vec!["2".to_owned()]));
    drop(one);
    two.transaction(|tx| tx.insert_trade(&order("3"))).expect("the other one goes on");
}

#[derive(Debug, Default)]
struct Callers(AtomicU32);

impl Observer for Callers {
    fn committed(&self, callers: u32, _took: Duration) {
        assert!(callers > 0, "nobody commits nothing");
        self.0.fetch_add(callers, Ordering::SeqCst);
    }
}

#[test]
fn every_caller_is_counted_in_one_commit_and_only_the_good_ones_are_recorded() {
    let (folder, db) = with_agent();
    drop(db);
    let callers = Arc::new(Callers::default());
    let options = Options {
        observer: Some(Arc::clone(&callers) as Arc<dyn Observer>),
        busy_timeout: Duration::from_secs(60),
        group_max: 5,
        ..options(&folder)
    };
    let db = Database::open(&options).expect("opens");
    let start = Barrier::new(16);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (db, start) = (&db, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..10 {
                    let good = (thread + number) % 4 != 0;
                    let done = db.transaction(|tx| {
                        tx.insert_trade(&order(&format!("{thread}-{number}")))?;
                        if good { Ok(()) } else { Err(Error::aborted("no")) }
                    });
                    assert_eq!(done.is_ok(), good);
                    // Told means durable: another connection sees it.
                    let id = order(&format!("{thread}-{number}")).client_order_id;
                    let found = db.read(|r| r.trade_by_client_order_id(&id)).expect("is read");
                    assert_eq!(found.is_some(), good);
                }
            });
        }
    });
    assert_eq!(callers.0.load(Ordering::SeqCst), 120);
    assert_eq!(recorded(&db).len(), 120);
    let proven = db.verify(|_, _| ()).expect("is whole");
    assert_eq!((proven.events, proven.head), (120, db.head()));
}

#[test]
fn every_file_is_the_owners_alone() {
    let (folder, db) = with_agent();
    db.read(|r| r.counts()).expect("is read");
    db.anchor().expect("is written");
    let mut modes: Vec<_> = std::fs::read_dir(folder.path())
        .expect("is a folder")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            let mode = entry.metadata().expect("is there").permissions().mode() & 0o777;
            (entry.file_name().into_string().expect("Unicode"), mode)
        })
        .collect();
    modes.sort();
    let names = ["record.db", "record.db-shm", "record.db-wal", "record.db.head", "record.db.lock"];
    assert_eq!(modes, names.map(|name| (name.to_owned(), 0o600)));
}

#[test]
fn the_writer_and_the_readers_have_the_settings_that_the_record_depends_on() {
    let (_folder, db) = with_agent();
    let settings = |r: &trading_storage::Reader<'_>, pragmas: &[&str]| {
        pragmas
            .iter()
            .map(|pragma| {
                let value = sqlite::connection(r)
                    .pragma_query_value(None, pragma, |row| row.get::<_, sqlite::rusqlite::types::Value>(0));
                format!("{pragma} = {:?}", value.expect("is read"))
            })
            .collect::<Vec<_>>()
    };
    let pragmas = ["journal_mode", "synchronous", "foreign_keys", "trusted_schema", "application_id", "user_version"];
    let writer = db.transaction(|tx| Ok(settings(tx, &pragmas))).expect("is read");
    let expected = [
        "journal_mode = Text(\"wal\")",
        "synchronous = Integer(2)",
        "foreign_keys = Integer(1)",
        "trusted_schema = Integer(0)",
        "application_id = Integer(1416774005)",
        "user_version = Integer(1)",
    ];
    assert_eq!(writer, expected);
    let reader = db.read(|r| Ok(settings(r, &["journal_mode", "query_only", "trusted_schema"]))).expect("is read");
    let expected = ["journal_mode = Text(\"wal\")", "query_only = Integer(1)", "trusted_schema = Integer(0)"];
    assert_eq!(reader, expected);
}

//! The calls for async programs.

use std::{
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
};

use tokio::runtime::{Builder, Runtime};
use trading_storage::{Database, Error, ReadOnlyDatabase};

use crate::{agent, database, options, order};

fn with_agent() -> (tempfile::TempDir, Database, Runtime) {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    (folder, db, Builder::new_current_thread().build().expect("a runtime"))
}

#[test]
fn they_write_and_read_as_the_others_do() {
    let (_folder, db, runtime) = with_agent();
    runtime.block_on(async {
        let id = db.transaction_async(|tx| tx.insert_trade(&order("1"))).await.expect("is recorded");
        let found = db.read_async(move |r| r.trade(id)).await.expect("is read").expect("is there");
        assert_eq!(found.order, order("1"));
        let error = db.transaction_async(|tx| {
            tx.insert_trade(&order("2"))?;
            Err::<(), _>(Error::aborted("no"))
        });
        assert!(matches!(error.await, Err(Error::Aborted { .. })));
        assert_eq!(db.read_async(|r| r.counts()).await.expect("is read").trades, 1);
    });
}

#[test]
fn a_dashboard_beside_it_reads_too() {
    let (folder, db, runtime) = with_agent();
    let beside = ReadOnlyDatabase::open(&options(&folder)).expect("opens");
    assert_eq!(beside.instance_id().expect("is read"), db.instance_id());
    let agents = runtime.block_on(beside.read_async(|r| r.agents())).expect("is read");
    assert_eq!(agents, [agent("a")]);
}

#[test]
fn the_thread_of_the_runtime_is_not_blocked() {
    let (_folder, db, runtime) = with_agent();
    let (go, wait) = mpsc::channel();
    let here = thread::current().id();
    runtime.block_on(async {
        let mut writing = pin!(db.transaction_async(move |tx| {
            assert_ne!(thread::current().id(), here);
            wait.recv().map_err(Error::aborted)?;
            tx.insert_trade(&order("1"))
        }));
        let poll = writing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(poll, Poll::Pending), "it came back at once");
        go.send(()).expect("somebody waits");
        writing.await.expect("is recorded");
    });
}

#[test]
fn a_panic_comes_out_where_it_is_awaited() {
    let (_folder, db, runtime) = with_agent();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(db.transaction_async(|tx| -> Result<(), Error> {
            tx.insert_trade(&order("1"))?;
            panic!("in the middle")
        }))
    }));
    let text = panicked.expect_err("it panics");
    assert_eq!(text.downcast_ref::<&str>(), Some(&"in the middle"));
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 0);
}

#[test]
fn a_future_that_is_dropped_undoes_nothing() {
    let (_folder, db, runtime) = with_agent();
    let (begun, has_begun) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let here = thread::current().id();
    runtime.block_on(async {
        let mut writing = Box::pin(db.transaction_async(move |tx| {
            assert_ne!(thread::current().id(), here);
            begun.send(()).map_err(Error::aborted)?;
            wait.recv().map_err(Error::aborted)?;
            tx.insert_trade(&order("1"))
        }));
        assert!(writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        has_begun.recv().expect("it begins");
        drop(writing);
        go.send(()).expect("it still waits");
    });
    // Ends when the thread is done.
    drop(runtime);
    assert_eq!(db.read(|r| r.counts()).expect("is read").trades, 1);
}

#[test]
fn many_at_once_are_all_recorded() {
    let (_folder, db, runtime) = with_agent();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for number in 0..50 {
            let db = db.clone();
            tasks.push(tokio::spawn(async move {
                db.transaction_async(move |tx| tx.insert_trade(&order(&number.to_string()))).await
            }));
        }
        for task in tasks {
            task.await.expect("no panic").expect("is recorded");
        }
    });
    assert_eq!(db.verify(|_, _| ()).expect("is whole").trades, 50);
}

//! The chain of events, and its head beside the database.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use trading_storage::{Database, Error, Head, Observer, Options, OrderStatus, StatusUpdate};

use crate::{agent, database, options, order};

/// Changes the closed database behind the program's back.
#[expect(clippy::disallowed_methods, reason = "plays another program")]
pub(crate) fn tamper(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    connection.execute_batch(sql).expect("is changed");
}

/// Writes down what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn committed(&self, callers: u32, _took: Duration) {
        self.0.lock().expect("no panic").push(format!("committed {callers}"));
    }

    fn anchored(&self, head: &Head) {
        self.0.lock().expect("no panic").push(format!("anchored {}", head.sequence));
    }

    fn anchor_failed(&self, error: &Error) {
        let text = error.to_string();
        self.0.lock().expect("no panic").push(format!("failed: {}", text.split('/').next().unwrap_or_default()));
    }
}

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

fn observed(folder: &TempDir, anchor_every: Duration) -> (Arc<Told>, Options) {
    let told = Arc::new(Told::default());
    (Arc::clone(&told), Options { observer: Some(told), anchor_every, ..options(folder) })
}

fn head_path(folder: &TempDir) -> PathBuf {
    folder.path().join("record.db.head")
}

fn head_file(folder: &TempDir) -> String {
    fs::read_to_string(head_path(folder)).expect("is there")
}

fn as_text(db: &Database, head: &Head) -> String {
    format!("{} {} {}\n", db.instance_id(), head.sequence, head.hash_hex())
}

/// A record with three trades, of which the first was filled; closed.
fn with_trades() -> (TempDir, Head) {
    let (folder, db) = database();
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        let first = tx.insert_trade(&order("1"))?;
        tx.insert_trade(&order("2"))?;
        tx.update_trade_status(first, &StatusUpdate::new(OrderStatus::Filled))?;
        tx.insert_trade(&order("3"))
    })
    .expect("is recorded");
    let head = db.head();
    assert_eq!(head.sequence, 4);
    (folder, head)
}

#[test]
fn the_head_goes_on_with_every_event_and_with_nothing_else() {
    let (_folder, db) = database();
    let mut before = db.head();
    assert_eq!(before.sequence, 0);
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    assert_eq!(db.head(), before, "an agent is no event");
    let mut step = |name: &str, expected: u64, work: &dyn Fn() -> Result<(), Error>| {
        let done = work();
        let head = db.head();
        assert_eq!(head.sequence, before.sequence + expected, "{name}: {done:?}");
        assert_eq!(head.hash == before.hash, expected == 0, "{name}");
        before = head;
    };
    let id = std::cell::Cell::new(None);
    step("a trade", 1, &|| db.transaction(|tx| tx.insert_trade(&order("1"))).map(|new| id.set(Some(new))));
    step("the same trade", 0, &|| db.transaction(|tx| tx.insert_trade(&order("1"))).map(drop));
    let filled = StatusUpdate::new(OrderStatus::Filled);
    let fill = || db.transaction(|tx| tx.update_trade_status(id.get().expect("is recorded"), &filled));
    step("its result", 1, &fill);
    step("the same result", 0, &fill);
    step("an error", 0, &|| {
        db.transaction(|tx| {
            tx.insert_trade(&order("2"))?;
            Err(Error::aborted("no"))
        })
    });
    step("a part that fails", 2, &|| {
        db.transaction(|tx| {
            tx.insert_trade(&order("3"))?;
            let part = tx.nested(|tx| {
                tx.insert_trade(&order("4"))?;
                Err::<(), _>(Error::aborted("no"))
            });
            assert!(part.is_err());
            tx.insert_trade(&order("5")).map(drop)
        })
    });
    let proven = db.verify(|_, _| ()).expect("is whole");
    assert_eq!((proven.events, proven.trades, proven.head), (4, 3, before));
}

#[test]
fn each_database_has_a_chain_of_its_own() {
    let ((_f1, one), (_f2, two)) = (database(), database());
    assert_ne!(one.instance_id(), two.instance_id());
    assert_ne!(one.head().hash, two.head().hash, "also before the first event");
    assert_eq!(one.verify(|_, _| ()).expect("is whole").head, one.head());
}

#[test]
fn the_head_is_written_with_the_first_event_and_then_in_time_and_at_the_end() {
    let (folder, db) = database();
    drop(db);
    let (told, seldom) = observed(&folder, Duration::MAX);
    let db = Database::open(&seldom).expect("opens");
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    let trade = |db: &Database, id| db.transaction(|tx| tx.insert_trade(&order(id))).expect("is recorded");
    trade(&db, "1");
    trade(&db, "2");
    assert_eq!(told.take(), ["committed 1", "committed 1", "anchored 1", "committed 1"]);
    let head = db.anchor().expect("is written");
    assert_eq!((head, head_file(&folder)), (db.head(), as_text(&db, &db.head())));
    trade(&db, "3");
    let at_end = as_text(&db, &db.head());
    assert_ne!(head_file(&folder), at_end);
    drop(db);
    assert_eq!(head_file(&folder), at_end);
    assert_eq!(told.take(), ["anchored 2", "committed 1", "anchored 3"]);

    let (told, always) = observed(&folder, Duration::ZERO);
    let db = Database::open(&always).expect("opens");
    for id in ["4", "5"] {
        trade(&db, id);
        assert_eq!(head_file(&folder), as_text(&db, &db.head()));
    }
    assert_eq!(told.take(), ["committed 1", "anchored 4", "committed 1", "anchored 5"]);
}

#[test]
fn a_head_that_cannot_be_written_is_told_and_stops_no_trade() {
    let (folder, db) = database();
    drop(db);
    let (told, options) = observed(&folder, Duration::ZERO);
    let db = Database::open(&options).expect("opens");
    fs::remove_file(head_path(&folder)).expect("is there");
    fs::create_dir(head_path(&folder)).expect("a folder in its place");
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        tx.insert_trade(&order("1"))
    })
    .expect("is recorded all the same");
    let failed = "failed: cannot keep the head of the chain in ";
    assert_eq!(told.take(), ["committed 1", failed]);
    let error = db.anchor().expect_err("is no file");
    assert!(matches!(&error, Error::HeadFile { path, .. } if *path == head_path(&folder)), "{error}");
    assert_eq!(error.way_out(), Some("let this user write to the folder of the database"));
    assert_eq!(told.take(), [failed]);
    fs::remove_dir(head_path(&folder)).expect("is empty");
    db.transaction(|tx| tx.insert_trade(&order("1"))).expect("is recorded");
    assert_eq!(told.take(), ["committed 1", "anchored 1"], "it is tried again");
}

#[track_caller]
fn mismatch(folder: &TempDir, expected: &str) {
    let error = Database::open(&options(folder)).expect_err("is refused");
    assert!(matches!(error, Error::HeadMismatch { .. }), "{error}");
    let path = folder.path().display().to_string();
    assert_eq!(error.to_string().replace(&path, "…"), expected);
}

#[test]
fn a_database_that_does_not_lead_to_its_head_is_refused() {
    const OTHER: &str = "the database …/record.db is not the one that was here before: ";
    let (folder, head) = with_trades();
    let good = head_file(&folder);
    let instance = good.split(' ').next().expect("the instance").to_owned();
    let stranger = "0".repeat(32);
    let hash = head.hash_hex();
    let write = |text: String| fs::write(head_path(&folder), text).expect("is written");

    write(good.replace(&instance, &stranger));
    mismatch(&folder, &format!("{OTHER}its instance is {instance}, and that one was {stranger}"));
    write(format!("{instance} 5 {hash}"));
    mismatch(&folder, &format!("{OTHER}event 5 and what followed is gone"));
    write(format!("{instance} 4 {}", "0".repeat(64)));
    mismatch(&folder, &format!("{OTHER}event 4 is another one ({hash})"));
    for garbled in
        ["", "x", "a b c", &good[..50], &format!("{good} more"), &good.replace(' ', ""), &good[..good.len() - 2]]
    {
        write((*garbled).to_owned());
        mismatch(&folder, &format!("{OTHER}…/record.db.head cannot be understood"));
    }
    // An older head is one that the chain leads through, and none at all says nothing.
    write(good.clone());
    let db = Database::open(&options(&folder)).expect("opens");
    db.transaction(|tx| tx.insert_trade(&order("4"))).expect("is recorded");
    drop(db);
    write(good);
    drop(Database::open(&options(&folder)).expect("opens"));
    fs::remove_file(head_path(&folder)).expect("is there");
    drop(Database::open(&options(&folder)).expect("opens"));
}

#[test]
fn a_cut_tail_is_seen_by_the_head() {
    let (folder, _) = with_trades();
    tamper(
        &folder.path().join("record.db"),
        "DROP TRIGGER trade_events_are_kept; DROP TRIGGER trades_are_kept;
         DELETE FROM trade_events WHERE sequence = 4; DELETE FROM trades WHERE id = 3;",
    );
    mismatch(
        &folder,
        "the database …/record.db is not the one that was here before: event 4 and what followed is gone",
    );
}

#[test]
fn verify_names_the_first_event_that_is_wrong() {
    const CHANGED: &str = "it, or the order of its trade, was changed";
    const NOT_AS: &str = "it is the last of its trade, and the trade is not as it says";
    for (sql, sequence, what) in [
        ("UPDATE trades SET quantity = quantity + 1 WHERE id = 2", 2, CHANGED),
        ("UPDATE trades SET agent_id = 'b' WHERE id = 1", 1, CHANGED),
        ("UPDATE trades SET source_politician = 'x' WHERE id = 3", 4, CHANGED),
        ("UPDATE trades SET order_status = 'canceled' WHERE id = 1", 3, NOT_AS),
        ("UPDATE trades SET executed_price = 1 WHERE id = 3", 4, NOT_AS),
        ("UPDATE trades SET last_updated = last_updated + 1 WHERE id = 2", 2, NOT_AS),
        ("UPDATE trade_events SET executed_price = 1 WHERE sequence = 2", 2, CHANGED),
        ("UPDATE trade_events SET recorded_at = recorded_at + 1 WHERE sequence = 3", 3, CHANGED),
        ("UPDATE trade_events SET order_status = 'nonsense' WHERE sequence = 3", 3, "it, or its trade, cannot be read"),
        ("UPDATE trade_events SET trade_id = 3 WHERE sequence = 1", 1, CHANGED),
        ("UPDATE trade_events SET hash = zeroblob(32) WHERE sequence = 2", 2, CHANGED),
        ("DELETE FROM trade_events WHERE sequence = 2; DELETE FROM trades WHERE id = 2", 2, "it is missing"),
        ("DELETE FROM trade_events WHERE sequence = 1", 1, "it is missing"),
        (
            "INSERT INTO trades SELECT 4, 'new', agent_id, ticker, side, order_type, quantity, price, executed_price, order_status,
                 alpaca_order_id, source_politician, source_trade_date, trade_date, execution_date, created_at, last_updated
             FROM trades WHERE id = 3",
            4,
            "1 of 4 trades have no event",
        ),
        // Two that change places.
        (
            "UPDATE trade_events SET sequence = 9 WHERE sequence = 1; UPDATE trade_events SET sequence = 1 WHERE sequence = 2;
             UPDATE trade_events SET sequence = 2 WHERE sequence = 9",
            1,
            CHANGED,
        ),
    ] {
        let (folder, _) = with_trades();
        let triggers = "trades_are_kept trades_keep_their_intent trade_events_are_kept trade_events_are_not_changed";
        let drops: Vec<_> = triggers.split(' ').map(|trigger| format!("DROP TRIGGER {trigger};")).collect();
        tamper(
            &folder.path().join("record.db"),
            &format!("{} INSERT INTO agents VALUES ('b', 'B', 'x', 1, 0, 0); {sql}", drops.concat()),
        );
        // The head beside it is not what is tested here.
        fs::remove_file(head_path(&folder)).expect("is there");
        let db = Database::open(&options(&folder)).expect("opens");
        let error = db.verify(|_, _| ()).expect_err(sql);
        assert_eq!(error.to_string(), format!("the record is damaged at event {sequence}: {what}"), "{sql}");
        assert!(matches!(error, Error::ChainBroken { sequence: found, .. } if found == sequence));
        assert!(error.way_out().is_some());
    }
}

#[test]
fn a_row_that_refers_to_none_is_damage() {
    let (folder, _) = with_trades();
    tamper(&folder.path().join("record.db"), "PRAGMA foreign_keys = OFF; DELETE FROM agents");
    let db = Database::open(&options(&folder)).expect("opens");
    let error = db.verify(|_, _| ()).expect_err("is seen").to_string();
    assert!(error.ends_with("/record.db is damaged: a row refers to one that is not there"), "{error}");
}

#[test]
fn verify_tells_how_far_it_is_and_what_it_proved() {
    let (_folder, db) = database();
    let mut told = Vec::new();
    assert_eq!(db.verify(|done, total| told.push((done, total))).expect("is whole").events, 0);
    assert_eq!(told, [(0, 0)]);
    db.transaction(|tx| {
        tx.register_agent(&agent("a"))?;
        (0..20_500).try_for_each(|number| tx.insert_trade(&order(&number.to_string())).map(drop))
    })
    .expect("is recorded");
    told.clear();
    let proven = db.verify(|done, total| told.push((done, total))).expect("is whole");
    assert_eq!(told, [(10_000, 20_500), (20_000, 20_500), (20_500, 20_500)]);
    assert_eq!((proven.events, proven.trades, proven.head), (20_500, 20_500, db.head()));
}

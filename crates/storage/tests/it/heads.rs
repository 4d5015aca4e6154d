//! The head of the chain beside the database: when it is written, and what it catches.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use trading_storage::{BackupOptions, Database, Error, Head, Observer, Options};

use crate::{
    agent,
    chain::{head_path, with_trades},
    database, options, order, tamper,
};

#[test]
fn a_backup_misses_what_was_cut_off_since_also_without_a_head_file() {
    let (folder, _) = with_trades();
    let db = Database::open(&options(&folder)).expect("opens");
    let backup = db.backup(&BackupOptions::to(folder.path().join("backups")), |_| {}).expect("is made");
    db.read(|r| backup.check_past_of(r)).expect("the control: has all");
    drop(db);
    fs::remove_file(head_path(&folder)).expect("is removed");
    tamper(
        &folder.path().join("record.db"),
        "PRAGMA foreign_keys = OFF; DROP TRIGGER trade_events_are_kept; DROP TRIGGER trades_are_kept;
         DELETE FROM trade_events WHERE sequence = 4; DELETE FROM trades WHERE id = 3;
         CREATE TRIGGER trades_are_kept BEFORE DELETE ON trades
         BEGIN
             SELECT RAISE (ABORT, 'trades are never deleted');
         END;
         CREATE TRIGGER trade_events_are_kept BEFORE DELETE ON trade_events
         BEGIN
             SELECT RAISE (ABORT, 'events are never deleted');
         END;",
    );
    let db = Database::open(&options(&folder)).expect("nothing else tells");
    assert_eq!(db.verify(|_, _| {}).expect("is whole in itself").events, 3);
    let error = db.read(|r| backup.check_past_of(r)).expect_err("something is gone").to_string();
    let expected = format!("event 4 and what followed is gone, and the backup {} has it", backup.path.display());
    assert!(error.ends_with(&expected), "{error}");
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

fn head_file(folder: &TempDir) -> String {
    fs::read_to_string(head_path(folder)).expect("is there")
}

fn as_text(db: &Database, head: &Head) -> String {
    format!("{} {} {}\n", db.instance_id(), head.sequence, head.hash_hex())
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

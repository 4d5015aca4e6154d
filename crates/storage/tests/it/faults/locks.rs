//! S8: another process has the record, or SQLite's own lock on it.

use std::{fs, time::Duration};

use trading_resilience::{Class, Classify as _};
use trading_storage::{Database, Error, Options, ReadOnlyDatabase};

use super::{
    judge::Expected,
    say, scenario, scratch, skip,
    subject::{Running, executable, subject},
};

#[test]
fn s8_a_second_instance_is_refused_with_the_pid_of_the_first() {
    if let Err(reason) = executable() {
        return skip("S8", reason);
    }
    let folder = scratch();
    let options = Options::at(folder.path().join("record.db"));
    let mut first = Running::start(&mut subject(folder.path(), &["open"]));
    first.hear_until("opened");
    let error = Database::open(&options).expect_err("is in use");
    let expected = format!("the database {} is in use by process {}", options.path.display(), first.pid());
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.way_out(), Some("end the other process that uses it"));
    assert!(matches!(Database::create(&options), Err(Error::Exists { .. } | Error::InUse { .. })));

    // Beside it, one may read what it writes.
    let beside = ReadOnlyDatabase::open(&options).expect("reads beside it");
    first.tell("7");
    first.hear_until("present 7");
    assert_eq!(beside.read(|r| r.counts()).expect("is read").trades, 1);
    drop(beside);

    // The control: without the lock file a second one comes in. The first one writes nothing beside it.
    let pid = fs::read(folder.path().join("record.db.lock")).expect("is there");
    fs::remove_file(folder.path().join("record.db.lock")).expect("is removed");
    let second = Database::open(&options).expect("nobody refuses it");
    second.transaction(|tx| tx.insert_trade(&scenario::order(8)?)).expect("is recorded");
    first.tell("9");
    first.hear_until("error");
    let control = first.heard.last().cloned().unwrap_or_default();
    assert!(control.contains(&format!("is in use by process {}", std::process::id())), "{control}");
    first.hear_until("absent 9");
    second.verify(|_, _| {}).expect("but even then the chain has no fork");
    drop(second);
    fs::write(folder.path().join("record.db.lock"), pid).expect("is back");

    // When it is gone, however it went, the next one may.
    let heard = first.kill();
    let db = Database::open(&options).expect("is free");
    drop(db);
    let mut expected = Expected::new(0);
    expected.hear(heard.iter().map(String::as_str).chain(["ack 8 new"]));
    let found = expected.judge(&options.path).expect("nothing is lost");
    say(
        "S8",
        format_args!(
            "a second instance was refused, {} acknowledgements found after the first; control (the lock file taken away): it \
             came in, and the first one met: {control}",
            found.acknowledgements
        ),
    );
}

#[test]
fn s8_the_lock_of_another_process_is_waited_for_to_the_limit() {
    if let Err(reason) = executable() {
        return skip("S8", reason);
    }
    let folder = scratch();
    let options = Options { busy_timeout: Duration::from_millis(10), ..Options::at(folder.path().join("record.db")) };
    let db = Database::create(&options).expect("creates");
    db.transaction(|tx| tx.register_agent(&scenario::agent()?)).expect("is registered");
    let mut other = Running::start(&mut subject(folder.path(), &["lock"]));
    other.hear_until("opened");
    for number in 0..10 {
        let error = db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).expect_err("is locked");
        assert!(matches!(error, Error::Busy { waited } if waited >= options.busy_timeout), "{error:?}");
        assert_eq!(error.class(), Class::Transient);
        db.read(|r| r.counts()).expect("reads go on");
    }
    assert!(!db.is_stopped(), "it goes on by itself");
    assert_eq!(other.end().last().map(String::as_str), Some("closed"));
    db.transaction(|tx| tx.insert_trade(&scenario::order(0)?)).expect("the control: the lock is gone");
    assert_eq!(db.verify(|_, _| {}).expect("is whole").events, 1);
    say(
        "S8",
        "10 of 10 transactions were refused as busy while another process held the lock; control (without it): recorded",
    );
}

//! The process that the fault tests kill, starve and lie to. It writes what `scenario` says and tells each acknowledgement.
//!
//! `fault_subject FOLDER COMMAND …`; a line of the standard output is a word and what it is about:
//!
//! | line | meaning |
//! | --- | --- |
//! | `opened` | the record is there, and so is the agent |
//! | `ack NUMBER new`, `ack NUMBER filled` | this transaction was acknowledged |
//! | `doubt NUMBER`, `refused NUMBER`, `reopened`, `present NUMBER`, `absent NUMBER` | what followed a commit that was not confirmed |
//! | `send NUMBER`, `ask NUMBER` | the order goes to the broker; the broker is asked if it knows it; both wait for a line |
//! | `made`, `restored` | there is a backup; one took the place of the record |
//! | `error TEXT` | a call failed |
//! | `closed` | all was said and done |
#![expect(clippy::print_stdout, reason = "it talks to the test by its standard output")]

mod scenario;
mod tables;

use std::{
    env, io,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use scenario::{agent, filled, is_filled, number, order};
use trading_storage::{Backup, BackupOptions, Database, Error, Options, RestoreOptions, TradeId, sqlite::rusqlite};

type Failed = Box<dyn std::error::Error>;

#[expect(clippy::disallowed_methods, reason = "a test tells it what to do")]
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [folder, "script", first, count] => script(&at(folder), first, count, false),
        [folder, "script", first, count, "eager"] => script(&at(folder), first, count, true),
        [folder, "load", first, writers, readers] => load(&at(folder), first, writers, readers, false),
        [folder, "load", first, writers, readers, "eager"] => load(&at(folder), first, writers, readers, true),
        [folder, "doubt", count] => doubt(&at(folder), count),
        [folder, "trade", count] => trade(&at(folder), count, false),
        [folder, "trade", count, "eager"] => trade(&at(folder), count, true),
        [folder, "backup"] => backup(&at(folder)),
        [folder, "restore"] => restore(&at(folder)),
        [folder, "migrate"] => migrate(&at(folder)),
        [folder, "open"] => open(&at(folder)),
        [folder, "lock"] => lock(&at(folder)),
        _ => Err("FOLDER script|load|doubt|trade|backup|restore|migrate|open|lock …".into()),
    };
    match done {
        Ok(()) => {
            println!("closed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let way_out = error.downcast_ref::<Error>().and_then(Error::way_out);
            println!("error {error}{}", way_out.map_or(String::new(), |way_out| format!("; {way_out}")));
            ExitCode::FAILURE
        }
    }
}

fn at(folder: &str) -> Options {
    Options::at(PathBuf::from(folder).join("record.db"))
}

fn begin(options: &Options) -> Result<Database, Failed> {
    let db = Database::open_or_create(options)?;
    db.transaction(|tx| tx.register_agent(&agent()?))?;
    println!("opened");
    Ok(db)
}

/// Records an order and, of some, the result; tells each when it is acknowledged. `eager` tells it before: what a record that
/// does not wait for its disk would do.
fn record(db: &Database, number: u64, eager: bool) -> Result<(), Error> {
    let tell = |what: &str, now: bool| {
        if now {
            println!("ack {number} {what}");
        }
    };
    let id = db.transaction(|tx| {
        let id = tx.insert_trade(&order(number)?)?;
        tell("new", eager);
        Ok(id)
    })?;
    tell("new", !eager);
    if is_filled(number) {
        db.transaction(|tx| {
            tx.update_trade_status(id, &filled(number))?;
            tell("filled", eager);
            Ok(())
        })?;
        tell("filled", !eager);
    }
    Ok(())
}

/// Every step of a record's life, in one thread.
fn script(options: &Options, first: &str, count: &str, eager: bool) -> Result<(), Failed> {
    let (first, count): (u64, u64) = (first.parse()?, count.parse()?);
    let db = begin(options)?;
    for number in first..first + count {
        record(&db, number, eager)?;
        if number == first + count / 2 {
            db.checkpoint()?;
            db.anchor()?;
        }
    }
    Ok(())
}

/// Many threads, without end.
fn load(options: &Options, first: &str, writers: &str, readers: &str, eager: bool) -> Result<(), Failed> {
    let (writers, readers): (u32, u32) = (writers.parse()?, readers.parse()?);
    let db = begin(options)?;
    let next = AtomicU64::new(first.parse()?);
    thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| while record(&db, next.fetch_add(1, Ordering::Relaxed), eager).is_ok() {});
        }
        for _ in 0..readers {
            scope.spawn(|| while db.read(|r| Ok((r.counts()?, r.open_orders()?))).is_ok() {});
        }
    });
    Err("a thread failed".into())
}

/// Writes on a disk whose syncs fail, and resolves what is in doubt.
fn doubt(options: &Options, count: &str) -> Result<(), Failed> {
    let count: u64 = count.parse()?;
    let db = begin(options)?;
    for number in 0..count {
        // A reader that stays open keeps the log as the failed commit left it.
        db.read(|r| r.counts())?;
        match record(&db, number, false) {
            Ok(()) => {}
            Err(Error::CommitUnknown { .. }) => resolve(&db, number)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn resolve(db: &Database, number: u64) -> Result<(), Failed> {
    println!("doubt {number}");
    if !db.is_stopped() {
        return Err("it goes on after a commit that was not confirmed".into());
    }
    match db.transaction(|tx| tx.insert_trade(&order(number + 1)?)) {
        Err(Error::Stopped { .. }) => println!("refused {}", number + 1),
        other => return Err(format!("it should be stopped: {other:?}").into()),
    }
    db.reopen()?;
    println!("reopened");
    let found = db.read(|r| r.trade_by_client_order_id(&order(number)?.client_order_id))?;
    println!("{} {number}", if found.is_some() { "present" } else { "absent" });
    // Whatever it was: the same intent again.
    record(db, number, false)?;
    Ok(())
}

/// Trades as an agent does: an order is recorded, sent, and its result recorded. What an earlier life left open comes first; of
/// that the broker is asked, and it is sent only if the broker does not know it. `eager` sends before the order is on the disk.
fn trade(options: &Options, count: &str, eager: bool) -> Result<(), Failed> {
    let count: u64 = count.parse()?;
    let db = begin(options)?;
    for open in db.read(|r| r.open_orders())? {
        let number = number(&open.order)?;
        if broker("ask", number)? == "unknown" {
            broker("send", number)?;
        }
        fill(&db, open.id, number)?;
    }
    // All are executed that are recorded with a result.
    for number in (0..count).map(|index| 3 * index) {
        let order = order(number)?;
        let known = db.read(|r| r.trade_by_client_order_id(&order.client_order_id))?;
        if known.is_some() {
            continue;
        }
        let id = db.transaction(|tx| {
            let id = tx.insert_trade(&order)?;
            if eager {
                broker("send", number).map_err(Error::aborted)?;
            }
            Ok(id)
        })?;
        println!("ack {number} new");
        if !eager {
            broker("send", number)?;
        }
        fill(&db, id, number)?;
    }
    Ok(())
}

fn fill(db: &Database, id: TradeId, number: u64) -> Result<(), Failed> {
    db.transaction(|tx| tx.update_trade_status(id, &filled(number)))?;
    println!("ack {number} filled");
    Ok(())
}

/// What the broker answers, which is at the other end of the standard streams.
fn broker(what: &str, number: u64) -> io::Result<String> {
    println!("{what} {number}");
    io::stdin().lines().next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}

fn backup(options: &Options) -> Result<(), Failed> {
    let db = Database::open(options)?;
    let to = BackupOptions { compress: true, ..BackupOptions::to(options.path.with_file_name("backups")) };
    db.backup(&to, |_| {})?;
    println!("made");
    Ok(())
}

/// Puts the oldest backup in the place of the record.
fn restore(options: &Options) -> Result<(), Failed> {
    let backup = Backup::list(options.path.with_file_name("backups"))?.pop().ok_or("there is no backup")?;
    backup.restore(&RestoreOptions { allow_loss: true, ..RestoreOptions::to(&options.path) }, |_| {})?;
    println!("restored");
    Ok(())
}

fn migrate(options: &Options) -> Result<(), Failed> {
    let options = Options { migrations: vec![tables::STEPS], ..options.clone() };
    let db = Database::open(&options)?;
    println!("opened");
    drop(db);
    Ok(())
}

/// Holds the record until the standard input ends, and does what its lines say: `anchor`, `reopen`, or the number of an order to
/// record and then to read.
fn open(options: &Options) -> Result<(), Failed> {
    let db = begin(options)?;
    for line in io::stdin().lines() {
        let answer = match line?.as_str() {
            "anchor" => db.anchor().map(|head| format!("anchored {}", head.sequence)),
            "reopen" => db.reopen().map(|()| "reopened".to_owned()),
            number => {
                let number: u64 = number.parse()?;
                if let Err(error) = record(&db, number, false) {
                    println!("error {error}");
                }
                let found = db.read(|r| r.trade_by_client_order_id(&order(number)?.client_order_id));
                found.map(|found| format!("{} {number}", if found.is_some() { "present" } else { "absent" }))
            }
        };
        println!("{}", answer.unwrap_or_else(|error| format!("error {error}")));
    }
    Ok(())
}

/// Holds SQLite's own lock until the standard input ends.
#[expect(clippy::disallowed_methods, reason = "plays another program")]
fn lock(options: &Options) -> Result<(), Failed> {
    let connection = rusqlite::Connection::open(&options.path)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    println!("opened");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    connection.execute_batch("ROLLBACK")?;
    Ok(())
}

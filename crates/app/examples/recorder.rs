//! A program of somebody else, built on the whole: it records trades as fast as it can, and says of each that it is recorded.
//!
//! `recorder FOLDER [MODE]`, until a signal. The fault tests run it; the modes beside `orderly` are their controls, each without one of the
//! things that keep trades safe:
//! - `orderly`: says it when the record has acknowledged it, and stops when it is told to;
//! - `hasty`: says it when it is in a list that is written later;
//! - `deaf`: has nobody listen to signals;
//! - `doomed`: finds after some trades that it cannot go on;
//! - `stuck`: records nothing, and does not end when it is told to.

#![expect(clippy::disallowed_methods, reason = "a program of its own, which reads its command line and prints")]

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    thread,
    time::Duration,
};

use trading_app::{
    App, Error, Handles, Signals, Task, TaskContext, TaskError,
    config::Settings,
    storage::{AgentId, ClientOrderId, Database, Order, Side, Ticker},
};

/// How many trades the hasty one keeps to itself.
const LIST: usize = 100;

/// After how many trades the doomed one gives up.
const DOOM: u64 = 10;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(folder) = arguments.next() else {
        drop(writeln!(io::stderr(), "which folder? It is filled with trades: never that of a record that counts"));
        return ExitCode::from(2);
    };
    let mode = arguments.next().unwrap_or_else(|| "orderly".to_owned());
    match run(&folder, &mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "{}", error.explain()));
            error.exit_code()
        }
    }
}

fn run(folder: &str, mode: &str) -> Result<(), Error> {
    let variables = [
        ("ENVIRONMENT", "test"),
        ("MONITORING__PORT", "0"),
        ("MONITORING__CHECK_INTERVAL", "1s"),
        ("LOGGING__CONSOLE", "off"),
    ];
    let settings = Settings::loader().root(folder).environment(variables).load()?;
    let work = match mode {
        "hasty" => Task::new("recorder", hasty),
        "stuck" => Task::new("recorder", stuck).silent_for_at_most(Duration::from_millis(1)),
        "doomed" => Task::new("recorder", |context| orderly(context, Some(DOOM))),
        _ => Task::new("recorder", |context| orderly(context, None)),
    };
    let signals = if mode == "deaf" { None } else { Some(Signals::catch()?) };
    let app = App::builder(settings).log_component("recorder").task(work).start()?;
    log::info!(target: "recorder", mode = mode; "recording");
    match signals {
        Some(signals) => app.run_until(signals).map(drop),
        None => loop {
            thread::park();
        },
    }
}

fn orderly(context: &TaskContext, doom: Option<u64>) -> Result<(), TaskError> {
    let database = context.handles().database();
    for number in next_number(database)?.. {
        if context.is_stopping() {
            break;
        }
        let order = order(context.handles(), number)?;
        database.transaction(|tx| tx.insert_trade(&order))?;
        say(number)?;
        if doom == Some(number) {
            context.handles().give_up("ten trades are enough");
            while context.wait(Duration::from_secs(1)) {}
        }
    }
    Ok(())
}

fn hasty(context: &TaskContext) -> Result<(), TaskError> {
    let database = context.handles().database();
    let mut list = Vec::new();
    for number in next_number(database)?.. {
        list.push(order(context.handles(), number)?);
        say(number)?;
        if context.is_stopping() {
            break;
        }
        if list.len() == LIST {
            database.transaction(|tx| tx.insert_trades(&list))?;
            list.clear();
        }
    }
    Ok(())
}

fn stuck(_context: &TaskContext) -> Result<(), TaskError> {
    say(0)?;
    loop {
        thread::park();
    }
}

fn next_number(database: &Database) -> Result<u64, TaskError> {
    Ok(database.read(|r| r.counts())?.trades + 1)
}

fn order(handles: &Handles, number: u64) -> Result<Order, TaskError> {
    let agent = handles.agents().list().first().map(|agent| agent.id.clone()).ok_or("there are no agents")?;
    let id = ClientOrderId::new(format!("recorder-{number}"))?;
    let (quantity, day) = ("1.5".parse()?, "2026-11-20".parse()?);
    Ok(Order::market(id, AgentId::new(agent)?, Side::Buy, quantity, Ticker::new("NVDA")?, day))
}

fn say(number: u64) -> io::Result<()> {
    writeln!(io::stdout(), "recorded {number}")
}

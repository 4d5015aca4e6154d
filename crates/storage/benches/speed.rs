//! How fast the record is, as ratios to what one would write without it, in one run: `cargo bench -p trading-storage`, or a
//! part of it: `-- caller`, `-- callers`, `-- bulk`, `-- queries`.
//!
//! The figures of a disk differ from machine to machine and from minute to minute; the ratios are what counts.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use trading_storage::{
    Agent, AgentId, ClientOrderId, Database, Error, Observer, Options, Order, OrderStatus, Reader, Side, Ticker,
    TradeFilter,
    chrono::{DateTime, Days, TimeDelta},
};

const TICKERS: u64 = 500;
const BULK: u64 = 1_000_000;
const MEASURED: Duration = Duration::from_secs(3);
const TURN: Duration = Duration::from_secs(1);

/// An order of the moment `number`, of which there are a thousand a day. Agent, ticker and id are drawn.
fn order(number: u64) -> Order {
    let drawn = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = ClientOrderId::new(format!("{drawn:016x}-{number}")).expect("an id");
    let agent = AgentId::new(format!("agent_{}", drawn / 7 % 5)).expect("an id");
    let ticker = Ticker::new(format!("T{}", drawn / 64 % TICKERS)).expect("a ticker");
    let executed_at =
        DateTime::UNIX_EPOCH + Days::new(18_262 + number / 1_000) + TimeDelta::seconds(number_of_day(number));
    Order {
        executed_price: Some("123.45".parse().expect("a price")),
        status: OrderStatus::Filled,
        politician: Some("Nancy Pelosi".to_owned()),
        executed_at: Some(executed_at),
        ..Order::market(id, agent, Side::Buy, "1.5".parse().expect("a number"), ticker, executed_at.date_naive())
    }
}

fn number_of_day(number: u64) -> i64 {
    i64::try_from(number % 1_000).expect("below a thousand")
}

fn database(folder: &TempDir) -> Database {
    observed(folder, None)
}

fn observed(folder: &TempDir, observer: Option<Arc<dyn Observer>>) -> Database {
    let path = folder.path().join("record.db");
    let options = Options { busy_timeout: Duration::from_secs(60), observer, ..Options::at(path) };
    let db = Database::open_or_create(&options).expect("opens");
    db.transaction(|tx| {
        (0..5).try_for_each(|number| {
            let id = AgentId::new(format!("agent_{number}"))?;
            tx.register_agent(&Agent { id, name: "A".to_owned(), kind: "individual".to_owned(), enabled: true })
        })
    })
    .expect("is registered");
    db
}

const INSERT: &str =
    "INSERT INTO trades (client_order_id, agent_id, ticker, side, order_type, quantity, executed_price,
    order_status, source_politician, trade_date, execution_date, created_at, last_updated, event)
    VALUES (?1, ?2, ?3, 'buy', 'market', ?4, ?5, 'filled', ?6, ?7, ?8, ?9, ?9, 1)";

fn insert(connection: &Connection, order: &Order) {
    let mut statement = connection.prepare_cached(INSERT).expect("is prepared");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_micros();
    let now = i64::try_from(now).expect("before the year 294247");
    let (day, executed) = (order.trade_date.to_string(), order.executed_at.map(|time| time.timestamp_micros()));
    let (id, agent, ticker) = (order.client_order_id.as_str(), order.agent.as_str(), order.ticker.as_str());
    statement
        .execute(params![id, agent, ticker, 1_500_000_000_i64, 123_450_000_i64, order.politician, day, executed, now])
        .expect("is inserted");
}

fn prepare(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(60))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536")
}

#[expect(clippy::disallowed_methods, reason = "the loop that one would write without the crate")]
fn bare(path: &Path) -> Connection {
    let mut connection = Connection::open(path).expect("opens");
    prepare(&mut connection).expect("is set up");
    connection
}

/// Trades that `threads` callers record within a turn, one durable trade after another, from the moment `first` on.
fn recorded(threads: u64, orders: fn(u64) -> Order, first: u64, record: impl Fn(&Order) + Sync) -> u64 {
    let (done, start) = (AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for thread in 0..threads {
            let (done, record) = (&done, &record);
            scope.spawn(move || {
                for number in first.. {
                    if start.elapsed() > TURN {
                        break;
                    }
                    record(&orders(number * threads + thread));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

/// A caller after another has no commit to share: what the crate adds to a loop is the event, the savepoint and two looks at the
/// files. The loops write the trade alone, and also a row in the place of its event. All take turns, so that what else the
/// disk does meets all.
fn one_caller() {
    const TURN: u64 = 50;
    let folders = [(); 3].map(|()| TempDir::new().expect("a folder"));
    let [record, alone, with_event] = &folders;
    let db = database(record);
    let [mut alone, mut with_event] = [alone, with_event].map(|folder| {
        drop(database(folder));
        bare(&folder.path().join("record.db"))
    });
    let ([mut ours, mut theirs, mut theirs_with_event], mut number) = ([Duration::ZERO; 3], 0);
    let start = Instant::now();
    while start.elapsed() < 4 * MEASURED {
        let orders: Vec<Order> = (number..number + TURN).map(order).collect();
        number += TURN;
        ours += time(|| {
            for order in &orders {
                db.transaction(|tx| tx.insert_trade(order).map(drop)).expect("is recorded");
            }
        });
        theirs += time(|| orders.iter().for_each(|order| insert_durably(&mut alone, order, false)));
        theirs_with_event += time(|| orders.iter().for_each(|order| insert_durably(&mut with_event, order, true)));
    }
    tell("1 caller, durable", number, ours, "a bare loop", theirs);
    tell("1 caller, durable", number, ours, "a bare loop that writes as many rows", theirs_with_event);
}

/// How many callers the commits had, and how long they took; and a disk that is slower than this one, in the time before they
/// are confirmed.
#[derive(Debug, Default)]
struct Commits {
    count: AtomicU64,
    callers: AtomicU64,
    micros: AtomicU64,
    delay: Duration,
}

impl Observer for Commits {
    fn committed(&self, callers: u32, took: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.callers.fetch_add(callers.into(), Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        pause(self.delay);
    }
}

impl Commits {
    fn mean(&self, sum: &AtomicU64) -> f64 {
        count(sum.load(Ordering::Relaxed)) / count(self.count.load(Ordering::Relaxed))
    }
}

fn pause(delay: Duration) {
    if !delay.is_zero() {
        thread::sleep(delay);
    }
}

/// As a disk would be whose syncs take so much longer.
fn slow_down(connection: &Connection, delay: Duration) -> Result<(), rusqlite::Error> {
    let hook = move || {
        pause(delay);
        false
    };
    connection.commit_hook(Some(hook))
}

/// An order as callers record it who come together: of one day, and with an id that begins with it.
fn order_of_the_day(number: u64) -> Order {
    let order = order(number);
    let id = format!("{}-{}-{}-{number}", order.trade_date, order.agent, order.ticker);
    Order { client_order_id: ClientOrderId::new(id).expect("an id"), ..order }
}

/// Callers that record one trade after another each, against as many that have a connection of a pool each. And against a thread
/// alone that commits as many trades at once, in a loop: nobody hands anything on to anybody there, so it is the most that shared
/// commits could bring.
fn callers(threads: u64, delay: Duration, ids: &str, orders: fn(u64) -> Order) {
    const TURNS: u64 = 4;
    let folders = [(); 3].map(|()| TempDir::new().expect("a folder"));
    let [record, pooled, looped] = &folders;
    let commits = Arc::new(Commits { delay, ..Commits::default() });
    let db = observed(record, Some(Arc::clone(&commits) as _));
    [pooled, looped].into_iter().for_each(|folder| drop(database(folder)));
    #[expect(clippy::disallowed_methods, reason = "the pool that one would use without the crate")]
    let manager = SqliteConnectionManager::file(pooled.path().join("record.db")).with_init(move |connection| {
        prepare(connection)?;
        slow_down(connection, delay)
    });
    let size = u32::try_from(threads).expect("a small number");
    let pool = r2d2::Pool::builder().max_size(size).build(manager).expect("opens");
    let alone = bare(&looped.path().join("record.db"));
    slow_down(&alone, delay).expect("is set up");
    let (mut ours, mut theirs, mut shared) = (0, 0, 0);
    // They take turns, so that what else the disk does meets all.
    for turn in 0..TURNS {
        let first = turn * 100_000;
        ours += recorded(threads, orders, first, |order| {
            db.transaction(|tx| tx.insert_trade(order).map(drop)).expect("is recorded");
        });
        theirs += recorded(threads, orders, first, |order| {
            insert_durably(&mut pool.get().expect("is lent"), order, false);
        });
        let start = Instant::now();
        for first in (first * threads..).step_by(usize::try_from(threads).expect("a small number")) {
            if start.elapsed() > TURN {
                break;
            }
            let group: Vec<Order> = (first..first + threads).map(orders).collect();
            fill(&alone, &group);
            shared += threads;
        }
    }
    let rate = |trades| count(trades) / (TURN.as_secs_f64() * count(TURNS));
    let (ours, theirs, shared) = (rate(ours), rate(theirs), rate(shared));
    let (each, took) = (commits.mean(&commits.callers), commits.mean(&commits.micros));
    println!("{threads} callers, durable, {ids}, syncs {delay:?} longer than they are:");
    println!(
        "  {ours:.0}/s, an r2d2 pool {theirs:.0}/s: {:.2} times; {each:.1} a commit of {took:.0} us",
        ours / theirs
    );
    println!("  a thread alone that commits {threads} at once {shared:.0}/s: {:.2} times", shared / theirs);
}

fn insert_durably(connection: &mut Connection, order: &Order, with_event: bool) {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("begins");
    insert(&tx, order);
    if with_event {
        let sql = "INSERT INTO trade_events (trade_id, order_status, executed_price, execution_date, recorded_at, hash)
                       VALUES (last_insert_rowid(), 'filled', 123450000, ?1, ?2, zeroblob(32))";
        let executed = order.executed_at.map(|time| time.timestamp_micros());
        tx.prepare_cached(sql).and_then(|mut event| event.execute((executed, executed))).expect("is inserted");
    }
    tx.commit().expect("commits");
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn tell(what: &str, rows: u64, ours: Duration, peer: &str, theirs: Duration) {
    let rate = |took: Duration| count(rows) / took.as_secs_f64();
    println!("{what}: {:.0}/s, {peer} {:.0}/s: {:.2} times", rate(ours), rate(theirs), rate(ours) / rate(theirs));
}

/// A million trades in one call: against a loop on the same tables without the chain, and against loops at SQLite's defaults that
/// commit now and then, or once. In the order of their times, and in none, as several sources one after another give them.
fn bulk(what: &str, moment: impl Fn(u64) -> u64) {
    let orders: Vec<Order> = (0..BULK).map(|number| order(moment(number))).collect();
    let folder = TempDir::new().expect("a folder");
    let db = database(&folder);
    let ours = time(|| drop(db.transaction(|tx| tx.insert_trades(&orders)).expect("is recorded")));
    let tell = |peer: &str, theirs| tell(&format!("a million {what}"), BULK, ours, peer, theirs);
    let folder = TempDir::new().expect("a folder");
    drop(database(&folder));
    let unchained = bare(&folder.path().join("record.db"));
    tell("a loop on the same tables, without the chain", time(|| fill(&unchained, &orders)));
    for size in [1_000, 10_000, orders.len()] {
        let folder = TempDir::new().expect("a folder");
        let defaults = at_defaults(&folder.path().join("defaults.db"));
        let theirs = time(|| orders.chunks(size).for_each(|orders| fill(&defaults, orders)));
        tell(&format!("a loop at SQLite's defaults, {size} a commit,"), theirs);
    }
}

fn fill(connection: &Connection, orders: &[Order]) {
    connection.execute_batch("BEGIN IMMEDIATE").expect("begins");
    orders.iter().for_each(|order| insert(connection, order));
    connection.execute_batch("COMMIT").expect("commits");
}

#[expect(clippy::disallowed_methods, reason = "the loop that one would write without the crate")]
fn at_defaults(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opens");
    let schema =
        "CREATE TABLE trades (id INTEGER PRIMARY KEY, client_order_id TEXT, agent_id TEXT, ticker TEXT, side TEXT,
             order_type TEXT, quantity INTEGER, executed_price INTEGER, order_status TEXT, source_politician TEXT,
             trade_date TEXT, execution_date INTEGER, created_at INTEGER, last_updated INTEGER, event INTEGER);
         CREATE INDEX a ON trades (agent_id); CREATE INDEX b ON trades (trade_date);
         CREATE INDEX c ON trades (ticker); CREATE INDEX d ON trades (execution_date);";
    connection.execute_batch(schema).expect("is created");
    connection
}

/// The 99th percentile of each query, at ten thousand and at a million trades. The two take turns.
fn queries() {
    let filled = |trades: u64| {
        let folder = TempDir::new().expect("a folder");
        let db = database(&folder);
        for first in (0..trades).step_by(10_000) {
            let orders: Vec<Order> = (first..first + 10_000).map(order).collect();
            db.transaction(|tx| tx.insert_trades(&orders)).expect("is recorded");
        }
        (db, folder)
    };
    let ((small, _small), (large, _large)) = (filled(10_000), filled(BULK));
    let sample = order(1_234);
    let newest = |db: &Database| db.read(|r| r.trades(&TradeFilter::All, None, 1)).expect("is read").trades;
    let recorded = newest(&small).first().map(|trade| trade.created_at).expect("a trade");
    let filters = [
        ("all", TradeFilter::All),
        ("agent", TradeFilter::Agent(sample.agent.clone())),
        ("ticker", TradeFilter::Ticker(sample.ticker.clone())),
        ("day", TradeFilter::Day(sample.trade_date)),
        ("filled", TradeFilter::Status(OrderStatus::Filled)),
        ("rejected", TradeFilter::Status(OrderStatus::Rejected)),
        ("time", TradeFilter::Recorded(DateTime::UNIX_EPOCH..recorded + Days::new(1))),
    ];
    for (name, filter) in filters {
        compare(&format!("page by {name}"), [&small, &large], |r| r.trades(&filter, None, 20).map(drop));
    }
    let id = &sample.client_order_id;
    let trade = |db: &Database| db.read(|r| r.trade_by_client_order_id(id)).expect("is read").expect("a trade").id;
    let number = trade(&large);
    compare("open orders", [&small, &large], |r| r.open_orders().map(drop));
    compare("by client order id", [&small, &large], |r| r.trade_by_client_order_id(id).map(drop));
    compare("by number", [&small, &large], |r| r.trade(number).map(drop));
    compare("history", [&small, &large], |r| r.history(number).map(drop));
    compare("positions", [&small, &large], |r| r.positions(&sample.agent).map(drop));
    compare("performance", [&small, &large], |r| r.performance(&sample.agent, 30).map(drop));
    compare("summaries", [&small, &large], |r| r.summaries().map(drop));
    compare("counts", [&small, &large], |r| r.counts().map(drop));
}

fn compare(name: &str, databases: [&Database; 2], query: impl Fn(&Reader<'_>) -> Result<(), Error>) {
    let mut times = [const { Vec::new() }; 2];
    for round in 0..5_200 {
        for (db, times) in databases.iter().zip(&mut times) {
            let took = time(|| db.read(&query).expect("is read"));
            // The first ones fill the caches.
            if round >= 200 {
                times.push(took);
            }
        }
    }
    let [small, large] = times.map(|mut times| {
        times.sort();
        times.get(times.len() * 99 / 100).copied().unwrap_or_default()
    });
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("p99 of {name}: {small:.1?} at 10,000 trades, {large:.1?} at a million: {ratio:.2} times");
}

fn main() {
    #[expect(clippy::disallowed_methods, reason = "a bench is told what to measure")]
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|name| name == part);
    if wanted("caller") {
        one_caller();
    }
    if wanted("callers") {
        for (threads, delay) in [(16, 0), (64, 0), (16, 200), (64, 200), (16, 1_000), (64, 1_000)] {
            let delay = Duration::from_micros(delay);
            callers(threads, delay, "ids that begin with the day", order_of_the_day);
            callers(threads, delay, "ids in no order", order);
        }
    }
    if wanted("bulk") {
        bulk("by time", |number| number);
        // It has no divisor in common with a million, so each moment comes once.
        bulk("in no order", |number| number * 618_033 % BULK);
    }
    if wanted("queries") {
        queries();
    }
}

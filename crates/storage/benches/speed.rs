//! How fast the record is, as ratios to what one would write without it, in one run: `cargo bench -p trading-storage`.
//!
//! The figures of a disk differ from machine to machine and from minute to minute; the ratios are what counts.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use trading_storage::{
    Agent, AgentId, ClientOrderId, Database, Options, Order, OrderStatus, Side, Ticker, TradeFilter,
    chrono::{Days, NaiveDate},
};

const TICKERS: u64 = 500;
const BULK: u64 = 1_000_000;
const MEASURED: Duration = Duration::from_secs(3);

fn order(number: u64) -> Order {
    let id =
        ClientOrderId::new(format!("{:016x}-{number}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).expect("an id");
    let agent = AgentId::new(format!("agent_{}", number % 5)).expect("an id");
    let ticker = Ticker::new(format!("T{}", number * 7919 % TICKERS)).expect("a ticker");
    let first = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a day");
    let day = first.checked_add_days(Days::new(number % BULK / 1_000)).expect("a day");
    Order {
        price: Some("123.45".parse().expect("a price")),
        status: OrderStatus::Filled,
        politician: Some("Nancy Pelosi".to_owned()),
        ..Order::market(id, agent, Side::Buy, "1.5".parse().expect("a number"), ticker, day)
    }
}

fn database(folder: &TempDir) -> Database {
    let options = Options { busy_timeout: Duration::from_secs(60), ..Options::at(folder.path().join("record.db")) };
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

const INSERT: &str = "INSERT INTO trades (client_order_id, agent_id, ticker, side, order_type, quantity, price, order_status,
    source_politician, trade_date, created_at, last_updated) VALUES (?1, ?2, ?3, 'buy', 'market', ?4, ?5, 'filled', ?6, ?7, ?8, ?8)";

fn insert(connection: &Connection, order: &Order) {
    let mut statement = connection.prepare_cached(INSERT).expect("is prepared");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_micros();
    let now = i64::try_from(now).expect("before the year 294247");
    let day = order.trade_date.to_string();
    let (id, agent, ticker) = (order.client_order_id.as_str(), order.agent.as_str(), order.ticker.as_str());
    statement
        .execute(params![id, agent, ticker, 1_500_000_000_i64, 123_450_000_i64, order.politician, day, now])
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

/// Trades a second, with `threads` callers that record one durable trade after another.
fn rate(threads: u64, record: impl Fn(&Order) + Sync) -> f64 {
    let (done, start) = (AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for thread in 0..threads {
            let (done, record) = (&done, &record);
            scope.spawn(move || {
                for number in 0.. {
                    if start.elapsed() > MEASURED {
                        break;
                    }
                    record(&order(thread * 100_000_000 + number));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count(done.load(Ordering::Relaxed)) / start.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

fn callers(threads: u64) {
    let folder = TempDir::new().expect("a folder");
    let db = database(&folder);
    let ours = rate(threads, |order| db.transaction(|tx| tx.insert_trade(order).map(|_id| ())).expect("is recorded"));
    drop(db);
    let folder = TempDir::new().expect("a folder");
    drop(database(&folder));
    let path = folder.path().join("record.db");
    let (name, theirs) = if threads == 1 {
        let connection = std::sync::Mutex::new(bare(&path));
        let loop_ = rate(1, |order| {
            let mut connection = connection.lock().expect("one thread");
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("begins");
            insert(&tx, order);
            tx.commit().expect("commits");
        });
        ("a bare loop", loop_)
    } else {
        #[expect(clippy::disallowed_methods, reason = "the pool that one would use without the crate")]
        let manager = SqliteConnectionManager::file(&path).with_init(prepare);
        let size = u32::try_from(threads).expect("a small number");
        let pool = r2d2::Pool::builder().max_size(size).build(manager).expect("opens");
        let pooled = rate(threads, |order| {
            let mut connection = pool.get().expect("is lent");
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("begins");
            insert(&tx, order);
            tx.commit().expect("commits");
        });
        ("an r2d2 pool", pooled)
    };
    println!("{threads:>2} callers, durable: {ours:>8.0}/s, {name} {theirs:>7.0}/s: {:.2} times", ours / theirs);
}

/// A million trades in transactions of a thousand: here, without the chain, and in a bare loop at SQLite's defaults.
fn bulk() -> TempDir {
    const CHUNK: u64 = 1_000;
    let orders: Vec<Order> = (0..BULK).map(order).collect();
    let folder = TempDir::new().expect("a folder");
    let db = database(&folder);
    let start = Instant::now();
    for chunk in orders.chunks(usize::try_from(CHUNK).expect("small")) {
        db.transaction(|tx| tx.insert_trades(chunk)).expect("is recorded");
    }
    let ours = start.elapsed();
    drop(db);

    let chainless = TempDir::new().expect("a folder");
    drop(database(&chainless));
    let start = Instant::now();
    fill(&bare(&chainless.path().join("record.db")), &orders);
    let without = start.elapsed();

    let defaults = TempDir::new().expect("a folder");
    let start = Instant::now();
    fill(&at_defaults(&defaults.path().join("defaults.db")), &orders);
    let theirs = start.elapsed();
    let rate = |took: Duration| count(BULK) / took.as_secs_f64();
    println!(
        "a million in bulk:   {:>8.0}/s, a bare loop at SQLite's defaults {:.0}/s: {:.2} times",
        rate(ours),
        rate(theirs),
        rate(ours) / rate(theirs)
    );
    println!(
        "the chain:           {:>8.0}/s without it: it costs {:.0} % of the insert in bulk",
        rate(without),
        100.0 * (ours.as_secs_f64() / without.as_secs_f64() - 1.0)
    );
    folder
}

fn fill(connection: &Connection, orders: &[Order]) {
    for chunk in orders.chunks(1_000) {
        connection.execute_batch("BEGIN IMMEDIATE").expect("begins");
        chunk.iter().for_each(|order| insert(connection, order));
        connection.execute_batch("COMMIT").expect("commits");
    }
}

#[expect(clippy::disallowed_methods, reason = "the loop that one would write without the crate")]
fn at_defaults(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opens");
    let schema =
        "CREATE TABLE trades (id INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, agent_id TEXT NOT NULL,
             ticker TEXT NOT NULL, side TEXT, order_type TEXT, quantity INTEGER, price INTEGER, order_status TEXT,
             source_politician TEXT, trade_date TEXT, created_at INTEGER, last_updated INTEGER);
         CREATE INDEX a ON trades (agent_id); CREATE INDEX b ON trades (trade_date);
         CREATE INDEX c ON trades (ticker); CREATE INDEX d ON trades (created_at);";
    connection.execute_batch(schema).expect("is created");
    connection
}

/// The 99th percentile of each query, at ten thousand and at a million trades.
fn queries(million: &TempDir) {
    let small = TempDir::new().expect("a folder");
    let db = database(&small);
    let orders: Vec<Order> = (0..10_000).map(order).collect();
    db.transaction(|tx| tx.insert_trades(&orders)).expect("is recorded");
    let large = database(million);
    let sample = order(1_234);
    let filters = [
        ("all", TradeFilter::All),
        ("agent", TradeFilter::Agent(sample.agent.clone())),
        ("ticker", TradeFilter::Ticker(sample.ticker.clone())),
        ("day", TradeFilter::Day(sample.trade_date)),
        ("filled", TradeFilter::Status(OrderStatus::Filled)),
        ("rejected", TradeFilter::Status(OrderStatus::Rejected)),
    ];
    for (name, filter) in filters {
        let page = |db: &Database| p99(|| drop(db.read(|r| r.trades(&filter, None, 20)).expect("is read")));
        compare(&format!("page by {name}"), page(&db), page(&large));
    }
    let open = |db: &Database| p99(|| drop(db.read(|r| r.open_orders()).expect("is read")));
    compare("open orders", open(&db), open(&large));
    let summaries = |db: &Database| p99(|| drop(db.read(|r| r.summaries()).expect("is read")));
    compare("summaries", summaries(&db), summaries(&large));
    let counts = |db: &Database| p99(|| drop(db.read(|r| r.counts().map(drop)).map(drop)));
    compare("counts", counts(&db), counts(&large));
    let id = &sample.client_order_id;
    let by_id = |db: &Database| p99(|| drop(db.read(|r| r.trade_by_client_order_id(id)).expect("is read")));
    compare("by client order id", by_id(&db), by_id(&large));
}

fn compare(name: &str, small: Duration, large: Duration) {
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("p99 of {name:<20} {small:>10.1?} at 10,000 trades, {large:>10.1?} at a million: {ratio:.2} times");
}

fn p99(query: impl Fn()) -> Duration {
    for _ in 0..200 {
        query();
    }
    let mut times: Vec<Duration> = (0..2_000)
        .map(|_| {
            let start = Instant::now();
            query();
            start.elapsed()
        })
        .collect();
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

fn main() {
    for threads in [1, 16, 64] {
        callers(threads);
    }
    let million = bulk();
    queries(&million);
}

//! The database that is imported, as a copy of our own.
//!
//! SQLite changes even what it only reads: it makes the index of a write-ahead log, and finishes what a crash left undone.
//! So the file is copied together with its log or journal, which hold rows too, and SQLite sees the copy alone.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{Error, backup::Scratch, connection};
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

/// What a row is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Agent,
    Trade,
    Position,
    Day,
}

/// A table of the earlier system.
pub(super) struct Table {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    required: &'static [&'static str],
    /// What may be NULL, and what early versions may not have had.
    optional: &'static [&'static str],
}

const AGENTS: Table =
    Table { kind: Kind::Agent, name: "agents", required: &["id"], optional: &["name", "type", "enabled"] };

const TRADES: Table = Table {
    kind: Kind::Trade,
    name: "trades",
    required: &["id", "agent_id", "ticker", "trade_date", "order_type", "quantity", "order_status"],
    optional: &["execution_date", "price", "alpaca_order_id", "source_politician", "source_trade_date", "created_at"],
};

const POSITIONS: Table = Table {
    kind: Kind::Position,
    name: "agent_positions",
    required: &[
        "id",
        "agent_id",
        "ticker",
        "quantity",
        "avg_cost",
        "current_price",
        "market_value",
        "unrealized_pnl",
        "last_updated",
    ],
    optional: &[],
};

const PERFORMANCE: Table = Table {
    kind: Kind::Day,
    name: "daily_performance",
    required: &["id", "agent_id", "date", "total_value", "daily_return_pct", "total_return_pct"],
    optional: &["created_at"],
};

/// Which of the source's tables every version has.
const EVER: [&Table; 3] = [&TRADES, &POSITIONS, &PERFORMANCE];

pub(super) struct Source {
    connection: Connection,
    // After the connection: the copy is removed when that is closed.
    _copy: Scratch,
    path: PathBuf,
    /// The tables that are read, agents first.
    pub(super) tables: Vec<&'static Table>,
    pub(super) tables_left: Vec<String>,
    pub(super) columns_left: Vec<String>,
}

impl Source {
    /// Copies the database at `path` into `folder` and opens the copy.
    pub(super) fn open(path: &Path, folder: &Path, waits: Duration) -> Result<Self, Error> {
        match connection::probe(path) {
            // Before any file is opened here: this process may have a record of ours open, and would lose its locks.
            Ok(()) => return Err(Error::Ours { path: path.to_owned() }),
            // The tables may be in the write-ahead log alone, which the probe does not see.
            Err(Error::Earlier { .. } | Error::Foreign { .. }) => {}
            Err(error) => return Err(error),
        }
        // The log stands beside the file, and not beside a link to it.
        let real = fs::canonicalize(path).map_err(|source| reading(path, source))?;
        let (copy, file) = take_copy(&real, folder, waits, copy_file)?;
        let connection = connection::open(&file, OpenFlags::SQLITE_OPEN_READ_WRITE, waits)?;
        connection::set_up_reader(&connection).map_err(|source| damaged(path, &source))?;
        check(&connection, path)?;
        let mut source = Self {
            connection,
            _copy: copy,
            path: path.to_owned(),
            tables: Vec::new(),
            tables_left: Vec::new(),
            columns_left: Vec::new(),
        };
        source.survey()?;
        Ok(source)
    }

    /// Calls `each` with every row of a table, by id.
    pub(super) fn rows(&self, table: &Table, mut each: impl FnMut(&Row<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let there = self.columns(table)?;
        let columns = table.required.iter().chain(table.optional).map(|column| {
            let is_there = there.iter().any(|found| found.eq_ignore_ascii_case(column));
            if is_there { (*column).to_owned() } else { format!("NULL AS {column}") }
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        let failed = |source| damaged(&self.path, &source);
        let mut statement = self
            .connection
            .prepare(&format!("SELECT {columns} FROM {name} ORDER BY id", name = table.name))
            .map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            each(row)?;
        }
        Ok(())
    }

    /// How many rows the tables have that are read.
    pub(super) fn count(&self) -> Result<u64, Error> {
        let count = |table: &&Table| {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            self.connection.query_row(&sql, [], |row| row.get::<_, u64>(0)).map_err(|e| damaged(&self.path, &e))
        };
        self.tables.iter().map(count).sum()
    }

    /// Finds out which tables and columns there are, and refuses another system's.
    fn survey(&mut self) -> Result<(), Error> {
        let failed = |source| damaged(&self.path, &source);
        let mut statement = self
            .connection
            .prepare(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name",
            )
            .map_err(failed)?;
        let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
        let names: Vec<String> = names.collect::<Result<_, _>>().map_err(failed)?;
        drop(statement);
        let is_there = |table: &Table| names.iter().any(|name| name.eq_ignore_ascii_case(table.name));
        let mut missing: Vec<String> =
            EVER.into_iter().filter(|table| !is_there(table)).map(|table| table.name.to_owned()).collect();
        self.tables = [&AGENTS].into_iter().chain(EVER).filter(|table| is_there(table)).collect();
        for table in &self.tables {
            let there = self.columns(table)?;
            let is = |column: &str, other: &str| column.eq_ignore_ascii_case(other);
            missing.extend(
                table
                    .required
                    .iter()
                    .filter(|column| !there.iter().any(|found| is(found, column)))
                    .map(|column| format!("{}.{column}", table.name)),
            );
            self.columns_left.extend(
                there
                    .iter()
                    .filter(|found| !table.required.iter().chain(table.optional).any(|column| is(found, column)))
                    .map(|found| format!("{}.{found}", table.name)),
            );
        }
        if !missing.is_empty() {
            return Err(Error::NotEarlier { path: self.path.clone(), missing });
        }
        let is_read = |name: &String| self.tables.iter().any(|table| name.eq_ignore_ascii_case(table.name));
        self.tables_left = names.iter().filter(|name| !is_read(name)).cloned().collect();
        Ok(())
    }

    fn columns(&self, table: &Table) -> Result<Vec<String>, Error> {
        let statement = self.connection.prepare(&format!("SELECT * FROM {}", table.name));
        let statement = statement.map_err(|source| damaged(&self.path, &source))?;
        Ok(statement.column_names().into_iter().map(ToOwned::to_owned).collect())
    }
}

/// The endings of the files that make a database: itself, the write-ahead log, the rollback journal. The log's index is left
/// out, because SQLite makes it anew from the log.
const ENDINGS: [&str; 3] = ["", "-wal", "-journal"];

/// How long to wait before another attempt. Arbitrary: a commit takes about as long.
const PAUSE: Duration = Duration::from_millis(20);

/// Copies the files at one moment: if any of them changed meanwhile, the copy is made again. Returns the folder that holds it
/// and the copy itself.
fn take_copy(
    source: &Path,
    folder: &Path,
    waits: Duration,
    mut copy: impl FnMut(&Path, &Path) -> io::Result<()>,
) -> Result<(Scratch, PathBuf), Error> {
    let failed = |error| reading(source, error);
    let start = Instant::now();
    loop {
        let target = Scratch::new(folder)?;
        let file = target.path().join("source.db");
        let before = states(source).map_err(failed)?;
        let there = ENDINGS.into_iter().zip(&before).filter(|(_, state)| state.is_some());
        let copied = there.map(|(ending, _)| copy(&with_ending(source, ending), &with_ending(&file, ending)));
        let copied: io::Result<()> = copied.collect();
        if states(source).map_err(failed)? == before {
            return copied.map(|()| (target, file)).map_err(failed);
        }
        if start.elapsed() >= waits {
            return Err(Error::Changing { path: source.to_owned(), waited: start.elapsed() });
        }
        thread::sleep(PAUSE);
    }
}

/// What every write to a file changes.
type State = (u64, u64, u64, i64, i64);

fn states(source: &Path) -> io::Result<[Option<State>; 3]> {
    let mut states = [None; 3];
    for (state, ending) in states.iter_mut().zip(ENDINGS) {
        *state = match fs::metadata(with_ending(source, ending)) {
            Ok(file) => Some((file.dev(), file.ino(), file.size(), file.ctime(), file.ctime_nsec())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !ending.is_empty() => None,
            Err(error) => return Err(error),
        };
    }
    Ok(states)
}

/// Not by `fs::copy`, which makes a copy of a read-only file read-only too.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut File::open(from)?, &mut to).map(drop)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// That the pages hang together. What SQLite would refuse to insert today is not damage: such rows are read one by one.
fn check(connection: &Connection, path: &Path) -> Result<(), Error> {
    let failed = |source| damaged(path, &source);
    let mut statement = connection.prepare("PRAGMA quick_check").map_err(failed)?;
    let mut lines = statement.query([]).map_err(failed)?;
    while let Some(line) = lines.next().map_err(failed)? {
        let what: String = line.get(0).map_err(failed)?;
        let is_of_a_rule = what.contains(" value in ") || what.starts_with("CHECK constraint failed in ");
        if what != "ok" && !is_of_a_rule {
            return Err(Error::Damaged { path: path.to_owned(), what });
        }
    }
    Ok(())
}

fn reading(path: &Path, source: io::Error) -> Error {
    Error::ImportCopy { path: path.to_owned(), source }
}

fn damaged(path: &Path, source: &rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotADatabase { path },
        _ => Error::Damaged { path, what: source.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    /// Copies, and changes what was copied right after, the first `times` times.
    fn disturbed(times: u32, waits: Duration) -> (u32, Result<(Scratch, PathBuf), Error>) {
        let folder = TempDir::new().expect("a folder");
        let source = folder.path().join("earlier.db");
        fs::write(&source, "0").expect("written");
        fs::write(folder.path().join("earlier.db-wal"), "log").expect("written");
        let mut attempts = 0;
        let copied = take_copy(&source, folder.path(), waits, |from, to| {
            copy_file(from, to)?;
            if from == source {
                attempts += 1;
                if attempts <= times {
                    fs::write(&source, "1".repeat(attempts as usize + 1))?;
                }
            }
            Ok(())
        });
        if let Ok((_, file)) = &copied {
            let read = |path: &Path| fs::read_to_string(path).expect("is read");
            assert_eq!(read(file), read(&source), "the copy is of the last moment");
            assert_eq!(read(&with_ending(file, "-wal")), "log", "with its log");
            assert!(!with_ending(file, "-journal").exists());
        }
        (attempts, copied)
    }

    #[test]
    fn a_copy_is_of_one_moment() {
        assert!(matches!(disturbed(0, Duration::ZERO), (1, Ok(_))));
        assert!(matches!(disturbed(2, Duration::MAX), (3, Ok(_))));
    }

    #[test]
    fn a_database_that_is_written_all_the_time_is_given_up() {
        let (attempts, given_up) = disturbed(u32::MAX, Duration::ZERO);
        assert!(matches!(given_up, Err(Error::Changing { .. })), "{given_up:?}");
        assert_eq!(attempts, 1);
    }

    #[test]
    fn a_copy_is_the_owners_alone() {
        let (_, copied) = disturbed(0, Duration::ZERO);
        drop(copied);
        let folder = TempDir::new().expect("a folder");
        let source = folder.path().join("earlier.db");
        fs::write(&source, "0").expect("written");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o444)).expect("are set");
        let (target, file) = take_copy(&source, folder.path(), Duration::ZERO, copy_file).expect("is copied");
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        assert_eq!((mode(target.path()), mode(&file)), (0o700, 0o600));
        let at = target.path().to_owned();
        drop(target);
        assert!(!at.exists(), "it goes with the import");
    }
}

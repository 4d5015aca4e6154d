//! B4: two processes migrate the same database at once.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use trading_storage::{Database, Options, sqlite};

use super::{
    killing::points,
    say, scratch, seeded, skip, some_of,
    steps::{prepared, steps_done},
    subject::{Running, can_trace, executable, run, subject, traced, works},
};

const ROUNDS: u32 = 20;

/// At how many of its syncs the first one is stopped.
const STOPS: usize = 8;

/// How often each step of the subject stands in the history.
fn history(path: &Path) -> Vec<u32> {
    let db = Database::open(&Options::at(path)).expect("opens");
    let sql = "SELECT count(*) FROM schema_migrations WHERE component = 'subject' GROUP BY version";
    db.read(|r| {
        let mut statement = sqlite::connection(r).prepare(sql).map_err(trading_storage::Error::aborted)?;
        let counts = statement.query_map([], |row| row.get(0)).map_err(trading_storage::Error::aborted)?;
        counts.collect::<Result<_, _>>().map_err(trading_storage::Error::aborted)
    })
    .expect("is read")
}

#[test]
fn b4_two_processes_migrate_at_once() {
    if let Err(reason) = executable() {
        return skip("B4", reason);
    }
    let (mut refused, mut acknowledgements) = (0, 0);
    for round in 0..ROUNDS {
        let folder = scratch();
        let path = folder.path().join("record.db");
        let expected = prepared(folder.path());
        let two = [(); 2].map(|()| Running::start(&mut subject(folder.path(), &["migrate"])));
        let pids = [two[0].pid(), two[1].pid()];
        let heard = two.map(Running::end);
        for (heard, other) in heard.iter().zip(pids.iter().rev()) {
            let in_use = |who: &str| {
                format!(
                    "error the database {} is in use by process {who}; end the other process that uses it",
                    path.display()
                )
            };
            let is_named = *heard == [in_use(&other.to_string())];
            refused += u32::from(is_named);
            // One that is just ending has taken its number out.
            let is_well = is_named || *heard == [in_use("?")] || *heard == ["opened", "closed"];
            assert!(is_well, "round {round}: {heard:?}");
        }
        assert!(heard.iter().any(|heard| heard.len() == 2), "round {round}: one of them did it: {heard:?}");
        assert_eq!((steps_done(&path), history(&path)), (Ok(3), vec![1; 3]), "round {round}");
        acknowledgements += expected.judge(&path).unwrap_or_else(|wrong| panic!("{wrong}")).acknowledgements;
    }
    say(
        "B4",
        format_args!(
            "{ROUNDS} times two processes migrated at once: each step once, {refused} refused with the other's pid, \
             {acknowledgements} acknowledgements found"
        ),
    );
    assert!(refused > 0 && acknowledgements > 0, "they met");
}

/// Stops a migration before its `n`-th sync.
fn stopped_at(n: usize, data: &Path, log: &Path) -> Child {
    let inject = format!("inject=fsync:signal=STOP:when={n}");
    let log_argument = format!("-o{}", log.display());
    let strace = [&log_argument, "-e", "trace=fsync", "-e", &inject];
    let child = traced(data, &["migrate"], &strace).stdout(Stdio::null()).spawn().expect("starts");
    while !fs::read_to_string(log).is_ok_and(|log| log.contains("stopped by SIGSTOP")) {
        std::thread::yield_now();
    }
    child
}

/// Has a second process come while the first one is stopped, lets that go on, and looks at what became of it.
fn come_in_the_middle(n: usize, locked: bool) -> Result<Vec<String>, String> {
    let folder = scratch();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let (path, expected) = (data.join("record.db"), prepared(&data));
    let mut first = stopped_at(n, &data, &folder.path().join("log"));
    let pid = fs::read_to_string(data.join("record.db.lock")).expect("is there").trim().to_owned();
    if !locked {
        fs::remove_file(data.join("record.db.lock")).expect("is removed");
    }
    let second = run(&mut subject(&data, &["migrate"]));
    assert!(works("kill", &["-CONT", &pid]), "goes on");
    let ended = first.wait().expect("ends");
    if (steps_done(&path), history(&path)) != (Ok(3), vec![1; 3]) || !ended.success() {
        return Err(format!("{ended}, {:?}, {:?}: {second:?}", steps_done(&path), history(&path)));
    }
    expected.judge(&path)?;
    Ok(second.into_iter().map(|line| line.replace(&format!("process {pid};"), "process PID;")).collect())
}

#[test]
fn b4_a_second_process_comes_in_the_middle_of_a_migration() {
    if let Err(reason) = can_trace() {
        return skip("B4", reason);
    }
    let (seed, mut chance) = seeded();
    let folder = scratch();
    let points = points(folder.path(), &["migrate"], |data| drop(prepared(data)));
    let syncs: Vec<_> = points.into_iter().filter(|(call, _)| call == "fsync").map(|(_, n)| n).collect();
    let stops = some_of(syncs, STOPS, &mut chance);
    for n in &stops {
        let second = come_in_the_middle(*n, true).unwrap_or_else(|wrong| panic!("seed {seed}, sync {n}: {wrong}"));
        let [line] = second.as_slice() else { panic!("seed {seed}, sync {n}: {second:?}") };
        let expected = " is in use by process PID; end the other process that uses it";
        assert!(line.ends_with(expected), "seed {seed}, sync {n}: {line}");
    }
    // The control: without the lock file the second one comes in, and each step is decided under SQLite's own lock. The first
    // one is stopped in its backup, and so has not taken that.
    let without_lock = come_in_the_middle(1, false).unwrap_or_else(|wrong| panic!("without the lock: {wrong}"));
    assert_eq!(without_lock, ["opened", "closed"]);
    say(
        "B4",
        format_args!(
            "seed {seed}: a migration was stopped {} times, a second one refused with its pid, each step done once; control \
             (the lock file taken away): the second one came in, and each step was done once",
            stops.len()
        ),
    );
    assert!(!stops.is_empty(), "the faults fired");
}

//! S6: the record may not be written. The error names the path and the way out.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader},
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use trading_storage::{Database, Error, Options, ReadOnlyDatabase};

use super::{
    judge::Expected,
    say, scenario, scratch, skip,
    space::Mount,
    subject::{Running, can_trace, executable, run, subject, works},
};

/// Nobody in particular.
const USER: u32 = 65_534;

/// Why the subject cannot run as another user here, if so.
fn can_change_user() -> Result<(), &'static str> {
    let executable = executable()?.to_str().expect("Unicode").to_owned();
    let user = [format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".to_owned()];
    if works("setpriv", &[&user[0], &user[1], &user[2], "test", "-x", &executable]) {
        Ok(())
    } else {
        Err("processes of another user cannot be started here (root, setpriv, and a target folder that all may read)")
    }
}

/// What the subject says when that user starts it.
fn as_user(folder: &Path) -> Vec<String> {
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".to_owned()]);
    command.arg(executable().expect("was asked before")).arg(folder).arg("open");
    run(&mut command)
}

fn give(path: &Path, user: u32, mode: u32) {
    chown(path, Some(user), Some(user)).expect("root may");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("root may");
}

/// A closed record that is that user's own.
fn record() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    drop(Database::create(&Options::at(folder.path().join("record.db"))).expect("creates"));
    for file in ["record.db", "record.db.head", "record.db.lock"] {
        give(&folder.path().join(file), USER, 0o600);
    }
    give(folder.path(), USER, 0o700);
    folder
}

#[track_caller]
fn check(name: &str, prepare: impl FnOnce(&Path), expected: &str) {
    let folder = record();
    prepare(folder.path());
    let heard = as_user(folder.path()).join(", ");
    let heard = heard.replace(&folder.path().display().to_string(), "…");
    assert_eq!(heard, expected, "{name}");
    say("S6", format_args!("{name}: {heard}"));
}

#[test]
fn s6_another_users_files_and_folders() {
    if let Err(reason) = can_change_user() {
        return skip("S6", reason);
    }
    check("control: its own", |_| {}, "opened, closed");
    check(
        "a file that it may only read",
        |folder| give(&folder.join("record.db"), 0, 0o644),
        "error this user may not write the database …/record.db; let this user write to the file and its folder, or name \
         another path",
    );
    check(
        "a file that it may not read",
        |folder| give(&folder.join("record.db"), 0, 0o600),
        "error cannot open the database …/record.db; let this user write to the file and its folder, or name another path",
    );
    check(
        "a folder that it may only read",
        |folder| {
            fs::remove_file(folder.join("record.db.lock")).expect("is removed");
            give(folder, 0, 0o755);
        },
        "error cannot lock …/record.db.lock; let this user write to the folder of the database",
    );
    check(
        "a folder that it may only read, with all files",
        |folder| give(folder, 0, 0o755),
        "error cannot open the database …/record.db; let this user write to the file and its folder, or name another path",
    );
    check(
        "a lock file of another user",
        |folder| give(&folder.join("record.db.lock"), 0, 0o600),
        "error cannot lock …/record.db.lock; let this user write to the folder of the database",
    );
    check(
        "a folder that it may only read, and no record",
        |folder| {
            fs::remove_file(folder.join("record.db")).expect("is removed");
            fs::remove_file(folder.join("record.db.head")).expect("is removed");
            give(folder, 0, 0o755);
        },
        "error cannot create the database …/record.db; let this user write to the folder, or name another path",
    );
}

#[test]
fn s6_a_file_system_that_is_read_only() {
    let mount = match Mount::new(2_048) {
        Ok(mount) => mount,
        Err(reason) => return skip("S6", reason),
    };
    let options = Options::at(mount.path().join("record.db"));
    drop(Database::create(&options).expect("the control: it can be written"));
    mount.make_read_only();
    let error = Database::open(&options).expect_err("is refused");
    assert!(error.to_string().contains(&mount.path().display().to_string()), "{error}");
    let way_out = error.way_out().expect("there is one");
    say("S6", format_args!("read-only file system: {error}; {way_out}"));
}

/// The kernel makes a file system read-only whose disk fails. The process has its files open, and cannot write to them.
#[test]
fn s6_a_file_system_becomes_read_only_under_the_process() {
    let mount = match Mount::on_a_disk(16) {
        Ok(mount) => mount,
        Err(reason) => return skip("S6", reason),
    };
    let path = mount.path().join("record.db");
    let db = Database::create(&Options::at(&path)).expect("creates");
    db.transaction(|tx| tx.register_agent(&scenario::agent()?)).expect("is registered");
    let mut expected = Expected::new(1);
    for number in 0..5 {
        db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).expect("the control: it can be written");
        expected.hear([format!("ack {number} new").as_str()]);
    }
    mount.become_read_only();
    let mut refused = Vec::new();
    let mut refuse = |number| {
        let error = db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).expect_err("cannot be written");
        refused.push(error);
        let trades = db.read(|r| r.counts()).unwrap_or_else(|error| panic!("reads go on: {error}")).trades;
        assert_eq!(trades, 5, "nothing of it is there");
    };
    (5..8).for_each(&mut refuse);
    let place = path.display().to_string();
    let told = |error: Error| {
        let text = error.to_string().replace(&place, "…");
        format!("{text}; {}", error.way_out().expect("there is a way out"))
    };
    let reopened = told(db.reopen().expect_err("cannot be opened for writing"));
    let may_write = "let this user write to the file and its folder, or name another path";
    assert_eq!(reopened, format!("this user may not write the database …; {may_write}"));
    let anchored = told(db.anchor().expect_err("cannot be written either"));
    assert_eq!(
        anchored,
        "cannot keep the head of the chain in ….head; let this user write to the folder of the database"
    );
    (8..10).for_each(&mut refuse);
    let [doubt, stopped @ ..] = refused.as_slice() else { panic!("none") };
    assert!(matches!(doubt, Error::CommitUnknown { .. }), "{doubt:?}");
    assert!(stopped.iter().all(|error| matches!(error, Error::Stopped { .. })), "{stopped:?}");
    db.verify(|_, _| {}).expect("what is there is whole");
    drop(db);
    let beside = ReadOnlyDatabase::open(&Options::at(&path)).and_then(|db| db.read(|r| r.counts()));
    assert_eq!(beside.expect("is read").trades, 5);

    mount.mount_again();
    let found = expected.judge(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(found.acknowledgements, 5);
    say(
        "S6",
        format_args!(
            "a file system became read-only under the process: {} writes refused, opening anew: {reopened}; reads went on; {} \
             acknowledgements found when it was mounted again",
            refused.len(),
            found.acknowledgements
        ),
    );
}

/// The same, lifted again while the process runs: nothing but what changes files is refused, and to this process only.
#[test]
fn s6_a_process_that_could_not_write_goes_on_when_it_can() {
    const CALLS: &str = "pwrite64,fsync,fdatasync,ftruncate,rename,renameat2,unlink";
    if let Err(reason) = can_trace() {
        return skip("S6", reason);
    }
    let folder = scratch();
    let mut process = Running::start(&mut subject(folder.path(), &["open"]));
    process.hear_until("opened");
    process.tell("1");
    process.hear_until("present 1");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o/dev/null", "-e", &format!("inject={CALLS}:error=EROFS"), "-p", &process.pid().to_string()]);
    let mut strace = strace.stderr(Stdio::piped()).spawn().expect("was asked before");
    let mut told = BufReader::new(strace.stderr.take().expect("piped")).lines();
    if !told.any(|line| line.is_ok_and(|line| line.contains(" attached"))) {
        strace.wait().expect("ends");
        return skip("S6", "a running process may not be traced here");
    }
    let before = process.heard.len();
    process.tell("100");
    process.hear_until("absent 100");
    process.tell("reopen");
    process.hear_until("error");
    let refused = process.heard.split_at(before).1.to_vec();
    assert!(refused.iter().all(|line| !line.starts_with("ack")), "{refused:?}");

    strace.kill().and_then(|()| strace.wait()).expect("ends, and lets it go");
    process.tell("reopen");
    process.hear_until("reopened");
    process.tell("101");
    process.hear_until("ack 101 new");
    let mut expected = Expected::new(1);
    expected.hear(process.end().iter().map(String::as_str));
    let found = expected.judge(&folder.path().join("record.db")).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(found.acknowledgements, 2);
    say(
        "S6",
        format_args!("read-only for a while: {}; then opened anew, both acknowledgements found", refused.join("; ")),
    );
}

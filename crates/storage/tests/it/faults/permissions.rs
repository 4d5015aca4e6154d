//! S6: the record may not be written. The error names the path and the way out.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::Command,
};

use tempfile::TempDir;
use trading_storage::{Database, Options};

use super::{
    say, skip,
    space::Mount,
    subject::{executable, run, works},
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

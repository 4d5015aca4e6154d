//! S5: there is no room left, and then there is again.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::Command,
};

use tempfile::TempDir;
use trading_storage::{Database, Error, Options};

use super::{
    judge::Expected,
    say, scenario, scratch, skip,
    subject::{Running, executable, works},
};

/// A small file system of its own.
pub(super) struct Mount {
    folder: TempDir,
    /// The disk that it is on, unless that is memory.
    disk: Option<(TempDir, String)>,
}

impl Mount {
    pub(super) fn new(kilobytes: u32) -> Result<Self, &'static str> {
        let folder = TempDir::new().expect("a folder");
        let size = format!("size={kilobytes}k");
        let path = folder.path().to_str().expect("Unicode").to_owned();
        if works("mount", &["-t", "tmpfs", "-o", &size, "none", &path]) {
            Ok(Self { folder, disk: None })
        } else {
            Err("file systems cannot be mounted here")
        }
    }

    /// On a disk of its own, which is a file.
    pub(super) fn on_a_disk(megabytes: u64) -> Result<Self, &'static str> {
        let (folder, place) = (TempDir::new().expect("a folder"), scratch());
        let disk = place.path().join("disk");
        File::create(&disk).and_then(|file| file.set_len(megabytes * 1024 * 1024)).expect("is made");
        let disk = disk.to_str().expect("Unicode").to_owned();
        let mount = Self { folder, disk: Some((place, disk.clone())) };
        if works("mkfs.ext4", &["-q", "-F", &disk]) && mount.attach() {
            Ok(mount)
        } else {
            Err("disks cannot be made of files and mounted here (mkfs.ext4, loop devices)")
        }
    }

    fn attach(&self) -> bool {
        let path = self.path().to_str().expect("Unicode");
        self.disk.as_ref().is_some_and(|(_, disk)| works("mount", &["-o", "loop", disk, path]))
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the kernel does with a disk that it does not trust any more: nothing can be written, also to files that are open.
    pub(super) fn become_read_only(&self) {
        let path = self.path().to_str().expect("Unicode");
        assert!(works("mount", &["-o", "remount,abort", path]), "is read-only");
    }

    /// As somebody does who has looked after the disk. Nobody may have a file of it open.
    pub(super) fn mount_again(&self) {
        let path = self.path().to_str().expect("Unicode");
        assert!(works_when_free("umount", &[path]), "nobody has a file of it open");
        assert!(self.attach(), "is mounted again");
    }

    pub(super) fn make_read_only(&self) {
        let path = self.path().to_str().expect("Unicode");
        assert!(works_when_free("mount", &["-o", "remount,ro", path]), "is mounted anew");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().expect("starts");
    }
}

/// A process that another test is just starting has all files of this one open, until it runs its own program.
fn works_when_free(program: &str, arguments: &[&str]) -> bool {
    (0..100).any(|_| works(program, arguments))
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut ballast = File::create(path).expect("is created");
    while ballast.write_all(&[1; 512]).is_ok() {}
}

#[test]
fn s5_the_disk_is_full_and_then_has_room_again() {
    let mount = match Mount::new(2_048) {
        Ok(mount) => mount,
        Err(reason) => return skip("S5", reason),
    };
    let (path, ballast) = (mount.path().join("record.db"), mount.path().join("ballast"));
    let db = Database::create(&Options::at(&path)).expect("creates");
    db.transaction(|tx| tx.register_agent(&scenario::agent()?)).expect("is registered");
    // The control takes a refusal for an acknowledgement.
    let (mut expected, mut control) = (Expected::new(0), Expected::new(0));
    let (mut number, mut refused, mut kinds) = (0, 0, Vec::new());
    while number < 20 {
        number += 1;
        db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)).expect("there is room");
        expected.hear([format!("ack {number} new").as_str()]);
    }
    for round in 0..5 {
        fill(&ballast);
        let mut failures = 0;
        while failures < 5 {
            number += 1;
            match db.transaction(|tx| tx.insert_trade(&scenario::order(number)?)) {
                Ok(_) => expected.hear([format!("ack {number} new").as_str()]),
                Err(error) => {
                    assert!(
                        matches!(
                            error,
                            Error::Query { .. }
                                | Error::RolledBack { .. }
                                | Error::CommitUnknown { .. }
                                | Error::Stopped { .. }
                        ),
                        "{error:?}"
                    );
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    let kind = format!("{error}: {}", cause.unwrap_or_default());
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                    failures += 1;
                    control.hear([format!("ack {number} new").as_str()]);
                }
            }
            // In doubt none is known to be there.
            let trades = db.read(|r| r.counts()).unwrap_or_else(|error| panic!("reads go on: {error}")).trades;
            assert!(trades >= expected.acknowledgements(), "round {round}");
        }
        refused += failures;
        // Emptied first: a process that another test is just starting may have it open, and hold its room.
        File::create(&ballast).expect("is emptied");
        fs::remove_file(&ballast).expect("is removed");
        number += 1;
        let back = db.transaction(|tx| tx.insert_trade(&scenario::order(number)?));
        assert!(back.is_ok(), "round {round}: it goes on by itself: {back:?}, after {kinds:?}");
        expected.hear([format!("ack {number} new").as_str()]);
    }
    drop(db);
    let found = expected.judge(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
    let Err(lost) = control.judge(&path) else { panic!("what was refused is not there") };
    say(
        "S5",
        format_args!(
            "disk full 5 times, {refused} refused ({kinds:?}), {} acknowledgements made and found, went on by itself; control \
             (acknowledged all the same): {lost}",
            found.acknowledgements
        ),
    );
    assert!(found.acknowledgements >= 25 && refused > 0, "the faults were felt");
}

#[test]
fn s5_what_cannot_be_opened_for_want_of_room_says_so_and_leaves_nothing() {
    let mount = match Mount::new(2_048) {
        Ok(mount) => mount,
        Err(reason) => return skip("S5", reason),
    };
    let (path, ballast) = (mount.path().join("record.db"), mount.path().join("ballast"));
    drop(Database::create(&Options::at(&path)).expect("creates"));
    fill(&ballast);
    for tried in [Database::open(&Options::at(&path)), Database::create(&Options::at(mount.path().join("new.db")))] {
        let error = tried.expect_err("there is no room");
        assert!(error.way_out().is_some_and(|text| text.contains("disk")), "{error}: {:?}", error.way_out());
    }
    fs::remove_file(&ballast).expect("is removed");
    assert!(!mount.path().join("new.db.lock").exists(), "nothing of it is left");
    drop(Database::open(&Options::at(&path)).expect("the control: there is room"));
    say("S5", "on a full disk neither opened nor created; control (with room): opened");
}

/// A limit of the process, set and lifted from outside while it runs.
#[test]
fn s5_the_process_meets_its_file_size_limit() {
    let executable = match executable() {
        Ok(executable) if works("prlimit", &["--version"]) && works("env", &["--ignore-signal=XFSZ", "true"]) => {
            executable
        }
        Ok(_) => return skip("S5", "prlimit or env --ignore-signal is missing"),
        Err(reason) => return skip("S5", reason),
    };
    let folder = scratch();
    let limit = |pid: u32, bytes: &str| {
        assert!(works("prlimit", &["--pid", &pid.to_string(), &format!("--fsize={bytes}:")]), "is set");
    };
    // The control does not ignore the signal, and the limit kills it, as it does by default: what becomes of that is S2.
    let elsewhere = scratch();
    let mut control = Running::start(Command::new(&executable).arg(elsewhere.path()).arg("open"));
    control.hear_until("opened");
    limit(control.pid(), "4096");
    control.tell_if_alive("100");
    let heard = control.end();
    assert!(!heard.iter().any(|line| line.starts_with("error") || line == "closed"), "it was killed: {heard:?}");

    let mut command = Command::new("env");
    command.arg("--ignore-signal=XFSZ").arg(executable).arg(folder.path()).arg("open");
    let mut process = Running::start(&mut command);
    process.hear_until("opened");
    let pid = process.pid();
    for number in 0..3 {
        process.tell(&number.to_string());
        process.hear_until("present");
    }
    limit(pid, "4096");
    process.tell("100");
    process.hear_until("error");
    assert!(process.hear().is_some_and(|line| line.ends_with(" 100")), "it reads on: {:?}", process.heard);
    limit(pid, "unlimited");
    process.tell("reopen");
    process.hear_until("reopened");
    process.tell("101");
    process.hear_until("ack 101 new");
    let mut expected = Expected::new(1);
    expected.hear(process.end().iter().map(String::as_str));
    let found = expected.judge(&folder.path().join("record.db")).unwrap_or_else(|wrong| panic!("{wrong}"));
    say(
        "S5",
        format_args!(
            "met its file size limit, read on, {} acknowledgements made and found; control (the signal is not ignored): killed",
            found.acknowledgements
        ),
    );
}

//! S5: there is no room left, and then there is again; a control says of trades that they are recorded before they are.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::{
    faults::{missing, pid, recorder, until},
    project,
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A project on a small disk of its own; more than a start asks for.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where file systems cannot be mounted.
    fn new() -> Option<Self> {
        let folder = project();
        let agents = fs::read(folder.path().join("config/agents.json")).expect("is read");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=72m", "none"]).arg(folder.path()).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let disk = Self(folder);
        fs::create_dir(disk.path().join("config")).expect("is made");
        fs::write(disk.path().join("config/agents.json"), agents).expect("is written");
        Some(disk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn fill(&self) {
        let mut ballast = File::create(self.path().join("ballast")).expect("is made");
        while ballast.write_all(&[1; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        // Emptied first: a process that another test is just starting may have it open, and hold its room.
        File::create(self.path().join("ballast")).expect("is emptied");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

/// A recorder, what it says, and where its health server is.
struct Recording {
    child: Child,
    said: Receiver<u64>,
    address: String,
}

impl Recording {
    fn start(root: &Path, mode: &str) -> Self {
        let mut child = recorder(root, mode).spawn().expect("starts");
        let stdout = BufReader::new(child.stdout.take().expect("is piped"));
        let (sender, said) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.expect("is read");
                let number = line.strip_prefix("recorded ").and_then(|number| number.parse().ok());
                sender.send(number.expect("a number")).expect("the test listens");
            }
        });
        let log = root.join("logs/trading_automation.log");
        let mut address = None;
        until(|| {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let line = text.lines().find(|line| line.contains("\"message\":\"started\""));
            let fields = line.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
            address = fields.and_then(|fields| Some(fields.get("address")?.as_str()?.to_owned()));
            address.is_some()
        });
        Self { child, said, address: address.expect("it was waited for") }
    }

    fn get(&self, path: &str) -> (u16, serde_json::Value) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("is answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a header");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// Records until there is no room, which its task says.
    fn until_it_fails(&self) -> Vec<u64> {
        until(|| self.get("/health/recorder").1.get("status").is_some_and(|status| status != "healthy"));
        self.said.try_iter().collect()
    }

    fn end(mut self, signal: Signal) -> (Option<i32>, Vec<u64>) {
        kill_process(pid(&self.child), signal).expect("it runs");
        let code = self.child.wait().expect("ends").code();
        (code, self.said.iter().collect())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn s5_a_disk_that_is_full_refuses_and_one_with_room_again_is_written() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("S5 is skipped: file systems cannot be mounted here");
        return;
    };
    let recording = Recording::start(disk.path(), "orderly");
    let mut said = vec![recording.said.recv_timeout(LONG).expect("it records")];
    disk.fill();
    said.extend(recording.until_it_fails());
    let (_, failed) = recording.get("/health/recorder");
    assert!(failed["message"].as_str().is_some_and(|why| why.contains("disk")), "{failed}");
    // What only reads goes on, and says what is wrong.
    until(|| recording.get("/ready").0 == 503);
    let ready = recording.get("/ready").1.to_string();
    let full = recording.get("/health/database_writes").1.to_string();
    assert!(ready.contains("database_writes"), "{ready}");
    assert!(full.contains("the disk is full: "), "{full}");
    assert_eq!(recording.get("/live").0, 200);
    assert_eq!(recording.get("/health/database").1["status"], "healthy");
    disk.make_room();
    // By itself; it may have been refused several times meanwhile.
    said.push(recording.said.recv_timeout(LONG).expect("it goes on"));
    until(|| recording.get("/ready").0 == 200);
    let (code, rest) = recording.end(Signal::TERM);
    said.extend(rest);
    assert_eq!((code, missing(disk.path(), &said)), (Some(0), 0));
    eprintln!("S5: the disk was full and had room again, {} trades were acknowledged and are there", said.len());
}

#[test]
fn s5_control_what_is_said_before_it_is_acknowledged_is_lost_when_the_disk_is_full() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("S5 is skipped: file systems cannot be mounted here");
        return;
    };
    let recording = Recording::start(disk.path(), "hasty");
    let mut said = vec![recording.said.recv_timeout(LONG).expect("it records")];
    disk.fill();
    said.extend(recording.until_it_fails());
    said.extend(recording.end(Signal::KILL).1);
    disk.make_room();
    let lost = missing(disk.path(), &said);
    assert!(lost > 0, "the judge finds what is not there");
    eprintln!("S5: without waiting for the record {lost} of {} trades are lost", said.len());
}

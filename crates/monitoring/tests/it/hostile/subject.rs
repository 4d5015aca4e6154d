//! Ten thousand connections, and too few descriptors: against a process of its own, whose limits and descriptors are its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::{NEVER, Reply};

struct Subject {
    process: Child,
    address: SocketAddr,
}

impl Subject {
    /// The example `serve`, which `cargo test` builds next to the tests, with so many descriptors.
    fn start(descriptors: usize) -> Option<Self> {
        let tests = std::env::current_exe().expect("it runs");
        let example = tests.ancestors().nth(2).expect("it lies in the target folder").join("examples/serve");
        if !example.is_file() {
            println!("skipped: the example serve is not built");
            return None;
        }
        let mut process = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\""), example.to_str().expect("a path")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("is piped")).read_line(&mut line).expect("says its address");
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').parse().expect("an address");
        Some(Self { process, address })
    }

    fn get(&self, path: &str) -> (u16, Duration) {
        let start = Instant::now();
        let mut stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(NEVER)).expect("takes the time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("sends");
        (Reply::read(stream).status, start.elapsed())
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("is there").count()
    }

    #[track_caller]
    fn gives_back(&self, descriptors: usize) {
        let start = Instant::now();
        while self.descriptors() > descriptors {
            assert!(start.elapsed() < NEVER, "{} descriptors are open, and {descriptors} were", self.descriptors());
            std::thread::yield_now();
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        drop((self.process.kill(), self.process.wait()));
    }
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_waiting() {
    let limits = getrlimit(Resource::Nofile);
    // It may only grow, so it disturbs no other test.
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).expect("up to the maximum");
    let allowed = limits.maximum.map_or(20_000, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX));
    let connections = allowed.saturating_sub(1_000).min(10_000);
    if connections < 1_000 || !cfg!(target_os = "linux") {
        println!("skipped: this machine allows {allowed} descriptors");
        return;
    }
    let Some(subject) = Subject::start(1_024) else { return };
    assert_eq!(subject.get("/live").0, 200);
    let before = subject.descriptors();
    let mut idle = Vec::with_capacity(connections);
    let mut waits = Vec::new();
    let mut most = 0;
    for number in 0..connections {
        idle.push(TcpStream::connect(subject.address).expect("connects"));
        if number % 100 == 99 {
            let (status, took) = subject.get("/live");
            assert_eq!(status, 200);
            waits.push(took);
            most = most.max(subject.descriptors() - before);
        }
    }
    waits.sort();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{connections} connections, of which {most} were open at once; /live: median {median:?}, longest {longest:?}"
    );
    assert!(most <= 256 + 2, "{most} are open");
    let most = waits[waits.len() * 95 / 100];
    assert!(most < Duration::from_millis(100), "19 of 20 within {most:?}");
    drop(idle);
    subject.gives_back(before);
}

#[test]
fn without_descriptors_it_makes_do_with_those_it_has() {
    if !cfg!(target_os = "linux") {
        println!("skipped: there is no /proc to look at");
        return;
    }
    let Some(subject) = Subject::start(40) else { return };
    assert_eq!(subject.get("/live").0, 200);
    let before = subject.descriptors();
    assert!(before < 30, "{before}");
    let mut idle = Vec::new();
    let mut waits = Vec::new();
    for _ in 0..20 {
        idle.extend((0..10).map(|_| TcpStream::connect(subject.address).expect("connects")));
        let (status, took) = subject.get("/live");
        assert_eq!(status, 200);
        waits.push(took);
    }
    // The fault has fired: fewer are open than are connected, and than the server would allow.
    let open = subject.descriptors();
    assert!(open < 50, "{open}");
    waits.sort();
    println!("200 connections with 40 descriptors; /live: median {:?}, longest {:?}", waits[10], waits[19]);
    drop(idle);
    subject.gives_back(before);
    assert_eq!(subject.get("/live").0, 200);
}

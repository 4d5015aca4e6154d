//! Ten thousand connections, and too few descriptors: against a process of its own, whose limits and descriptors are its own.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bare::Bare;
use crate::client::{NEVER, Reply};

struct Subject {
    process: Child,
    address: SocketAddr,
    /// Held open, so that it may go on to write.
    _said: BufReader<ChildStdout>,
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
        Some(Self::run(descriptors, &example, &[]))
    }

    fn run(descriptors: usize, program: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut said = BufReader::new(process.stdout.take().expect("is piped"));
        let address = said
            .by_ref()
            .lines()
            .map(|line| line.expect("says its address"))
            .find_map(|line| line.strip_prefix("http://").map(|rest| rest.trim_end_matches('/').parse()));
        Self { process, address: address.expect("says its address").expect("an address"), _said: said }
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
    // Has no connections but ours: what else the machine does keeps it waiting as much.
    let Some(control) = Subject::start(1_024) else { return };
    assert_eq!((subject.get("/live").0, control.get("/live").0), (200, 200));
    let before = subject.descriptors();
    let mut idle = Vec::with_capacity(connections);
    let (mut waits, mut control_waits) = (Vec::new(), Vec::new());
    let mut most = 0;
    for number in 0..connections {
        idle.push(TcpStream::connect(subject.address).expect("connects"));
        if number % 100 == 99 {
            let (status, took) = subject.get("/live");
            assert_eq!(status, 200);
            waits.push(took);
            control_waits.push(control.get("/live").1);
            most = most.max(subject.descriptors() - before);
        }
    }
    waits.sort();
    control_waits.sort();
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{connections} connections, of which {most} were open at once; /live: median {median:?}, longest {longest:?}"
    );
    assert!(most <= 256 + 2, "{most} are open");
    let [most, without] = [waits, control_waits].map(|waits| waits[waits.len() * 95 / 100]);
    println!("19 of 20 within {most:?}, and within {without:?} without the connections");
    // Busy with other work, a machine slows both: on a quiet one they are 21 ms and 1.2 ms.
    assert!(most < Duration::from_millis(100).max(25 * without), "19 of 20 within {most:?}, and {without:?}");
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
    // Nobody waits for the time-outs of the others, which are 5 s.
    assert!(waits[17] < Duration::from_secs(2), "one of ten waited for {:?} at least", waits[17]);
    drop(idle);
    subject.gives_back(before);
    assert_eq!(subject.get("/live").0, 200);
}

const CONTROL: &str = "hostile::subject::control_without_descriptors_hyper_alone_answers_nobody";
/// How many the control has, by which it knows that it is the one that serves.
const FEW: u64 = 41;

#[test]
fn control_without_descriptors_hyper_alone_answers_nobody() {
    if getrlimit(Resource::Nofile).current == Some(FEW) {
        let bare = Bare::start(1_024, "alive".into());
        println!("\nhttp://{}/", bare.address);
        // Until whoever asked for it goes.
        drop(std::io::stdin().read(&mut [0]));
        return;
    }
    if !cfg!(target_os = "linux") {
        println!("skipped: there is no /proc to look at");
        return;
    }
    let this = std::env::current_exe().expect("it runs");
    let few = usize::try_from(FEW).expect("is small");
    let subject = Subject::run(few, &this, &["--exact", CONTROL, "--nocapture"]);
    assert_eq!(subject.get("/live").0, 200);
    // Fewer than what its queue holds: beyond, not even a connection is to be had.
    let _idle: Vec<_> = (0..80).map(|_| TcpStream::connect(subject.address).expect("connects")).collect();
    let start = Instant::now();
    while subject.descriptors() < few {
        assert!(start.elapsed() < NEVER, "it has {} descriptors", subject.descriptors());
        std::thread::yield_now();
    }
    let mut stream = TcpStream::connect(subject.address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("takes the time-out");
    stream.write_all(b"GET /live HTTP/1.1\r\nHost: test\r\n\r\n").expect("sends");
    assert_eq!(stream.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

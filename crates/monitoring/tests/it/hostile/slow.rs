//! Clients that are slow, silent or gone: each is closed in time, and costs nobody else anything.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use trading_monitoring::{Pages, Reply as Answer, ServerOptions};

use crate::bare::Bare;
use crate::client::{Fixture, NEVER, Reply, options};

/// Options under which no connection is closed for its slowness: the control.
fn patient() -> ServerOptions {
    ServerOptions {
        header_timeout: NEVER,
        body_timeout: NEVER,
        idle_timeout: NEVER,
        write_timeout: NEVER,
        connection_lifetime: NEVER * 60,
        ..options()
    }
}

const SHORT: Duration = Duration::from_millis(60);

fn large() -> Pages {
    Pages::new("/large").route("", "more than a socket holds", |_| Answer::text("x".repeat(64 * 1024 * 1024)))
}

fn open(fixture: &Fixture) -> f64 {
    fixture.metrics.gauge("http_connections", &[]).value()
}

/// Waits until a client was let go, and returns after how long. Does as the client does in between.
#[track_caller]
fn let_go(fixture: &Fixture, mut meanwhile: impl FnMut()) -> Duration {
    let start = Instant::now();
    while open(fixture) > 0.0 {
        assert!(start.elapsed() < NEVER, "it is never let go");
        meanwhile();
        std::thread::yield_now();
    }
    start.elapsed()
}

/// A client that begins with these bytes and goes on as it likes is let go with this time-out, and only with it.
#[track_caller]
fn check(limited: ServerOptions, begins: &[u8], mut goes_on: impl FnMut(&mut TcpStream)) {
    let (fixture, control) = (Fixture::extended(limited, [], [large()]), Fixture::extended(patient(), [], [large()]));
    let begin = |fixture: &Fixture| {
        let mut stream = fixture.connect();
        stream.set_nodelay(true).expect("is set");
        stream.write_all(begins).expect("is sent");
        while open(fixture) < 1.0 {
            std::thread::yield_now();
        }
        stream
    };
    let mut spared = begin(&control);
    let mut slow = begin(&fixture);
    let took = let_go(&fixture, || {
        goes_on(&mut slow);
        goes_on(&mut spared);
    });
    assert!(took + Duration::from_millis(20) >= SHORT, "let go after {took:?}");
    assert!(open(&control) > 0.0, "without the time-out it stays");
}

#[test]
fn a_header_that_comes_byte_by_byte() {
    check(ServerOptions { header_timeout: SHORT, ..patient() }, b"GET /ping HTTP/1.1\r\nX: ", |stream| {
        drop(stream.write_all(b"x"));
        std::thread::park_timeout(Duration::from_millis(1));
    });
}

#[test]
fn silence() {
    check(ServerOptions { header_timeout: SHORT, ..patient() }, b"", |_| {});
}

#[test]
fn silence_after_an_answer() {
    check(ServerOptions { idle_timeout: SHORT, ..patient() }, b"GET /ping HTTP/1.1\r\nHost: test\r\n\r\n", |_| {});
}

#[test]
fn a_body_that_does_not_come() {
    let request = b"GET /ping HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nabc";
    check(ServerOptions { body_timeout: SHORT, ..patient() }, request, |_| {});
}

#[test]
fn an_answer_that_is_not_taken() {
    let request = b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n";
    check(ServerOptions { write_timeout: SHORT, ..patient() }, request, |_| {});
}

#[test]
fn a_body_that_does_not_come_is_told_so() {
    let fixture = Fixture::with(ServerOptions { body_timeout: SHORT, ..patient() }, []);
    let mut stream = fixture.connect();
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nabc").unwrap();
    let reply = Reply::read(stream);
    assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
}

#[test]
fn those_that_wait_for_their_client_make_room_for_others() {
    let fixture = Fixture::with(ServerOptions { connections_max: 8, ..patient() }, []);
    let mut silent: Vec<TcpStream> = (0..40).map(|_| fixture.connect()).collect();
    for _ in 0..20 {
        assert_eq!(fixture.get("/live").status, 200);
    }
    assert!(open(&fixture) <= 8.0);
    // The oldest were let go, and the newest not.
    assert_eq!(silent[0].read(&mut [0]).unwrap_or(0), 0);
    let newest = silent.last_mut().unwrap();
    newest.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    drop(newest.read(&mut [0; 16]));
}

#[test]
fn control_without_room_made_the_silent_ones_keep_everybody_out() {
    let bare = Bare::start(8, "alive".into());
    let _silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(bare.address).unwrap()).collect();
    let mut stream = TcpStream::connect(bare.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(b"GET /live HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn one_that_is_being_answered_is_not_let_go_for_another() {
    let (release, hold) = std::sync::mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let (begun, begins) = std::sync::mpsc::channel();
    let pages = Pages::new("/a").route("", "waits", move |_| {
        begun.send(()).expect("the test waits");
        drop(hold.lock().map(|hold| hold.recv()));
        Answer::text("done")
    });
    let fixture =
        Fixture::extended(ServerOptions { connections_max: 1, call_timeout: NEVER, ..patient() }, [], [pages]);
    let mut first = fixture.connect();
    first.write_all(b"GET /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    begins.recv_timeout(NEVER).unwrap();
    let mut second = fixture.connect();
    second.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    // A server without the limit answers well within this time; one with it never does.
    second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(second.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(release);
    assert_eq!(Reply::read(first).body, "done");
    second.set_read_timeout(Some(NEVER)).unwrap();
    assert_eq!(Reply::read(second).status, 200);
}

#[test]
fn those_that_reset_are_forgotten() {
    let fixture = Fixture::with(patient(), []);
    for number in 0..300 {
        let mut stream = fixture.connect();
        if number % 3 > 0 {
            stream.write_all(b"GET /ping HTTP/1.1\r\nHost: te").unwrap();
        }
        if number % 3 > 1 {
            stream.write_all(b"st\r\n\r\n").unwrap();
        }
        // A close that sends a reset.
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(fixture.get("/live").status, 200);
    let_go(&fixture, || {});
}

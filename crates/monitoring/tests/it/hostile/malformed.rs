//! What is no request, or two where one is seen: it is refused, once, and the next connection works.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use trading_monitoring::{Pages, Reply as PageReply};

use crate::bare::Bare;
use crate::client::{Fixture, NEVER, Reply, options};

/// The statuses of all answers until the server closes.
fn statuses(address: SocketAddr, request: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(NEVER)).expect("takes the time-out");
    // A server that has refused already does not read the rest.
    drop(stream.write_all(request));
    drop(stream.shutdown(Shutdown::Write));
    let mut answers = Vec::new();
    drop(stream.read_to_end(&mut answers));
    let text = String::from_utf8_lossy(&answers);
    text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().expect("a status")).collect()
}

const HOST: &str = "Host: test\r\n";

/// No answer at all.
const CLOSED: u16 = 0;

/// What it is, the bytes, and the one answer.
fn requests() -> Vec<(&'static str, Vec<u8>, u16)> {
    let get = |rest: &str| format!("GET /ping HTTP/1.1\r\n{rest}\r\n").into_bytes();
    let with = |headers: &str, body: &str| format!("POST /ping HTTP/1.1\r\n{HOST}{headers}\r\n\r\n{body}").into_bytes();
    let fields: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    let smuggled = "0\r\n\r\nGET /live HTTP/1.1\r\nHost: test\r\n\r\n";
    vec![
        ("a header too large", get(&format!("{HOST}X: {}\r\n", "x".repeat(20_000))), 431),
        ("too many fields", get(&format!("{HOST}{fields}")), 431),
        ("a target too long", format!("GET /{} HTTP/1.1\r\n{HOST}\r\n", "x".repeat(3_000)).into(), 414),
        ("a target far too long", format!("GET /{} HTTP/1.1\r\n{HOST}\r\n", "x".repeat(1_000_000)).into(), 431),
        ("a body too large", with("Content-Length: 100000", &"x".repeat(100_000)), 413),
        ("a body that is announced too large", with("Content-Length: 99999999999", ""), 413),
        ("a body in chunks", with("Transfer-Encoding: chunked", smuggled), 411),
        ("two ways to say a length", with("Content-Length: 4\r\nTransfer-Encoding: chunked", smuggled), 411),
        ("the same in the other order", with("Transfer-Encoding: chunked\r\nContent-Length: 4", smuggled), 411),
        ("an encoding that is none", with("Transfer-Encoding: xchunked", smuggled), 400),
        ("two lengths", with("Content-Length: 4\r\nContent-Length: 5", "abcde"), 400),
        ("a negative length", with("Content-Length: -1", ""), 400),
        ("a length with a sign", with("Content-Length: +5", "abcde"), 400),
        ("a length in hexadecimal", with("Content-Length: 0x5", "abcde"), 400),
        (
            "a body that holds a request",
            with("Content-Length: 38", "GET /live HTTP/1.1\r\nHost: test\r\n\r\n1234"),
            405,
        ),
        ("a body that ends early", with("Content-Length: 38", "abc"), 400),
        ("lines that end in LF", b"GET /ping HTTP/1.1\nHost: test\n\n".to_vec(), 400),
        ("one line that ends in LF", get("Host: test\nX: 1\r\n"), 400),
        ("a CR alone", get("Host: te\rst\r\n"), 400),
        ("a NUL", get("Host: te\0st\r\n"), 400),
        ("a space before the colon", get("Host : test\r\n"), 400),
        ("a field over two lines", get("Host: test\r\n X: 1\r\n"), 400),
        ("a field without a name", get("Host: test\r\n: 1\r\n"), 400),
        ("no host", get(""), 400),
        ("two hosts", get("Host: test\r\nHost: other\r\n"), 400),
        ("no version", b"GET /ping\r\n\r\n".to_vec(), 400),
        ("a version to come", b"GET /ping HTTP/9.9\r\nHost: test\r\n\r\n".to_vec(), 400),
        ("HTTP/2 by surprise", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), CLOSED),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03nothing\r\n\r\n".to_vec(), 400),
        ("a tunnel", format!("CONNECT example.com:443 HTTP/1.1\r\n{HOST}\r\n").into(), 421),
        ("another's address", format!("GET http://elsewhere.example/ping HTTP/1.1\r\n{HOST}\r\n").into(), 421),
        ("dots", format!("GET /health/../live HTTP/1.1\r\n{HOST}\r\n").into(), 404),
        ("a NUL in the target", format!("GET /health/a%00b HTTP/1.1\r\n{HOST}\r\n").into(), 404),
    ]
}

#[test]
fn each_is_refused_once_and_the_next_connection_works() {
    let fixture = Fixture::new([]);
    for (what, request, status) in requests() {
        let expected = if status == CLOSED { vec![] } else { vec![status] };
        assert_eq!(statuses(fixture.server.address(), &request), expected, "{what}");
        assert_eq!(fixture.get("/live").status, 200, "after {what}");
    }
}

#[test]
fn each_refusal_says_why_in_json_and_is_counted() {
    let fixture = Fixture::new([]);
    let mut refusals = [0; 600];
    for (what, request, status) in requests().into_iter().filter(|(.., status)| *status != CLOSED) {
        let mut stream = fixture.connect();
        drop(stream.write_all(&request));
        drop(stream.shutdown(Shutdown::Write));
        let reply = Reply::read(stream);
        assert_eq!(reply.status, status, "{what}");
        assert!(reply.json()["error"].as_str().is_some_and(|sentence| sentence.len() > 10), "{what}: {reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{what}");
        assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()), "{what}");
        assert!(reply.header("date").is_some(), "{what}");
        refusals[usize::from(status)] += 1;
    }
    let counted = fixture.get("/metrics").body;
    for status in [400, 431] {
        let line = format!("http_requests_total{{path=\"other\",status=\"{status}\"}} {}\n", refusals[status]);
        assert!(counted.contains(&line), "{line} in {counted}");
    }
}

#[test]
fn an_empty_refusal_of_the_programs_own_stays_empty() {
    let ours = Pages::new("/ours").route("", "nothing", |_| PageReply::text("").status(400));
    let fixture = Fixture::extended(options(), [], [ours]);
    let reply = fixture.get("/ours");
    assert_eq!((reply.status, reply.body.as_str(), reply.header("content-length")), (400, "", Some("0")));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn control_hyper_alone_answers_some_of_them() {
    let bare = Bare::start(16, "pong".into());
    let answered: Vec<&str> = requests()
        .into_iter()
        .filter(|(_, request, _)| statuses(bare.address, request).contains(&200))
        .map(|(what, ..)| what)
        .collect();
    for needed in ["lines that end in LF", "one line that ends in LF", "no host", "two hosts", "another's address"] {
        assert!(answered.contains(&needed), "{needed}: {answered:?}");
    }
}

#[test]
fn a_body_that_is_small_is_read_and_not_used_and_the_last_thing_on_its_connection() {
    let fixture = Fixture::new([]);
    let request =
        b"GET /ping HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\na\nb\ncGET /live HTTP/1.1\r\nHost: test\r\n\r\n";
    assert_eq!(statuses(fixture.server.address(), request), [200]);
    let mut options = options();
    options.body_bytes_max = 5;
    let fixture = Fixture::with(options, []);
    let of = |length: usize| {
        format!("GET /ping HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
    };
    assert_eq!(statuses(fixture.server.address(), of(5).as_bytes()), [200]);
    assert_eq!(statuses(fixture.server.address(), of(6).as_bytes()), [413]);
}

#[test]
fn requests_in_one_go_are_answered_in_their_order_up_to_a_bad_one() {
    let fixture = Fixture::new([]);
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    let many: String = (0..100).map(|number| one(if number % 2 == 0 { "/ping" } else { "/nowhere" })).collect();
    let expected: Vec<u16> = (0..100).map(|number| if number % 2 == 0 { 200 } else { 404 }).collect();
    assert_eq!(statuses(fixture.server.address(), many.as_bytes()), expected);
    let spoilt = format!("{}{}nonsense\r\n\r\n{}", one("/ping"), one("/live"), one("/ping"));
    assert_eq!(statuses(fixture.server.address(), spoilt.as_bytes()), [200, 200, 400]);
}

#[test]
fn noise_is_never_answered_well_and_never_the_end() {
    let fixture = Fixture::new([]);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let good = b"GET /ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    for _ in 0..300 {
        let noise: Vec<u8> = (0..random.usize(1..400)).map(|_| random.u8(..)).collect();
        assert!(!statuses(fixture.server.address(), &noise).contains(&200), "{noise:?}");
        // A good one in which one byte is another: whatever is answered, it is one answer, or none.
        let mut spoilt = good.to_vec();
        spoilt[random.usize(..good.len())] = random.u8(..);
        assert!(statuses(fixture.server.address(), &spoilt).len() <= 1, "{spoilt:?}");
    }
    assert_eq!(fixture.get("/live").status, 200);
}

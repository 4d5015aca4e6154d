//! Services elsewhere, which here are a server on the loopback that answers as it is told.

#[cfg(target_os = "linux")]
mod dns;
mod tls;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use trading_monitoring::{Check, ComponentReport, Endpoint, Health, Status};

use crate::client::NEVER;

const CANARY: &str = "canary5f2c";

/// A server that gives these answers, one a connection; what it was asked comes out of the channel.
fn server(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        // Those that get no answer are held open.
        let mut held = Vec::new();
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                request.extend(byte);
            }
            drop(sender.send(String::from_utf8_lossy(&request).to_lowercase()));
            if answer.is_empty() {
                held.push(stream);
            } else {
                drop(stream.write_all(answer.as_bytes()));
            }
        }
        // And the last ones stay open until the test has ended.
        drop(listener.accept());
    });
    (url, asked)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn alpaca(url: &str) -> Endpoint {
    Endpoint {
        connect_timeout: Duration::from_millis(500),
        timeout: Duration::from_millis(500),
        ..Endpoint::alpaca(url, CANARY.into(), CANARY.into())
    }
}

/// What each of so many looks finds.
fn looks(endpoint: Endpoint, number: usize) -> Vec<ComponentReport> {
    // One that is looked at once keeps what was found.
    let interval = if number == 1 { NEVER } else { Duration::from_millis(1) };
    let health = Health::start([Check::external("service", endpoint).every(interval)]).expect("starts");
    while health.history("service").expect("is a component").len() < number {
        thread::yield_now();
    }
    assert!(health.shutdown(NEVER).is_empty());
    let last = health.report().components.remove(0);
    let past = health.history("service").expect("is a component");
    let mut found: Vec<_> = past
        .into_iter()
        .take(number)
        .map(|past| ComponentReport { status: past.status, message: past.message, ..last.clone() })
        .collect();
    if let Some(newest) = found.last_mut() {
        newest.details = last.details;
    }
    found
}

#[track_caller]
fn check(found: &[ComponentReport], expected: &[(Status, &str)]) {
    let found: Vec<_> = found.iter().map(|report| (report.status, report.message.as_str())).collect();
    assert_eq!(found, expected);
    assert!(found.iter().all(|(_, message)| !message.contains(CANARY)));
}

fn clock(seconds_ahead: i64) -> String {
    let time = (Utc::now() + TimeDelta::seconds(seconds_ahead)).to_rfc3339_opts(SecondsFormat::Nanos, true);
    format!(r#"{{"timestamp":"{time}","is_open":false,"next_open":"2026-11-24T09:30:00-05:00","next_close":"x"}}"#)
}

#[test]
fn alpaca_tells_its_clock_and_sees_the_keys() {
    let (url, asked) = server(vec![answer("200 OK", &clock(0))]);
    let found = looks(alpaca(&url), 1);
    check(&found, &[(Status::Healthy, "answers")]);
    let details = &found[0].details;
    assert!(details["clock_skew_ms"].as_i64().expect("a number").abs() < 2_000, "{details:?}");
    assert_eq!(details["market_is_open"], false);
    let asked = asked.recv().expect("was asked");
    assert!(asked.starts_with("get /v2/clock http/1.1\r\n"), "{asked}");
    assert!(asked.contains("apca-api-key-id: canary5f2c\r\n") && asked.contains("apca-api-secret-key: canary5f2c\r\n"));
    let (url, _asked) = server(vec![answer("200 OK", &clock(60))]);
    let found = looks(alpaca(&url), 1);
    assert_eq!(found[0].status, Status::Degraded);
    assert!(found[0].message.starts_with("answers; our clock is ") && found[0].message.ends_with(" s behind of its"));
    let (url, _asked) = server(vec![answer("200 OK", "<html>")]);
    check(&looks(alpaca(&url), 1), &[(Status::Degraded, "it answers, but not with a clock")]);
}

#[test]
fn quiver_is_asked_for_little_and_not_for_bulk() {
    let (url, asked) = server(vec![answer("200 OK", "[]")]);
    let quiver = Endpoint::quiver(&format!("{url}/beta"), format!("Bearer {CANARY}").into());
    assert!(!format!("{quiver:?}").contains(CANARY));
    check(&looks(quiver, 1), &[(Status::Healthy, "answers")]);
    let asked = asked.recv().expect("was asked");
    assert!(asked.starts_with("get /beta/live/congresstrading?page=1&page_size=1 http/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: bearer canary5f2c\r\n"), "{asked}");
}

#[test]
fn a_refused_key_is_unhealthy_at_once() {
    for (status, message) in [("401 Unauthorized", "the key is refused"), ("403 Forbidden", "the key may not do this")]
    {
        let (url, _asked) = server(vec![answer(status, "")]);
        check(&looks(alpaca(&url), 1), &[(Status::Unhealthy, message)]);
    }
}

#[test]
fn too_many_requests_is_degraded_and_it_is_left_alone() {
    let limited = answer("429 Too Many Requests\r\nretry-after: 100", "");
    let (url, asked) = server(vec![limited, answer("200 OK", "")]);
    let found = looks(alpaca(&url), 3);
    assert!(found.iter().all(|report| report.status == Status::Degraded), "{found:?}");
    assert_eq!(found[0].message, "too many requests: it is asked again in 101 s");
    assert_eq!(asked.try_iter().count(), 1);
}

#[test]
fn too_many_requests_ends_at_its_time_and_not_at_the_next_look_of_many() {
    let limited = answer("429 Too Many Requests\r\nretry-after: 0", "");
    let (url, asked) = server(vec![limited, answer("200 OK", &clock(0))]);
    let health = Health::start([Check::external("service", alpaca(&url)).every(NEVER * 60)]).expect("starts");
    let (sender, transitions) = mpsc::channel();
    health.observe(move |transition| drop(sender.send(transition.clone()))).unwrap();
    let next = || transitions.recv_timeout(NEVER).expect("is looked at again");
    let mut last = next();
    if last.to == Status::Degraded {
        last = next();
    }
    assert_eq!(last.to, Status::Healthy);
    assert_eq!(asked.try_iter().count(), 2);
    let times: Vec<_> = health.history("service").expect("is a component").iter().map(|past| past.time).collect();
    assert!(
        times[1] - times[0] >= TimeDelta::milliseconds(900),
        "even one that may be asked at once is not asked in a loop"
    );
}

#[test]
fn what_goes_on_failing_becomes_unhealthy() {
    let failing = || answer("503 Service Unavailable", "");
    let (url, _asked) = server(vec![failing(), failing(), failing(), answer("200 OK", &clock(0)), failing()]);
    let expected = [
        (Status::Degraded, "failed 1 of 3 times: it answered 503"),
        (Status::Degraded, "failed 2 of 3 times: it answered 503"),
        (Status::Unhealthy, "it answered 503"),
        (Status::Healthy, "answers"),
        (Status::Degraded, "failed 1 of 3 times: it answered 503"),
    ];
    check(&looks(alpaca(&url), 5), &expected);
}

#[test]
fn silence_is_a_failure_in_its_time() {
    let (url, _asked) = server(vec![String::new()]);
    let found = looks(alpaca(&url), 1);
    assert_eq!(found[0].status, Status::Degraded);
    assert!(found[0].message.starts_with("failed 1 of 3 times: timeout"), "{}", found[0].message);
    assert!(found[0].duration.expect("it was looked at") < NEVER);
}

#[test]
fn a_redirect_is_not_followed() {
    let (elsewhere, asked) = server(vec![answer("200 OK", "")]);
    let (url, _asked) = server(vec![answer(&format!("302 Found\r\nlocation: {elsewhere}"), "")]);
    let message = "it sends us elsewhere, where we do not go: is the address right?";
    check(&looks(alpaca(&url), 1), &[(Status::Unhealthy, message)]);
    assert_eq!(asked.try_iter().count(), 0, "the keys went nowhere else");
}

#[test]
fn an_answer_that_is_none_is_a_failure_in_its_time() {
    let endless = "x".repeat(10_000_000);
    for garbage in [
        "nonsense\r\n\r\n",
        "\0\u{1}\u{2}",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 999999 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        &format!("HTTP/1.1 200 OK\r\nx: {endless}"),
    ] {
        let (url, _asked) = server(vec![garbage.to_owned()]);
        let found = looks(alpaca(&url), 1);
        assert_eq!(found[0].status, Status::Degraded, "{garbage:.60}");
        assert!(found[0].message.starts_with("failed 1 of 3 times: "), "{}", found[0].message);
        assert!(found[0].message.len() < 300, "{}", found[0].message);
        assert!(found[0].duration.expect("it was looked at") < NEVER);
    }
    // Of what is too long only the beginning is read, and there is no clock yet.
    let late = format!("{}{}", " ".repeat(100_000), clock(0));
    let (url, _asked) = server(vec![answer("200 OK", &late)]);
    check(&looks(alpaca(&url), 1), &[(Status::Degraded, "it answers, but not with a clock")]);
}

#[test]
fn one_that_does_not_even_listen_is_a_failure() {
    let free = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let found = looks(alpaca(&format!("http://{free}")), 1);
    assert_eq!(found[0].status, Status::Degraded);
    assert!(found[0].message.contains("refused"), "{}", found[0].message);
}

#[test]
fn over_https_nothing_is_said_before_the_other_side_has_proven_who_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("is asked");
        let mut hello = [0; 3];
        stream.read_exact(&mut hello).expect("says something");
        // No proof.
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        (hello, String::from_utf8_lossy(&rest).into_owned())
    });
    let found = looks(alpaca(&url), 1);
    assert_eq!(found[0].status, Status::Unhealthy);
    assert!(found[0].message.starts_with("it is not trusted: "), "{}", found[0].message);
    let (hello, rest) = heard.join().expect("listens");
    // A handshake of TLS. **Source:** RFC 8446, section 5.1.
    assert_eq!(hello[..2], [22, 3]);
    assert!(!rest.contains(CANARY));
}

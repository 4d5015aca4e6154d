//! A mail server on the loopback, which takes mails or says that it is busy.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread::{self, JoinHandle},
};

use trading_monitoring::Metrics;
use trading_resilience::Cancel;

use super::*;
use crate::{notify::channel, wiring::RetryObserver};

/// A server that greets with each of these in turn, and takes the mail where that is a welcome; and what it was told.
fn server(greetings: &'static [&'static str]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let thread = thread::spawn(move || {
        let mut told = Vec::new();
        for greeting in greetings {
            let (stream, _) = listener.accept().expect("is called");
            let mut lines = BufReader::new(stream.try_clone().expect("is cloned")).lines();
            let say = |text: &str| write!(&stream, "{text}\r\n").expect("is sent");
            say(greeting);
            let mut in_mail = false;
            while let Some(Ok(line)) = lines.next() {
                match line.split(' ').next().unwrap_or_default() {
                    "." => say("250 taken"),
                    _ if in_mail => {}
                    "EHLO" => say("250 here"),
                    "DATA" => say("354 go on"),
                    "QUIT" => break,
                    _ => say("250 well"),
                }
                in_mail = (in_mail || line == "DATA") && line != ".";
                let ended = line == ".";
                told.push(line);
                if ended {
                    break;
                }
            }
        }
        told
    });
    (port, thread)
}

fn email(port: u16) -> Email {
    let folder = tempfile::tempdir().expect("a folder");
    let port = port.to_string();
    let variables = [
        ("ENABLE_EMAIL_NOTIFICATIONS", "true"),
        ("SMTP_SERVER", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("NOTIFICATION_EMAIL", "operator@example.com"),
    ];
    let settings = Settings::loader().root(folder.path()).environment(variables).load().expect("loads");
    let policy = Policy { base: Duration::from_millis(1), cap: Duration::from_millis(2), ..POLICY };
    Email { policy, ..Email::new(&settings).expect("is set") }
}

fn deliver(port: u16) -> Result<(), String> {
    let (cancel, observer) = (Cancel::new(), RetryObserver::new(&Metrics::default()));
    email(port).deliver(&channel::told(), Effort { cancel: &cancel, observer: &observer })
}

#[test]
fn a_mail_says_what_changed() {
    let (port, told) = server(&["220 welcome"]);
    deliver(port).expect("is delivered");
    let told = told.join().expect("ends");
    for expected in [
        "MAIL FROM:<operator@example.com>",
        "RCPT TO:<operator@example.com>",
        "Subject: trading (development): database is unhealthy (after 3 changes)",
        "does not answer",
        "    \"subject\": \"database\",",
    ] {
        assert!(told.iter().any(|line| line.starts_with(expected)), "{expected} in {told:#?}");
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let (port, told) = server(&["421 later", "220 welcome"]);
    deliver(port).expect("is delivered in the end");
    assert!(told.join().expect("ends").contains(&"DATA".to_owned()));
}

#[test]
fn a_server_that_refuses_is_not_asked_again_and_one_that_is_not_there_is_given_up() {
    let (port, told) = server(&["554 never"]);
    let error = deliver(port).expect_err("is refused");
    assert!(error.contains("554") && error.contains("never"), "{error}");
    assert!(!told.join().expect("ends").contains(&"DATA".to_owned()));
    let unused =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address").port();
    assert!(deliver(unused).is_err());
}

#[test]
fn only_what_stays_on_this_machine_goes_uncovered() {
    for (server, here) in
        [("localhost", true), ("127.0.0.1", true), ("::1", true), ("smtp.example.com", false), ("10.0.0.1", false)]
    {
        assert_eq!(is_here(server), here, "{server}");
    }
}

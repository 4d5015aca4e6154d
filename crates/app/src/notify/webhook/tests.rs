//! A real server on the loopback, which answers as it is told.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

use trading_monitoring::Metrics;
use trading_resilience::Cancel;

use super::*;
use crate::{notify::channel, wiring::RetryObserver};

const SECRET: &str = "a secret of a test";

struct Request {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

fn read(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("is read");
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: BTreeMap<_, _> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().expect("a length")];
    reader.read_exact(&mut body).expect("is read");
    Request { path: lines[0].clone(), headers, body: String::from_utf8(body).expect("is text") }
}

/// A server that gives these answers, one a connection, and the requests that it got. Nothing is an answer too.
fn server(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}/hooks/canary5f2c", listener.local_addr().expect("an address"));
    let thread = thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("is called");
            requests.push(read(&mut stream));
            if !answer.is_empty() {
                write!(stream, "HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").expect("is sent");
            }
        }
        requests
    });
    (url, thread)
}

/// A channel with what its deliveries take.
struct Stage {
    webhook: Webhook,
    metrics: Metrics,
}

impl Stage {
    fn deliver(&mut self) -> Result<(), String> {
        let (cancel, observer) = (Cancel::new(), RetryObserver::new(&self.metrics));
        self.webhook.deliver(&channel::told(), Effort { cancel: &cancel, observer: &observer })
    }
}

fn webhook(url: &str, secret: &str) -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let variables = [("NOTIFICATIONS__WEBHOOK_URL", url), ("NOTIFICATIONS__WEBHOOK_SECRET", secret)];
    let settings = Settings::loader().root(folder.path()).environment(variables).load().expect("loads");
    let policy = Policy { base: Duration::from_millis(1), cap: Duration::from_millis(2), ..POLICY };
    let webhook = Webhook { policy, ..Webhook::new(&settings).expect("is set") };
    Stage { webhook, metrics: Metrics::default() }
}

#[test]
fn a_post_is_signed_and_says_what_changed() {
    let (url, requests) = server(&["204 No Content"]);
    webhook(&url, SECRET).deliver().expect("is delivered");
    let [request] = requests.join().expect("ends").try_into().ok().expect("one request");
    assert_eq!(request.path, "POST /hooks/canary5f2c HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/json");
    let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!((&body["data"]["subject"], &body["data"]["status"]), (&"database".into(), &"unhealthy".into()));
    let (id, timestamp) = (&request.headers["webhook-id"], &request.headers["webhook-timestamp"]);
    assert_eq!(request.headers["webhook-signature"], sign(SECRET.as_bytes(), id, timestamp, &request.body));
    let age = Utc::now().timestamp() - timestamp.parse::<i64>().expect("seconds");
    assert!((0..60).contains(&age), "{age}");
}

#[test]
fn the_signature_is_that_of_the_standard() {
    // **Source:** the example of the specification, github.com/standard-webhooks/standard-webhooks.
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
    let body = r#"{"test": 2432232314}"#;
    assert_eq!(
        sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
    assert_eq!(*webhook("http://a.example", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").webhook.key.expose_secret(), key);
}

#[test]
fn what_fails_is_posted_again_under_the_same_id() {
    let (url, requests) = server(&[
        "503 Service Unavailable",
        "",
        "429 Too Many\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT",
        "200 OK",
    ]);
    let mut stage = webhook(&url, SECRET);
    stage.deliver().expect("is delivered in the end");
    let requests = requests.join().expect("ends");
    let ids: Vec<_> = requests.iter().map(|request| &request.headers["webhook-id"]).collect();
    assert!(ids.len() == 4 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let counted = stage.metrics.prometheus();
    for (event, count) in [("attempt_failed", 3), ("waiting", 3), ("recovered", 1)] {
        let line = format!("\nretry_events_total{{event=\"{event}\",operation=\"post to the webhook\"}} {count}\n");
        assert!(counted.contains(&line), "{line} in {counted}");
    }
}

#[test]
fn what_is_refused_is_not_posted_again_and_the_address_stays_secret() {
    for answer in [&["404 Not Found"], &["307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/"]] {
        let (url, requests) = server(answer);
        let error = webhook(&url, SECRET).deliver().expect_err("is refused");
        assert_eq!(requests.join().expect("ends").len(), 1);
        assert!(error.contains("it answered with ") && !error.contains("canary"), "{error}");
    }
    let error = webhook("http://127.0.0.1:1/canary5f2c", SECRET).deliver();
    let error = error.expect_err("nobody listens");
    assert!(error.contains("the connection failed") && !error.contains("canary"), "{error}");
}

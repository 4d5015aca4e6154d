//! A local HTTP server that misbehaves, and a real client in its way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use trading_resilience::retry::{Attempt, GaveUp, Jitter, Policy, Reason};
use trading_resilience::{
    Api, ApiError, BreakerOptions, BreakerState, CallError, CircuitBreaker, Class, Classify, Code, Effects, Error,
    Guard, LimiterOptions, Method, Priority, Quota, RateHeaders, RateLimiter,
};

use crate::world::{World, secs};

/// What the server does with one request.
#[derive(Debug, Clone)]
enum Answer {
    /// Sends these bytes and closes.
    Says(String),
    /// Closes without reading: the client sees a reset.
    Resets,
    /// Reads, and never says a word.
    IsSilent,
}

use Answer::{IsSilent, Resets, Says};

fn says(status: &str, headers: &str, body: &str) -> Answer {
    Says(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len()))
}

/// A server that plays its script, one answer a connection, and then refuses connections.
struct Server {
    address: SocketAddr,
    script: Vec<Answer>,
    /// How many requests were sent to it.
    sent: AtomicUsize,
    playing: JoinHandle<Played>,
}

/// The first lines of all requests that were read, and the connections on which nothing is ever said.
type Played = (Vec<String>, Vec<TcpStream>);

impl Server {
    fn start(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers = script.clone();
        let playing = thread::spawn(move || play(&listener, answers));
        Self { address, script, sent: AtomicUsize::new(0), playing }
    }

    /// How long the next answer is waited for, really: only silence is not.
    fn patience(&self) -> Duration {
        let next = self.script.get(self.sent.fetch_add(1, Ordering::Relaxed));
        if matches!(next, Some(IsSilent)) { Duration::from_millis(50) } else { secs(30) }
    }

    /// Ends with the script, and returns the first lines of all requests that were read.
    fn requests(self) -> Vec<String> {
        self.playing.join().expect("it plays on").0
    }
}

fn play(listener: &TcpListener, script: Vec<Answer>) -> Played {
    let (mut lines, mut silent) = (Vec::new(), Vec::new());
    for answer in script {
        let (mut stream, _) = listener.accept().expect("a connection");
        match answer {
            Says(text) => {
                lines.push(first_line(&mut stream));
                stream.write_all(text.as_bytes()).expect("it listens");
            }
            // What was sent and not read makes the kernel reset the connection.
            Resets => drop(stream.peek(&mut [0]).expect("a request")),
            IsSilent => {
                lines.push(first_line(&mut stream));
                silent.push(stream);
            }
        }
    }
    (lines, silent)
}

/// Reads the whole request, and returns its first line.
fn first_line(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"{}") {
        let length = stream.read(&mut buffer).expect("a request");
        request.extend(buffer.iter().take(length));
    }
    String::from_utf8(request).expect("text").lines().next().expect("a line").to_owned()
}

/// As a client of an API would be written: one place makes its errors.
fn send(server: &Server, world: &World, method: Method, path: &str) -> Result<String, ApiError> {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(server.patience()));
    let agent = ureq::Agent::new_with_config(config.build());
    let url = format!("http://{}{path}", server.address);
    let answered = match method {
        Method::Post => agent.post(&url).send("{}"),
        _ => agent.get(&url).call(),
    };
    let failed = |error: ureq::Error| match error {
        ureq::Error::Io(error) => ApiError::transport(Api::Alpaca, method, path, error),
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => {
            ApiError::not_sent(Api::Alpaca, method, path, error)
        }
        error => ApiError::no_answer(Api::Alpaca, method, path, error),
    };
    let mut response = answered.map_err(failed)?;
    let status = response.status().as_u16();
    let headers = RateHeaders::read(|name| response.headers().get(name)?.to_str().ok(), world.wall());
    let body = response.body_mut().read_to_string().map_err(failed)?;
    match status {
        200 => Ok(body),
        status => Err(ApiError::answered(Api::Alpaca, method, path, status).headers(&headers).body(&body)),
    }
}

const POLICY: Policy =
    Policy { attempts_max: 4, base: secs(1), factor: 2.0, cap: secs(60), jitter: Jitter::None, deadline: None };

type Answered = Result<String, GaveUp<ApiError>>;

fn get(server: &Server, world: &World, policy: Policy) -> Answered {
    policy.effects(world).run("get account", |_| send(server, world, Method::Get, "/v2/account"))
}

#[test]
fn retry_after_is_obeyed_in_both_forms() {
    let world = World::new(0);
    // After the first wait of 7 s, this date is 20 s away.
    let date = httpdate::fmt_http_date(world.wall() + secs(27));
    let server = Server::start(vec![
        says("429 Too Many Requests", "Retry-After: 7\r\n", "slow down"),
        says("429 Too Many Requests", &format!("Retry-After: {date}\r\n"), ""),
        says("200 OK", "", "fine"),
    ]);
    assert_eq!(get(&server, &world, POLICY).unwrap(), "fine");
    assert_eq!(world.slept(), [secs(7), secs(20)]);
    assert_eq!(server.requests(), ["GET /v2/account HTTP/1.1"; 3]);
}

#[test]
fn the_reset_of_a_window_is_obeyed_and_clamped() {
    let world = World::new(0);
    let unix = |after| world.wall().duration_since(UNIX_EPOCH).unwrap().as_secs() + after;
    let limited = |after| {
        let headers = format!("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {}\r\n", unix(after));
        says("429 Too Many Requests", &headers, "")
    };
    let server = Server::start(vec![limited(30), limited(9_999_999), says("200 OK", "", "fine")]);
    assert_eq!(get(&server, &world, POLICY).unwrap(), "fine");
    assert_eq!(world.slept(), [secs(30), secs(60)]);
}

#[test]
fn a_wait_beyond_the_deadline_ends_it_at_once() {
    let world = World::new(0);
    let server = Server::start(vec![says("429 Too Many Requests", "Retry-After: 50\r\n", "")]);
    let gave_up = get(&server, &world, Policy { deadline: Some(secs(40)), ..POLICY }).unwrap_err();
    assert_eq!((gave_up.reason, gave_up.come_back_after), (Reason::Deadline, Some(secs(50))));
    assert_eq!(world.slept(), []);
}

#[test]
fn a_read_survives_what_a_network_can_do() {
    let world = World::new(0);
    let cut = Says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned());
    let server =
        Server::start(vec![says("503 Service Unavailable", "", "<html>"), Resets, cut, says("200 OK", "", "fine")]);
    assert_eq!(get(&server, &world, POLICY).unwrap(), "fine");
    assert_eq!(world.slept(), [secs(1), secs(2), secs(4)]);
}

fn order(server: &Server, world: &World, key: &str) -> Answered {
    POLICY.effects(world).idempotent(key).run("place order", |_| send(server, world, Method::Post, "/v2/orders"))
}

#[test]
fn an_order_without_a_key_is_sent_once_whatever_happens_to_it() {
    for answer in [IsSilent, says("504 Gateway Timeout", "", ""), says("500 Oops", "", ""), Says("What?".to_owned())] {
        let world = World::new(0);
        let server = Server::start(vec![answer.clone()]);
        let gave_up = order(&server, &world, "").unwrap_err();
        assert_eq!(
            (gave_up.attempts, gave_up.reason, gave_up.class()),
            (1, Reason::NoKey, Class::Unknown),
            "{answer:?}"
        );
        assert_eq!(Error::from(gave_up).code(), Code::ApiOutcomeUnknown);
        assert_eq!(server.requests(), ["POST /v2/orders HTTP/1.1"]);
    }
    let world = World::new(0);
    let gave_up = order(&Server::start(vec![Resets]), &world, "").unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.class()), (1, Class::Unknown));
}

#[test]
fn an_order_with_a_key_is_sent_again_until_it_is_there() {
    let world = World::new(0);
    let duplicate = r#"{"code":40010001,"message":"client_order_id must be unique"}"#;
    let server = Server::start(vec![IsSilent, Resets, says("422 Unprocessable Entity", "", duplicate)]);
    let gave_up = order(&server, &world, "nancy-1").unwrap_err();
    // The last answer says why: one of the first two arrived. What became of it has to be looked up.
    assert_eq!((gave_up.attempts, gave_up.source.code(), gave_up.class()), (3, Code::ApiDuplicate, Class::Unknown));
}

#[test]
fn what_was_not_sent_is_sent_again_even_without_a_key() {
    let world = World::new(0);
    let nobody = Server::start(Vec::new());
    while !nobody.playing.is_finished() {
        thread::yield_now();
    }
    let gave_up = order(&nobody, &world, "").unwrap_err();
    assert_eq!((gave_up.attempts, gave_up.class()), (4, Class::Transient));
    assert_eq!(Error::from(gave_up).code(), Code::ApiUnavailable);
}

#[test]
fn a_guard_stands_between() {
    let world = World::new(0);
    let limiter = Arc::new(RateLimiter::new(LimiterOptions::of(&[Quota::per_minute(200)])).unwrap());
    let breaker =
        Arc::new(CircuitBreaker::new("alpaca", BreakerOptions { calls_min: 3, ..BreakerOptions::default() }).unwrap());
    let guard = Guard::new(POLICY)
        .limiter(Arc::clone(&limiter), secs(0))
        .breaker(Arc::clone(&breaker))
        .time_out(secs(30))
        .effects(&world);
    let server = Server::start(vec![IsSilent, IsSilent, says("503 Busy", "", ""), says("200 OK", "", "fine")]);
    let read = |attempt: Attempt| {
        assert_eq!(attempt.remaining, Some(secs(30)));
        send(&server, &world, Method::Get, "/v2/account")
    };
    let gave_up = guard.run("get account", read).unwrap_err();
    assert!(matches!(*gave_up.source, CallError::Refused(_)), "{gave_up:?}");
    assert_eq!(breaker.report(world.now()).state, BreakerState::Open);
    assert_eq!(limiter.report(world.now())[0].used, 3);
    world.pass(secs(10));
    assert_eq!(guard.priority(Priority::Probe).run("probe", read).unwrap(), "fine");
    assert_eq!(breaker.report(world.now()).state, BreakerState::HalfOpen);
    assert_eq!(server.requests().len(), 4);
}

#[cfg(all(feature = "hyper", feature = "tokio"))]
#[tokio::test]
async fn hypers_errors_are_judged() {
    use hyper::client::conn::http1::{SendRequest, handshake};

    async fn connect(answer: Answer) -> SendRequest<String> {
        let server = Server::start(vec![answer]);
        let stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
        let (sender, connection) = handshake(hyper_util::rt::TokioIo::new(stream)).await.expect("no words are needed");
        tokio::spawn(connection);
        sender
    }
    let request = || hyper::Request::get("/").header("host", "here").body(String::new()).expect("a request");
    let mut reset = connect(Resets).await;
    let error = reset.send_request(request()).await.unwrap_err();
    assert_eq!(error.class(), Class::Unknown, "{error:?}");
    // The connection is gone: what comes now is not sent.
    let error = reset.send_request(request()).await.unwrap_err();
    assert_eq!((error.is_canceled(), error.class()), (true, Class::Transient), "{error:?}");
    let error = connect(Says("What?\r\n\r\n".to_owned())).await.send_request(request()).await.unwrap_err();
    assert_eq!((error.is_parse(), error.class()), (true, Class::Unknown), "{error:?}");
    let error = connect(Says("HTTP/1.1 2".to_owned())).await.send_request(request()).await.unwrap_err();
    assert_eq!((error.is_incomplete_message(), error.class()), (true, Class::Unknown), "{error:?}");
}

#[cfg(all(feature = "hyper", feature = "tokio"))]
#[tokio::test]
async fn a_body_that_breaks_off_may_have_been_sent() {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A body that cannot be read.
    struct Broken;

    impl hyper::body::Body for Broken {
        type Data = std::collections::VecDeque<u8>;
        type Error = &'static str;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
            Poll::Ready(Some(Err("broken")))
        }
    }

    let server = Server::start(vec![IsSilent]);
    let stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.expect("no words are needed");
    let request = hyper::Request::post("/").header("host", "here").body(Broken).expect("a request");
    let (_ended, answer) = tokio::join!(connection, sender.send_request(request));
    let error = answer.expect_err("the body cannot be sent");
    assert_eq!((error.is_user(), error.class()), (true, Class::Unknown), "{error:?}");
}

/// hyper says then that it was used wrongly, of a request that went out whole.
#[cfg(all(feature = "hyper", feature = "tokio"))]
#[tokio::test]
async fn an_order_whose_connection_was_dropped_may_have_arrived() {
    let server = Server::start(vec![IsSilent]);
    let stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.expect("no words are needed");
    let connection = tokio::spawn(connection);
    let request = hyper::Request::post("/").header("host", "here").body("{}".to_owned()).expect("a request");
    let answer = tokio::spawn(async move { sender.send_request(request).await });
    // It ends when it has read the request, and keeps the connection.
    while !server.playing.is_finished() {
        tokio::task::yield_now().await;
    }
    connection.abort();
    let error = answer.await.expect("no panic").expect_err("nobody answers");
    assert!(error.is_user() && !error.is_canceled(), "{error:?}");
    let error = ApiError::transport(Api::Alpaca, Method::Post, "/v2/orders", error);
    assert_eq!((error.class(), error.code()), (Class::Unknown, Code::ApiOutcomeUnknown));
}

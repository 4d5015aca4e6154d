//! The server within a program that has a runtime, or a server, of its own.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use trading_monitoring::{Error, Health, Lifecycle, Metrics, ServerOptions, Site, Sources, System, SystemOptions};

fn site(options: ServerOptions) -> Site {
    let sources = Sources {
        metrics: Metrics::default(),
        health: Health::start([]).unwrap(),
        system: System::start(SystemOptions::default()).unwrap(),
        lifecycle: Lifecycle::default(),
        pages: Vec::new(),
    };
    Site::new(options, sources).unwrap()
}

async fn json_of(answer: Result<Response<Full<Bytes>>, Infallible>) -> (u16, Value) {
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn it_is_served_on_the_callers_runtime_until_it_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or(Duration::ZERO) };
    let serving = tokio::spawn(site(ServerOptions::default()).serve(listener, shutdown));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut part = [0; 512];
    let length = stream.read(&mut part).await.unwrap();
    assert!(part[..length].starts_with(b"HTTP/1.1 200 OK\r\n"));
    stop.send(Duration::from_secs(60)).unwrap();
    assert_eq!(serving.await.unwrap().unwrap().cut_off, 0);
    assert_eq!(stream.read(&mut part).await.unwrap(), 0, "idle connections are closed");
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_listener_that_others_reach_needs_a_token_here_too() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = site(ServerOptions::default()).serve(listener, async { Duration::ZERO }).await.unwrap_err();
    assert!(matches!(error, Error::Unprotected { .. }));
}

#[tokio::test]
async fn it_is_a_service_of_hyper_and_of_tower() {
    let mut site = site(ServerOptions::default());
    let request = |path: &str| Request::get(path).body(()).unwrap();
    let answer = hyper::service::Service::call(&site, request("/ping")).await;
    assert_eq!(json_of(answer).await, (200, json!({ "message": "pong" })));
    std::future::poll_fn(|cx| tower_service::Service::<Request<()>>::poll_ready(&mut site, cx)).await.unwrap();
    let answer = tower_service::Service::call(&mut site, request("/nowhere")).await;
    assert_eq!(json_of(answer).await.0, 404);
}

//! A server as hyper alone makes it: what ours is compared with.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

/// Answers every request with 200 and a body of its own, on a thread of its own; ends when it is dropped.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Bare {
    pub(crate) fn start(connections_max: usize, body: Bytes) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("binds");
        let address = listener.local_addr().expect("has an address");
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(listener, connections_max, body) => {}
                }
            });
        };
        std::thread::Builder::new().name("bare-http".into()).spawn(serve).expect("starts");
        Self { address, _stop: stop }
    }
}

async fn serve(listener: TcpListener, connections_max: usize, body: Bytes) {
    let places = Arc::new(Semaphore::new(connections_max));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("is never closed");
        let Ok((stream, _)) = listener.accept().await else { continue };
        let body = body.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
                drop(request);
                let body = body.clone();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            // As ours: who has said everything may still listen.
            let mut http = http1::Builder::new();
            http.half_close(true);
            drop(http.serve_connection(TokioIo::new(stream), answer).await);
            drop(place);
        });
    }
}

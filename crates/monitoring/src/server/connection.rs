//! One connection, and what is refused before anybody looks at the request. Who is too slow is ended from outside.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::pace::{Doing, Pace};
use super::reply::Reply;
use super::socket::Socket;
use super::{ServerOptions, Site};

pub(super) struct Connection {
    pub(super) site: Site,
    pub(super) peer: IpAddr,
    pub(super) pace: Arc<Pace>,
}

impl Connection {
    pub(super) async fn serve(self, stream: TcpStream, http: http1::Builder) {
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!("a connection to the health server may be slow: {error}");
        }
        let socket = Socket::new(stream, Arc::clone(&self.pace), self.site.clone());
        let (site, peer, pace) = (&self.site, self.peer, &*self.pace);
        let mut connection = pin!(http.serve_connection(
            TokioIo::new(socket),
            service_fn(|request| async move {
                pace.begins(Doing::Answering);
                Ok::<_, Infallible>(answer(site, peer, pace, request).await)
            }),
        ));
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = pace.finish.notified() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            // The client's doing, and any client's: not worth a line that an operator sees.
            log::debug!("a connection to the health server broke: {error}");
        }
    }
}

async fn answer(site: &Site, peer: IpAddr, pace: &Pace, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let with_body = !body.is_end_stream();
    let refused = if with_body && head.headers.contains_key(TRANSFER_ENCODING) {
        Some((StatusCode::LENGTH_REQUIRED, "a body has to say its length"))
    } else if !with_body && pace.bare_lf.load(Ordering::Relaxed) {
        Some((StatusCode::BAD_REQUEST, "a line ends in CR and LF"))
    } else if !has_its_host(&head) {
        Some((StatusCode::BAD_REQUEST, "a request has one Host"))
    } else if with_body {
        swallow(body, site.options()).await.err()
    } else {
        None
    };
    let mut response = match refused {
        Some((status, sentence)) => site.refuse(Reply::error(status, sentence)),
        None => site.answer(&head, Some(peer)).await,
    };
    // Whoever does not agree with us about where a body ends gets no second answer.
    if with_body || refused.is_some() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// **Source:** RFC 9112, section 3.2.
fn has_its_host(head: &hyper::http::request::Parts) -> bool {
    let mut hosts = head.headers.get_all(HOST).iter();
    match hosts.next() {
        Some(_) => hosts.next().is_none(),
        None => head.version < Version::HTTP_11,
    }
}

/// Reads a body to its end: a connection that is closed with bytes unread takes the answer away with it.
async fn swallow(mut body: Incoming, options: &ServerOptions) -> Result<(), (StatusCode, &'static str)> {
    let too_large = Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
    let bytes_max = u64::try_from(options.body_bytes_max).unwrap_or(u64::MAX);
    if body.size_hint().lower() > bytes_max {
        return too_large;
    }
    let all = async {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return Err((StatusCode::BAD_REQUEST, "the body ended before its length"));
            }
        }
        Ok(())
    };
    timeout(options.body_timeout, all).await.unwrap_or(Err((StatusCode::REQUEST_TIMEOUT, "the body took too long")))
}

//! Accepts connections, serves them, and lets go of them.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use trading_resilience::retry::{self, Delays, Jitter, Policy};

use super::ServerOptions;
use super::pages::Pages;

/// The waits after an accept that failed because the machine is out of something, descriptors for example. Without one
/// the loop would spin: the connection stays in the queue and fails again at once. No jitter, for nobody else is in
/// step.
const BACKOFF: Policy = Policy {
    attempts_max: retry::UNBOUNDED,
    base: Duration::from_millis(10),
    factor: 2.0,
    cap: Duration::from_secs(1),
    jitter: Jitter::None,
    deadline: None,
};

/// hyper panics below this.
const BUFFER_BYTES_MIN: usize = 8_192;

/// Serves until told to stop, and then drains for as long as it was told.
pub(super) async fn serve(
    listener: TcpListener,
    pages: Arc<Pages>,
    options: &ServerOptions,
    mut stop: oneshot::Receiver<Duration>,
) {
    let permits = Arc::new(Semaphore::new(options.connections_max.clamp(1, Semaphore::MAX_PERMITS)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_header_size(options.header_bytes_max)
        .max_buf_size(options.header_bytes_max.max(BUFFER_BYTES_MIN));
    let (closing, _) = watch::channel(false);
    let mut backoff = None;
    let mut connections = JoinSet::new();
    let limit = loop {
        tokio::select! {
            // The sender went without a word: nobody is there to wait.
            limit = &mut stop => break limit.unwrap_or(Duration::ZERO),
            Some(ended) = connections.join_next() => report(ended),
            (stream, permit) = next(&listener, &permits, &mut backoff) => {
                let connection = Connection {
                    pages: Arc::clone(&pages),
                    lifetime: options.connection_lifetime,
                    last_words: options.header_timeout,
                    closing: closing.subscribe(),
                    _permit: permit,
                };
                connections.spawn(connection.serve(stream, http.clone()));
            }
        }
    };
    drop(listener);
    closing.send_replace(true);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if timeout(limit, drained).await.is_err() {
        log::debug!("the health server closes connections that are still open after {limit:?}");
    }
}

/// What one connection needs besides its socket.
struct Connection {
    pages: Arc<Pages>,
    lifetime: Duration,
    last_words: Duration,
    closing: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream, http: http1::Builder) {
        let service = service_fn(|request| {
            let response = self.pages.answer(&request);
            async { Ok::<_, Infallible>(response) }
        });
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        // Dropped inside, for what `wait_for` returns is a lock.
        let told_to_close = async { drop(self.closing.wait_for(|closing| *closing).await) };
        let ended = tokio::select! {
            ended = &mut connection => ended,
            _ = timeout(self.lifetime, told_to_close) => {
                connection.as_mut().graceful_shutdown();
                timeout(self.last_words, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            // The client's doing, and any client's: not worth a line that an operator sees.
            log::debug!("a connection to the health server broke: {error}");
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        log::error!("an answer of the health server failed: {error}");
    }
}

/// The next connection, when there is room for one more. May be dropped and called again: the backoff is the caller's.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    backoff: &mut Option<Delays>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = patiently(async || listener.accept().await, backoff).await;
    (stream, permit)
}

/// Accepts until it succeeds.
async fn patiently<T>(mut accept: impl AsyncFnMut() -> io::Result<T>, backoff: &mut Option<Delays>) -> T {
    loop {
        match accept().await {
            Ok(accepted) => {
                *backoff = None;
                return accepted;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if backoff.is_none() {
                    log::warn!("the health server cannot accept connections, and tries again: {error}");
                }
                let delays = backoff.get_or_insert_with(|| BACKOFF.delays(0));
                sleep(delays.next().unwrap_or(BACKOFF.cap)).await;
            }
        }
    }
}

/// The client went away between its connecting and our accepting: the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// Accepts after these errors, on a clock that jumps; returns the time it took.
    async fn waited(errors: &[io::ErrorKind], backoff: &mut Option<Delays>) -> Duration {
        let mut errors = errors.iter();
        let start = Instant::now();
        patiently(async || errors.next().map_or(Ok(()), |kind| Err((*kind).into())), backoff).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_it_waits_longer_each_time_and_starts_anew_after_a_success() {
        const OUT: io::ErrorKind = io::ErrorKind::Other;
        let backoff = &mut None;
        assert_eq!(waited(&[], backoff).await, Duration::ZERO);
        assert_eq!(waited(&[OUT; 4], backoff).await, Duration::from_millis(10 + 20 + 40 + 80));
        assert_eq!(waited(&[OUT; 2], backoff).await, Duration::from_millis(10 + 20));
        let doubled = 10 + 20 + 40 + 80 + 160 + 320 + 640;
        assert_eq!(waited(&[OUT; 10], backoff).await, Duration::from_millis(doubled + 3 * 1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_went_away_costs_no_wait() {
        let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
        assert_eq!(waited(&gone, &mut None).await, Duration::ZERO);
    }
}

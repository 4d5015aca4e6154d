//! Accepts connections, makes room for them, and lets go of them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use trading_resilience::retry::{self, Delays, Jitter, Policy};

use super::Site;
use super::connection::Connection;
use super::pace::{Limits, Pace};

/// The waits after an accept that failed because the machine is out of something, descriptors for example. Without one
/// the loop would spin: the connection stays in the queue and fails again at once. Short at most, for `/live` is asked by
/// whoever restarts us. No jitter, for nobody else is in step.
const BACKOFF: Policy = Policy {
    attempts_max: retry::UNBOUNDED,
    base: Duration::from_millis(5),
    factor: 2.0,
    cap: Duration::from_millis(50),
    jitter: Jitter::None,
    deadline: None,
};

/// How often the machine's figures become samples, so that the page has their past when it is opened: two hours of it, as
/// samples are kept by default.
const SAMPLES: Duration = Duration::from_secs(15);

/// How long a new connection waits before its place is looked for again.
const CROWDED: Duration = Duration::from_millis(10);

/// hyper panics below this.
const BUFFER_BYTES_MIN: usize = 8_192;

/// Serves until told to stop, and then drains for as long as it was told.
pub(super) async fn serve(listener: TcpListener, site: Site, shutdown: impl Future<Output = Duration>) {
    let options = site.options();
    let mut http = http1::Builder::new();
    http.max_header_size(options.header_bytes_max)
        // Ours say more exactly what is waited for, see `Pace`.
        .header_read_timeout(None)
        // Who has said everything may still listen: `printf … | nc` for example.
        .half_close(true)
        .max_buf_size(options.header_bytes_max.max(BUFFER_BYTES_MIN));
    let mut open = Open {
        http,
        limits: Limits::new(options),
        connections_max: options.connections_max,
        closing: watch::channel(false).0,
        tasks: JoinSet::new(),
        paces: HashMap::new(),
    };
    let mut samples = interval(SAMPLES);
    samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut backoff = None;
    // Accepted, and without a place so far.
    let mut guest = None;
    let mut shutdown = std::pin::pin!(shutdown);
    let limit = loop {
        tokio::select! {
            limit = &mut shutdown => break limit,
            Some(ended) = open.tasks.join_next_with_id() => open.forget(ended),
            accepted = accept(&listener, &mut backoff, &open.paces), if guest.is_none() => guest = Some(accepted),
            _ = samples.tick() => site.note_system(),
            // All were being answered: one of them may wait for its client by now.
            () = sleep(CROWDED), if guest.is_some() => {}
        }
        if open.paces.len() >= open.connections_max && guest.is_some() {
            evict(&open.paces);
        } else if let Some((stream, peer)) = guest.take() {
            open.begin(stream, peer, &site);
        }
        site.note_connections(open.paces.len());
    };
    drop((listener, guest));
    open.drain(limit).await;
    site.note_connections(0);
}

/// The connections there are.
struct Open {
    http: http1::Builder,
    limits: Limits,
    connections_max: usize,
    closing: watch::Sender<bool>,
    tasks: JoinSet<()>,
    paces: Paces,
}

type Paces = HashMap<Id, Arc<Pace>>;

impl Open {
    fn begin(&mut self, stream: TcpStream, peer: SocketAddr, site: &Site) {
        let pace = Arc::new(Pace::new(self.limits));
        let connection = Connection {
            site: site.clone(),
            peer: peer.ip(),
            pace: Arc::clone(&pace),
            closing: self.closing.subscribe(),
        };
        let task = self.tasks.spawn(connection.serve(stream, self.http.clone()));
        self.paces.insert(task.id(), pace);
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                log::error!("an answer of the health server failed: {error}");
                error.id()
            }
        };
        self.paces.remove(&id);
    }

    /// Lets the requests that are under way end. What is still open after `limit` is closed.
    async fn drain(&mut self, limit: Duration) {
        self.closing.send_replace(true);
        let drained = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.forget(ended);
            }
        };
        if timeout(limit, drained).await.is_err() {
            log::debug!("the health server closes connections that are still open after {limit:?}");
            self.tasks.shutdown().await;
        }
    }
}

/// Tells the connection that has waited longest for its client to go.
fn evict(paces: &Paces) {
    let waiting = paces.values().filter_map(|pace| Some((pace.waits_since()?, pace)));
    if let Some((_, pace)) = waiting.min_by_key(|(since, _)| *since) {
        pace.evicted.notify_one();
    }
}

/// The next connection. May be dropped and called again: the backoff is the caller's.
async fn accept(listener: &TcpListener, backoff: &mut Option<Delays>, paces: &Paces) -> (TcpStream, SocketAddr) {
    // Most likely there are no descriptors left when it fails: one of ours is.
    patiently(|cx| listener.poll_accept(cx), || evict(paces), backoff).await
}

/// Accepts until it succeeds; makes room after each failure that is not one connection's.
async fn patiently<T>(
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    make_room: impl Fn(),
    backoff: &mut Option<Delays>,
) -> T {
    loop {
        match poll_fn(&mut accept).await {
            Ok(accepted) => {
                *backoff = None;
                return accepted;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if backoff.is_none() {
                    log::warn!("the health server cannot accept connections, and tries again: {error}");
                }
                make_room();
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
        let accept = |_: &mut Context<'_>| Poll::Ready(errors.next().map_or(Ok(()), |kind| Err((*kind).into())));
        patiently(accept, || {}, backoff).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_it_waits_longer_each_time_and_starts_anew_after_a_success() {
        const OUT: io::ErrorKind = io::ErrorKind::Other;
        let backoff = &mut None;
        assert_eq!(waited(&[], backoff).await, Duration::ZERO);
        assert_eq!(waited(&[OUT; 4], backoff).await, Duration::from_millis(5 + 10 + 20 + 40));
        assert_eq!(waited(&[OUT; 2], backoff).await, Duration::from_millis(5 + 10));
        assert_eq!(waited(&[OUT; 10], backoff).await, Duration::from_millis(5 + 10 + 20 + 40 + 6 * 50));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_went_away_costs_no_wait() {
        let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
        assert_eq!(waited(&gone, &mut None).await, Duration::ZERO);
    }
}

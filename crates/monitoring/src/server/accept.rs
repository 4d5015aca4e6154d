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
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};
use trading_resilience::retry::{self, Delays, Jitter, Policy};

use super::connection::Connection;
use super::pace::{Doing, Moment, Pace};
use super::{Drained, ServerOptions, Site};

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

/// How long a new connection waits before its place is looked for again.
const CROWDED: Duration = Duration::from_millis(10);

/// hyper panics below this.
const BUFFER_BYTES_MIN: usize = 8_192;

/// Serves until told to stop, and then drains for as long as it was told.
pub(super) async fn serve(listener: TcpListener, site: Site, shutdown: impl Future<Output = Duration>) -> Drained {
    let options = site.options();
    let mut http = http1::Builder::new();
    http.max_header_size(options.header_bytes_max)
        // Ours say more exactly what is waited for, see `Pace`.
        .header_read_timeout(None)
        // Who has said everything may still listen: `printf … | nc` for example.
        .half_close(true)
        .max_buf_size(options.header_bytes_max.max(BUFFER_BYTES_MIN));
    let (tasks, held, ended) = (JoinSet::new(), Held::new(), Drained::default());
    let mut open = Open { http, options: options.clone(), tasks, held, ended };
    let mut looks = ticks(rest(options));
    let mut backoff = None;
    // Accepted, and without a place so far.
    let mut guest = None;
    let mut shutdown = std::pin::pin!(shutdown);
    let limit = loop {
        tokio::select! {
            limit = &mut shutdown => break limit,
            Some(ended) = open.tasks.join_next_with_id() => open.forget(ended),
            accepted = accept(&listener, &mut backoff, &open.held), if guest.is_none() => guest = Some(accepted),
            _ = looks.tick(), if !open.held.is_empty() => open.look(),
            // All were being answered: one of them may wait for its client by now.
            () = sleep(CROWDED), if guest.is_some() => {}
        }
        if open.held.len() >= options.connections_max && guest.is_some() {
            evict(&open.held);
        } else if let Some((stream, peer)) = guest.take() {
            open.begin(stream, peer, &site);
        }
        site.note_connections(open.held.len());
    };
    drop((listener, guest));
    let drained = open.drain(limit).await;
    site.note_connections(0);
    drained
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The connections there are.
struct Open {
    http: http1::Builder,
    options: ServerOptions,
    tasks: JoinSet<()>,
    held: Held,
    /// How those that are not held any more ended.
    ended: Drained,
}

type Held = HashMap<Id, Hold>;

/// What ends a connection: with its task goes its socket.
struct Hold {
    pace: Arc<Pace>,
    task: AbortHandle,
    since: Instant,
    /// What it was doing when it was last looked at, and since when at least.
    seen: (Moment, Instant),
}

/// How often to look: a time-out is late by a quarter at most, or by 5 ms.
fn rest(options: &ServerOptions) -> Duration {
    let shortest = options.header_timeout.min(options.idle_timeout).min(options.write_timeout);
    (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1))
}

impl Open {
    fn begin(&mut self, stream: TcpStream, peer: SocketAddr, site: &Site) {
        let (pace, since) = (Arc::new(Pace::default()), Instant::now());
        let connection = Connection { site: site.clone(), peer: peer.ip(), pace: Arc::clone(&pace) };
        let task = self.tasks.spawn(connection.serve(stream, self.http.clone()));
        let seen = (pace.moment(), since);
        self.held.insert(task.id(), Hold { pace, task, since, seen });
    }

    /// Ends those whose clients are too slow, or that have lasted long enough.
    fn look(&mut self) {
        let (now, options) = (Instant::now(), &self.options);
        for Hold { pace, task, since, seen } in self.held.values_mut() {
            if seen.0 != pace.moment() {
                *seen = (pace.moment(), now);
            }
            let limit = match seen.0.doing() {
                Doing::Head => Some(options.header_timeout),
                Doing::Idle => Some(options.idle_timeout),
                Doing::Writing => Some(options.write_timeout),
                // That is our time, not the client's.
                Doing::Answering => None,
            };
            let age = now.saturating_duration_since(*since);
            let is_slow = limit.is_some_and(|limit| now.saturating_duration_since(seen.1) >= limit);
            if is_slow || age >= options.connection_lifetime.saturating_add(options.header_timeout) {
                task.abort();
            } else if age >= options.connection_lifetime {
                pace.finish.notify_one();
            }
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, is_whole) = match ended {
            Ok((id, ())) => (id, true),
            Err(error) => {
                if error.is_panic() {
                    log::error!("an answer of the health server failed: {error}");
                }
                (error.id(), false)
            }
        };
        let Some(Hold { pace, .. }) = self.held.remove(&id) else { return };
        if is_whole || !pace.has_request() {
            self.ended.in_order += 1;
        } else {
            self.ended.cut_off += 1;
        }
    }

    /// Lets the requests that are under way end. What is still open after `limit` is closed.
    async fn drain(&mut self, limit: Duration) -> Drained {
        self.ended = Drained::default();
        for Hold { pace, .. } in self.held.values() {
            pace.finish.notify_one();
        }
        let mut looks = ticks(rest(&self.options));
        let drained = async {
            while !self.held.is_empty() {
                tokio::select! {
                    Some(ended) = self.tasks.join_next_with_id() => self.forget(ended),
                    _ = looks.tick() => self.look(),
                }
            }
        };
        if timeout(limit, drained).await.is_err() {
            log::debug!("the health server closes connections that are still open after {limit:?}");
            self.tasks.abort_all();
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.forget(ended);
            }
        }
        self.ended
    }
}

/// Ends the connection that has waited longest for its client.
fn evict(held: &Held) {
    let waiting = held.values().filter(|hold| hold.pace.moment().doing() != Doing::Answering);
    // One that has begun something since it was looked at waits for less long than any that has not.
    let longest = waiting.min_by_key(|hold| (hold.seen.0 != hold.pace.moment(), hold.seen.1, hold.since));
    if let Some(hold) = longest {
        hold.task.abort();
    }
}

/// The next connection. May be dropped and called again: the backoff is the caller's.
async fn accept(listener: &TcpListener, backoff: &mut Option<Delays>, held: &Held) -> (TcpStream, SocketAddr) {
    // Most likely there are no descriptors left when it fails: one of ours is.
    patiently(|cx| listener.poll_accept(cx), || evict(held), backoff).await
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

//! What a connection is doing, and for how long it may. Shared by its socket, its service and whoever wants its place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ServerOptions;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// The rest of a header, or the first one.
    Head,
    /// The next request.
    Idle,
    /// The client to take its answer.
    Writing,
    /// Our answer.
    Answering,
}

#[derive(Debug)]
pub(super) struct Pace {
    limits: Limits,
    /// Milliseconds from the server's start, and in the lowest two bits what it is doing: one word, so that both change at
    /// once.
    state: AtomicU64,
    /// Somebody else needs the place.
    pub(super) evicted: Notify,
    /// The header had a line that ends in a bare LF.
    pub(super) bare_lf: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    start: Instant,
    head: Duration,
    idle: Duration,
    writing: Duration,
}

impl Limits {
    pub(super) fn new(options: &ServerOptions) -> Self {
        Self {
            start: Instant::now(),
            head: options.header_timeout,
            idle: options.idle_timeout,
            writing: options.write_timeout,
        }
    }

    fn shortest(&self) -> Duration {
        self.head.min(self.idle).min(self.writing)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
    }
}

// Relaxed throughout: the word stands for itself.
impl Pace {
    pub(super) fn new(limits: Limits) -> Self {
        let pace = Self { limits, state: AtomicU64::new(0), evicted: Notify::new(), bare_lf: AtomicBool::new(false) };
        pace.now(Doing::Head);
        pace
    }

    pub(super) fn now(&self, doing: Doing) {
        self.state.store(self.limits.now() << 2 | doing as u64, Ordering::Relaxed);
    }

    pub(super) fn doing(&self) -> Doing {
        match self.state.load(Ordering::Relaxed) & 3 {
            0 => Doing::Head,
            1 => Doing::Idle,
            2 => Doing::Writing,
            _ => Doing::Answering,
        }
    }

    /// Since when it waits for its client; `None` while the client waits for us.
    pub(super) fn waits_since(&self) -> Option<u64> {
        (self.doing() != Doing::Answering).then(|| self.state.load(Ordering::Relaxed) >> 2)
    }

    /// Returns when its client has been too slow.
    pub(super) async fn too_slow(&self) {
        loop {
            let limit = match self.doing() {
                Doing::Head => Some(self.limits.head),
                Doing::Idle => Some(self.limits.idle),
                Doing::Writing => Some(self.limits.writing),
                Doing::Answering => None,
            };
            // Whatever it begins while we sleep ends no sooner than the shortest time-out from now.
            let mut rest = self.limits.shortest();
            if let Some(limit) = limit {
                let since = Duration::from_millis(self.state.load(Ordering::Relaxed) >> 2);
                let left = (since + limit).saturating_sub(self.limits.start.elapsed());
                if left.is_zero() {
                    return;
                }
                rest = rest.min(left);
            }
            tokio::time::sleep(rest).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_limit() {
        let options = ServerOptions {
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(7),
            ..ServerOptions::default()
        };
        let start = Instant::now();
        for (doing, limit) in [(Doing::Head, 5), (Doing::Idle, 30), (Doing::Writing, 7)] {
            let pace = Pace::new(Limits::new(&options));
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            pace.now(doing);
            let begun = Instant::now();
            pace.too_slow().await;
            let waited = begun.elapsed().as_millis();
            assert!((limit * 1_000..limit * 1_000 + 5).contains(&waited), "{doing:?}: {waited} ms");
        }
        let pace = Pace::new(Limits::new(&options));
        pace.now(Doing::Answering);
        assert_eq!(pace.waits_since(), None);
        let hour = Duration::from_secs(3_600);
        assert!(tokio::time::timeout(hour, pace.too_slow()).await.is_err(), "that is our time, not the client's");
        assert!(start.elapsed() > hour);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_counts_from_the_last_thing_that_was_begun() {
        let pace = Pace::new(Limits::new(&ServerOptions::default()));
        let begun = Instant::now();
        let work = async {
            for doing in [Doing::Answering, Doing::Writing, Doing::Idle, Doing::Head] {
                tokio::time::sleep(Duration::from_secs(4)).await;
                pace.now(doing);
            }
            std::future::pending().await
        };
        tokio::select! {
            () = pace.too_slow() => {}
            () = work => {}
        }
        assert!((21_000..21_010).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    }
}

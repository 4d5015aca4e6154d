//! The HTTP server, on a thread and a runtime of its own: it answers while the rest of the program is stuck.

mod accept;
mod access;
mod body;
mod calls;
mod connection;
mod fresh;
mod metrics_page;
mod negotiation;
mod options;
mod pace;
mod page;
mod pages;
mod panel;
mod query;
mod reply;
mod route;
mod site;
mod socket;
mod tally;

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use options::{ServerOptions, Token};
pub use pages::Pages;
pub use panel::Part;
pub use query::Query;
pub use reply::Reply;
pub use site::Site;

use crate::error::Error;
use crate::{Health, Lifecycle, Metrics, System};

/// What the server shows.
#[derive(Debug)]
pub struct Sources {
    /// For `/metrics`; the server adds `http_requests_total`, `process_*` and `system_*`.
    pub metrics: Metrics,
    /// For `/health` and `/ready`.
    pub health: Health,
    /// For `/system`.
    pub system: System,
    /// For `/ready`.
    pub lifecycle: Lifecycle,
    /// Routes and panels of the program itself.
    pub pages: Vec<Pages>,
}

/// The running server. It stops at [`shutdown`](Self::shutdown), or when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<Duration>,
    thread: JoinHandle<Drained>,
}

/// How the connections that were open when a server was told to stop have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drained {
    /// Those whose requests were answered, and those that had none.
    pub in_order: usize,
    /// Those that were closed with a request under way, if only half of it was sent or half of its answer taken.
    pub cut_off: usize,
}

impl Server {
    /// How long a server that is dropped waits for its connections.
    const DROP_LIMIT: Duration = Duration::from_secs(1);

    /// Binds the address, and serves it from a thread of its own. When this returns, clients can connect.
    ///
    /// # Errors
    ///
    /// As [`ServerOptions::bind`] and [`start_on`](Self::start_on).
    pub fn start(options: ServerOptions, sources: Sources) -> Result<Self, Error> {
        let listener = options.bind()?;
        Self::start_on(listener, options, sources)
    }

    /// Serves a listener that is bound already, from a thread of its own; [`ServerOptions::address`] does not count.
    ///
    /// # Errors
    ///
    /// As [`Site::new`]; [`Error::Unprotected`] when other machines would see everything; [`Error::Runtime`] and
    /// [`Error::Thread`] when the system has no room for another runtime or thread.
    pub fn start_on(listener: std::net::TcpListener, options: ServerOptions, sources: Sources) -> Result<Self, Error> {
        let runtime = |source| Error::Runtime { source };
        listener.set_nonblocking(true).map_err(runtime)?;
        let address = listener.local_addr().map_err(runtime)?;
        options.check(address)?;
        let site = Site::new(options, sources)?;
        let driver = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(runtime)?;
        let listener = {
            let _context = driver.enter();
            TcpListener::from_std(listener).map_err(runtime)?
        };
        let (stop, stopped) = oneshot::channel();
        // The sender went without a word: nobody is there to wait.
        let stopped = async { stopped.await.unwrap_or(Duration::ZERO) };
        let name = "monitoring-http";
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                let drained = driver.block_on(accept::serve(listener, site, stopped));
                // Waits for no route that hangs.
                driver.shutdown_background();
                drained
            })
            .map_err(|source| Error::Thread { name: name.into(), source })?;
        Ok(Self { address, running: Mutex::new(Some(Running { stop, thread })) })
    }

    /// The address that is bound, with the real port where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no further connection, lets the requests that are under way end for up to `limit`, and closes what is
    /// left: a request that is only half sent, for example. Blocks until that is done, and returns how the connections ended; a
    /// second call does nothing, and finds none.
    pub fn shutdown(&self, limit: Duration) -> Drained {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Running { stop, thread }) = running.take() else { return Drained::default() };
        // An error of either says that the thread has panicked: then there is nothing left to stop.
        let told = stop.send(limit);
        match (told, thread.join()) {
            (Ok(()), Ok(drained)) => drained,
            _ => {
                log::error!("the health server had already ended, by a panic");
                Drained::default()
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown(Self::DROP_LIMIT);
    }
}

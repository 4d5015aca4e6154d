//! The HTTP server, on a thread and a runtime of its own: it answers while the rest of the program is stuck.

mod accept;
mod body;
mod pages;
mod route;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::{Health, Lifecycle, Metrics, System};
use pages::Pages;

/// Where the server listens, and what it allows its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The address; port 0 takes any free one, see [`Server::address`]. Default 127.0.0.1:8080.
    pub address: SocketAddr,
    /// How many connections may be open; further ones wait until one is closed. At least 1; default 256 (**source:**
    /// arbitrary).
    pub connections_max: usize,
    /// How long a client may take to send a request's header, and so also how long it may keep a connection open
    /// between two requests. Default 5 s (**source:** arbitrary).
    pub header_timeout: Duration,
    /// How long a connection may last, whatever its client does; what is under way then gets the header's time-out once
    /// more. Default 60 s (**source:** arbitrary).
    pub connection_lifetime: Duration,
    /// How large a request's header may be, its first line included. Beyond: 431. Default 16 KiB (**source:**
    /// arbitrary).
    pub header_bytes_max: usize,
    /// How long a request's target may be. Beyond: 414. Default 2,048 bytes (**source:** arbitrary).
    pub uri_bytes_max: usize,
}

impl ServerOptions {
    /// The defaults at another address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, ..Self::default() }
    }

    /// Takes the address, so that a program can do so before anything else: clients that connect from now on wait for
    /// [`Server::serve`].
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] when the address cannot be bound, because it is taken for example.
    pub fn bind(&self) -> Result<std::net::TcpListener, Error> {
        let Self { address, .. } = *self;
        std::net::TcpListener::bind(address).map_err(|source| Error::Bind { address, source })
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            connections_max: 256,
            header_timeout: Duration::from_secs(5),
            connection_lifetime: Duration::from_secs(60),
            header_bytes_max: 16 * 1024,
            uri_bytes_max: 2_048,
        }
    }
}

/// What the server shows.
#[derive(Debug, Clone)]
pub struct Sources {
    /// For `/metrics`; the server adds `http_requests_total`, `process_*` and `system_*`.
    pub metrics: Metrics,
    /// For `/health` and `/ready`.
    pub health: Health,
    /// For `/system`.
    pub system: System,
    /// For `/ready`.
    pub lifecycle: Lifecycle,
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
    thread: JoinHandle<()>,
}

impl Server {
    /// How long a server that is dropped waits for its connections.
    const DROP_LIMIT: Duration = Duration::from_secs(1);

    /// Binds the address, and serves it from a thread of its own. When this returns, clients can connect.
    ///
    /// # Errors
    ///
    /// As [`ServerOptions::bind`] and [`serve`](Self::serve).
    pub fn start(options: ServerOptions, sources: Sources) -> Result<Self, Error> {
        Self::serve(options.bind()?, options, sources)
    }

    /// Serves a listener that is bound already, from a thread of its own; [`ServerOptions::address`] does not count.
    ///
    /// # Errors
    ///
    /// [`Error::Runtime`] and [`Error::Thread`] when the system has no room for another runtime or thread.
    pub fn serve(listener: std::net::TcpListener, options: ServerOptions, sources: Sources) -> Result<Self, Error> {
        let runtime = |source| Error::Runtime { source };
        listener.set_nonblocking(true).map_err(runtime)?;
        let address = listener.local_addr().map_err(runtime)?;
        let driver = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(runtime)?;
        let listener = {
            let _context = driver.enter();
            TcpListener::from_std(listener).map_err(runtime)?
        };
        let pages = Arc::new(Pages::new(sources, options.uri_bytes_max));
        let (stop, stopped) = oneshot::channel();
        let name = "monitoring-http";
        let thread = thread::Builder::new()
            .name(name.into())
            // With the runtime goes whatever connection is still open.
            .spawn(move || driver.block_on(accept::serve(listener, pages, &options, stopped)))
            .map_err(|source| Error::Thread { name: name.into(), source })?;
        Ok(Self { address, running: Mutex::new(Some(Running { stop, thread })) })
    }

    /// The address that is bound, with the real port where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no further connection, lets the requests that are under way end for up to `limit`, and closes what is
    /// left: a request that is only half sent, for example. Blocks until that is done; a second call does nothing.
    pub fn shutdown(&self, limit: Duration) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Running { stop, thread }) = running.take() else { return };
        // An error of either says that the thread has panicked: then there is nothing left to stop.
        if stop.send(limit).is_err() | thread.join().is_err() {
            log::error!("the health server had already ended, by a panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown(Self::DROP_LIMIT);
    }
}

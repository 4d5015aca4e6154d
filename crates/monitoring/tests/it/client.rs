//! A client as small as it can be, and a server for it to ask.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use trading_monitoring::{
    Check, Health, Lifecycle, Metrics, Pages, Server, ServerOptions, Sources, System, SystemOptions,
};

/// Only reached when something is broken: then a test fails, and does not hang.
pub(crate) const NEVER: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) data_dir: tempfile::TempDir,
}

/// Any free port.
pub(crate) fn options() -> ServerOptions {
    ServerOptions::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

impl Fixture {
    pub(crate) fn new(checks: impl IntoIterator<Item = Check>) -> Self {
        Self::with(options(), checks)
    }

    pub(crate) fn with(options: ServerOptions, checks: impl IntoIterator<Item = Check>) -> Self {
        Self::extended(options, checks, [])
    }

    pub(crate) fn extended(
        options: ServerOptions,
        checks: impl IntoIterator<Item = Check>,
        pages: impl IntoIterator<Item = Pages>,
    ) -> Self {
        let data_dir = tempfile::tempdir().expect("a temporary folder");
        let (metrics, lifecycle) = (Metrics::default(), Lifecycle::default());
        let system = System::start(SystemOptions { data_dir: data_dir.path().into(), ..SystemOptions::default() })
            .expect("samples");
        let health = Health::start(checks).expect("the checks are valid");
        let sources = Sources {
            metrics: metrics.clone(),
            health: health.clone(),
            system,
            lifecycle: lifecycle.clone(),
            pages: pages.into_iter().collect(),
        };
        let server = Server::start(options, sources).expect("starts");
        assert!(health.wait_first(NEVER));
        Self { server, metrics, health, lifecycle, data_dir }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).expect("connects");
        stream.set_read_timeout(Some(NEVER)).expect("takes the time-out");
        stream
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.ask("GET", target)
    }

    pub(crate) fn ask(&self, method: &str, target: &str) -> Reply {
        let mut stream = self.connect();
        write!(stream, "{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("sends");
        Reply::read(stream)
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// Reads until the server closes.
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answers in UTF-8 and closes");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

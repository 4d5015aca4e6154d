//! Its address, its limits and its end.

use std::error::Error as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use trading_monitoring::{
    Drained, Error, Health, Lifecycle, Metrics, Server, ServerOptions, Sources, System, SystemOptions,
};

use crate::client::{Fixture, NEVER, Reply, options};

fn sources() -> Result<Sources, Error> {
    Ok(Sources {
        metrics: Metrics::default(),
        health: Health::start([])?,
        system: System::start(SystemOptions::default())?,
        lifecycle: Lifecycle::default(),
        pages: Vec::new(),
    })
}

fn start(options: ServerOptions) -> Result<Server, Error> {
    Server::start(options, sources()?)
}

/// Options under which a connection is never closed for its own slowness.
fn patient() -> ServerOptions {
    ServerOptions {
        header_timeout: NEVER * 60,
        body_timeout: NEVER * 60,
        idle_timeout: NEVER * 60,
        write_timeout: NEVER * 60,
        connection_lifetime: NEVER * 60,
        ..options()
    }
}

/// Runs it on a thread, so that one that hangs is seen.
#[track_caller]
fn returns<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    thread::spawn(move || drop(done.send(run())));
    finished.recv_timeout(NEVER).expect("it returns")
}

#[track_caller]
fn closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(NEVER)).expect("takes the time-out");
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_taken_port_is_an_error_that_names_the_address_and_the_way_out() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let error = start(ServerOptions::at(address)).unwrap_err();
    assert!(matches!(error, Error::Bind { address: named, .. } if named == address));
    let expected =
        format!("cannot listen on {address}: another program listens there; stop it, or choose another port");
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.source().unwrap().to_string(), "Address already in use (os error 98)");
}

#[test]
fn an_address_taken_early_is_served_later() {
    let listener = options().bind().unwrap();
    let address = listener.local_addr().unwrap();
    assert!(matches!(ServerOptions::at(address).bind(), Err(Error::Bind { .. })), "it is taken");
    let mut early = TcpStream::connect(address).unwrap();
    early.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let server = Server::start_on(listener, ServerOptions::default(), sources().unwrap()).unwrap();
    assert_eq!(server.address(), address);
    early.set_read_timeout(Some(NEVER)).unwrap();
    assert_eq!(Reply::read(early).status, 200);
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // Of the range for documentation, so no machine has it.
    let options = ServerOptions { allow_unauthenticated: true, ..ServerOptions::at("192.0.2.1:0".parse().unwrap()) };
    let error = start(options).unwrap_err();
    let expected =
        "cannot listen on 192.0.2.1:0: this machine has no such address; choose one of its own, such as 127.0.0.1";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn port_0_takes_a_free_one_and_several_servers_run_side_by_side() {
    let (first, second) = (Fixture::new([]), Fixture::new([]));
    assert_ne!(first.server.address().port(), 0);
    assert_ne!(first.server.address(), second.server.address());
    assert_eq!((first.get("/ping").status, second.get("/ping").status), (200, 200));
}

#[test]
fn by_default_it_is_reached_from_this_machine_only() {
    assert_eq!(ServerOptions::default().address, "127.0.0.1:8080".parse::<SocketAddr>().unwrap());
}

#[test]
fn shutdown_is_not_held_by_a_half_sent_header_and_gives_the_port_back() {
    let fixture = Fixture::with(patient(), []);
    let mut half = fixture.connect();
    half.write_all(b"GET /ping HTTP/1.1\r\nHos").unwrap();
    let idle = fixture.connect();
    // A later connection that is answered says that the earlier ones were accepted.
    assert_eq!(fixture.get("/ping").status, 200);
    let address = fixture.server.address();
    let fixture = returns(move || {
        let drained = fixture.server.shutdown(Duration::from_millis(50));
        // The one that was answered may be held still.
        assert!(drained.cut_off == 1 && drained.in_order >= 1, "{drained:?}");
        assert_eq!(fixture.server.shutdown(NEVER), Drained::default());
        fixture
    });
    closed(half);
    closed(idle);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    drop(start(ServerOptions::at(address)).unwrap());
    assert_eq!(fixture.server.address(), address);
}

#[test]
fn shutdown_closes_idle_connections_at_once() {
    let fixture = Fixture::with(patient(), []);
    let mut idle = fixture.connect();
    idle.write_all(b"GET /ping HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 512]).unwrap() > 0);
    let drained = returns(move || fixture.server.shutdown(NEVER * 60));
    assert_eq!((drained.in_order, drained.cut_off), (1, 0));
    closed(idle);
}

#[test]
fn dropping_it_stops_it() {
    let server = start(options()).unwrap();
    let address = server.address();
    returns(move || drop(server));
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_header_that_never_ends_is_cut_off() {
    let fixture = Fixture::with(ServerOptions { header_timeout: Duration::from_millis(20), ..patient() }, []);
    let mut half = fixture.connect();
    half.write_all(b"GET /ping HTTP/1.1\r\nHos").unwrap();
    closed(half);
    closed(fixture.connect());
    assert_eq!(fixture.get("/ping").status, 200);
}

#[test]
fn a_connection_has_a_lifetime() {
    let options = ServerOptions { connection_lifetime: Duration::from_millis(20), ..patient() };
    let fixture = Fixture::with(options, []);
    closed(fixture.connect());
}

#[test]
fn nonsense_is_refused_and_the_next_connection_works() {
    let fixture = Fixture::new([]);
    for nonsense in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"nonsense\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n"]
    {
        let mut stream = fixture.connect();
        stream.write_all(nonsense).unwrap();
        assert_eq!(Reply::read(stream).status, 400);
        assert_eq!(fixture.get("/live").status, 200);
    }
}

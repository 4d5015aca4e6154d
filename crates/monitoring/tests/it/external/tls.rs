//! A service whose certificate nobody vouches for, and one that falls silent before it has shown any.
//!
//! `self-signed.der` is of `localhost`, until 2126; its key is beside it. Made by `openssl req -x509 -newkey ec -pkeyopt
//! ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 36500 -addext subjectAltName=DNS:localhost -addext
//! basicConstraints=critical,CA:FALSE`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream, StreamOwned};
use trading_monitoring::{Endpoint, Status};

use super::{CANARY, answer, check, looks};
use crate::client::NEVER;

const CERTIFICATE: &[u8] = include_bytes!("self-signed.der");
const KEY: &[u8] = include_bytes!("self-signed-key.der");
const ASKED: &str = "GET /v2/clock HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Answers so many connections over TLS, as `localhost`; of each is told what was read, or why nothing was.
fn server(connections: usize) -> (SocketAddr, mpsc::Receiver<Result<String, String>>) {
    let config = ServerConfig::builder().with_no_client_auth();
    let key = PrivatePkcs8KeyDer::from(KEY).into();
    let config = Arc::new(config.with_single_cert(vec![CERTIFICATE.into()], key).expect("the key is of it"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten().take(connections) {
            stream.set_read_timeout(Some(NEVER)).expect("takes the time-out");
            let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).expect("begins"), stream);
            let mut request = [0; 4_096];
            let read = tls.read(&mut request).map_err(|error| error.to_string());
            let read = read.map(|length| String::from_utf8_lossy(&request[..length]).into_owned());
            if read.is_ok() {
                drop(tls.write_all(answer("200 OK", "{}").as_bytes()));
            }
            drop(tell.send(read));
        }
    });
    (address, told)
}

/// Asks as a client that trusts this certificate and no other.
fn ask_trusting(address: SocketAddr) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFICATE.into()).expect("is a certificate");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("is a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("begins");
    let mut stream = TcpStream::connect(address).expect("connects");
    let mut tls = Stream::new(&mut connection, &mut stream);
    tls.write_all(ASKED.as_bytes()).expect("is sent");
    let mut start = [0; 15];
    tls.read_exact(&mut start).expect("is answered");
    String::from_utf8_lossy(&start).into_owned()
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_at_once_and_no_key_is_sent() {
    let (address, told) = server(2);
    // The control: the server is well, and whoever trusts it is answered.
    assert_eq!(ask_trusting(address), "HTTP/1.1 200 OK");
    assert_eq!(told.recv_timeout(NEVER).expect("was asked").as_deref(), Ok(ASKED));

    let alpaca = Endpoint::alpaca(&format!("https://localhost:{}", address.port()), CANARY.into(), CANARY.into());
    let found = looks(Endpoint { connect_timeout: NEVER, timeout: NEVER, ..alpaca }, 1);
    check(&found, &[(Status::Unhealthy, "it is not trusted: io: invalid peer certificate: UnknownIssuer")]);
    let read = told.recv_timeout(NEVER).expect("was tried");
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn silence_before_a_certificate_is_a_failure_in_its_time() {
    let (url, _asked) = super::server(vec![String::new()]);
    let found = looks(super::alpaca(&url.replace("http:", "https:")), 1);
    assert_eq!(found[0].status, Status::Degraded);
    assert!(found[0].message.starts_with("failed 1 of 3 times: timeout"), "{}", found[0].message);
    assert!(found[0].duration.expect("it was looked at") < NEVER);
}

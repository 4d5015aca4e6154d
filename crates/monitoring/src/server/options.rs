//! Where the server listens, whom it answers, and what it allows its clients.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::error::Error;

/// Where the server listens, whom it answers, and what it allows its clients. **Source** of the numbers: arbitrary, where
/// nothing else is said; one person's page, a scraper and an orchestrator need a hundredth of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The address; port 0 takes any free one, see [`Server::address`](crate::Server::address). Default 127.0.0.1:8080.
    pub address: SocketAddr,
    /// What a client must send, as `Authorization: Bearer …`, to see more than status words. Default none: then everybody who
    /// reaches the server sees all, and only this machine reaches it.
    pub token: Option<Token>,
    /// Lets the server listen to other machines without a token, so that everybody there sees all. Default `false`.
    pub allow_unauthenticated: bool,
    /// How many wrong tokens an address may send within a minute; until that is over, further ones are refused unread.
    /// At least 1; default 10.
    pub token_attempts_max: u32,
    /// How many connections may be open. Beyond, the one that has waited longest for its client is closed, or, where all are
    /// being answered, the new one waits. At least 1; default 256.
    pub connections_max: usize,
    /// How long a client may take to send a request's header, from its first byte on, or from the connection's start.
    /// Default 5 s.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body, which is read and not used. Default 5 s.
    pub body_timeout: Duration,
    /// How long a connection may be kept open between two requests. Default 30 s.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer. Default 5 s.
    pub write_timeout: Duration,
    /// How long a connection may last, whatever its client does; what is under way then gets the header's time-out once
    /// more. Default 10 min.
    pub connection_lifetime: Duration,
    /// How large a request's header may be, its first line included. Beyond: 431, as with more than 100 fields. Default
    /// 16 KiB.
    pub header_bytes_max: usize,
    /// How long a request's target may be. Beyond: 414. Default 2,048 bytes.
    pub uri_bytes_max: usize,
    /// How large a request's body may be. Beyond: 413. Default 16 KiB.
    pub body_bytes_max: usize,
    /// How long a route or a panel that the program adds may take. Beyond: 503. Default 5 s.
    pub call_timeout: Duration,
    /// How many of them may run at once, those included that hang. Beyond: 503. At least 1; default 8.
    pub calls_max: usize,
}

impl ServerOptions {
    /// The defaults at another address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, ..Self::default() }
    }

    /// Takes the address, so that a program can do so before anything else: clients that connect from now on wait for
    /// [`Server::start_on`](crate::Server::start_on).
    ///
    /// # Errors
    ///
    /// [`Error::Unprotected`] when other machines would see everything, [`Error::InvalidOption`] when a number is zero that
    /// may not be, [`Error::Bind`] when the address cannot be bound, because it is taken for example.
    pub fn bind(&self) -> Result<std::net::TcpListener, Error> {
        let Self { address, .. } = *self;
        self.check(address)?;
        let bind = |source| Error::Bind { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(bind)?;
        // The standard library's queue of 128 connections is full in a moment, and who finds it full waits a second.
        #[cfg(unix)]
        rustix::net::listen(&listener, 4_096).map_err(|error| bind(error.into()))?;
        Ok(listener)
    }

    pub(super) fn check(&self, address: SocketAddr) -> Result<(), Error> {
        self.check_numbers()?;
        let open = self.token.is_none() && !self.allow_unauthenticated;
        if open && !is_this_machine(address.ip()) {
            return Err(Error::Unprotected { address });
        }
        Ok(())
    }

    pub(super) fn check_numbers(&self) -> Result<(), Error> {
        for (option, is_zero) in [
            ("token_attempts_max", self.token_attempts_max == 0),
            ("connections_max", self.connections_max == 0),
            ("header_timeout", self.header_timeout.is_zero()),
            ("body_timeout", self.body_timeout.is_zero()),
            ("idle_timeout", self.idle_timeout.is_zero()),
            ("write_timeout", self.write_timeout.is_zero()),
            ("connection_lifetime", self.connection_lifetime.is_zero()),
            ("call_timeout", self.call_timeout.is_zero()),
            ("calls_max", self.calls_max == 0),
        ] {
            if is_zero {
                return Err(Error::InvalidOption { option, rule: "is above zero" });
            }
        }
        Ok(())
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            token: None,
            allow_unauthenticated: false,
            token_attempts_max: 10,
            connections_max: 256,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(5),
            connection_lifetime: Duration::from_secs(600),
            header_bytes_max: 16 * 1024,
            uri_bytes_max: 2_048,
            body_bytes_max: 16 * 1024,
            call_timeout: Duration::from_secs(5),
            calls_max: 8,
        }
    }
}

pub(super) fn is_this_machine(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// A secret that opens the server's details. It is shown nowhere, wiped when it is dropped, and compared in a time that
/// tells nothing of it.
///
/// ```
/// use trading_monitoring::Token;
///
/// let token = Token::new("eeK3eiph3oof9Uon")?;
/// assert_eq!(format!("{token:?}"), "Token(…)");
/// assert!(Token::new("too short").is_err());
/// # Ok::<(), trading_monitoring::Error>(())
/// ```
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// The fewest characters: 16 drawn at random cannot be guessed.
    pub const BYTES_MIN: usize = 16;
    /// The most characters.
    pub const BYTES_MAX: usize = 256;

    /// Takes 16 to 256 visible ASCII characters, which is what a header can hold.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for others; it does not quote them.
    pub fn new(secret: impl Into<String>) -> Result<Self, Error> {
        let secret = SecretString::from(secret.into());
        let bytes = secret.expose_secret().as_bytes();
        let fits = (Self::BYTES_MIN..=Self::BYTES_MAX).contains(&bytes.len());
        if fits && bytes.iter().all(u8::is_ascii_graphic) {
            Ok(Self(secret))
        } else {
            Err(Error::InvalidOption { option: "token", rule: "has 16 to 256 visible ASCII characters" })
        }
    }

    /// Whether it is this one, in a time that depends on neither.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        let ours = padded(self.0.expose_secret().as_bytes());
        let same = padded(given).ct_eq(&ours);
        // No token has a NUL, so what is padded is equal only where the lengths are.
        bool::from(same) && given.len() <= Self::BYTES_MAX
    }
}

/// A slice's comparison ends early where the lengths differ.
fn padded(secret: &[u8]) -> [u8; Token::BYTES_MAX] {
    let mut padded = [0; Token::BYTES_MAX];
    for (to, from) in padded.iter_mut().zip(secret) {
        *to = *from;
    }
    padded
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.expose_secret().as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_only_itself() {
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [&b"0123456789abcdeF"[..], b"0123456789abcde", b"0123456789abcdef0", b"", &[b'0'; 300]] {
            assert!(!token.is(other));
        }
        let longest = Token::new("x".repeat(256)).unwrap();
        assert!(longest.is(&[b'x'; 256]) && !longest.is(&[b'x'; 257]));
    }

    #[test]
    fn a_token_is_long_enough_and_fits_into_a_header() {
        for (length, fits) in [(0, false), (15, false), (16, true), (256, true), (257, false)] {
            assert_eq!(Token::new("x".repeat(length)).is_ok(), fits, "{length}");
        }
        for odd in ["0123456789abcde ", "0123456789abcde\n", "0123456789abcdeé", "0123456789abcde\0"] {
            let error = Token::new(odd).unwrap_err().to_string();
            assert_eq!(error, "the option `token` has 16 to 256 visible ASCII characters");
        }
    }

    #[test]
    fn which_addresses_are_this_machine() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.8.9.10", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_this_machine(address.parse().unwrap()), expected, "{address}");
        }
    }
}

//! Who may see what.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{AUTHORIZATION, HOST, HeaderMap};
use hyper::{StatusCode, Uri};

use super::{ServerOptions, Token};

/// How long a wrong token counts.
const WINDOW: Duration = Duration::from_secs(60);

/// How many addresses are remembered. Beyond, all others share one account.
const ADDRESSES_MAX: usize = 1_024;

/// What a request may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Everything.
    All,
    /// One word of each thing.
    Words,
}

/// Why it is answered nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    WrongToken,
    TooManyAttempts,
    ForeignName,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::ForeignName => StatusCode::MISDIRECTED_REQUEST,
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::WrongToken => TOKEN_NEEDED,
            Self::TooManyAttempts => "too many wrong tokens: wait a minute",
            Self::ForeignName => {
                "ask by the machine's address or as localhost: under a domain's name this needs a token"
            }
        }
    }
}

/// Said without a token and with a wrong one alike.
pub(super) const TOKEN_NEEDED: &str = "this needs the token, as `Authorization: Bearer …`";

#[derive(Debug)]
pub(super) struct Access {
    token: Option<Token>,
    /// Nobody is kept out, whatever the name.
    open: bool,
    attempts_max: u32,
    attempts: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl Access {
    pub(super) fn new(options: &ServerOptions) -> Self {
        Self {
            token: options.token.clone(),
            open: options.allow_unauthenticated,
            attempts_max: options.token_attempts_max,
            attempts: Mutex::default(),
        }
    }

    /// Without a token of ours everybody sees all, but not under the name of a domain: it may be a stranger's, whose page
    /// in a browser on this machine asks us in its own name (DNS rebinding).
    pub(super) fn judge(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        now: impl FnOnce() -> Instant,
    ) -> Result<Sight, Refusal> {
        let Some(token) = &self.token else {
            let host = uri.host().or_else(|| headers.get(HOST).map(|host| host.to_str().unwrap_or("?.?")));
            let foreign = !self.open && host.is_some_and(is_a_domains);
            return if foreign { Err(Refusal::ForeignName) } else { Ok(Sight::All) };
        };
        let Some(given) = headers.get(AUTHORIZATION) else { return Ok(Sight::Words) };
        let (account, now) = (account(peer), now());
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let (account, wrong) = wrong_so_far(&mut attempts, account, now);
        if wrong >= self.attempts_max {
            return Err(Refusal::TooManyAttempts);
        }
        let given = given.as_bytes();
        if given.split_at_checked(7).is_some_and(|(scheme, given)| {
            // Both are looked at, whatever the first says.
            scheme.eq_ignore_ascii_case(b"bearer ") & token.is(given)
        }) {
            return Ok(Sight::All);
        }
        attempts.entry(account).or_insert((now, 0)).1 += 1;
        Err(Refusal::WrongToken)
    }
}

/// Who shares the count of attempts: an address, or what one customer has of IPv6; all whose address is not known.
fn account(peer: Option<IpAddr>) -> IpAddr {
    match peer.map(|peer| peer.to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        Some(address) => address,
        None => EVERYBODY,
    }
}

const EVERYBODY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn wrong_so_far(attempts: &mut HashMap<IpAddr, (Instant, u32)>, account: IpAddr, now: Instant) -> (IpAddr, u32) {
    let counts = |since: Instant| now.saturating_duration_since(since) < WINDOW;
    let account = if attempts.len() < ADDRESSES_MAX || attempts.contains_key(&account) {
        account
    } else {
        attempts.retain(|_, (since, _)| counts(*since));
        if attempts.len() < ADDRESSES_MAX { account } else { EVERYBODY }
    };
    match attempts.get(&account) {
        Some((since, wrong)) if counts(*since) => (account, *wrong),
        Some(_) => {
            attempts.remove(&account);
            (account, 0)
        }
        None => (account, 0),
    }
}

/// Whether a host, with or without its port, is a name that somebody can register: one with a dot that is no address.
fn is_a_domains(host: &str) -> bool {
    if host.starts_with('[') {
        return false;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name);
    name.contains('.') && name.parse::<IpAddr>().is_err() && !name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn access(token: bool) -> Access {
        let token = token.then(|| Token::new(SECRET).unwrap());
        Access::new(&ServerOptions { token, token_attempts_max: 3, ..ServerOptions::default() })
    }

    fn ask(access: &Access, header: Option<&str>, peer: &str, now: Instant) -> Result<Sight, Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        }
        access.judge(&Uri::from_static("/health"), &headers, peer.parse().ok(), || now)
    }

    #[test]
    fn with_a_token_all_is_seen_and_without_one_words() {
        let (access, now) = (access(true), Instant::now());
        assert_eq!(ask(&access, None, "10.0.0.1", now), Ok(Sight::Words));
        assert_eq!(ask(&access, None, "127.0.0.1", now), Ok(Sight::Words), "a proxy on this machine is no proof");
        for good in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef", "BEARER 0123456789abcdef"] {
            assert_eq!(ask(&access, Some(good), "10.0.0.1", now), Ok(Sight::All));
        }
        for (host, wrong) in
            ["Bearer 0123456789abcdee", "Basic 0123456789abcdef", SECRET, "", "Bearer"].iter().enumerate()
        {
            assert_eq!(ask(&access, Some(wrong), &format!("10.0.1.{host}"), now), Err(Refusal::WrongToken), "{wrong}");
        }
    }

    #[test]
    fn attempts_are_limited_by_address_and_for_a_minute() {
        let (access, now) = (access(true), Instant::now());
        let (good, wrong) = (Some("Bearer 0123456789abcdef"), Some("Bearer wrong"));
        for _ in 0..3 {
            assert_eq!(ask(&access, wrong, "10.0.0.1", now), Err(Refusal::WrongToken));
        }
        assert_eq!(ask(&access, wrong, "10.0.0.1", now), Err(Refusal::TooManyAttempts));
        assert_eq!(ask(&access, good, "10.0.0.1", now), Err(Refusal::TooManyAttempts), "else guessing would go on");
        assert_eq!(ask(&access, good, "10.0.0.2", now), Ok(Sight::All));
        assert_eq!(ask(&access, None, "10.0.0.1", now), Ok(Sight::Words));
        let nearly = now + WINDOW - Duration::from_millis(1);
        assert_eq!(ask(&access, good, "10.0.0.1", nearly), Err(Refusal::TooManyAttempts));
        assert_eq!(ask(&access, good, "10.0.0.1", now + WINDOW), Ok(Sight::All));
        assert_eq!(ask(&access, wrong, "10.0.0.1", now + WINDOW), Err(Refusal::WrongToken));
    }

    #[test]
    fn the_neighbours_of_one_ipv6_network_share_their_attempts_and_the_memory_is_bounded() {
        let (access, now) = (access(true), Instant::now());
        for host in 1..=3 {
            assert_eq!(ask(&access, Some("x"), &format!("2001:db8::{host}"), now), Err(Refusal::WrongToken));
        }
        assert_eq!(ask(&access, Some("x"), "2001:db8::4", now), Err(Refusal::TooManyAttempts));
        assert_eq!(ask(&access, Some("x"), "2001:db8:0:1::4", now), Err(Refusal::WrongToken));
        for number in 0..5_000_u32 {
            let peer = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).to_string();
            assert!(ask(&access, Some("x"), &peer, now).is_err());
        }
        assert!(access.attempts.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        assert_eq!(ask(&access, Some("x"), "192.0.2.1", now), Err(Refusal::TooManyAttempts), "of the shared account");
        assert_eq!(ask(&access, Some("x"), "192.0.2.1", now + WINDOW), Err(Refusal::WrongToken));
        assert_eq!(access.attempts.lock().unwrap().len(), 1);
    }

    #[test]
    fn without_a_token_a_domains_name_is_refused() {
        #[track_caller]
        fn check(host: &str, foreign: bool) {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_str(host).unwrap());
            let expected = if foreign { Err(Refusal::ForeignName) } else { Ok(Sight::All) };
            let uri = Uri::from_static("/health");
            assert_eq!(access(false).judge(&uri, &headers, None, Instant::now), expected, "{host}");
            let open = Access { open: true, ..access(false) };
            assert_eq!(open.judge(&uri, &headers, None, Instant::now), Ok(Sight::All));
        }
        for own in
            ["127.0.0.1:8080", "127.0.0.1", "[::1]:8080", "localhost", "localhost:80", "a.localhost:1", "trading"]
        {
            check(own, false);
        }
        for foreign in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example.",
            "evil.localhos:1.x",
        ] {
            check(foreign, true);
        }
        let uri = Uri::from_static("http://evil.example/health");
        assert_eq!(access(false).judge(&uri, &HeaderMap::new(), None, Instant::now), Err(Refusal::ForeignName));
    }
}

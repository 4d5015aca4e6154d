//! Checks of services elsewhere, over HTTPS.

use std::fmt;
use std::io::{self, Read as _};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use trading_resilience::RateHeaders;

use crate::{Check, Outcome};

/// How much of an answer is read.
const BODY_MAX: u64 = 64 << 10;

/// How long a service that says "too many requests" is left alone: what it asks for, but not shorter or longer than these.
const QUIET_MIN: Duration = Duration::from_secs(1);
const QUIET_MAX: Duration = Duration::from_secs(3600);

/// Where a service is, and how it is asked.
#[derive(Clone)]
pub struct Endpoint {
    /// The address that is asked. It is shown; keys belong into `headers`.
    pub url: String,
    /// What is sent along. Names are shown, values never.
    pub headers: Vec<(&'static str, SecretString)>,
    /// How long finding the host may take, and how long connecting may, each. Default 5 s.
    pub connect_timeout: Duration,
    /// How long the whole may take, from the name to the last byte. Default 10 s.
    pub timeout: Duration,
    /// How many failures in a row make it unhealthy, and not only degraded: answers of 500 and above, and none in time. Default 3. A
    /// refused key counts at once.
    pub failures: u32,
    /// How far the other side's clock, where it tells it, may be from ours. Default 2 s; more is degraded.
    pub clock_skew_max: Duration,
    /// If it answers as Alpaca's clock does, in JSON with a `timestamp`, which ours is compared with. Default no.
    pub tells_clock: bool,
}

impl Endpoint {
    /// Asks for `url`, with the defaults.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            failures: 3,
            clock_skew_max: Duration::from_secs(2),
            tells_clock: false,
        }
    }

    /// Alpaca's market clock, `/v2/clock` below the address of its trading API: cheap, needs the keys, and tells how far our own clock is
    /// off.
    #[must_use]
    pub fn alpaca(base_url: &str, key: SecretString, secret_key: SecretString) -> Self {
        Self {
            headers: vec![("APCA-API-KEY-ID", key), ("APCA-API-SECRET-KEY", secret_key)],
            tells_clock: true,
            ..Self::at(format!("{}/v2/clock", base_url.trim_end_matches('/')))
        }
    }

    /// One disclosed trade of Quiver's live list, below the address of its API: not of the bulk lists, which may be asked five times
    /// an hour. `authorization` is the whole header, such as `Bearer KEY`.
    #[must_use]
    pub fn quiver(base_url: &str, authorization: SecretString) -> Self {
        Self {
            headers: vec![("Authorization", authorization)],
            ..Self::at(format!("{}/live/congresstrading?page=1&page_size=1", base_url.trim_end_matches('/')))
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Endpoint").field("url", &self.url).field("headers", &headers).finish_non_exhaustive()
    }
}

impl Check {
    /// A check of a service elsewhere: healthy when it answers 2xx in time; unhealthy at once when it refuses the key (401, 403), or its certificate is
    /// not valid for its name and vouched for by an authority that browsers trust; degraded while
    /// it says "too many requests" (429), and not asked before its time but then; degraded when it fails, and unhealthy when it goes
    /// on to. Redirects are not followed. Every 5 min.
    ///
    /// Details: `http_status`, `took_ms`; of Alpaca `clock_skew_ms` (positive when our clock is ahead), `market_is_open`, `next_open`.
    ///
    /// ```
    /// use trading_monitoring::{Check, Endpoint};
    ///
    /// let alpaca = Endpoint::alpaca("https://paper-api.alpaca.markets", "a key".into(), "its secret".into());
    /// let check = Check::external("alpaca", alpaca);
    /// # drop(check);
    /// ```
    pub fn external(name: impl Into<String>, endpoint: Endpoint) -> Self {
        // The check's own time-out is for what even the client's does not end.
        let timeout = endpoint.timeout.saturating_add(Duration::from_secs(1));
        let mut probe = Probe::new(endpoint);
        Self::new(name, move || probe.look()).every(Duration::from_secs(300)).timeout(timeout)
    }
}

struct Probe {
    endpoint: Endpoint,
    agent: ureq::Agent,
    /// Failures in a row.
    failures: u32,
    quiet_until: Option<Instant>,
}

/// An answer.
struct Answer {
    status: u16,
    come_back_after: Option<Duration>,
    took: Duration,
    /// Where it tells its clock.
    body: Option<Value>,
}

impl Probe {
    fn new(endpoint: Endpoint) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_resolve(Some(endpoint.connect_timeout))
            .timeout_connect(Some(endpoint.connect_timeout))
            .timeout_global(Some(endpoint.timeout))
            // A redirect would take the keys elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // The environment is not this crate's to read.
            .proxy(None)
            .user_agent(concat!("trading/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { endpoint, agent: config.new_agent(), failures: 0, quiet_until: None }
    }

    fn look(&mut self) -> Outcome {
        let now = Instant::now();
        if let Some(left) =
            self.quiet_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
        {
            return limited(left);
        }
        self.quiet_until = None;
        match self.ask() {
            Ok(answer) => {
                let outcome = self.judge(&answer);
                let took = u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX);
                outcome.detail("http_status", answer.status).detail("took_ms", took)
            }
            Err(error) if is_mistrusted(&error) => Outcome::unhealthy(format!("it is not trusted: {error}")),
            Err(error) => self.failed(error.to_string()),
        }
    }

    fn ask(&self) -> Result<Answer, ureq::Error> {
        let start = Instant::now();
        let mut request = self.agent.get(&self.endpoint.url);
        for (name, value) in &self.endpoint.headers {
            request = request.header(*name, value.expose_secret());
        }
        let mut answer = request.call()?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let come_back_after = RateHeaders::read(header, SystemTime::now()).come_back_after();
        let status = answer.status().as_u16();
        let mut body = None;
        if self.endpoint.tells_clock && status == 200 {
            let mut bytes = Vec::new();
            answer.body_mut().as_reader().take(BODY_MAX).read_to_end(&mut bytes)?;
            body = serde_json::from_slice(&bytes).ok();
        }
        Ok(Answer { status, come_back_after, took: start.elapsed(), body })
    }

    fn judge(&mut self, answer: &Answer) -> Outcome {
        match answer.status {
            200..=299 => {
                self.failures = 0;
                if self.endpoint.tells_clock { self.judge_clock(answer) } else { Outcome::healthy("answers") }
            }
            401 => Outcome::unhealthy("the key is refused"),
            403 => Outcome::unhealthy("the key may not do this"),
            429 => {
                let left = answer.come_back_after.unwrap_or(Duration::from_secs(60)).clamp(QUIET_MIN, QUIET_MAX);
                self.quiet_until = Some(Instant::now() + left);
                limited(left)
            }
            300..=399 => Outcome::unhealthy("it sends us elsewhere, where we do not go: is the address right?"),
            status @ (408 | 500..) => self.failed(format!("it answered {status}")),
            status => Outcome::unhealthy(format!("it answered {status}: is the address right?")),
        }
    }

    fn failed(&mut self, error: String) -> Outcome {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.endpoint.failures {
            return Outcome::unhealthy(error);
        }
        Outcome::degraded(format!("failed {} of {} times: {error}", self.failures, self.endpoint.failures))
    }

    fn judge_clock(&self, answer: &Answer) -> Outcome {
        let text = |name| answer.body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
        let Some(theirs) = text("timestamp").and_then(|text| DateTime::parse_from_rfc3339(text).ok()) else {
            return Outcome::degraded("it answers, but not with a clock");
        };
        // It told its time about halfway through.
        let halfway = Utc::now() - TimeDelta::from_std(answer.took / 2).unwrap_or_default();
        let skew = (halfway - theirs.to_utc()).num_milliseconds();
        let allowed = i64::try_from(self.endpoint.clock_skew_max.as_millis()).unwrap_or(i64::MAX);
        let outcome = if skew.abs() > allowed {
            let way = if skew > 0 { "ahead" } else { "behind" };
            Outcome::degraded(format!(
                "answers; our clock is {:.1} s {way} of its",
                Duration::from_millis(skew.unsigned_abs()).as_secs_f64()
            ))
        } else {
            Outcome::healthy("answers")
        };
        let open = answer.body.as_ref().and_then(|body| body.get("is_open")).and_then(Value::as_bool);
        let outcome = outcome.detail("clock_skew_ms", skew).detail("market_is_open", open);
        outcome.detail("next_open", text("next_open"))
    }
}

/// Whether it has no certificate that we trust, or speaks no TLS at all: to ask again changes neither, and no key was sent.
fn is_mistrusted(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        _ => false,
    }
}

/// It is looked at again when its time has come: else it would be called degraded until the next look of many.
fn limited(left: Duration) -> Outcome {
    let message = format!("too many requests: it is asked again in {} s", left.as_secs().saturating_add(1));
    Outcome { again_in: Some(left), ..Outcome::degraded(message) }
}

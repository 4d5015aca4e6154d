//! Posts to a web address, signed as standardwebhooks.com has it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::Sha256;
use trading_config::Settings;
use trading_resilience::{
    Class, Classify, RateHeaders,
    retry::{Jitter, Policy},
};

use super::{
    channel::{Channel, Effort, body},
    ledger::Told,
};
use crate::error::chain;

const POLICY: Policy = Policy {
    attempts_max: 6,
    base: Duration::from_secs(1),
    factor: 3.0,
    cap: Duration::from_secs(60),
    jitter: Jitter::Equal,
    deadline: Some(Duration::from_secs(300)),
};

/// How long one post may take, from the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a secret in the form of the standard begins with; the rest is the key in base64.
const KEY_PREFIX: &str = "whsec_";

pub(super) struct Webhook {
    agent: ureq::Agent,
    url: SecretString,
    key: SecretBox<Vec<u8>>,
    environment: &'static str,
    policy: Policy,
}

impl Webhook {
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let url = settings.notifications.webhook_url.clone()?;
        let secret = settings.notifications.webhook_secret.as_ref()?.expose_secret();
        let key = match secret.strip_prefix(KEY_PREFIX) {
            Some(key) => STANDARD.decode(key).expect("the settings take no other"),
            None => secret.as_bytes().to_vec(),
        };
        let key = SecretBox::new(Box::new(key));
        Some(Self { agent: agent(), url, key, environment: settings.environment.as_str(), policy: POLICY })
    }

    fn post(&self, id: &str, body: &str) -> Result<(), PostError> {
        let timestamp = Utc::now().timestamp().to_string();
        let signature = sign(self.key.expose_secret(), id, &timestamp, body);
        let request = self.agent.post(self.url.expose_secret().trim());
        let request = request.header("content-type", "application/json").header("webhook-id", id);
        let request = request.header("webhook-timestamp", timestamp).header("webhook-signature", signature);
        let answer = request.send(body).map_err(|error| PostError::Failed(told_apart(&error)))?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            status => {
                let header = |name: &str| answer.headers().get(name).and_then(|text| text.to_str().ok());
                let retry_after = RateHeaders::read(header, SystemTime::now()).come_back_after();
                Err(PostError::Refused { status, retry_after })
            }
        }
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        // A redirect would take the message, and its signature, elsewhere.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // The environment is read by `config` alone.
        .proxy(None)
        .user_agent(concat!("trading/", env!("CARGO_PKG_VERSION")))
        .build();
    config.new_agent()
}

/// The address is a secret, which the text of some errors has in it.
fn told_apart(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "it took too long",
        ureq::Error::HostNotFound => "its host is not known",
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => "the connection failed",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "TLS failed",
        _ => "it could not be posted",
    }
}

fn sign(key: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    for part in [id, ".", timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[derive(Debug)]
enum PostError {
    Refused { status: u16, retry_after: Option<Duration> },
    Failed(&'static str),
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, .. } => write!(f, "it answered with {status}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for PostError {}

impl Classify for PostError {
    fn class(&self) -> Class {
        match *self {
            Self::Refused { status: 429, retry_after } => Class::RateLimited { retry_after },
            Self::Refused { status: 408 | 500..=599, .. } => Class::Transient,
            Self::Refused { .. } => Class::Permanent,
            // It may have arrived; whoever gets it twice knows it by its id.
            Self::Failed(_) => Class::Unknown,
        }
    }
}

impl Channel for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn deliver(&mut self, told: &Told, effort: Effort<'_>) -> Result<(), String> {
        let body = body(told, self.environment).to_string();
        let id = format!("msg_{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let retry = self.policy.idempotent(&id).cancelled_by(effort.cancel).observed_by(effort.observer);
        retry.run("post to the webhook", |_| self.post(&id, &body)).map_err(|error| chain(&error))
    }
}

#[cfg(test)]
mod tests;

//! Mails to the address of the settings.

use std::{net::IpAddr, time::Duration};

use lettre::{
    Message, SmtpTransport, Transport as _,
    message::{Mailbox, header::ContentType},
    transport::smtp::{self, authentication::Credentials},
};
use secrecy::ExposeSecret as _;
use trading_config::Settings;
use trading_resilience::{
    Class, Classify,
    retry::{Jitter, Policy},
};

use super::{
    channel::{Channel, Effort, body, line},
    ledger::Told,
};
use crate::error::chain;

const POLICY: Policy = Policy {
    attempts_max: 4,
    base: Duration::from_secs(5),
    factor: 3.0,
    cap: Duration::from_secs(60),
    jitter: Jitter::Equal,
    deadline: Some(Duration::from_secs(300)),
};

/// How long one exchange with the server may take.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) struct Email {
    transport: SmtpTransport,
    address: Mailbox,
    environment: &'static str,
    policy: Policy,
}

impl Email {
    /// `None` where e-mail is off. 465 is TLS from the first byte, and every other port begins it with STARTTLS; a relay on this machine is
    /// spoken to as it is, since what does not leave the machine needs no cover.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let settings_of_mail = &settings.notifications;
        if !settings_of_mail.email_enabled {
            return None;
        }
        let server = settings_of_mail.smtp_server.as_deref()?;
        let port = settings_of_mail.smtp_port;
        let relay = if is_here(server) {
            Ok(SmtpTransport::builder_dangerous(server))
        } else if port == smtp::SUBMISSIONS_PORT {
            SmtpTransport::relay(server)
        } else {
            SmtpTransport::starttls_relay(server)
        };
        let address = settings_of_mail.email.as_deref()?.parse::<lettre::Address>();
        let (relay, address) = match (relay, address) {
            (Ok(relay), Ok(address)) => (relay, address),
            (relay, address) => {
                let error = relay.err().map(|e| e.to_string()).or_else(|| address.err().map(|e| e.to_string()));
                log::error!(error; "e-mail is not sent: the server or the address is none");
                return None;
            }
        };
        let mut relay = relay.port(port).timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&settings_of_mail.smtp_username, &settings_of_mail.smtp_password) {
            relay = relay.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Some(Self {
            transport: relay.build(),
            address: Mailbox::new(None, address),
            environment: settings.environment.as_str(),
            policy: POLICY,
        })
    }

    fn message(&self, told: &Told) -> Result<Message, lettre::error::Error> {
        let details = serde_json::to_string_pretty(&body(told, self.environment)).unwrap_or_default();
        // To oneself: the servers of most providers take no other sender.
        Message::builder()
            .from(self.address.clone())
            .to(self.address.clone())
            .subject(line(told, self.environment))
            .header(ContentType::TEXT_PLAIN)
            .body(format!("{}\n\n{details}\n", told.notification.message))
    }
}

fn is_here(server: &str) -> bool {
    server == "localhost" || server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct SendError(#[from] smtp::Error);

impl Classify for SendError {
    fn class(&self) -> Class {
        match &self.0 {
            error if error.is_permanent() => Class::Permanent,
            error if error.is_transient() => Class::Transient,
            // It may have arrived; a mail that comes twice does less harm than one that does not come.
            _ => Class::Unknown,
        }
    }
}

impl Channel for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn deliver(&mut self, told: &Told, effort: Effort<'_>) -> Result<(), String> {
        let message = self.message(told).map_err(|error| error.to_string())?;
        let retry =
            self.policy.idempotent("a mail that comes twice").cancelled_by(effort.cancel).observed_by(effort.observer);
        let sent = retry.run("send a mail", |_| self.transport.send(&message).map_err(SendError));
        sent.map(drop).map_err(|error| chain(&error))
    }
}

#[cfg(test)]
mod tests;

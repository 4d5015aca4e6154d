//! A way to people.

use chrono::SecondsFormat;
use serde_json::json;
use trading_config::Settings;
use trading_resilience::Cancel;

use super::{ledger::Told, webhook::Webhook};
use crate::wiring::RetryObserver;

pub(super) trait Channel: Send {
    fn name(&self) -> &'static str;

    /// Delivers it, trying again where that is of use; or says why it could not, without secrets.
    fn deliver(&mut self, told: &Told, effort: Effort<'_>) -> Result<(), String>;
}

/// What ends the attempts to deliver, and who is told of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort<'a> {
    pub(super) cancel: &'a Cancel,
    pub(super) observer: &'a RetryObserver,
}

/// Those of the settings; the log where there are none.
pub(super) fn channels(settings: &Settings) -> Vec<Box<dyn Channel>> {
    let mut channels: Vec<Box<dyn Channel>> = Vec::new();
    if let Some(webhook) = Webhook::new(settings) {
        channels.push(Box::new(webhook));
    }
    #[cfg(feature = "email")]
    if let Some(email) = super::email::Email::new(settings) {
        channels.push(Box::new(email));
    }
    if channels.is_empty() {
        channels.push(Box::<Log>::default());
    }
    channels
}

/// The message for people, in one line.
pub(super) fn line(told: &Told, environment: &str) -> String {
    let changes = match told.changes {
        0 | 1 => String::new(),
        changes => format!(" (after {changes} changes)"),
    };
    let notification = &told.notification;
    format!(
        "trading ({environment}): {} is {}{changes}: {}",
        notification.subject, notification.status, notification.message
    )
}

/// The message for programs.
pub(super) fn body(told: &Told, environment: &str) -> serde_json::Value {
    let notification = &told.notification;
    json!({
        "type": "health.changed",
        "timestamp": notification.time.to_rfc3339_opts(SecondsFormat::Millis, true),
        "data": {
            "environment": environment,
            "subject": notification.subject,
            "status": notification.status.as_str(),
            "previous": told.previous.as_str(),
            "changes": told.changes,
            "message": notification.message,
            "details": notification.details,
        },
        "text": line(told, environment),
    })
}

/// Where nobody else is to be told.
#[derive(Debug, Default)]
struct Log {
    has_said_why: bool,
}

impl Log {
    fn line(&mut self, told: &Told) -> String {
        let first = !std::mem::replace(&mut self.has_said_why, true);
        let why = if first { "nobody is told, since neither a webhook nor e-mail is set: " } else { "" };
        let notification = &told.notification;
        format!("{why}{} is {}: {}", notification.subject, notification.status, notification.message)
    }
}

impl Channel for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn deliver(&mut self, told: &Told, _effort: Effort<'_>) -> Result<(), String> {
        let notification = &told.notification;
        let (subject, status, previous) =
            (notification.subject.as_str(), notification.status.as_str(), told.previous.as_str());
        // Whoever noticed it has warned of it already.
        log::info!(subject, status, previous, changes = told.changes; "{}", self.line(told));
        Ok(())
    }
}

#[cfg(test)]
pub(super) fn told() -> Told {
    let mut notification =
        super::Notification::new("database", trading_monitoring::Status::Unhealthy, "does not answer")
            .detail("timeout_ms", 5000);
    notification.time = "2026-11-23T08:30:00Z".parse().expect("a time");
    Told { notification, previous: trading_monitoring::Status::Healthy, changes: 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_why_nobody_is_told() {
        let mut log = Log::default();
        let line = "database is unhealthy: does not answer";
        assert_eq!(log.line(&told()), format!("nobody is told, since neither a webhook nor e-mail is set: {line}"));
        assert_eq!(log.line(&told()), line);
    }

    #[test]
    fn the_message_is_for_people_and_for_programs() {
        assert_eq!(
            body(&told(), "production").to_string(),
            r#"{"type":"health.changed","timestamp":"2026-11-23T08:30:00.000Z","data":{"environment":"production","subject":"database","status":"unhealthy","previous":"healthy","changes":3,"message":"does not answer","details":{"timeout_ms":5000}},"text":"trading (production): database is unhealthy (after 3 changes): does not answer"}"#
        );
    }
}

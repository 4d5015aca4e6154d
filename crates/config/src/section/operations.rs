//! What operators set: where things lie, how long they are kept, who may connect.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::NaiveTime;
use chrono_tz::Tz;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Console, Level, Levels};
use crate::{Bytes, ProjectPath, section};

section! {
    /// Where the record is kept.
    pub struct Database in "database" {
        /// The SQLite file. A relative path starts at the project root.
        path: ProjectPath = "data/trading_automation.db", variable "DATABASE_PATH";
        /// How many connections serve reads at the same time.
        readers: u32 = "4", from "1" to "64";
        /// How long a call waits for a lock or a free connection before it fails.
        busy_timeout: Duration = "5s", from "1s" to "5m";
    }
}

impl Database {
    /// The absolute path of the SQLite file.
    #[must_use]
    pub fn full_path(&self) -> PathBuf {
        self.path.full()
    }
}

section! {
    /// Copies of the record.
    pub struct Backup in "backup" {
        /// If backups are made.
        enabled: bool = "true", variable "DATABASE_BACKUP_ENABLED";
        /// When one is made each day, in the zone of `scheduling.timezone`.
        time: NaiveTime = "23:00";
        /// The folder that backups are kept in. A relative path starts at the project root.
        path: ProjectPath = "data/backups";
        /// If backups are compressed.
        compress: bool = "false";
        /// How many days a backup is kept.
        retention_days: u32 = "30", variable "DATABASE_BACKUP_RETENTION_DAYS", from "1" to "3650";
    }
}

section! {
    /// What happened, as lines.
    pub struct Logging in "logging" {
        /// The folder of the log files. A relative path starts at the project root.
        path: ProjectPath = "logs", variable "LOG_PATH";
        /// How much is logged. The earlier system's CRITICAL means ERROR.
        level: Level = "INFO", variable "LOG_LEVEL";
        /// Other levels for some components, such as `api=DEBUG, quiver=WARNING`; all that is of none is `trading_automation`.
        levels: Levels = "";
        /// How many days a log file is kept.
        retention_days: u32 = "30", variable "LOG_RETENTION_DAYS", from "1" to "3650";
        /// What all log files may take together; beyond it, the oldest go before their time. Nothing is no limit.
        retention_bytes: Option<Bytes> = "";
        /// How large a log file may become before its day ends; then a further one is begun. Nothing is no limit.
        rotate_bytes: Option<Bytes> = "",
            check |size| size.is_none_or(|size| size.get() >= 64 << 10), "at least 64 KiB";
        /// The zone whose days the log files are of; their times are UTC in any case.
        timezone: Tz = "UTC";
        /// If the log files of days gone by are compressed.
        gzip: bool = "false";
        /// What the console shows beside the files: `text`, `json` or `off`.
        console: Console = "text";
        /// How much of the log may wait in memory for a slow disk.
        queue_bytes: Bytes = "8 MiB", from "64 KiB" to "1 GiB";
        /// If it says anything at all, there is no colour on the console (see no-color.org).
        no_color: Option<String> = "", variable "NO_COLOR";
    }
}

section! {
    /// The health server.
    pub struct Monitoring in "monitoring" {
        /// The address it listens on.
        host: IpAddr = "127.0.0.1";
        /// The port it listens on; 0 takes a free one and says which.
        port: u16 = "8080";
        /// How often the health checks run.
        check_interval: Duration = "10s", from "1s" to "1h";
        /// How long the recent samples of each metric are told of, for charts. A metric has 512 of them at the most.
        metrics_retention: Duration = "24h", from "1m" to "7d";
        /// If Alpaca and Quiver are asked now and then, where their keys are set, if they answer.
        external_checks: bool = "true";
        /// What whoever asks from another machine must show, as `Authorization: Bearer TOKEN`.
        token: Option<SecretString> = "",
            check |token| token.as_ref().is_none_or(|t| is_token(t.expose_secret())), "16 to 256 letters, digits and signs without a space, such as `openssl rand -hex 16` gives";
        /// If it may listen for other machines without a token.
        allow_unauthenticated: bool = "false";
    }
    rules {
        [host, token, allow_unauthenticated]: |m| m.host.is_loopback() || m.token.is_some() || m.allow_unauthenticated,
            "whoever reaches an address of this machine could read what it says",
            "set MONITORING__TOKEN, or MONITORING__ALLOW_UNAUTHENTICATED=true, or MONITORING__HOST=127.0.0.1";
    }
}

section! {
    /// The dashboard, which is built on these crates.
    pub struct Dashboard in "dashboard" {
        /// The address it listens on.
        host: IpAddr = "127.0.0.1", variable "DASHBOARD_HOST";
        /// The port it listens on.
        port: u16 = "5000", variable "DASHBOARD_PORT";
        /// If it shows what only developers should see.
        debug: bool = "false", variable "DASHBOARD_DEBUG";
    }
}

section! {
    /// Who is told when something is wrong.
    pub struct Notifications in "notifications" {
        /// The web address that is posted to, as JSON; needs `webhook_secret`. A secret, since whoever knows it can post too.
        webhook_url: Option<SecretString> = "",
            check |url| url.as_ref().is_none_or(|u| is_web_address(u.expose_secret())), "a web address such as https://hooks.example.com/trading";
        /// The key that each post is signed with (HMAC-SHA-256, as standardwebhooks.com has it).
        webhook_secret: Option<SecretString> = "",
            check |key| key.as_ref().is_none_or(|k| is_signing_key(k.expose_secret())),
            "at least 16 characters, such as `openssl rand -hex 16` gives, or whsec_ and at least 16 bytes in base64";
        /// If e-mail is sent; needs `smtp_server` and `email`.
        email_enabled: bool = "false", variable "ENABLE_EMAIL_NOTIFICATIONS";
        /// The mail server's name.
        smtp_server: Option<String> = "", variable "SMTP_SERVER";
        /// The mail server's port.
        smtp_port: u16 = "587", variable "SMTP_PORT", from "1" to "65535";
        /// The account on the mail server.
        smtp_username: Option<String> = "", variable "SMTP_USERNAME";
        /// The password of that account.
        smtp_password: Option<SecretString> = "", variable "SMTP_PASSWORD";
        /// The address that is written to.
        email: Option<String> = "", variable "NOTIFICATION_EMAIL",
            check |email| email.as_ref().is_none_or(|e| is_email(e)), "an e-mail address such as operator@example.com";
    }
    rules {
        [webhook_url, webhook_secret]: |n| n.webhook_url.is_none() || n.webhook_secret.is_some(),
            "a post is not believed unless it is signed", "set NOTIFICATIONS__WEBHOOK_SECRET as well";
        [email_enabled, smtp_server, email]: |n| !n.email_enabled || (n.smtp_server.is_some() && n.email.is_some()),
            "e-mail needs a server and an address",
            "set SMTP_SERVER and NOTIFICATION_EMAIL, or ENABLE_EMAIL_NOTIFICATIONS=false";
    }
}

// Both forms that a signing key has; one that says it is base64 is never taken for a text.
fn is_signing_key(text: &str) -> bool {
    match text.strip_prefix("whsec_") {
        Some(key) => STANDARD.decode(key).is_ok_and(|key| key.len() >= 16),
        None => text.len() >= 16,
    }
}

// What can stand in a header.
fn is_token(text: &str) -> bool {
    (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

// Whether an address works only its mail server knows; this catches what certainly is none.
fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace)
    })
}

fn is_web_address(text: &str) -> bool {
    text.trim().parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some_and(|a| !a.host().is_empty())
    })
}

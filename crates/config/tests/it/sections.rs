//! Each setting: its default, what it takes, each bound, and one past it.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use chrono::NaiveTime;
use chrono_tz::Tz;
use trading_config::{Authorization, Console, Level, Settings, SizeType};

use crate::{load, loader, project};

/// The key, its default, texts that are good, and texts that are not with the rule that they break.
struct Row(&'static str, &'static str, &'static [&'static str], &'static [(&'static str, &'static [&'static str])]);

const WHOLE: &str = "a whole number from 0 to 4294967295";
const PORT: &str = "a whole number from 0 to 65535";
const BOOLEAN: &str = "true or false (also yes/no, on/off, 1/0)";
const DURATION: &str = "a duration such as 30s, 250ms or 5m (a bare number counts seconds)";
const DAYS: &str = "from 1 to 3650";
const PATH: &str = "a path, written out: `~` is not expanded, and a NUL is part of none";
const TIME: &str = "a time of day such as 09:30";
const ADDRESS: &str = "an IP address such as 127.0.0.1 or 0.0.0.0, or localhost";
const WEB: &str = "a web address such as https://paper-api.alpaca.markets, without user, query or fragment";
const KEY: &str =
    "at least 16 characters, such as `openssl rand -hex 16` gives, or whsec_ and at least 16 bytes in base64";
const TOKEN: &str = "16 to 256 letters, digits and signs without a space, such as `openssl rand -hex 16` gives";
const LEVELS: &str = "components with levels, each once, such as api=DEBUG, quiver=WARNING";
const SIZE: &str = "a size such as 8 MiB or 64 kB (a bare number counts bytes)";
const MONEY: &str = "a decimal number such as 100.00";

const DATABASE: &[Row] = &[
    Row(
        "database.path",
        "data/trading_automation.db",
        &["a.db", "/var/a.db", "a b.db"],
        &[(PATH, &["~/a.db", "a\0b", ""])],
    ),
    Row(
        "database.readers",
        "4",
        &["1", "64"],
        &[("from 1 to 64", &["0", "65"]), (WHOLE, &["-1", "4.0", "4294967296"])],
    ),
    Row(
        "database.busy_timeout",
        "5s",
        &["1", "1s", "300s", "5m"],
        &[("from 1s to 5m", &["0", "999ms", "301s", "300.001s"]), (DURATION, &["5 seconds", "-1s"])],
    ),
];
const BACKUP: &[Row] = &[
    Row(
        "backup.enabled",
        "true",
        &["false", "True", "YES", "no", "on", "off", "1", "0"],
        &[(BOOLEAN, &["", "2", "y"])],
    ),
    Row("backup.time", "23:00", &["0:00", "23:59:59"], &[(TIME, &["24:00", "late"])]),
    Row("backup.path", "data/backups", &["/mnt/b"], &[(PATH, &["~"])]),
    Row("backup.compress", "false", &["true"], &[(BOOLEAN, &["zstd"])]),
    Row("backup.retention_days", "30", &["1", "3650"], &[(DAYS, &["0", "3651"]), (WHOLE, &["30d"])]),
];
const API: &[Row] = &[
    Row("api.requests_per_minute", "60", &["1", "10000"], &[("from 1 to 10000", &["0", "10001"]), (WHOLE, &["60.5"])]),
    Row("api.timeout", "30s", &["1", "10m"], &[("from 1s to 10m", &["0.999", "600.1s"]), (DURATION, &["soon"])]),
    Row("api.retry_attempts_max", "3", &["1", "10"], &[("from 1 to 10", &["0", "11"]), (WHOLE, &["three"])]),
    Row(
        "api.retry_backoff_factor",
        "2",
        &["1", "1.5", "10"],
        &[("from 1 to 10", &["0.99", "10.01"]), ("a number such as 0.85", &["NaN", "inf", "2x"])],
    ),
    Row("api.retry_wait", "1s", &["10ms", "1m"], &[("from 10ms to 1m", &["9ms", "60.001s"]), (DURATION, &["1w"])]),
    Row("api.retry_wait_max", "1m", &["1s", "1h"], &[("from 10ms to 1h", &["9ms", "3601s"]), (DURATION, &["h"])]),
    Row("api.quiver.key", "", &["00123456789", ""], &[]),
    Row("api.quiver.authorization", "Bearer", &["token", "BEARER"], &[("Bearer or Token", &["Basic"])]),
    Row(
        "api.quiver.base_url",
        "https://api.quiverquant.com/beta",
        &["http://127.0.0.1:1/"],
        &[(WEB, &["quiver", "ftp://b"])],
    ),
    Row("api.alpaca.key", "", &["k"], &[]),
    Row("api.alpaca.secret_key", "", &["k"], &[]),
    Row("api.alpaca.paper", "true", &["yes"], &[(BOOLEAN, &["paper"])]),
    Row(
        "api.alpaca.base_url",
        "https://paper-api.alpaca.markets",
        &["https://paper-api.alpaca.markets/"],
        &[(WEB, &["ftp://a"])],
    ),
    Row("api.alpaca.data_url", "https://data.alpaca.markets", &["http://localhost:1"], &[(WEB, &["https://"])]),
    Row("api.alpaca.live_confirmed", "", &["yes-real-money", "no"], &[]),
];
const TRADING: &[Row] = &[
    Row("trading.agents_path", "config/agents.json", &["config/agents.json"], &[(PATH, &["~/agents.json"])]),
    Row(
        "trading.minimum_amount",
        "100.00",
        &["0.01", "100"],
        &[("above 0", &["0", "-0.01"]), (MONEY, &["1,000", "$1"])],
    ),
    Row("trading.size_type", "fixed", &["percentage", "Percent"], &[("fixed or percentage", &["kelly"])]),
    Row(
        "trading.match_threshold",
        "0.85",
        &["0.0001", "1"],
        &[("above 0 and at most 1", &["0", "1.0001", "-1"]), ("a number such as 0.85", &["85%"])],
    ),
    Row("trading.minimum_congress_trade_value", "50000", &["0"], &[("at least 0", &["-0.01"]), (MONEY, &["1k"])]),
];
const SCHEDULING: &[Row] = &[
    Row(
        "scheduling.timezone",
        "US/Eastern",
        &["America/New_York", "UTC", "EST5EDT"],
        &[("a time zone of the IANA list, such as US/Eastern", &["Eastern", "us/eastern", "UTC+1"])],
    ),
    Row("scheduling.daily_execution_time", "21:30", &["00:00", "23:59:59"], &[(TIME, &["24:00", "9:60", "9pm"])]),
    Row("scheduling.market_hours_start", "09:30", &["00:00", "15:59:59"], &[(TIME, &["9.30"])]),
    Row("scheduling.market_hours_end", "16:00", &["09:30:01", "23:59"], &[(TIME, &["25:00"])]),
];
const DASHBOARD: &[Row] = &[
    Row("dashboard.host", "127.0.0.1", &["0.0.0.0", "::", "localhost"], &[(ADDRESS, &["example.com", "256.0.0.1"])]),
    Row("dashboard.port", "5000", &["0", "65535"], &[(PORT, &["-1", "65536"])]),
    Row("dashboard.debug", "false", &["on"], &[(BOOLEAN, &["debug"])]),
];
const LOGGING: &[Row] = &[
    Row("logging.path", "logs", &["/var/log/trading"], &[(PATH, &["~/logs"])]),
    Row(
        "logging.level",
        "INFO",
        &["error", "CRITICAL", "Warning", "debug", "TRACE", "notset"],
        &[("one of ERROR, WARNING, INFO, DEBUG, TRACE", &["loud"])],
    ),
    Row(
        "logging.levels",
        "",
        &["api=DEBUG", "api = debug , quiver=WARNING", "trading_automation=error"],
        &[(LEVELS, &["api", "api=loud", "=INFO", "a b=INFO", "api=INFO,", "api=INFO, api=DEBUG"])],
    ),
    Row("logging.retention_days", "30", &["1", "3650"], &[(DAYS, &["0", "3651"])]),
    Row("logging.retention_bytes", "", &["1 GiB", "0"], &[(SIZE, &["much"])]),
    Row("logging.rotate_bytes", "", &["64 KiB", "1 GiB"], &[("at least 64 KiB", &["65535"]), (SIZE, &["-1"])]),
    Row(
        "logging.timezone",
        "UTC",
        &["US/Eastern", "EST5EDT"],
        &[("a time zone of the IANA list, such as US/Eastern", &["Eastern", "UTC+1"])],
    ),
    Row("logging.gzip", "false", &["on"], &[(BOOLEAN, &["zip"])]),
    Row("logging.console", "text", &["json", "OFF"], &[("one of text, json, off", &["xml"])]),
    Row(
        "logging.queue_bytes",
        "8 MiB",
        &["64 KiB", "65536", "1 GiB", "1000 kB"],
        &[("from 64 KiB to 1 GiB", &["65535", "1073741825 B"]), (SIZE, &["8 MX", "1.5 MB"])],
    ),
    Row("logging.no_color", "", &["1"], &[]),
];
const MONITORING: &[Row] = &[
    Row("monitoring.host", "127.0.0.1", &["::1"], &[(ADDRESS, &["0.0.0"])]),
    Row("monitoring.port", "8080", &["0", "65535"], &[(PORT, &["http", "65536"])]),
    Row(
        "monitoring.token",
        "",
        &["sixteen-letters."],
        &[(TOKEN, &["fifteen-letters", "sixteen letters.", "umläute-und-mehr"])],
    ),
    Row(
        "monitoring.metrics_retention",
        "24h",
        &["1m", "7d"],
        &[("from 1m to 7d", &["59s", "169h"]), (DURATION, &["a day"])],
    ),
    Row("monitoring.external_checks", "true", &["false"], &[(BOOLEAN, &["maybe"])]),
    Row("monitoring.allow_unauthenticated", "false", &["true"], &[(BOOLEAN, &["maybe"])]),
    Row(
        "monitoring.check_interval",
        "10s",
        &["1s", "1h"],
        &[("from 1s to 1h", &["999ms", "3601"]), (DURATION, &["x"])],
    ),
];
const NOTIFICATIONS: &[Row] = &[
    Row(
        "notifications.webhook_url",
        "",
        &[],
        &[("a web address such as https://hooks.example.com/trading", &["hooks.example.com", "ftp://example.com"])],
    ),
    Row(
        "notifications.webhook_secret",
        "",
        &["sixteen letters.", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        &[(
            KEY,
            &[
                "fifteen letters",
                "whsec_",
                "whsec_not base64 at all",
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                "whsec_c2hvcnQ=",
            ],
        )],
    ),
    Row("notifications.email_enabled", "false", &["no"], &[(BOOLEAN, &["None"])]),
    Row("notifications.smtp_server", "", &["smtp.example.com"], &[]),
    Row("notifications.smtp_port", "587", &["1", "65535"], &[("from 1 to 65535", &["0"]), (PORT, &["65536"])]),
    Row("notifications.smtp_username", "", &["me"], &[]),
    Row("notifications.smtp_password", "", &[" with spaces "], &[]),
    Row(
        "notifications.email",
        "",
        &["a@example.com", "a.b+c@example.co"],
        &[("an e-mail address such as operator@example.com", &["a", "@b", "a@", "a@b@c", "a b@c"])],
    ),
];
const ALL: [&[Row]; 9] = [DATABASE, BACKUP, API, TRADING, SCHEDULING, DASHBOARD, LOGGING, MONITORING, NOTIFICATIONS];

#[track_caller]
fn check(rows: &[Row]) {
    let folder = project(&[]);
    for Row(path, default, good, bad) in rows {
        let key = Settings::keys().find(|key| key.path() == *path).unwrap_or_else(|| panic!("{path} is a key"));
        assert_eq!(key.default, *default, "{path}");
        let shown = |text: &str| match text {
            "" => None,
            _ if key.secret => Some("[redacted]".to_owned()),
            _ => Some(text.trim().to_owned()),
        };
        let explained = |loader: trading_config::Loader| {
            let settings = loader.load().unwrap_or_else(|error| panic!("{path} is good, but: {error}"));
            let explanation = settings.explain(path).expect("is a key");
            (explanation.value.clone(), explanation.source.clone())
        };
        assert_eq!(explained(loader(folder.path(), &[])), (shown(default), "default".to_owned()));
        for text in *good {
            let found = explained(loader(folder.path(), &[]).set(*path, *text));
            assert_eq!(found.1, format!("override {path}"));
            assert!(text.is_empty() || found.0 == shown(text), "{path}: {found:?}");
        }
        for (rule, texts) in *bad {
            for text in *texts {
                let error =
                    loader(folder.path(), &[]).set(*path, *text).load().expect_err(&format!("{path} = {text:?}"));
                let variable = key.variable();
                let hint = match *default {
                    "" => format!("set {variable}, or leave it empty to do without"),
                    default => format!("for example {variable}={default}"),
                };
                let found = if key.secret { "a secret".to_owned() } else { format!("{text:?}") };
                let expected = format!(
                    "the configuration has 1 fault: {path}: must be {rule}; found {found}, from override {path}; {hint}"
                );
                assert_eq!(error.to_string(), expected);
            }
        }
    }
}

#[test]
fn the_tables_here_have_every_key() {
    let here: BTreeSet<_> = ALL.into_iter().flatten().map(|row| row.0.to_owned()).collect();
    assert_eq!(here, Settings::keys().map(trading_config::Key::path).collect());
}

#[test]
fn database() {
    check(DATABASE);
    let settings = load(&[]).expect("loads");
    assert_eq!(settings.database.full_path(), settings.root.join("data/trading_automation.db"));
    assert_eq!((settings.database.readers, settings.database.busy_timeout), (4, Duration::from_secs(5)));
}

#[test]
fn backup() {
    check(BACKUP);
    let settings = load(&[]).expect("loads");
    assert_eq!(settings.backup.path.full(), settings.root.join("data/backups"));
    assert_eq!((settings.backup.enabled, settings.backup.compress, settings.backup.retention_days), (true, false, 30));
    assert_eq!(settings.backup.time, NaiveTime::from_hms_opt(23, 0, 0).expect("a time"));
}

#[test]
fn api() {
    check(API);
    let settings = load(&[]).expect("loads");
    let api = &settings.api;
    assert_eq!((api.requests_per_minute, api.timeout, api.retry_attempts_max), (60, Duration::from_secs(30), 3));
    assert_eq!((api.retry_wait, api.retry_wait_max), (Duration::from_secs(1), Duration::from_secs(60)));
    assert!((api.retry_backoff_factor - 2.0).abs() < f64::EPSILON);
    assert_eq!(api.quiver.authorization, Authorization::Bearer);
    assert_eq!(api.quiver.base_url.to_string(), "https://api.quiverquant.com/beta");
    assert_eq!(api.alpaca.base_url.host(), Some("paper-api.alpaca.markets"));
    assert_eq!(api.alpaca.data_url.host(), Some("data.alpaca.markets"));
    assert!(
        api.alpaca.paper && api.alpaca.key.is_none() && api.alpaca.secret_key.is_none() && api.quiver.key.is_none()
    );
}

#[test]
fn trading() {
    check(TRADING);
    let settings = load(&[]).expect("loads");
    let trading = &settings.trading;
    assert_eq!((trading.minimum_amount.to_string(), trading.size_type), ("100.00".to_owned(), SizeType::Fixed));
    assert!((trading.match_threshold - 0.85).abs() < f64::EPSILON);
    assert_eq!(trading.minimum_congress_trade_value.to_string(), "50000");
    assert_eq!(trading.agents_path.full(), settings.root.join("config/agents.json"));
}

#[test]
fn scheduling() {
    check(SCHEDULING);
    let scheduling = load(&[]).expect("loads").scheduling.clone();
    let time = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).expect("a time");
    assert_eq!((scheduling.timezone, scheduling.daily_execution_time), (Tz::US__Eastern, time(21, 30)));
    assert_eq!((scheduling.market_hours_start, scheduling.market_hours_end), (time(9, 30), time(16, 0)));
}

#[test]
fn dashboard() {
    check(DASHBOARD);
    let dashboard = load(&[]).expect("loads").dashboard.clone();
    assert_eq!((dashboard.host, dashboard.port, dashboard.debug), (Ipv4Addr::LOCALHOST.into(), 5000, false));
}

#[test]
fn logging() {
    check(LOGGING);
    let settings = load(&[]).expect("loads");
    let logging = &settings.logging;
    assert_eq!(logging.path.full(), settings.root.join("logs"));
    assert_eq!((logging.level, logging.console, logging.retention_days), (Level::Info, Console::Text, 30));
    assert_eq!((logging.queue_bytes.get(), logging.no_color.as_deref()), (8 << 20, None));
}

#[test]
fn monitoring() {
    check(MONITORING);
    let monitoring = load(&[]).expect("loads").monitoring.clone();
    assert_eq!((monitoring.host, monitoring.port), (Ipv4Addr::LOCALHOST.into(), 8080));
    assert_eq!(monitoring.check_interval, Duration::from_secs(10));
    assert!(monitoring.token.is_none() && !monitoring.allow_unauthenticated && monitoring.external_checks);
}

#[test]
fn notifications() {
    check(NOTIFICATIONS);
    let notifications = load(&[]).expect("loads").notifications.clone();
    assert_eq!((notifications.email_enabled, notifications.smtp_port), (false, 587));
    assert!(notifications.smtp_server.is_none() && notifications.smtp_username.is_none());
    assert!(notifications.smtp_password.is_none() && notifications.email.is_none());
    assert!(notifications.webhook_url.is_none() && notifications.webhook_secret.is_none());
}

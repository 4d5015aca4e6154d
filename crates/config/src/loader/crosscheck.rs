//! Rules that lie between two settings. A fault names both keys.

use crate::{Environment, Fault, Settings, reader::Reader, section};

const PAPER_HOST: &str = "paper-api.alpaca.markets";
const LIVE_HOST: &str = "api.alpaca.markets";
const LIVE_CONFIRMATION: &str = "yes-real-money";

pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    latch_paper_or_live(settings, reader);
    require_keys(settings, reader);
    let scheduling = &settings.scheduling;
    if scheduling.market_hours_start >= scheduling.market_hours_end {
        reader.fault(Fault {
            key: "scheduling.market_hours_start, scheduling.market_hours_end".to_owned(),
            rule: "the market must open before it closes".to_owned(),
            found: format!("{} and {}", scheduling.market_hours_start, scheduling.market_hours_end),
            source: sources(reader, ["scheduling.market_hours_start", "scheduling.market_hours_end"]),
            hint: "for example MARKET_HOURS_START=09:30 and MARKET_HOURS_END=16:00".to_owned(),
        });
    }
    let notifications = &settings.notifications;
    if notifications.email_enabled && (notifications.smtp_server.is_none() || notifications.email.is_none()) {
        reader.fault(Fault {
            key: "notifications.email_enabled, notifications.smtp_server, notifications.email".to_owned(),
            rule: "e-mail needs a server and an address".to_owned(),
            found: "email_enabled without both".to_owned(),
            source: sources(reader, ["notifications.email_enabled"]),
            hint: "set SMTP_SERVER and NOTIFICATION_EMAIL, or ENABLE_EMAIL_NOTIFICATIONS=false".to_owned(),
        });
    }
}

/// The earlier system read `ALPACA_PAPER_TRADING=1` as live while its URL still said paper: both must agree, and real
/// money needs a third word.
fn latch_paper_or_live(settings: &Settings, reader: &mut Reader<'_>) {
    let alpaca = &settings.api.alpaca;
    let host = alpaca.base_url.host().unwrap_or_default();
    let secure = alpaca.base_url.scheme_str() == Some("https");
    let confirmed = alpaca.live_confirmed.as_deref() == Some(LIVE_CONFIRMATION);
    if secure && (if alpaca.paper { host == PAPER_HOST } else { host == LIVE_HOST && confirmed }) {
        return;
    }
    let (wanted, hint) = if alpaca.paper {
        (
            format!("with paper trading, the address must be https://{PAPER_HOST}"),
            format!("set ALPACA_BASE_URL=https://{PAPER_HOST}"),
        )
    } else {
        (
            format!("without paper trading, the address must be https://{LIVE_HOST} and live trading confirmed"),
            format!(
                "set ALPACA_PAPER_TRADING=true, or for real money ALPACA_BASE_URL=https://{LIVE_HOST} and \
                 ALPACA_LIVE_CONFIRMED={LIVE_CONFIRMATION}"
            ),
        )
    };
    reader.fault(Fault {
        key: "api.alpaca.paper, api.alpaca.base_url".to_owned(),
        rule: wanted,
        found: format!(
            "paper {}, address {}, {}",
            alpaca.paper,
            alpaca.base_url,
            if confirmed { "confirmed" } else { "not confirmed" }
        ),
        source: sources(reader, ["api.alpaca.paper", "api.alpaca.base_url"]),
        hint,
    });
}

fn require_keys(settings: &Settings, reader: &mut Reader<'_>) {
    if settings.environment != Environment::Production {
        return;
    }
    let api = &settings.api;
    let keys = [
        ("api.quiver.key", &api.quiver.key),
        ("api.alpaca.key", &api.alpaca.key),
        ("api.alpaca.secret_key", &api.alpaca.secret_key),
    ];
    for (path, value) in keys {
        if value.is_none() {
            let variable = section::keys().find(|key| key.path() == path).map(|key| key.variable()).unwrap_or_default();
            reader.fault(Fault {
                key: path.to_owned(),
                rule: "is required in production".to_owned(),
                found: "nothing".to_owned(),
                source: sources(reader, [path]),
                hint: format!("set {variable}, or ENVIRONMENT=development to do without"),
            });
        }
    }
}

fn sources<const N: usize>(reader: &Reader<'_>, paths: [&str; N]) -> String {
    let keys = paths.map(|path| section::keys().find(|key| key.path() == path));
    let mut sources: Vec<_> = keys.into_iter().flatten().map(|key| reader.source(key)).collect();
    sources.dedup();
    sources.join(" and ")
}

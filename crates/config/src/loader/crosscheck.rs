//! Rules that lie between two settings. A fault names both keys.

use crate::{
    Alpaca, Api, Environment, Fault, Key, Sections,
    reader::{Reader, list},
    section,
};

const PAPER_HOST: &str = "paper-api.alpaca.markets";
const LIVE_HOST: &str = "api.alpaca.markets";
const LIVE_CONFIRMATION: &str = "yes-real-money";

/// Adds faults, and returns the warning that there is, if there is one.
pub(super) fn check(sections: &Sections, reader: &mut Reader<'_>) -> Option<String> {
    latch_paper_or_live(&sections.api.alpaca, reader);
    match sections.environment {
        Environment::Production => {
            require_keys(&sections.api, reader);
            None
        }
        Environment::Development => missing_keys(&sections.api, reader),
        Environment::Test => None,
    }
}

/// The earlier system read `ALPACA_PAPER_TRADING=1` as live while its URL still said paper: both must agree, and real
/// money needs a third word.
fn latch_paper_or_live(alpaca: &Alpaca, reader: &mut Reader<'_>) {
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
    reader.between(&["api.alpaca.paper", "api.alpaca.base_url", "api.alpaca.live_confirmed"], false, &wanted, &hint);
}

/// The keys of the services, and if they are set.
fn keys(api: &Api) -> impl Iterator<Item = (&'static Key, bool)> {
    [
        ("api.quiver.key", api.quiver.key.is_some()),
        ("api.alpaca.key", api.alpaca.key.is_some()),
        ("api.alpaca.secret_key", api.alpaca.secret_key.is_some()),
    ]
    .into_iter()
    .filter_map(|(path, set)| Some((section::keys().find(|key| key.whole == path)?, set)))
}

fn require_keys(api: &Api, reader: &mut Reader<'_>) {
    for (key, _) in keys(api).filter(|(key, set)| !set && !reader.is_faulty(&[key.whole])).collect::<Vec<_>>() {
        reader.fault(Fault {
            key: key.path(),
            rule: "is required in production".to_owned(),
            found: "nothing".to_owned(),
            source: reader.source(key),
            hint: format!("set {}, or ENVIRONMENT=development to do without", key.variable()),
        });
    }
}

fn missing_keys(api: &Api, reader: &Reader<'_>) -> Option<String> {
    let said = |key: &'static Key| {
        let placeholder = if reader.holds_placeholder(key) { " (now a placeholder)" } else { "" };
        format!("{}{placeholder}", key.variable())
    };
    let missing: Vec<_> = keys(api).filter(|(_, set)| !set).map(|(key, _)| said(key)).collect();
    (!missing.is_empty())
        .then(|| format!("what calls outside services cannot work before these are set: {}", list(&missing)))
}

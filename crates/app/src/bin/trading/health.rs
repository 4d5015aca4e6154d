//! `health`: asks the running program how it is. It is the image's own health check.

use std::{net::IpAddr, time::Duration};

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use trading_config::Settings;

use crate::{
    cli::SettingSources,
    failure::Failure,
    output::{Output, table},
};

/// How long the answer may take: the image's health check has three seconds.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn run(sources: &SettingSources, url: Option<String>, output: Output) -> Result<(), Failure> {
    let settings = sources.load_without_agents()?;
    let url = url.map_or_else(|| address(&settings), of_health);
    let way_out =
        || "see that `trading` runs, and listens there: MONITORING__HOST, MONITORING__PORT, or --url".to_owned();
    let failed = |what| Failure::Unwell { what, way_out: way_out() };
    let (status, body) =
        ask(&settings, &url).map_err(|error| failed(format!("{url} does not answer as it should: {error}")))?;
    let report: Option<Value> = serde_json::from_str(&body).ok();
    let Some(word) = report.as_ref().and_then(word) else {
        return Err(failed(format!("{url} answered {status}, and not as our health server does")));
    };
    output.say(&text(&word, report.as_ref()), || report.clone().unwrap_or_else(|| json!({ "status": word })))?;
    if status == 200 {
        return Ok(());
    }
    let way_out = "see what its components say, and its log".to_owned();
    Err(Failure::Unwell { what: format!("it is {word}"), way_out })
}

/// Where a server's health is, if nothing more is said of it than where it listens.
fn of_health(url: String) -> String {
    let server = url.strip_suffix('/').unwrap_or(&url);
    match server.split_once("://") {
        Some((_, listens)) if !listens.contains(['/', '?', '#']) => format!("{server}/health"),
        _ => url,
    }
}

/// What `/health`, or `/ready` with its reasons, says in a word.
fn word(report: &Value) -> Option<String> {
    if let Some(status) = report.get("status") {
        return status.as_str().map(str::to_owned);
    }
    if report.get("ready")?.as_bool()? {
        return Some("ready".to_owned());
    }
    let reasons = report.get("reasons").and_then(Value::as_array).into_iter().flatten();
    let reasons: Vec<_> = reasons.filter_map(Value::as_str).collect();
    Some(if reasons.is_empty() { "not ready".to_owned() } else { format!("not ready: {}", reasons.join("; ")) })
}

fn address(settings: &Settings) -> String {
    let monitoring = &settings.monitoring;
    // What listens everywhere is asked where we are.
    let host = match monitoring.host {
        IpAddr::V4(address) if address.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(address) if address.is_unspecified() => "[::1]".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    format!("http://{host}:{}/health", monitoring.port)
}

fn ask(settings: &Settings, url: &str) -> Result<(u16, String), ureq::Error> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None)
        .build();
    let mut request = config.new_agent().get(url);
    // The token is for our own server, wherever it listens, and for nobody that a `--url` names.
    if let Some(token) = settings.monitoring.token.as_ref().filter(|_| url == address(settings)) {
        request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
    }
    let mut answer = request.call()?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}

fn text(word: &str, report: Option<&Value>) -> String {
    let components = report.and_then(|report| report.get("components")).and_then(Value::as_object);
    let rows = components.into_iter().flatten().map(|(name, component)| {
        let of = |key| component.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        [name.clone(), of("status"), of("message")]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        word.to_owned()
    } else {
        format!("{word}\n{}", table(["COMPONENT", "STATUS", "MESSAGE"], rows))
    }
}

//! The metrics, as text for Prometheus and as JSON.

use std::time::Duration;

use hyper::StatusCode;
use hyper::http::request::Parts;
use serde_json::{Map, Value, json};

use super::negotiation::{self, Kind};
use super::query::Query;
use super::reply::Reply;
use crate::Metrics;
use crate::metrics::{Family, Series, SinceStart, Summary};

/// The kinds there are, and what each is called in full.
///
/// **Source:** <https://prometheus.io/docs/instrumenting/content_negotiation/>.
const KINDS: [Kind; 3] = [("text/plain", "text"), negotiation::JSON, ("application/openmetrics-text", "openmetrics")];
const JSON_PLACE: usize = 1;
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A year: no samples are as old.
const HOURS_MAX: f64 = 8_760.0;

pub(super) fn reply(metrics: &Metrics, head: &Parts) -> Reply {
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let answer = negotiation::wanted(head, &KINDS).and_then(|kind| Ok((kind, window(query.get("hours"))?)));
    match (answer, query.get("metric")) {
        (Err(sentence), _) => Reply::error(StatusCode::BAD_REQUEST, &sentence),
        // What `Accept` prefers is no more than a wish.
        (Ok((kind, _)), Some(_)) if kind != JSON_PLACE && query.get("format").is_some() => {
            Reply::error(StatusCode::BAD_REQUEST, "one metric is told as JSON: format is json")
        }
        (Ok((_, window)), Some(name)) => one(metrics, name, window),
        (Ok((0, _)), None) => Reply::of(PROMETHEUS, metrics.prometheus()),
        (Ok((JSON_PLACE, window)), None) => Reply::json(&all(metrics, window)),
        (Ok(_), None) => Reply::of(OPEN_METRICS, metrics.open_metrics()),
    }
}

fn window(hours: Option<&str>) -> Result<Duration, String> {
    let Some(text) = hours else { return Ok(Duration::from_secs(3_600)) };
    let hours = text.parse().ok().filter(|hours: &f64| *hours > 0.0 && *hours <= HOURS_MAX);
    hours
        .map(|hours| Duration::from_secs_f64(hours * 3_600.0))
        .ok_or_else(|| format!("hours is a number above 0 and at most {HOURS_MAX}"))
}

fn all(metrics: &Metrics, window: Duration) -> Value {
    let family = |family: Family| {
        let mut body = described(&family);
        body.insert("series".to_owned(), json!(family.series));
        body.extend(figures(&metrics.summary(&family.name, window).unwrap_or_default()));
        Value::from(body)
    };
    json!({ "metrics": metrics.families().into_iter().map(family).collect::<Vec<_>>() })
}

fn one(metrics: &Metrics, name: &str, window: Duration) -> Reply {
    let family = metrics.families().into_iter().find(|family| family.name == name);
    let found = family.zip(metrics.series(name, window)).zip(metrics.summary(name, window));
    let Some(((family, mut series), summary)) = found else {
        let sentence = "no such metric: /metrics?format=json lists those that there are";
        return Reply::error(StatusCode::NOT_FOUND, sentence);
    };
    // Who shows only some of them shows those that matter most. Of equal ones the order of their labels stays.
    let size = |series: &Series| series.summary.latest.filter(|latest| !latest.is_nan()).unwrap_or(f64::NEG_INFINITY);
    series.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let one = |series: Series| {
        let labels: Map<String, Value> =
            series.labels.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let samples: Vec<Value> =
            series.samples.iter().map(|sample| json!([sample.time.timestamp_millis(), sample.value])).collect();
        let mut body = Map::new();
        body.insert("labels".to_owned(), labels.into());
        body.extend(figures(&series.summary));
        body.insert("samples".to_owned(), samples.into());
        Value::from(body)
    };
    let mut body = described(&family);
    body.extend(figures(&summary));
    body.insert("series".to_owned(), series.into_iter().map(one).collect());
    Reply::json(&body.into())
}

fn described(family: &Family) -> Map<String, Value> {
    let Family { name, kind, unit, help, .. } = family;
    let pairs = [("name", name.as_str()), ("kind", kind.as_str()), ("unit", *unit), ("help", help.as_ref())];
    pairs.map(|(key, value)| (key.to_owned(), Value::from(value))).into_iter().collect()
}

fn figures(summary: &Summary) -> Map<String, Value> {
    // Its unit is the metric's, and said with its name.
    let Summary { unit: _, count, min, max, mean, latest, p50, p95, p99, rate, covers, since_start } = *summary;
    let figures =
        [("min", min), ("max", max), ("mean", mean), ("latest", latest), ("p50", p50), ("p95", p95), ("p99", p99)];
    let mut body = Map::new();
    body.insert("count".to_owned(), json!(count));
    body.extend(figures.map(|(key, value)| (key.to_owned(), json!(value))));
    body.insert("rate".to_owned(), json!(rate));
    body.insert("covers_seconds".to_owned(), json!(covers.as_secs_f64()));
    let ever = |SinceStart { count, p50, p95, p99 }| json!({ "count": count, "p50": p50, "p95": p95, "p99": p99 });
    body.insert("since_start".to_owned(), since_start.map_or(Value::Null, ever));
    body
}

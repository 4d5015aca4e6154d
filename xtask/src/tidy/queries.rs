//! Dashboards and alerts ask for series, with labels, that the program really has.

use std::{iter::Peekable, path::Path, str::Chars};

use anyhow::Context as _;
use serde_json::Value;

use super::{
    files::{self, File},
    program::{Metrics, Program},
};

const DASHBOARDS: &str = "deploy/grafana/dashboards/";
const RULES: &str = "deploy/prometheus/";
const ALERTS: &str = "deploy/prometheus/alerts.yml";
const ALERTS_TEST: &str = "deploy/prometheus/alerts_test.yml";
const ALERTS_PROSE: &str = "deploy/README.md";
/// What Prometheus has beside what it scrapes.
const FROM_PROMETHEUS: [&str; 3] = ["ALERTS", "scrape_duration_seconds", "up"];
const LABELS_FROM_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// A question to Prometheus, and where it stands.
pub(super) struct Query {
    pub(super) place: String,
    pub(super) text: String,
}

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let files = files::all(root)?;
    let queries = queries(&files)?;
    anyhow::ensure!(!queries.is_empty(), "there are no queries in {DASHBOARDS} and {RULES}");
    let metrics = Program::ask()?.metrics;
    let is_written = |name: &str| is_written(&files, name);
    let mut faults: Vec<_> = queries.iter().flat_map(|query| unknown(query, &metrics, is_written)).collect();
    faults.extend(alerts(&files));
    Ok(faults)
}

/// Alerts that nobody is told what to do about, that no test sees fire, or that are told of and not there.
fn alerts(files: &[File]) -> Vec<String> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let rules = text(ALERTS).lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect::<Vec<_>>();
    let rows = text(ALERTS_PROSE).lines().filter_map(|line| line.strip_prefix("| `Trading")?.split('`').next());
    let rows: Vec<_> = rows.map(|name| format!("Trading{name}")).collect();
    let mut faults = Vec::new();
    for rule in &rules {
        if !rows.iter().any(|row| row == rule) {
            faults.push(format!("{ALERTS_PROSE}: the alert {rule} has no row"));
        }
        if !text(ALERTS_TEST).contains(&format!("alertname=\"{rule}\"")) {
            faults.push(format!("{ALERTS_TEST}: the alert {rule} is not seen to fire"));
        }
    }
    let gone = rows.iter().filter(|row| !rules.contains(&row.as_str()));
    faults.extend(gone.map(|row| format!("{ALERTS_PROSE}: there is no alert {row}")));
    faults
}

/// If a crate has the name as a text: some series come only once something happened, such as a second sample.
fn is_written(files: &[File], name: &str) -> bool {
    let of_a_histogram = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
    let texts = [Some(name), of_a_histogram].map(|name| name.map(|name| format!("\"{name}\"")));
    let mut code = files.iter().filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/"));
    code.any(|file| texts.iter().flatten().any(|text| file.text.contains(text)))
}

pub(super) fn queries(files: &[File]) -> anyhow::Result<Vec<Query>> {
    let mut queries = Vec::new();
    for file in files {
        if file.path.starts_with(DASHBOARDS) && file.path.ends_with(".json") {
            let dashboard = serde_json::from_str(&file.text).with_context(|| file.path.clone())?;
            dashboard_queries(&dashboard, &file.path, &mut queries);
        } else if file.path.starts_with(RULES) && file.path.ends_with(".yml") {
            for (number, line) in file.lines() {
                let Some(text) = line.trim_start().trim_start_matches("- ").strip_prefix("expr:") else { continue };
                let text = text.trim();
                let place = format!("{}:{number}", file.path);
                anyhow::ensure!(
                    !text.starts_with(['|', '>', '"', '\'']),
                    "{place}: expr is written on its line, as it is"
                );
                queries.push(Query { place, text: text.to_owned() });
            }
        }
    }
    Ok(queries)
}

/// Every `expr`, named by the title of the panel that it is in.
fn dashboard_queries(value: &Value, place: &str, queries: &mut Vec<Query>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| dashboard_queries(value, place, queries)),
        Value::Object(fields) => {
            let title = fields.get("title").and_then(Value::as_str);
            let place = title.map_or_else(|| place.to_owned(), |title| format!("{place}, {title}"));
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "expr") {
                    Some(text) => queries.push(Query { place: place.clone(), text: text.to_owned() }),
                    None => dashboard_queries(value, &place, queries),
                }
            }
        }
        _ => {}
    }
}

fn unknown(query: &Query, metrics: &Metrics, is_written: impl Fn(&str) -> bool) -> Vec<String> {
    let Query { place, text } = query;
    let asked = asked(text);
    if asked.is_empty() {
        return vec![format!("{place}: asks for no metric: {text}")];
    }
    let mut faults = Vec::new();
    for Asked { name, labels } in asked {
        match metrics.get(&name) {
            None if FROM_PROMETHEUS.contains(&name.as_str()) || is_written(&name) => {}
            None => faults.push(format!("{place}: the program has no metric {name}")),
            Some(known) => {
                let known =
                    |label: &&String| known.contains(*label) || LABELS_FROM_PROMETHEUS.contains(&label.as_str());
                let unknown = labels.iter().filter(|label| !known(label));
                faults.extend(unknown.map(|label| format!("{place}: the metric {name} has no label {label}")));
            }
        }
    }
    faults
}

/// A metric in a query, with the labels that choose among its series.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    name: String,
    labels: Vec<String>,
}

/// The metrics in a PromQL query: its names that are no functions, keywords, labels or variables of Grafana.
fn asked(query: &str) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut letters = query.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\'' => skip_past(&mut letters, letter),
            '[' => skip_past(&mut letters, ']'),
            '$' => drop(word(&mut letters, letter)),
            letter if letter.is_ascii_digit() => drop(word(&mut letters, letter)),
            letter if is_name(letter) => {
                let name = word(&mut letters, letter);
                while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
                let next = letters.peek().copied();
                match name.as_str() {
                    "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" if next == Some('(') => {
                        skip_past(&mut letters, ')');
                    }
                    // Aggregations too: `sum by (path) (…)`.
                    _ if next == Some('(') => {}
                    "sum" | "min" | "max" | "avg" | "count" | "topk" | "and" | "or" | "unless" | "bool" | "offset" => {}
                    _ => asked
                        .push(Asked { name, labels: if next == Some('{') { labels(&mut letters) } else { vec![] } }),
                }
            }
            _ => {}
        }
    }
    asked
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

fn word(letters: &mut Peekable<Chars<'_>>, first: char) -> String {
    let mut word = String::from(first);
    while let Some(letter) = letters.next_if(|letter| is_name(*letter)) {
        word.push(letter);
    }
    word
}

fn skip_past(letters: &mut Peekable<Chars<'_>>, end: char) {
    letters.find(|letter| *letter == end);
}

/// The names in `{name="value", …}`.
fn labels(letters: &mut Peekable<Chars<'_>>) -> Vec<String> {
    let mut labels = Vec::new();
    while let Some(letter) = letters.next().filter(|letter| *letter != '}') {
        if letter == '"' {
            skip_past(letters, '"');
        } else if is_name(letter) {
            labels.push(word(letters, letter));
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &[(&str, &[&str])]) {
        let expected = expected.iter().map(|(name, labels)| Asked {
            name: (*name).to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        });
        assert_eq!(asked(query), expected.collect::<Vec<_>>(), "{query}");
    }

    #[test]
    fn queries_ask_for_metrics() {
        check("up == 0", &[("up", &[])]);
        check("a_total{path=~\"/x|}y\", status!=\"200\"}", &[("a_total", &["path", "status"])]);
        check("sum by (path, status) (rate(a_total[$__rate_interval])) / 1e6", &[("a_total", &[])]);
        check("histogram_quantile(0.99, sum(rate(b_bucket{job=\"c\"}[5m])) by (le)) > 5m", &[("b_bucket", &["job"])]);
        check("a - on(instance) group_left() b offset 5m unless $var and c{} ", &[("a", &[]), ("b", &[]), ("c", &[])]);
        check("time() - 5", &[]);
    }

    #[test]
    fn what_the_program_does_not_have_is_found() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = [
            file(
                "deploy/grafana/dashboards/a.json",
                r#"{"title": "A", "panels": [{"title": "P", "targets": [{"expr": "sum(a_total)"}, {"expr": "b"}]}, {"expr": "1"}]}"#,
            ),
            file(
                "deploy/prometheus/alerts.yml",
                "groups:\n  - expr: a_total{path=\"x\", code=\"y\"} > 1\n  - expr: up\n",
            ),
            file("deploy/prometheus/README.md", "  expr: nothing"),
            file("deploy/prometheus/more.yml", "  expr: late_seconds_bucket + late\n"),
            file("crates/a/src/lib.rs", "gauge(\"late_seconds\"); later(\"b_\")"),
            file("crates/a/tests/it/main.rs", "gauge(\"late\")"),
        ];
        let metrics = crate::tidy::program::metrics("a_total{path=\"x\"} 1\n");
        let faults: Vec<_> = queries(&files)
            .expect("are read")
            .iter()
            .flat_map(|query| unknown(query, &metrics, |name| is_written(&files, name)))
            .collect();
        assert_eq!(
            faults,
            [
                "deploy/grafana/dashboards/a.json, A, P: the program has no metric b",
                "deploy/grafana/dashboards/a.json, A: asks for no metric: 1",
                "deploy/prometheus/alerts.yml:2: the metric a_total has no label code",
                "deploy/prometheus/more.yml:1: the program has no metric late",
            ]
        );
        let folded = [file("deploy/prometheus/alerts.yml", "expr: >\n  a\n")];
        let error = queries(&folded).err().expect("is refused").to_string();
        assert_eq!(error, "deploy/prometheus/alerts.yml:1: expr is written on its line, as it is");
    }

    #[test]
    fn an_alert_has_a_row_and_a_test() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = [
            file(ALERTS, "  - alert: TradingA\n  - alert: TradingB\n"),
            file(ALERTS_TEST, "labels: 'ALERTS{alertname=\"TradingA\"}'"),
            file(ALERTS_PROSE, "| `TradingA` | now |\n| `TradingC` | then |\n"),
        ];
        assert_eq!(
            alerts(&files),
            [
                "deploy/README.md: the alert TradingB has no row",
                "deploy/prometheus/alerts_test.yml: the alert TradingB is not seen to fire",
                "deploy/README.md: there is no alert TradingC",
            ]
        );
    }
}

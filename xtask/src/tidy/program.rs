//! What the program really answers: the whole is started on a free port, asked, and stopped.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;
use trading_app::{App, Error, config::Settings};

use crate::{checkout, http};

/// What others rely on, and prose, dashboards and alerts name.
pub(super) struct Program {
    /// As the index lists them: `/health/{component}`.
    pub(super) routes: BTreeSet<String>,
    pub(super) metrics: Metrics,
}

/// The name of each series, with the names of its labels.
pub(super) type Metrics = BTreeMap<String, BTreeSet<String>>;

impl Program {
    pub(super) fn ask() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let agents = checkout().join("config/agents.json");
        let settings = Settings::loader()
            .root(folder.path())
            .environment([("ENVIRONMENT", "test"), ("MONITORING__PORT", "0"), ("LOGGING__CONSOLE", "off")])
            .set_path("trading.agents_path", path(&agents)?)
            .load()
            .map_err(Error::from)?;
        let app = App::builder(settings).without_logging().start()?;
        let answers = index(&get(app.address(), "/?format=json")?)
            // A request is counted when it is answered: this one sees the one before.
            .and_then(|routes| Ok(Self { routes, metrics: metrics(&get(app.address(), "/metrics")?) }));
        drop(app.shutdown(Duration::from_secs(5)));
        answers
    }
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the checkout is in a folder whose name is no UTF-8")
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let (status, body) = http::get(address, path)?;
    anyhow::ensure!(status == 200, "{path} is not answered well: {status} {body}");
    Ok(body)
}

fn index(body: &str) -> anyhow::Result<BTreeSet<String>> {
    let index: Value = serde_json::from_str(body)?;
    let endpoints = index.get("endpoints").and_then(Value::as_object).context("/?format=json lists no endpoints")?;
    Ok(endpoints.keys().cloned().collect())
}

/// The series of a page in the text format of Prometheus.
pub(super) fn metrics(page: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap_or(line.len()));
        let labels = rest.strip_prefix('{').map(|rest| rest.split("=\"").collect::<Vec<_>>()).unwrap_or_default();
        let names = labels.iter().rev().skip(1).filter_map(|before| before.rsplit([',', '{', '"', ' ']).next());
        metrics.entry(name.to_owned()).or_default().extend(names.map(str::to_owned));
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_names_and_labels() {
        let page = "# TYPE a counter\na 1\nb_total{path=\"/x\",status=\"200\"} 2\nb_total{path=\"/y\",code=\"1\"} 2\nc_bucket{le=\"+Inf\"} 3\n";
        let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let expected =
            [("a", labels(&[])), ("b_total", labels(&["path", "status", "code"])), ("c_bucket", labels(&["le"]))];
        assert_eq!(metrics(page), expected.map(|(name, labels)| (name.to_owned(), labels)).into());
    }

    #[test]
    fn the_program_answers() {
        let program = Program::ask().expect("is asked");
        assert!(program.routes.contains("/health/{component}"), "{:?}", program.routes);
        assert_eq!(program.metrics.get("http_requests_total").map(BTreeSet::len), Some(2), "{:?}", program.metrics);
        assert!(program.metrics.contains_key("database_trades"), "{:?}", program.metrics);
    }
}

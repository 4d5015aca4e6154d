//! Counts requests by path and status. Finding a series costs more than answering `/ping`, so each is found once.

use std::sync::OnceLock;

use hyper::StatusCode;

use crate::{Counter, Metrics};

const NAME: &str = "http_requests_total";
/// The statuses of ours; those that only an added route has are looked up each time.
const STATUSES: [u16; 13] = [200, 503, 400, 401, 404, 405, 411, 413, 414, 421, 429, 431, 500];

#[derive(Debug)]
pub(super) struct Tally {
    metrics: Metrics,
    /// By path; the last is for all others.
    paths: Vec<(String, [OnceLock<Counter>; STATUSES.len()])>,
}

impl Tally {
    pub(super) fn new(metrics: &Metrics, paths: impl IntoIterator<Item = String>) -> Self {
        metrics.describe(NAME, "Requests that the health server has answered.");
        let empty = || std::array::from_fn(|_| OnceLock::new());
        let paths = paths.into_iter().chain(["other".to_owned()]).map(|path| (path, empty())).collect();
        Self { metrics: metrics.clone(), paths }
    }

    /// Counts an answer of the path at that place; `None` is for all paths that there are not.
    pub(super) fn count(&self, place: Option<usize>, status: StatusCode) {
        let place = place.and_then(|place| self.paths.get(place));
        let Some((path, counters)) = place.or(self.paths.last()) else { return };
        let find = || self.metrics.counter(NAME, &[("path", path.as_str()), ("status", status.as_str())]);
        let known = STATUSES.iter().zip(counters).find(|(known, _)| **known == status.as_u16());
        match known {
            Some((_, counter)) => counter.get_or_init(find).increment(1),
            None => find().increment(1),
        }
    }
}

//! The metrics, as text for Prometheus and as JSON.

use hyper::StatusCode;
use hyper::http::request::Parts;

use super::negotiation;
use super::reply::Reply;
use crate::Metrics;

/// **Source:** <https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info>.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn reply(metrics: &Metrics, head: &Parts) -> Reply {
    match negotiation::wants_json(head, "text/plain", "text") {
        Err(sentence) => Reply::error(StatusCode::BAD_REQUEST, &sentence),
        Ok(_) => Reply::of(PROMETHEUS, metrics.prometheus()),
    }
}

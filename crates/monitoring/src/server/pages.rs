//! The answer to a request. Everything it says is read from memory: it waits for nothing, so it need not be `async`.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::route::Route;
use super::{Sources, body};
use crate::lifecycle;
use crate::system::SystemReport;

const JSON: &str = "application/json";
/// **Source:** <https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info>.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) struct Pages {
    sources: Sources,
    uri_bytes_max: usize,
}

struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: String,
}

impl Answer {
    fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, content_type: JSON, body: format!("{body}\n") }
    }

    fn error(status: StatusCode, sentence: &str) -> Self {
        Self::json(status, &json!({ "error": sentence }))
    }
}

impl Pages {
    pub(super) fn new(sources: Sources, uri_bytes_max: usize) -> Self {
        let metrics = &sources.metrics;
        metrics.describe("http_requests_total", "Requests that the health server has answered.");
        SystemReport::describe(metrics);
        // Now, so that they have their place among the series whatever the program adds later.
        sources.system.report().record(metrics);
        Self { sources, uri_bytes_max }
    }

    /// HEAD is answered like GET: hyper leaves the body out and keeps its length.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let route = Route::of(request.uri().path());
        let allowed = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = if target_bytes(request) > self.uri_bytes_max {
            Answer::error(StatusCode::URI_TOO_LONG, &format!("a target has {} bytes at most", self.uri_bytes_max))
        } else {
            match route {
                None => Answer::error(StatusCode::NOT_FOUND, "no such page: / lists those that there are"),
                Some(_) if !allowed => Answer::error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered"),
                Some(route) => self.page(route),
            }
        };
        let labels = [("path", route.map_or("other", Route::label)), ("status", answer.status.as_str())];
        self.sources.metrics.counter("http_requests_total", &labels).increment(1);

        let mut response = Response::new(Full::from(answer.body));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if answer.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn page(&self, route: Route<'_>) -> Answer {
        match route {
            Route::Index => Answer::json(StatusCode::OK, &body::index()),
            Route::Ping => Answer::json(StatusCode::OK, &json!({ "message": "pong" })),
            Route::Live => Answer::json(StatusCode::OK, &json!({ "status": "alive" })),
            Route::Ready => self.ready(),
            Route::Health => {
                let report = self.sources.health.report();
                Answer::json(working(report.status.works()), &body::health(&report))
            }
            Route::Component(name) => self.component(name),
            Route::Metrics => {
                self.sources.system.report().record(&self.sources.metrics);
                let body = self.sources.metrics.prometheus();
                Answer { status: StatusCode::OK, content_type: PROMETHEUS, body }
            }
            Route::System => Answer::json(StatusCode::OK, &body::system(&self.sources.system.report())),
        }
    }

    fn ready(&self) -> Answer {
        let phase = self.sources.lifecycle.phase();
        let reasons = lifecycle::reasons_against(phase, &self.sources.health.report());
        Answer::json(working(reasons.is_empty()), &body::ready(phase, &reasons))
    }

    fn component(&self, name: &str) -> Answer {
        let report = self.sources.health.report();
        if let Some(component) = report.component(name) {
            return Answer::json(working(component.status.works()), &body::component(component));
        }
        let known: Vec<&str> = report.components.iter().map(|component| component.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Answer::error(StatusCode::NOT_FOUND, &format!("no such component: there are {known}"))
    }
}

fn working(works: bool) -> StatusCode {
    if works { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn target_bytes<B>(request: &Request<B>) -> usize {
    request.uri().path_and_query().map_or(0, |target| target.as_str().len())
}

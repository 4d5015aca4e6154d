//! What a route answers.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

const JSON: &str = "application/json";

/// What a page may do: load what comes from here, ask here, and nothing else. That texts are never markup is the browser's
/// business too: without trusted types there is no way to set any.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What a route answers: a status, a kind of content, and the content.
///
/// ```
/// use serde_json::json;
/// use trading_monitoring::Reply;
///
/// let reply = Reply::json(&json!({ "open": 3 })).status(503);
/// # drop(reply);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub(super) status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
    /// One that only some answers have.
    extra: Option<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// Answers 200 with a JSON document.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::of(JSON, format!("{body}\n"))
    }

    /// Answers 200 with plain text.
    #[must_use]
    pub fn text(body: impl Into<String>) -> Self {
        Self::of("text/plain; charset=utf-8", body.into())
    }

    /// Answers 200 with another kind of content, such as `text/csv`.
    ///
    /// # Panics
    ///
    /// When the kind cannot stand in a header, because it has a line end for example.
    #[must_use]
    pub fn of(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: HeaderValue::from_static(content_type),
            body: body.into(),
            extra: None,
        }
    }

    /// Sets the status, 200 to 599; another number becomes 500.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        let answer = StatusCode::from_u16(status).ok().filter(|_| (200..600).contains(&status));
        self.status = answer.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// The content.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn error(status: StatusCode, sentence: &str) -> Self {
        let extra = match status {
            StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, HeaderValue::from_static("GET, HEAD"))),
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            StatusCode::TOO_MANY_REQUESTS => Some((RETRY_AFTER, HeaderValue::from_static("60"))),
            _ => None,
        };
        Self { status, extra, ..Self::json(&json!({ "error": sentence })) }
    }

    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(4);
        let is_page = self.content_type.as_bytes().starts_with(b"text/html");
        headers.insert(CONTENT_TYPE, self.content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if is_page {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        headers.extend(self.extra);
        response
    }
}

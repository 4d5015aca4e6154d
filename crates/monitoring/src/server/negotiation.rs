//! Which of two kinds of content a client wants.

use hyper::header::ACCEPT;
use hyper::http::request::Parts;

use super::query::Query;

/// Whether the client wants JSON rather than the page's own kind: `?format=` says so, or else `Accept` does. Where it does
/// not care it gets the page's own.
///
/// # Errors
///
/// A sentence for the client, where it asks for a format that there is not.
pub(super) fn wants_json(head: &Parts, own: &str, own_format: &str) -> Result<bool, String> {
    let query = Query::parse(head.uri.query().unwrap_or_default());
    if let Some(format) = query.get("format") {
        return match format {
            "json" => Ok(true),
            other if other == own_format => Ok(false),
            _ => Err(format!("format is json or {own_format}")),
        };
    }
    let accept = head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(&str, f32)> = accept.flat_map(|value| value.split(',')).map(range).collect();
    let weight = |kind: &str| {
        let group = kind.split('/').next().unwrap_or_default();
        // The most exact range counts.
        let of = |wanted: &dyn Fn(&str) -> bool| ranges.iter().find_map(|(range, q)| wanted(range).then_some(*q));
        of(&|range| range == kind)
            .or_else(|| of(&|range| range.strip_suffix("/*") == Some(group)))
            .or_else(|| of(&|range| range == "*/*"))
            .unwrap_or(0.0)
    };
    Ok(weight("application/json") > weight(own))
}

/// **Source:** RFC 9110, section 12.5.1.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let q = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok());
    (range, q.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[track_caller]
    fn check(target: &str, accept: Option<&str>, expected: Result<bool, &str>) {
        let mut request = Request::get(target);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let head = request.body(()).unwrap().into_parts().0;
        assert_eq!(wants_json(&head, "text/plain", "text"), expected.map_err(str::to_owned));
    }

    #[test]
    fn the_header_says_what_is_wanted() {
        for (accept, expected) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/json"), true),
            (Some("application/json, text/plain, */*"), false),
            (Some("application/json;q=0.5, text/plain"), false),
            (Some("application/json, text/plain;q=0.9"), true),
            (Some("application/*"), true),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), false),
            (Some("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), false),
            (Some("application/json;q=nonsense"), true),
            (Some("application/json;q=0"), false),
            (Some(""), false),
        ] {
            check("/metrics", accept, Ok(expected));
        }
    }

    #[test]
    fn a_parameter_counts_more() {
        check("/metrics?format=json", Some("text/plain"), Ok(true));
        check("/metrics?format=text", Some("application/json"), Ok(false));
        check("/metrics?format=xml", None, Err("format is json or text"));
        check("/metrics?format=", None, Err("format is json or text"));
    }
}

//! Which of several kinds of content a client wants.

use hyper::header::ACCEPT;
use hyper::http::request::Parts;

use super::query::Query;

/// A kind of content: its media type, and its word in `?format=`.
pub(super) type Kind = (&'static str, &'static str);

pub(super) const JSON: Kind = ("application/json", "json");

/// The place, among these kinds, of the one that the client wants: `?format=` says so, or else `Accept` does. Where it does not
/// care it gets the first.
///
/// # Errors
///
/// A sentence for the client, where it asks for a format that there is not.
pub(super) fn wanted(head: &Parts, kinds: &[Kind]) -> Result<usize, String> {
    let query = Query::parse(head.uri.query().unwrap_or_default());
    if let Some(format) = query.get("format") {
        let found = kinds.iter().position(|(_, word)| *word == format);
        return found.ok_or_else(|| {
            let words: Vec<&str> = kinds.iter().map(|(_, word)| *word).collect();
            format!("format is {}", words.join(" or "))
        });
    }
    let accept = head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(&str, f32)> = accept.flat_map(|value| value.split(',')).map(range).collect();
    let weight = |kind: &str| {
        let group = kind.split('/').next().unwrap_or_default();
        // The most exact range counts.
        let of = |wanted: &dyn Fn(&str) -> bool| ranges.iter().find_map(|(range, q)| wanted(range).then_some(*q));
        // Types are compared without their case. **Source:** RFC 9110, section 8.3.1.
        of(&|range| range.eq_ignore_ascii_case(kind))
            .or_else(|| of(&|range| range.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(group))))
            .or_else(|| of(&|range| range == "*/*"))
            .unwrap_or(0.0)
    };
    let mut best = (0, 0.0);
    for (place, (kind, _)) in kinds.iter().enumerate() {
        let weight = weight(kind);
        if weight > best.1 {
            best = (place, weight);
        }
    }
    Ok(best.0)
}

/// **Source:** RFC 9110, section 12.5.1.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let weight =
        |part: &'_ str| part.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("q"))?.1.parse().ok();
    let q = parts.find_map(weight);
    (range, q.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const KINDS: [Kind; 3] = [("text/plain", "text"), JSON, ("application/openmetrics-text", "openmetrics")];

    #[track_caller]
    fn check(target: &str, accept: Option<&str>, expected: Result<&str, &str>) {
        let mut request = Request::get(target);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let found = wanted(&head, &KINDS).map(|place| KINDS[place].1);
        assert_eq!(found, expected.map_err(str::to_owned), "{accept:?}");
    }

    #[test]
    fn the_header_says_what_is_wanted() {
        for (accept, expected) in [
            (None, "text"),
            (Some("*/*"), "text"),
            (Some("application/json"), "json"),
            (Some("application/json, text/plain, */*"), "text"),
            (Some("application/json;q=0.5, text/plain"), "text"),
            (Some("application/json, text/plain;q=0.9"), "json"),
            (Some("application/*"), "json"),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), "text"),
            // As Prometheus 2 and 3 ask.
            (
                Some("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
                "openmetrics",
            ),
            (Some("text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"), "text"),
            (Some("application/json;q=nonsense"), "json"),
            (Some("Application/JSON"), "json"),
            (Some("APPLICATION/*"), "json"),
            (Some("application/json;Q=0.5, text/plain;Q=0.6"), "text"),
            (Some("application/json;Q=0.6, text/plain;Q=0.5"), "json"),
            (Some("text/plain;Q=0.5, application/json;q=0.6"), "json"),
            (Some("application/json;q=0"), "text"),
            (Some(""), "text"),
        ] {
            check("/metrics", accept, Ok(expected));
        }
    }

    #[test]
    fn a_parameter_counts_more() {
        check("/metrics?format=json", Some("text/plain"), Ok("json"));
        check("/metrics?format=text", Some("application/json"), Ok("text"));
        check("/metrics?format=openmetrics", None, Ok("openmetrics"));
        check("/metrics?format=xml", None, Err("format is text or json or openmetrics"));
        check("/metrics?format=", None, Err("format is text or json or openmetrics"));
    }
}

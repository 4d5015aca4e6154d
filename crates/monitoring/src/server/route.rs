//! Which paths there are.

use super::page::Asset;

/// A page of the server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Page,
    Asset(Asset),
    Ping,
    Live,
    Ready,
    Health,
    Component(&'a str),
    Metrics,
    System,
    Panels,
    Transitions,
}

/// The paths, with what they say, as the index lists them.
pub(super) const ENDPOINTS: [(&str, &str); 10] = [
    ("/", "the page for people; this list with ?format=json"),
    ("/ping", "the server answers"),
    ("/live", "the process lives; looks at nothing else"),
    ("/ready", "whether to give it work, and why not"),
    ("/health", "the whole and every component"),
    ("/health/{component}", "one component and its history"),
    ("/metrics", "metrics for Prometheus, or as JSON"),
    ("/system", "processors, memory, disk and this process"),
    ("/panels", "what the program adds to the page"),
    ("/transitions", "changes of components' status"),
];

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            "/ping" => Self::Ping,
            "/live" => Self::Live,
            "/ready" => Self::Ready,
            "/health" => Self::Health,
            "/metrics" => Self::Metrics,
            "/system" => Self::System,
            "/panels" => Self::Panels,
            "/transitions" => Self::Transitions,
            other => match other.strip_prefix("/health/") {
                Some(component) => Self::Component(component),
                None => Self::Asset(Asset::of(other)?),
            },
        })
    }

    /// Its place in [`ENDPOINTS`], whose path is its name in metrics: what a client sends must not appear there, it would
    /// make a series of each request. The page's parts count as the page.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Page | Self::Asset(_) => 0,
            Self::Ping => 1,
            Self::Live => 2,
            Self::Ready => 3,
            Self::Health => 4,
            Self::Component(_) => 5,
            Self::Metrics => 6,
            Self::System => 7,
            Self::Panels => 8,
            Self::Transitions => 9,
        }
    }
}

/// Whether a prefix would hide a path of the server's own.
pub(super) fn is_ours(prefix: &str) -> bool {
    Route::of(prefix).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_lists_every_route_and_so_does_the_readme() {
        let readme = include_str!("../../README.md");
        for (place, (path, _)) in ENDPOINTS.iter().enumerate() {
            assert_eq!(Route::of(path).map(Route::place), Some(place));
            assert!(readme.contains(&format!("| `{path}` |")), "the README's table has no {path}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in ["", "/pingpong", "/ping/", "//", "/healthz", "/health?", "/Health", "*", "health", "/page.html"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
        assert_eq!(Route::of("/health/"), Some(Route::Component("")));
        assert_eq!(Route::of("/health/a/../b"), Some(Route::Component("a/../b")));
    }
}

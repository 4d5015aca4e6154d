//! Which paths there are.

/// A page of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Index,
    Ping,
    Live,
    Ready,
    Health,
    Component(&'a str),
    Metrics,
    System,
}

/// The paths, with what they say, as the index lists them.
pub(super) const ENDPOINTS: [(&str, &str); 8] = [
    ("/", "this list"),
    ("/ping", "the server answers"),
    ("/live", "the process lives; looks at nothing else"),
    ("/ready", "whether to give it work, and why not"),
    ("/health", "the whole and every component"),
    ("/health/{component}", "one component"),
    ("/metrics", "metrics for Prometheus"),
    ("/system", "processors, memory, disk and this process"),
];

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/" => Self::Index,
            "/ping" => Self::Ping,
            "/live" => Self::Live,
            "/ready" => Self::Ready,
            "/health" => Self::Health,
            "/metrics" => Self::Metrics,
            "/system" => Self::System,
            other => Self::Component(other.strip_prefix("/health/")?),
        })
    }

    /// The route's name in metrics, where what a client sends must not appear: it would make a series of each request.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::Ping => "/ping",
            Self::Live => "/live",
            Self::Ready => "/ready",
            Self::Health => "/health",
            Self::Component(_) => "/health/{component}",
            Self::Metrics => "/metrics",
            Self::System => "/system",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_lists_every_route_and_so_does_the_readme() {
        let readme = include_str!("../../README.md");
        for (path, _) in ENDPOINTS {
            assert_eq!(Route::of(path).map(Route::label), Some(path));
            assert!(readme.contains(&format!("| `{path}` |")), "the README's table has no {path}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in ["", "/pingpong", "/ping/", "//", "/healthz", "/health?", "/Health", "*", "health"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
        assert_eq!(Route::of("/health/"), Some(Route::Component("")));
        assert_eq!(Route::of("/health/a/../b"), Some(Route::Component("a/../b")));
    }
}

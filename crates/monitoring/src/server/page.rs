//! The page for people. It is the same for everybody: what it shows it asks for, with the token that its reader gives it.

use super::reply::Reply;

const HTML: &str = include_str!("page/page.html");

/// What the page loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    Style,
    Script,
    Charts,
    Icon,
}

impl Asset {
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/page.css" => Self::Style,
            "/page.js" => Self::Script,
            "/charts.js" => Self::Charts,
            "/icon.svg" => Self::Icon,
            _ => return None,
        })
    }

    pub(super) fn reply(self) -> Reply {
        match self {
            Self::Style => Reply::of("text/css; charset=utf-8", include_str!("page/page.css")),
            Self::Script => Reply::of("text/javascript; charset=utf-8", include_str!("page/page.js")),
            Self::Charts => Reply::of("text/javascript; charset=utf-8", include_str!("page/charts.js")),
            Self::Icon => Reply::of("image/svg+xml", include_str!("page/icon.svg")),
        }
    }
}

pub(super) fn html() -> Reply {
    Reply::of("text/html; charset=utf-8", HTML)
}

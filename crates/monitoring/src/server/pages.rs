//! What a program adds to the server: routes, and panels of the page.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::panel::Part;
use super::query::Query;
use super::reply::Reply;
use super::route;
use crate::error::Error;

/// Routes and panels under one prefix, which a program adds to those of the server.
///
/// They run on threads that may block, a few at a time, each with a time-out
/// ([`ServerOptions::call_timeout`](crate::ServerOptions)): one that hangs or panics is an error of its own and delays
/// nobody else. They are seen with the token only, where there is one.
///
/// ```
/// use serde_json::json;
/// use trading_monitoring::{Pages, Part, Reply};
///
/// let portfolio = Pages::new("/portfolio")
///     .route("/positions", "open positions, of ?agent=…", |query| match query.get("agent") {
///         Some(agent) => Reply::json(&json!({ "agent": agent, "positions": [] })),
///         None => Reply::json(&json!({ "error": "say which agent" })).status(400),
///     })
///     .panel("Positions", || Ok(vec![Part::table(["ticker", "quantity"], [["AAPL", "1.5"]])]));
/// # drop(portfolio);
/// ```
pub struct Pages {
    pub(super) prefix: String,
    pub(super) routes: Vec<AddedRoute>,
    pub(super) panels: Vec<AddedPanel>,
}

pub(super) type Call = Arc<dyn Fn(&Query) -> Reply + Send + Sync>;
pub(super) type Draw = Arc<dyn Fn() -> Result<Vec<Part>, Box<dyn StdError + Send + Sync>> + Send + Sync>;

pub(super) struct AddedRoute {
    pub(super) path: String,
    pub(super) says: String,
    pub(super) call: Call,
}

pub(super) struct AddedPanel {
    pub(super) title: String,
    pub(super) draw: Draw,
}

impl Pages {
    /// Names the prefix: `/` and 1 to 64 lower-case letters, digits and `-`. It is nobody else's, and none of the server's
    /// own paths.
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), routes: Vec::new(), panels: Vec::new() }
    }

    /// Adds a route for GET and HEAD. Its path is the prefix and `path`, which is empty or begins with `/`; `says` is its
    /// line in the list of routes.
    #[must_use]
    pub fn route(
        mut self,
        path: &str,
        says: impl Into<String>,
        call: impl Fn(&Query) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let path = format!("{}{path}", self.prefix);
        self.routes.push(AddedRoute { path, says: says.into(), call: Arc::new(call) });
        self
    }

    /// Adds a panel to the page, below those that are there. What it returns is drawn anew every few seconds; an error is
    /// shown in its place.
    #[must_use]
    pub fn panel(
        mut self,
        title: impl Into<String>,
        draw: impl Fn() -> Result<Vec<Part>, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.panels.push(AddedPanel { title: title.into(), draw: Arc::new(draw) });
        self
    }

    /// Refuses what would hide a path or be hidden by one.
    pub(super) fn check_all(all: &[Self]) -> Result<(), Error> {
        let (mut prefixes, mut paths) = (HashSet::new(), HashSet::new());
        for pages in all {
            let refuse = |rule| Err(Error::InvalidPages { prefix: pages.prefix.clone(), rule });
            let name = pages.prefix.strip_prefix('/').unwrap_or_default();
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if !(1..=64).contains(&name.len()) || !name.bytes().all(allowed) {
                return refuse("a prefix is `/` and 1 to 64 lower-case letters, digits and `-`");
            }
            if route::is_ours(&pages.prefix) {
                return refuse("the path is the server's own");
            }
            if !prefixes.insert(&pages.prefix) {
                return refuse("each prefix is given once");
            }
            for AddedRoute { path, .. } in &pages.routes {
                let rest = path.strip_prefix(pages.prefix.as_str()).unwrap_or_default();
                let visible = |byte: u8| byte.is_ascii_graphic() && !b"?#%".contains(&byte);
                if !(rest.is_empty() || rest.starts_with('/')) || !rest.bytes().all(visible) {
                    return refuse("a route is empty, or `/` and visible ASCII characters without `?`, `#` and `%`");
                }
                if !paths.insert(path) {
                    return refuse("each route is given once");
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<&str> = self.routes.iter().map(|route| route.path.as_str()).collect();
        let panels: Vec<&str> = self.panels.iter().map(|panel| panel.title.as_str()).collect();
        f.debug_struct("Pages").field("prefix", &self.prefix).field("routes", &routes).field("panels", &panels).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pages: &[Pages], rule: Option<&str>) {
        let expected = rule.map(str::to_owned);
        let found = Pages::check_all(pages).err().map(|error| match error {
            Error::InvalidPages { rule, .. } => rule.to_owned(),
            other => panic!("{other}"),
        });
        assert_eq!(found, expected);
    }

    fn one(prefix: &str) -> Pages {
        Pages::new(prefix)
    }

    fn with(path: &str) -> Pages {
        one("/portfolio").route(path, "some", |_| Reply::text(""))
    }

    #[test]
    fn a_prefix_is_a_name_of_its_own() {
        let shape = Some("a prefix is `/` and 1 to 64 lower-case letters, digits and `-`");
        check(&[one("/portfolio"), one("/quiver-2"), one(&format!("/{}", "x".repeat(64)))], None);
        for odd in ["", "/", "portfolio", "/a/b", "/A", "/a_b", "/ü", &format!("/{}", "x".repeat(65))] {
            check(&[one(odd)], shape);
        }
        for ours in ["/health", "/metrics", "/panels", "/live", "/ping", "/ready", "/system"] {
            check(&[one(ours)], Some("the path is the server's own"));
        }
        check(&[one("/a"), one("/a")], Some("each prefix is given once"));
    }

    #[test]
    fn a_route_is_a_path_below_its_prefix() {
        let shape = Some("a route is empty, or `/` and visible ASCII characters without `?`, `#` and `%`");
        check(&[with(""), one("/other").route("/", "", |_| Reply::text(""))], None);
        check(&[with("/a/b.c_d")], None);
        for odd in ["a", "/a b", "/a?b", "/a%20", "/ü"] {
            check(&[with(odd)], shape);
        }
        check(&[with("/a").route("/a", "", |_| Reply::text(""))], Some("each route is given once"));
    }
}

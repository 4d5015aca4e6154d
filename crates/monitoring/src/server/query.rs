//! What stands behind the question mark.

use std::borrow::Cow;

/// The parameters of a request: names and values, decoded.
///
/// ```
/// use trading_monitoring::Query;
///
/// let query = Query::parse("agent=nancy+pelosi&day=2026-11-23&day=2026-11-24");
/// assert_eq!(query.get("agent"), Some("nancy pelosi"));
/// assert_eq!(query.get("day"), Some("2026-11-23"), "the first of several");
/// assert_eq!(query.get("hour"), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads what stands behind the question mark of a target.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let own = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into_owned(), value.into_owned());
        Self { pairs: form_urlencoded::parse(text.as_bytes()).map(own).collect() }
    }

    /// The value of the first parameter of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }
}

//! How the text of a setting becomes a value: one strict parser a type, shared by every source.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::NaiveTime;
use chrono_tz::Tz;
use rust_decimal::Decimal;
use secrecy::SecretString;

/// A type that a setting can have.
///
/// ```
/// use std::path::Path;
///
/// use trading_config::{Kind, Value};
///
/// #[derive(Debug, Clone, PartialEq)]
/// struct Symbol(String);
///
/// impl Value for Symbol {
///     const RULE: &'static str = "a ticker such as NVDA";
///     const KIND: Kind = Kind::Text { pattern: Some("^[A-Z]{1,5}$") };
///     fn parse(text: &str, _root: &Path) -> Option<Self> {
///         let good = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
///         good.then(|| Self(text.to_owned()))
///     }
/// }
///
/// assert_eq!(Symbol::parse("NVDA", Path::new("/")), Some(Symbol("NVDA".to_owned())));
/// ```
pub trait Value: Sized {
    /// What a good text is, as the end of "must be …".
    const RULE: &'static str;
    /// What a good text is for machines: the JSON Schema, and the type in [`Settings::effective`](crate::Settings::effective).
    const KIND: Kind;
    /// If the text must never be shown.
    const SECRET: bool = false;
    /// The text without what may be a secret in it. Not asked of a type that is one.
    fn redact(text: &str) -> Cow<'_, str> {
        Cow::Borrowed(text)
    }
    /// The value, or `None` if the text breaks [`RULE`](Self::RULE). Relative paths start at `root`.
    fn parse(text: &str, root: &Path) -> Option<Self>;
}

/// What the texts of a type look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Yes or no.
    Boolean,
    /// A whole number.
    Integer {
        /// The lowest that the type can hold.
        low: u64,
        /// The highest.
        high: u64,
    },
    /// A number with a point.
    Number,
    /// One of a few words, in small or capital letters.
    Choice(&'static [&'static str]),
    /// A text, or a number where the pattern fits it.
    Text {
        /// A regular expression as JSON Schema has them; `None` for any text.
        pattern: Option<&'static str>,
    },
}

macro_rules! from_str {
    ($($Type:ty: $kind:expr, $rule:literal,)+) => { $(
        impl Value for $Type {
            const RULE: &'static str = $rule;
            const KIND: Kind = $kind;
            fn parse(text: &str, _root: &Path) -> Option<Self> {
                text.trim().parse().ok()
            }
        }
    )+ };
}

from_str! {
    u16: Kind::Integer { low: 0, high: u16::MAX as u64 }, "a whole number from 0 to 65535",
    u32: Kind::Integer { low: 0, high: u32::MAX as u64 }, "a whole number from 0 to 4294967295",
    Decimal: Kind::Text { pattern: Some(r"^[+-]?[0-9]*\.?[0-9]+$") }, "a decimal number such as 100.00",
    Tz: Kind::Text { pattern: Some("^[A-Za-z]") }, "a time zone of the IANA list, such as US/Eastern",
}

impl Value for bool {
    const RULE: &'static str = "true or false (also yes/no, on/off, 1/0)";
    const KIND: Kind = Kind::Boolean;
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }
}

impl Value for f64 {
    const RULE: &'static str = "a number such as 0.85";
    const KIND: Kind = Kind::Number;
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        text.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }
}

impl Value for Duration {
    const RULE: &'static str = "a duration such as 30s, 250ms or 5m (a bare number counts seconds)";
    const KIND: Kind = Kind::Text { pattern: Some(r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?\s*$") };
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = match unit.trim_start() {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        // Rounded, because 0.001 has no exact binary form and 250ms should be 250 ms.
        let nanoseconds = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?.as_nanos();
        let microseconds = u64::try_from((nanoseconds + 500) / 1_000).ok()?;
        Some(Duration::from_micros(microseconds))
    }
}

impl Value for NaiveTime {
    const RULE: &'static str = "a time of day such as 09:30";
    const KIND: Kind = Kind::Text { pattern: Some("^[0-2]?[0-9]:[0-5]?[0-9](:[0-5]?[0-9])?$") };
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        let text = text.trim();
        NaiveTime::parse_from_str(text, "%H:%M").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S")).ok()
    }
}

impl Value for IpAddr {
    const RULE: &'static str = "an IP address such as 127.0.0.1 or 0.0.0.0, or localhost";
    const KIND: Kind = Kind::Text { pattern: Some("^(localhost|[0-9A-Fa-f:.]+)$") };
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        match text.trim() {
            "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            text => text.parse().ok(),
        }
    }
}

impl Value for http::Uri {
    const RULE: &'static str =
        "a web address such as https://paper-api.alpaca.markets, without user, query or fragment";
    const KIND: Kind = Kind::Text { pattern: Some("^https?://[^@?#]+$") };
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let uri: http::Uri = text.parse().ok()?;
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'));
        (scheme && authority && uri.query().is_none() && !text.contains('#')).then_some(uri)
    }
    // A password before the host, and a token in the query, are what people put into addresses.
    fn redact(text: &str) -> Cow<'_, str> {
        match (text.rsplit_once('@'), text.split_once(['?', '#'])) {
            (Some((_, host)), _) => format!("…@{}", host.split(['?', '#']).next().unwrap_or_default()).into(),
            (None, Some((address, _))) => format!("{address}?…").into(),
            (None, None) => text.into(),
        }
    }
}

impl Value for String {
    const RULE: &'static str = "a text that is not empty";
    const KIND: Kind = Kind::Text { pattern: None };
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl Value for SecretString {
    const RULE: &'static str = "a text that is not empty";
    const KIND: Kind = Kind::Text { pattern: None };
    const SECRET: bool = true;
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        (!text.trim().is_empty()).then(|| text.into())
    }
}

/// An empty text is `None`.
impl<T: Value> Value for Option<T> {
    const RULE: &'static str = T::RULE;
    const KIND: Kind = T::KIND;
    const SECRET: bool = T::SECRET;
    fn redact(text: &str) -> Cow<'_, str> {
        T::redact(text)
    }
    fn parse(text: &str, root: &Path) -> Option<Self> {
        if text.trim().is_empty() { Some(None) } else { T::parse(text, root).map(Some) }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(u64);

impl Bytes {
    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

impl Value for Bytes {
    const RULE: &'static str = "a size such as 8 MiB or 64 kB (a bare number counts bytes)";
    const KIND: Kind = Kind::Text { pattern: Some(r"^\s*[0-9]+\s*([kKMG]i?)?B?\s*$") };
    fn parse(text: &str, _root: &Path) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim_start() {
            "" | "B" => 1,
            "k" | "K" | "kB" | "KB" => 1_000,
            "M" | "MB" => 1_000_000,
            "G" | "GB" => 1_000_000_000,
            "Ki" | "KiB" => 1 << 10,
            "Mi" | "MiB" => 1 << 20,
            "Gi" | "GiB" => 1 << 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

/// A path as the operator wrote it, and the project root that a relative one starts at.
///
/// [`full`](Self::full) is what to open, [`as_written`](Self::as_written) what to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectPath {
    root: PathBuf,
    path: PathBuf,
}

impl ProjectPath {
    /// The absolute path: the written one if that is absolute, else the project root and it.
    #[must_use]
    pub fn full(&self) -> PathBuf {
        self.root.join(&self.path)
    }

    /// The path as the operator wrote it.
    #[must_use]
    pub fn as_written(&self) -> &Path {
        &self.path
    }
}

impl Value for ProjectPath {
    const RULE: &'static str = "a path, written out: `~` is not expanded, and a NUL is part of none";
    const KIND: Kind = Kind::Text { pattern: Some("^[^~]") };
    fn parse(text: &str, root: &Path) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && !text.starts_with('~') && !text.contains('\0'))
            .then(|| Self { root: root.to_owned(), path: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Value + PartialEq + std::fmt::Debug>(text: &str, expected: Option<T>) {
        assert_eq!((text, T::parse(text, Path::new("/root"))), (text, expected));
    }

    #[test]
    fn booleans_are_strict() {
        for text in ["true", "Yes", "ON", "1", " true "] {
            check(text, Some(true));
        }
        for text in ["false", "no", "Off", "0"] {
            check(text, Some(false));
        }
        for text in ["", "2", "tru", "y", "enabled", "None"] {
            check::<bool>(text, None);
        }
    }

    #[test]
    fn numbers_have_bounds() {
        check("65535", Some(65_535_u16));
        check::<u16>("65536", None);
        check::<u16>("-1", None);
        check::<u32>("3.5", None);
        check::<u32>("4294967296", None);
        check("0.85", Some(0.85));
        check::<f64>("inf", None);
        check::<f64>("NaN", None);
        check("100.00", Some(Decimal::new(10_000, 2)));
        check::<Decimal>("1,000", None);
    }

    #[test]
    fn durations_carry_a_unit() {
        check("30", Some(Duration::from_secs(30)));
        check("30s", Some(Duration::from_secs(30)));
        check("250ms", Some(Duration::from_millis(250)));
        check("0.5 m", Some(Duration::from_secs(30)));
        check("1d", Some(Duration::from_secs(86_400)));
        for text in ["", "s", "-1s", "1w", "1.2.3s", "99999999999999999999h"] {
            check::<Duration>(text, None);
        }
    }

    #[test]
    fn sizes_carry_a_unit() {
        for (text, bytes) in
            [("0", 0), ("64", 64), ("64 B", 64), ("8MiB", 8 << 20), ("1 kB", 1_000), ("2G", 2_000_000_000)]
        {
            check(text, Some(Bytes(bytes)));
        }
        for text in ["", "B", "-1", "1.5 MB", "1 TB", "18446744073709551616", "18446744073709551615 k"] {
            check::<Bytes>(text, None);
        }
    }

    #[test]
    fn times_zones_and_addresses() {
        check("09:30", NaiveTime::from_hms_opt(9, 30, 0));
        check("23:59:59", NaiveTime::from_hms_opt(23, 59, 59));
        check::<NaiveTime>("24:00", None);
        check("US/Eastern", Some(Tz::US__Eastern));
        check::<Tz>("Eastern", None);
        check("localhost", Some(IpAddr::from([127, 0, 0, 1])));
        check("::1", "::1".parse::<IpAddr>().ok());
        check::<IpAddr>("0.0.0", None);
    }

    #[test]
    fn web_addresses_are_bases() {
        check("https://a.example/beta/", "https://a.example/beta".parse::<http::Uri>().ok());
        for text in ["a.example", "ftp://a.example", "https://", "https://user:pw@a.example", "https://a.example/?q=1"]
        {
            check::<http::Uri>(text, None);
        }
    }

    #[test]
    fn empty_texts_are_none_only_where_that_is_allowed() {
        check("", Some(None::<String>));
        check::<String>(" ", None);
        check::<ProjectPath>("", None);
    }

    #[test]
    fn relative_paths_start_at_the_root() {
        let path = |text| ProjectPath::parse(text, Path::new("/root")).map(|p| p.full());
        assert_eq!(path("data/a.db"), Some("/root/data/a.db".into()));
        assert_eq!(path("/var/a.db"), Some("/var/a.db".into()));
    }
}

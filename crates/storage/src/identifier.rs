//! Names that are checked once, where they enter, and trusted from then on.

use std::{fmt, str::FromStr};

use crate::Error;

macro_rules! name {
    ($(#[$meta:meta])* $Name:ident, $rule:literal, $accept:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(String);

        impl $Name {
            /// Checks the name.
            ///
            /// # Errors
            /// [`Error::Name`] if it breaks the rule.
            pub fn new(name: impl Into<String>) -> Result<Self, Error> {
                let name = name.into();
                let accept: fn(&str) -> bool = $accept;
                if accept(&name) { Ok(Self(name)) } else { Err(Error::Name { rule: $rule, found: name }) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $Name {
            type Err = Error;
            fn from_str(name: &str) -> Result<Self, Error> {
                Self::new(name)
            }
        }
    };
}

name! {
    /// An agent: 1 to 64 of `a-z`, `0-9`, `_`, `-`.
    AgentId, "an agent id (1 to 64 of a-z, 0-9, _ and -)",
    |name| (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

name! {
    /// A stock: 1 to 16 of `A-Z`, `0-9`, `.`, `-`, beginning with a letter (`BRK.B`).
    Ticker, "a ticker (1 to 16 of A-Z, 0-9, . and -, beginning with a letter)",
    |name| (1..=16).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
}

name! {
    /// The id that we give an order, so that it is never sent or recorded twice: 1 to 48 visible ASCII characters.
    ///
    /// Ids that begin with the day (`2026-11-20-pelosi-nvda-1`) share pages of their index, so orders that come together are
    /// recorded faster than with ids that are drawn.
    ///
    /// **Source:** Alpaca asks that `client_order_id` be unique for ever; 48 is the length that every form of its API took.
    ClientOrderId, "a client order id (1 to 48 visible ASCII characters)",
    |name| (1..=48).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
}

/// The number of a trade in the record: from 1, without gaps, in the order of recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TradeId(pub(crate) i64);

impl TradeId {
    /// A number that was kept elsewhere, as in a table of your own. That there is such a trade is seen where it is used.
    #[must_use]
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_its_bounds() {
        for (name, good) in
            [("a", true), ("dan_meuser-2", true), ("", false), ("A", false), ("a b", false), ("é", false)]
        {
            assert_eq!(AgentId::new(name).is_ok(), good, "{name:?}");
        }
        assert!(AgentId::new("a".repeat(64)).is_ok() && AgentId::new("a".repeat(65)).is_err());
        for (name, good) in
            [("A", true), ("BRK.B", true), ("BF-B", true), ("", false), ("brk", false), (".A", false), ("1A", false)]
        {
            assert_eq!(Ticker::new(name).is_ok(), good, "{name:?}");
        }
        assert!(Ticker::new("A".repeat(16)).is_ok() && Ticker::new("A".repeat(17)).is_err());
        for (name, good) in [("a", true), ("A/b:1~", true), ("", false), ("a b", false), ("a\n", false)] {
            assert_eq!(ClientOrderId::new(name).is_ok(), good, "{name:?}");
        }
        assert!(ClientOrderId::new("a".repeat(48)).is_ok() && ClientOrderId::new("a".repeat(49)).is_err());
    }

    #[test]
    fn the_error_shows_rule_and_name() {
        let error = Ticker::new("'; DROP TABLE trades").expect_err("no ticker").to_string();
        assert_eq!(
            error,
            "\"'; DROP TABLE trades\" is not a ticker (1 to 16 of A-Z, 0-9, . and -, beginning with a letter)"
        );
    }
}

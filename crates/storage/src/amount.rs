//! Amounts: exact decimals outside, scaled integers in the tables.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::Error;

/// How many decimals a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Money, prices and percentages: 6 decimals.
    Money,
    /// Numbers of shares: 9 decimals, as Alpaca has.
    Quantity,
}

impl Scale {
    fn decimals(self) -> u32 {
        match self {
            Self::Money => 6,
            Self::Quantity => 9,
        }
    }

    /// The integer that stands for `value`.
    ///
    /// # Errors
    /// [`Error::Amount`] if it does not fit exactly: nothing is rounded here.
    pub(crate) fn encode(self, field: &'static str, value: Decimal) -> Result<i64, Error> {
        let decimals = self.decimals();
        let refused = || {
            let limit = Decimal::from_i128_with_scale(i128::from(i64::MAX), decimals).trunc();
            let rule = format!("{decimals} decimals at the most, and less than {limit}");
            Error::Amount { field, value: value.to_string(), rule }
        };
        let exact = value.normalize();
        let missing = decimals.checked_sub(exact.scale()).ok_or_else(refused)?;
        let scaled = 10_i128.checked_pow(missing).and_then(|factor| exact.mantissa().checked_mul(factor));
        // Not the smallest of all: it has no absolute value, which the views show.
        scaled.and_then(|scaled| i64::try_from(scaled).ok()).filter(|scaled| *scaled != i64::MIN).ok_or_else(refused)
    }

    /// [`encode`](Self::encode), for what is never below zero.
    pub(crate) fn encode_unsigned(self, field: &'static str, value: Decimal) -> Result<i64, Error> {
        match self.encode(field, value)? {
            scaled if scaled >= 0 => Ok(scaled),
            _ => Err(Error::Amount { field, value: value.to_string(), rule: "0 or more".to_owned() }),
        }
    }

    /// [`encode`](Self::encode), for what must be above zero.
    pub(crate) fn encode_positive(self, field: &'static str, value: Decimal) -> Result<i64, Error> {
        match self.encode(field, value)? {
            scaled if scaled > 0 => Ok(scaled),
            _ => Err(Error::Amount { field, value: value.to_string(), rule: "more than 0".to_owned() }),
        }
    }

    /// The value that `scaled` stands for.
    pub(crate) fn decode(self, scaled: i64) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(scaled), self.decimals()).normalize()
    }

    /// Rounds a derived value, half to even, to what a column holds.
    pub(crate) fn round(self, value: Decimal) -> Decimal {
        value.round_dp_with_strategy(self.decimals(), RoundingStrategy::MidpointNearestEven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scale: Scale, text: &str, expected: Option<i64>) {
        let value: Decimal = text.parse().expect("a decimal");
        let encoded = scale.encode("price", value).ok();
        assert_eq!(encoded, expected, "{text}");
        if let Some(scaled) = encoded {
            assert_eq!(scale.decode(scaled), value, "{text} comes back");
        }
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        check(Scale::Money, "0", Some(0));
        check(Scale::Money, "100.10", Some(100_100_000));
        check(Scale::Money, "-0.000001", Some(-1));
        check(Scale::Money, "0.0000010000", Some(1));
        check(Scale::Money, "0.0000001", None);
        check(Scale::Money, "9223372036854.775807", Some(i64::MAX));
        check(Scale::Money, "9223372036854.775808", None);
        check(Scale::Quantity, "0.000000001", Some(1));
        check(Scale::Quantity, "9223372036.854775808", None);
        check(Scale::Quantity, "79228162514264337593543950335", None);
    }

    #[test]
    fn the_error_says_what_fits() {
        let error = Scale::Money.encode("price", Decimal::new(1, 7)).expect_err("too fine").to_string();
        assert_eq!(error, "price 0.0000001 does not fit: it takes 6 decimals at the most, and less than 9223372036854");
    }

    #[test]
    fn derived_values_are_rounded_half_to_even() {
        for (value, expected) in [("0.0000005", "0"), ("0.0000015", "0.000002"), ("-0.0000025", "-0.000002")] {
            let rounded = Scale::Money.round(value.parse().expect("a decimal"));
            assert_eq!(rounded, expected.parse().expect("a decimal"), "{value}");
        }
    }
}

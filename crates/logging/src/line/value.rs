//! The value of a field as JSON, with the type it came with.

use std::{error::Error, fmt, fmt::Write};

use log::kv::{Value, VisitValue};

use super::escape::{self, Within};

/// The deepest cause of an error that is still written. Arbitrary; it ends a chain that points at itself.
const CAUSES_MAX: usize = 16;

/// Appends a value as a JSON scalar. Text longer than `bytes_max`, escaped, is cut.
///
/// Numbers, booleans and null stay what they are. What JSON readers would bend is written as text: integers beyond 64
/// bits, `NaN`, `Infinity` and `-Infinity`. An error is written with its causes, `outer: inner`.
pub(super) fn write(out: &mut String, value: &Value<'_>, bytes_max: usize) {
    let before = out.len();
    // The visitor itself never fails; a value that does has written nothing, and null says so.
    if value.visit(Scalar { out: &mut *out, bytes_max }).is_err() || out.len() == before {
        out.push_str("null");
    }
}

/// Appends a JSON string, the quotes included.
pub(super) fn write_text(out: &mut String, bytes_max: usize, text: fmt::Arguments<'_>) {
    out.push('"');
    escape::write(out, Within::Quotes, bytes_max, text);
    out.push('"');
}

/// As `write_text`, for text that is there already.
pub(super) fn write_str(out: &mut String, bytes_max: usize, text: &str) {
    out.push('"');
    escape::write_str(out, Within::Quotes, bytes_max, text);
    out.push('"');
}

/// The numbers of two digits, one behind the other.
const PAIRS: &str = "\
0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Appends a number below 100 with both its digits.
pub(super) fn write_pair(out: &mut String, number: u64) {
    let at = usize::try_from(number % 100).unwrap_or_default() * 2;
    out.push_str(PAIRS.get(at..at + 2).unwrap_or_default());
}

/// Appends a number, in a fraction of the time that the formatter takes.
pub(super) fn write_integer(out: &mut String, number: u64) {
    if number >= 100 {
        write_integer(out, number / 100);
        write_pair(out, number);
    } else {
        let at = usize::try_from(number).unwrap_or_default() * 2;
        let start = if number < 10 { at + 1 } else { at };
        out.push_str(PAIRS.get(start..at + 2).unwrap_or_default());
    }
}

/// Appends a number of few digits, as prices and durations are, in a fraction of the time; `false` for others.
///
/// What is written is the quotient of two integers that a float holds exactly, and dividing them gives the number back. So it
/// is the shortest text that does.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the bound keeps the number in what both types hold exactly"
)]
fn write_decimal(out: &mut String, value: f64) -> bool {
    const BOUND: f64 = 1e12;
    for (digits, scale) in [(1, 10_u64), (2, 100), (3, 1_000)] {
        // The nearest integer, if there is one near: what is not is found out by the division.
        let scaled = value.abs() * scale as f64 + 0.5;
        if scaled >= BOUND {
            return false;
        }
        let scaled = scaled as u64;
        if scaled as f64 / scale as f64 == value.abs() {
            out.push_str(if value.is_sign_negative() { "-" } else { "" });
            write_integer(out, scaled / scale);
            out.push('.');
            let fraction = scaled % scale;
            if digits != 2 {
                write_digit(out, fraction * 10 / scale);
            }
            if digits != 1 {
                write_pair(out, fraction);
            }
            return true;
        }
    }
    false
}

/// Appends a number below 10.
fn write_digit(out: &mut String, number: u64) {
    let at = usize::try_from(number % 10).unwrap_or_default() * 2 + 1;
    out.push_str(PAIRS.get(at..=at).unwrap_or_default());
}

struct Scalar<'a> {
    out: &'a mut String,
    bytes_max: usize,
}

impl Scalar<'_> {
    fn text(&mut self, text: fmt::Arguments<'_>) -> Result<(), log::kv::Error> {
        write_text(self.out, self.bytes_max, text);
        Ok(())
    }

    fn raw(&mut self, number: fmt::Arguments<'_>) -> Result<(), log::kv::Error> {
        Ok(self.out.write_fmt(number)?)
    }

    fn integer(&mut self, sign: &str, value: u64) -> Result<(), log::kv::Error> {
        self.out.push_str(sign);
        write_integer(self.out, value);
        Ok(())
    }
}

impl<'v> VisitValue<'v> for Scalar<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), log::kv::Error> {
        self.text(format_args!("{value}"))
    }

    fn visit_null(&mut self) -> Result<(), log::kv::Error> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), log::kv::Error> {
        self.integer("", value)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), log::kv::Error> {
        self.integer(if value < 0 { "-" } else { "" }, value.unsigned_abs())
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), log::kv::Error> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_beyond) => self.text(format_args!("{value}")),
        }
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), log::kv::Error> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_beyond) => self.text(format_args!("{value}")),
        }
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), log::kv::Error> {
        if value.is_finite() {
            if write_decimal(self.out, value) {
                return Ok(());
            }
            // `Debug` is the shortest form that reads back as the same number, and it is JSON; `Display` would write
            // 1e300 with all its zeros.
            self.raw(format_args!("{value:?}"))
        } else if value.is_nan() {
            self.text(format_args!("NaN"))
        } else {
            self.text(format_args!("{}Infinity", if value < 0.0 { "-" } else { "" }))
        }
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), log::kv::Error> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), log::kv::Error> {
        write_str(self.out, self.bytes_max, value);
        Ok(())
    }

    fn visit_error(&mut self, error: &(dyn Error + 'static)) -> Result<(), log::kv::Error> {
        self.text(format_args!("{}", Chain(error)))
    }

    fn visit_borrowed_error(&mut self, error: &'v (dyn Error + 'static)) -> Result<(), log::kv::Error> {
        self.visit_error(error)
    }
}

/// An error and what caused it, the error first.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source()).take(CAUSES_MAX + 1)
}

/// An error and its causes, as text.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        causes(self.0).skip(1).try_for_each(|cause| write!(f, ": {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_few_digits_are_written_as_the_formatter_writes_them() {
        let whole = (0..2_000_000_u32).step_by(7).map(f64::from);
        let values = whole.flat_map(|value| [value, -value, value / 10.0, value / 100.0, value / 1_000.0, value / 7.0]);
        for value in values.chain([0.1 + 0.2, 999_999_999.999, 1e12, 1e15, 1e16, 1e300, 5e-324, -0.0, 0.001, 0.0005]) {
            let mut out = String::new();
            write(&mut out, &Value::from(value), 99);
            assert_eq!(out, format!("{value:?}"));
        }
    }

    #[test]
    fn integers_are_written_as_the_formatter_writes_them() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for value in powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX]) {
            let mut out = String::new();
            write_integer(&mut out, value);
            assert_eq!(out, value.to_string());
        }
    }
}

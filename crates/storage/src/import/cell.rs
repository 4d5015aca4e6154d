//! What a cell of the source means. SQLite lets any column hold anything, so each is read for what it is.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;
use rusqlite::{Row, types::ValueRef};
use rust_decimal::Decimal;

use super::ImportFault;
use crate::{Error, amount::Scale, transaction::as_stored};

/// How much of a cell a fault shows.
const SHOWN_CHARS: usize = 100;

const NOT_A_NUMBER: &str = "is not a number of at most 28 digits";

/// The cells of a row, with what was wrong with them so far.
pub(super) struct Cells<'r, 's> {
    table: &'static str,
    row: &'r Row<'s>,
    pub(super) faults: Vec<ImportFault>,
    /// Values that were rounded.
    pub(super) rounded: u64,
    /// Times that the zone has twice.
    pub(super) ambiguous: u64,
}

impl<'r, 's> Cells<'r, 's> {
    pub(super) fn new(table: &'static str, row: &'r Row<'s>) -> Self {
        Self { table, row, faults: Vec::new(), rounded: 0, ambiguous: 0 }
    }

    pub(super) fn value(&self, column: &'static str) -> ValueRef<'r> {
        self.row.get_ref(column).expect("the statement names each column")
    }

    /// Notes that the row cannot be brought over because of a cell.
    pub(super) fn refuse<T>(&mut self, column: &'static str, reason: impl Into<String>) -> Option<T> {
        let (row, found) = (show(self.value("id")), show(self.value(column)));
        self.faults.push(ImportFault { table: self.table, row, column, found, reason: reason.into() });
        None
    }

    /// Reads a cell that must not be empty. `None` after noting why it cannot be read.
    pub(super) fn required<T>(
        &mut self,
        column: &'static str,
        read: impl FnOnce(ValueRef<'r>) -> Result<T, String>,
    ) -> Option<T> {
        match self.value(column) {
            ValueRef::Null => self.refuse(column, "is missing"),
            value => read(value).map_or_else(|reason| self.refuse(column, reason), Some),
        }
    }

    /// Reads a cell that may be empty: NULL, or a text without characters.
    pub(super) fn optional<T>(
        &mut self,
        column: &'static str,
        read: impl FnOnce(ValueRef<'r>) -> Result<T, String>,
    ) -> Option<Option<T>> {
        match self.value(column) {
            ValueRef::Null | ValueRef::Text([]) => Some(None),
            _ => self.required(column, read).map(Some),
        }
    }

    /// Reads an amount, rounded to what a column holds.
    pub(super) fn amount(&mut self, column: &'static str, scale: Scale) -> Option<Decimal> {
        let read = self.required(column, |value| amount(value, scale))?;
        Some(self.counted(read))
    }

    /// [`amount`](Self::amount), above zero.
    pub(super) fn positive(&mut self, column: &'static str, scale: Scale) -> Option<Decimal> {
        let read = self.required(column, |value| positive(value, scale))?;
        Some(self.counted(read))
    }

    /// [`positive`](Self::positive), of a cell that may be empty.
    pub(super) fn optional_positive(&mut self, column: &'static str, scale: Scale) -> Option<Option<Decimal>> {
        let read = self.optional(column, |value| positive(value, scale))?;
        Some(read.map(|read| self.counted(read)))
    }

    fn counted(&mut self, (amount, was_rounded): (Decimal, bool)) -> Decimal {
        self.rounded += u64::from(was_rounded);
        amount
    }

    /// Reads a time that may be missing, in `zone` unless it says which.
    pub(super) fn time(&mut self, column: &'static str, zone: Tz) -> Option<Option<DateTime<Utc>>> {
        let found = self.optional(column, |value| time(value, zone))?;
        self.ambiguous += u64::from(found.is_some_and(|(_, ambiguous)| ambiguous));
        Some(found.map(|(time, _)| time))
    }
}

pub(super) fn integer(value: ValueRef<'_>) -> Result<i64, String> {
    value.as_i64().map_err(|_mismatch| "is not a whole number".to_owned())
}

pub(super) fn text(value: ValueRef<'_>) -> Result<&str, String> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_err(|error| format!("is not a text: {error}")),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => Err("is not a text".into()),
    }
}

/// A number, exactly. A REAL is taken for the shortest decimal number that is stored as it: 100.1, and not the
/// 100.099999999999994… that the computer has for it.
pub(super) fn decimal(value: ValueRef<'_>) -> Result<Decimal, String> {
    match value {
        ValueRef::Integer(integer) => Ok(Decimal::from(integer)),
        // Rust writes the shortest form, and never with an exponent.
        ValueRef::Real(real) if real.is_finite() => exact(&real.to_string()),
        ValueRef::Text(_) => {
            let text = text(value)?.trim();
            match text.split_once(['e', 'E']) {
                None => exact(text),
                Some((digits, _)) => {
                    exact(digits)?;
                    Decimal::from_scientific(text).map_err(|_source| NOT_A_NUMBER.to_owned())
                }
            }
        }
        ValueRef::Real(_) | ValueRef::Null | ValueRef::Blob(_) => Err(NOT_A_NUMBER.to_owned()),
    }
}

fn exact(text: &str) -> Result<Decimal, String> {
    Decimal::from_str_exact(text).map_err(|_source| NOT_A_NUMBER.to_owned())
}

/// A number as a column of ours holds it, and if it was rounded for that: nobody wrote so many digits, they come from a sum
/// or a division.
fn amount(value: ValueRef<'_>, scale: Scale) -> Result<(Decimal, bool), String> {
    let exact = match value {
        // Below what a decimal holds, and so below what is rounded to zero.
        ValueRef::Real(real) if real != 0.0 && real.abs() < 1e-10 => return Ok((Decimal::ZERO, true)),
        value => decimal(value)?,
    };
    let rounded = scale.round(exact);
    scale.encode("amount", rounded).map_err(|error| match error {
        Error::Amount { rule, .. } => format!("does not fit: it takes {rule}"),
        error => error.to_string(),
    })?;
    Ok((rounded, rounded != exact))
}

/// [`amount`], above zero.
fn positive(value: ValueRef<'_>, scale: Scale) -> Result<(Decimal, bool), String> {
    match amount(value, scale)? {
        (amount, _) if amount <= Decimal::ZERO => Err("is not above 0".to_owned()),
        read => Ok(read),
    }
}

/// A day; a time of midnight after it says nothing more.
pub(super) fn day(value: ValueRef<'_>) -> Result<NaiveDate, String> {
    match text(value).ok().and_then(clock) {
        Some((moment, None)) if moment.time() == NaiveTime::MIN => Ok(moment.date()),
        _ => Err("is not a day (YYYY-MM-DD)".to_owned()),
    }
}

/// A time, and if the zone has it twice.
fn time(value: ValueRef<'_>, zone: Tz) -> Result<(DateTime<Utc>, bool), String> {
    let Some((moment, offset)) = text(value).ok().and_then(clock) else {
        return Err("is not a time (YYYY-MM-DD HH:MM:SS.ffffff)".to_owned());
    };
    if !moment.nanosecond().is_multiple_of(1_000) {
        return Err("has more than six decimals of a second".to_owned());
    }
    let twice = |first: DateTime<Utc>| Ok((as_stored(first), true));
    let once = |moment: DateTime<Utc>| Ok((as_stored(moment), false));
    match offset {
        Some(offset) => moment.checked_sub_offset(offset).map(|moment| moment.and_utc()).map(once),
        None => match zone.from_local_datetime(&moment) {
            chrono::MappedLocalTime::Single(moment) => Some(once(moment.to_utc())),
            chrono::MappedLocalTime::Ambiguous(first, _) => Some(twice(first.to_utc())),
            chrono::MappedLocalTime::None => None,
        },
    }
    .unwrap_or_else(|| Err(format!("is a time that {zone} did not have")))
}

/// `2024-01-31`, ` 10:30`, `:00`, `.123456`, `+00:00` or `Z`: each but the first may be left out, with all that follows.
fn clock(text: &str) -> Option<(NaiveDateTime, Option<FixedOffset>)> {
    let text = text.trim();
    let (day, rest) = text.split_at_checked(10)?;
    if !day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    if rest.is_empty() {
        return Some((day.and_time(NaiveTime::MIN), None));
    }
    let rest = rest.strip_prefix([' ', 'T'])?;
    let (time, offset) = match rest.find(['Z', '+', '-']).map(|at| rest.split_at(at)) {
        None => (rest, None),
        Some((time, "Z")) => (time, FixedOffset::east_opt(0)),
        Some((time, offset)) => (time, Some(offset.parse().ok()?)),
    };
    let time =
        NaiveTime::parse_from_str(time, "%H:%M:%S%.f").or_else(|_short| NaiveTime::parse_from_str(time, "%H:%M"));
    Some((day.and_time(time.ok()?), offset))
}

/// What a cell holds, for people.
pub(super) fn show(value: ValueRef<'_>) -> String {
    let text = match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Text(bytes) => return String::from_utf8_lossy(bytes).chars().take(SHOWN_CHARS).collect(),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    };
    text.chars().take(SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn number(value: ValueRef<'_>, expected: Result<&str, &str>) {
        let found = decimal(value).map(|found| found.to_string());
        assert_eq!(found, expected.map(ToOwned::to_owned).map_err(ToOwned::to_owned), "{value:?}");
    }

    #[test]
    fn numbers_are_read_by_their_shortest_form() {
        number(ValueRef::Integer(-7), Ok("-7"));
        number(ValueRef::Integer(i64::MAX), Ok("9223372036854775807"));
        number(ValueRef::Real(100.1), Ok("100.1"));
        number(ValueRef::Real(0.1 + 0.2), Ok("0.30000000000000004"));
        number(ValueRef::Real(1e-7), Ok("0.0000001"));
        number(ValueRef::Real(-1.5e15), Ok("-1500000000000000"));
        number(ValueRef::Real(1e28), Ok("10000000000000000000000000000"));
        number(ValueRef::Text(b" 12.50 "), Ok("12.50"));
        number(ValueRef::Text(b"1.5e3"), Ok("1500"));
        number(ValueRef::Text(b"-25E-3"), Ok("-0.025"));
        number(ValueRef::Real(1e29), Err(NOT_A_NUMBER));
        number(ValueRef::Real(1e-29), Err(NOT_A_NUMBER));
        for text in ["", "abc", "$5", "1,5", "1e", "e5", "1e400", "1e-400", "nan", "0x10"] {
            number(ValueRef::Text(text.as_bytes()), Err(NOT_A_NUMBER));
        }
        number(ValueRef::Real(f64::INFINITY), Err(NOT_A_NUMBER));
        number(ValueRef::Blob(b"1"), Err(NOT_A_NUMBER));
        number(ValueRef::Null, Err(NOT_A_NUMBER));
        number(ValueRef::Text(b"\xff"), Err("is not a text: invalid utf-8 sequence of 1 bytes from index 0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever REAL is read, the decimal is that REAL and no other.
        #[test]
        fn a_real_comes_back_from_its_decimal(digits in -(1_i64 << 53)..(1_i64 << 53), exponent in -11..12) {
            let real: f64 = format!("{digits}e{exponent}").parse().expect("a number");
            let decimal = decimal(ValueRef::Real(real)).expect("has room");
            prop_assert_eq!(decimal.to_string().parse::<f64>().expect("a number"), real);
        }

        /// An amount that somebody wrote, of up to 15 digits, survived being stored as REAL.
        #[test]
        fn an_amount_comes_back_from_its_real(digits in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u32..=9) {
            let amount = Decimal::new(digits, scale);
            let real: f64 = amount.to_string().parse().expect("a number");
            prop_assert_eq!(decimal(ValueRef::Real(real)).expect("has room"), amount);
        }
    }

    #[track_caller]
    fn moment(text: &str, zone: Tz, expected: Result<(&str, bool), &str>) {
        let found = time(ValueRef::Text(text.as_bytes()), zone);
        let found = found.map(|(time, ambiguous)| (time.format("%FT%T%.6fZ").to_string(), ambiguous));
        let expected = expected.map(|(time, ambiguous)| (time.to_owned(), ambiguous)).map_err(ToOwned::to_owned);
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn times_are_of_the_zone_unless_they_say_which() {
        let (utc, eastern) = (Tz::UTC, Tz::US__Eastern);
        moment("2024-01-31 10:30:00.123456", utc, Ok(("2024-01-31T10:30:00.123456Z", false)));
        moment("2024-01-31 10:30:00", eastern, Ok(("2024-01-31T15:30:00.000000Z", false)));
        moment("2024-07-31T10:30", eastern, Ok(("2024-07-31T14:30:00.000000Z", false)));
        moment("2024-07-31", eastern, Ok(("2024-07-31T04:00:00.000000Z", false)));
        moment("2024-01-31 10:30:00Z", eastern, Ok(("2024-01-31T10:30:00.000000Z", false)));
        moment("2024-01-31 10:30:00.5-05:00", utc, Ok(("2024-01-31T15:30:00.500000Z", false)));
        moment("2024-01-31T10:30:00+0100", utc, Ok(("2024-01-31T09:30:00.000000Z", false)));
        moment("2024-11-03 01:30:00", eastern, Ok(("2024-11-03T05:30:00.000000Z", true)));
        moment("2024-03-10 02:30:00", eastern, Err("is a time that US/Eastern did not have"));
        moment("2024-01-31 10:30:00.1234567", utc, Err("has more than six decimals of a second"));
        for text in [
            "",
            "today",
            "2024-02-30",
            "24-1-31",
            "+2024-01-1",
            "2024-01-31 25:00:00",
            "2024-01-31x10:30",
            "é024-01-31",
        ] {
            moment(text, utc, Err("is not a time (YYYY-MM-DD HH:MM:SS.ffffff)"));
        }
    }

    #[test]
    fn days_have_no_time_but_midnight() {
        let read = |text: &str| day(ValueRef::Text(text.as_bytes())).map(|day| day.to_string());
        for text in ["2024-02-29", " 2024-02-29 ", "2024-02-29 00:00:00", "2024-02-29T00:00:00.000"] {
            assert_eq!(read(text), Ok("2024-02-29".to_owned()), "{text:?}");
        }
        for text in ["2023-02-29", "2024-02-29 09:30:00", "2024-02-29 00:00:00Z", "29.2.2024", ""] {
            assert_eq!(read(text), Err("is not a day (YYYY-MM-DD)".to_owned()), "{text:?}");
        }
        assert!(day(ValueRef::Integer(20_240_229)).is_err());
    }
}

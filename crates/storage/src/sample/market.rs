//! The made-up market: which days, which stocks, at which prices.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeZone as _, Utc, Weekday};
use rust_decimal::Decimal;

/// Stocks that exist, with prices to begin with, in dollars. The prices are arbitrary.
const STOCKS: [(&str, i64); 10] = [
    ("AAPL", 190),
    ("AMZN", 150),
    ("BRK.B", 360),
    ("CAT", 290),
    ("GOOGL", 140),
    ("JPM", 170),
    ("LMT", 450),
    ("MSFT", 370),
    ("NVDA", 480),
    ("UNP", 240),
];

/// What a share costs on a day.
pub(super) struct Quote {
    pub(super) ticker: &'static str,
    /// In whole cents.
    pub(super) price: Decimal,
}

/// A year.
pub(super) struct Market {
    /// Its trading days, each with all stocks.
    pub(super) days: Vec<(NaiveDate, Vec<Quote>)>,
}

impl Market {
    /// The trading days of the year up to `last`, and with it. Prices go up or down by at most 2 % a day.
    pub(super) fn new(last: NaiveDate, chance: &mut fastrand::Rng) -> Self {
        let first = last.checked_sub_days(Days::new(364)).unwrap_or(last);
        let mut cents = STOCKS.map(|(_, dollars)| dollars * 100);
        let mut quotes = || {
            for price in &mut cents {
                // Weighted upward a little, as stocks are; never below a dollar.
                *price = (*price + *price * chance.i64(-190..=200) / 10_000).max(100);
            }
            let quote = |((ticker, _), cents)| Quote { ticker, price: Decimal::new(cents, 2) };
            STOCKS.into_iter().zip(cents).map(quote).collect()
        };
        let days = first
            .iter_days()
            .take_while(|day| *day <= last)
            .filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !is_holiday(*day))
            .map(|day| (day, quotes()))
            .collect();
        Self { days }
    }
}

/// If the stock exchanges of New York are closed on a Monday to Friday. **Source:** NYSE rule 7.2 and its calendars.
fn is_holiday(day: NaiveDate) -> bool {
    let (month, of_month) = (day.month(), day.day());
    let on = |date| (month, of_month) == date;
    // One on a Sunday is kept on the Monday after, and one on a Saturday on the Friday before.
    let kept = |month, of_month| {
        on((month, of_month))
            || day.weekday() == Weekday::Mon && on((month, of_month + 1))
            || day.weekday() == Weekday::Fri && on((month, of_month - 1))
    };
    let nth = |of: u32, weekday, days: RangeInclusive<u32>| {
        month == of && day.weekday() == weekday && days.contains(&of_month)
    };
    // New Year's Day on a Saturday is not kept: the books are closed on that Friday.
    kept(1, 1)
        || nth(1, Weekday::Mon, 15..=21)
        || nth(2, Weekday::Mon, 15..=21)
        || day + Days::new(2) == easter(day.year())
        || nth(5, Weekday::Mon, 25..=31)
        || kept(6, 19)
        || kept(7, 4)
        || nth(9, Weekday::Mon, 1..=7)
        || nth(11, Weekday::Thu, 22..=28)
        || kept(12, 25)
}

/// **Source:** the anonymous Gregorian algorithm.
fn easter(year: i32) -> NaiveDate {
    let (golden, century) = (year % 19, year / 100);
    let epact = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (year % 100 / 4) - epact - year % 4) % 7;
    let correction = (golden + 11 * epact + 22 * weekday) / 451;
    let after_march = epact + weekday - 7 * correction + 114;
    let date = |part: i32| u32::try_from(part).unwrap_or_default();
    NaiveDate::from_ymd_opt(year, date(after_march / 31), date(after_march % 31 + 1)).unwrap_or_default()
}

/// 21:00 UTC, when the market in New York has closed, in winter as in summer.
pub(super) fn close_of(day: NaiveDate) -> DateTime<Utc> {
    Utc.from_utc_datetime(&day.and_hms_opt(21, 0, 0).expect("21:00 is a time of every day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holidays_are_those_of_new_york() {
        let years = [
            "2024: 01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
            "2026: 01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
            "2027: 01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
            "2028: 01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
        ];
        for year in years {
            let (year, expected) = year.split_once(": ").expect("a year");
            let first = NaiveDate::from_ymd_opt(year.parse().expect("a year"), 1, 1).expect("a day");
            let days = first.iter_days().take_while(|day| day.year() == first.year());
            let weekdays = days.filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
            let found: Vec<_> =
                weekdays.filter(|day| is_holiday(*day)).map(|day| day.format("%m-%d").to_string()).collect();
            assert_eq!(found.join(" "), expected, "{year}");
        }
    }
}

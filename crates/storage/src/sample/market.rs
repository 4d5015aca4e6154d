//! The made-up market: which days, which stocks, at which prices.

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
    /// The Mondays to Fridays of the year up to `last`, and with it. Prices go up or down by at most 2 % a day.
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
            .filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
            .map(|day| (day, quotes()))
            .collect();
        Self { days }
    }
}

/// 21:00 UTC, when the market in New York has closed, in winter as in summer.
pub(super) fn close_of(day: NaiveDate) -> DateTime<Utc> {
    Utc.from_utc_datetime(&day.and_hms_opt(21, 0, 0).expect("21:00 is a time of every day"))
}

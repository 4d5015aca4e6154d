//! Sample data: made-up trades, and the positions and performance that follow from them.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeZone as _, Utc, Weekday};
use rust_decimal::Decimal;

use crate::{
    Agent, AgentId, ClientOrderId, Database, Error, Order, OrderStatus, Performance, Position, Side, Ticker,
    amount::Scale,
};

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

/// What every agent begins with, in dollars. Arbitrary.
const START_CASH: i64 = 100_000;

/// What sample data to make. The same values always make the same data.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Where all chance comes from. Default 1.
    pub seed: u64,
    /// Whom the data is for; they are registered.
    pub agents: Vec<Agent>,
    /// The last day; the data covers the year before it, Mondays to Fridays.
    pub last_day: NaiveDate,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleReport {
    /// Trades.
    pub trades: u64,
    /// Positions.
    pub positions: u64,
    /// Days of performance, counted for each agent.
    pub performance_days: u64,
}

/// What one agent holds of a stock.
#[derive(Debug, Clone, Copy, Default)]
struct Holding {
    quantity: Decimal,
    cost: Decimal,
}

impl Database {
    /// Fills the record with sample data, in one transaction.
    ///
    /// Each agent buys, and now and then sells, at made-up prices; positions and performance are worked out from these
    /// trades. Made-up trades never come beside others: if any trade is recorded, nothing is done, and `None` returned.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub fn insert_sample(&self, sample: &Sample) -> Result<Option<SampleReport>, Error> {
        self.transaction(|tx| {
            if !tx.newest_trades(1)?.is_empty() {
                return Ok(None);
            }
            let mut report = SampleReport::default();
            let days = trading_days(sample.last_day);
            let prices = prices(sample.seed, days.len());
            for (index, agent) in (0_u64..).zip(&sample.agents) {
                tx.register_agent(agent)?;
                let mut chance =
                    fastrand::Rng::with_seed(sample.seed ^ (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                let mut account = Account::new(&agent.id);
                for (day, prices) in days.iter().zip(&prices) {
                    for order in account.trade(*day, prices, &mut chance, report.trades)? {
                        tx.insert_trade(&order)?;
                        report.trades += 1;
                    }
                    tx.record_performance(&account.close(*day, prices))?;
                    report.performance_days += 1;
                }
                let Some((day, prices)) = days.last().zip(prices.last()) else { continue };
                for position in account.positions(*day, prices)? {
                    tx.update_position(&position)?;
                    report.positions += 1;
                }
            }
            Ok(Some(report))
        })
    }
}

/// An agent's money and shares as the year goes by.
struct Account<'a> {
    agent: &'a AgentId,
    cash: Decimal,
    holdings: BTreeMap<usize, Holding>,
    value_before: Decimal,
}

impl<'a> Account<'a> {
    fn new(agent: &'a AgentId) -> Self {
        let cash = Decimal::from(START_CASH);
        Self { agent, cash, holdings: BTreeMap::new(), value_before: cash }
    }

    /// The orders of a day; most days have none.
    fn trade(
        &mut self,
        day: NaiveDate,
        prices: &[Decimal],
        chance: &mut fastrand::Rng,
        number: u64,
    ) -> Result<Vec<Order>, Error> {
        let mut orders = Vec::new();
        for (stock, (price, (ticker, _))) in prices.iter().zip(STOCKS).enumerate() {
            if chance.u32(0..100) >= 3 {
                continue;
            }
            let holding = self.holdings.entry(stock).or_default();
            let sells = holding.quantity > Decimal::ONE && chance.u32(0..4) == 0;
            let quantity = if sells {
                Scale::Quantity.round(holding.quantity / Decimal::TWO)
            } else {
                // Quarters of a share, between 1 and 10.
                Decimal::new(chance.i64(4..=40) * 25, 2)
            };
            let value = quantity * price;
            if sells {
                holding.cost -= Scale::Money.round(holding.cost * quantity / holding.quantity);
                holding.quantity -= quantity;
                self.cash += value;
            } else if value <= self.cash {
                holding.cost += value;
                holding.quantity += quantity;
                self.cash -= value;
            } else {
                continue;
            }
            let id = format!("sample-{}-{}", number + orders.len() as u64 + 1, day.format("%Y%m%d"));
            let side = if sells { Side::Sell } else { Side::Buy };
            let id = ClientOrderId::new(id)?;
            orders.push(Order {
                price: Some(*price),
                status: OrderStatus::Filled,
                source_trade_date: day.checked_sub_days(Days::new(chance.u64(10..45))),
                executed_at: Some(close_of(day)),
                ..Order::market(id, self.agent.clone(), side, quantity, Ticker::new(ticker)?, day)
            });
        }
        Ok(orders)
    }

    /// How the day ended.
    fn close(&mut self, day: NaiveDate, prices: &[Decimal]) -> Performance {
        let held: Decimal =
            self.holdings.iter().filter_map(|(stock, holding)| Some(holding.quantity * prices.get(*stock)?)).sum();
        let value = self.cash + held;
        let percent = |base: Decimal| Scale::Money.round((value - base) / base * Decimal::ONE_HUNDRED);
        let performance = Performance {
            agent: self.agent.clone(),
            date: day,
            total_value: Scale::Money.round(value),
            daily_return_percent: percent(self.value_before),
            total_return_percent: percent(Decimal::from(START_CASH)),
        };
        self.value_before = value;
        performance
    }

    fn positions(&self, day: NaiveDate, prices: &[Decimal]) -> Result<Vec<Position>, Error> {
        let mut positions = Vec::new();
        for (stock, holding) in &self.holdings {
            let (Some(price), Some((ticker, _))) = (prices.get(*stock), STOCKS.get(*stock)) else { continue };
            if holding.quantity.is_zero() {
                continue;
            }
            let market_value = Scale::Money.round(holding.quantity * price);
            positions.push(Position {
                agent: self.agent.clone(),
                ticker: Ticker::new(*ticker)?,
                quantity: holding.quantity,
                average_cost: Scale::Money.round(holding.cost / holding.quantity),
                current_price: *price,
                market_value,
                unrealized_profit: market_value - Scale::Money.round(holding.cost),
                updated_at: close_of(day),
            });
        }
        Ok(positions)
    }
}

/// The Mondays to Fridays of the year up to `last`, the last included if it is one.
fn trading_days(last: NaiveDate) -> Vec<NaiveDate> {
    let first = last.checked_sub_days(Days::new(364)).unwrap_or(last);
    first
        .iter_days()
        .take_while(|day| *day <= last)
        .filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
        .collect()
}

/// The price of each stock on each day, in whole cents: a walk of at most 2 % a day.
fn prices(seed: u64, days: usize) -> Vec<Vec<Decimal>> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut cents = STOCKS.map(|(_, dollars)| dollars * 100);
    (0..days)
        .map(|_| {
            for price in &mut cents {
                // Weighted upward a little, as stocks are; never below a dollar.
                *price = (*price + *price * chance.i64(-190..=200) / 10_000).max(100);
            }
            cents.iter().map(|cents| Decimal::new(*cents, 2)).collect()
        })
        .collect()
}

/// 21:00 UTC, when the market in New York has closed, in winter as in summer.
fn close_of(day: NaiveDate) -> DateTime<Utc> {
    Utc.from_utc_datetime(&day.and_hms_opt(21, 0, 0).expect("21:00 is a time of every day"))
}

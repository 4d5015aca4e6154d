//! A made-up agent's money and shares.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;

use super::market::{Quote, close_of};
use crate::{AgentId, ClientOrderId, Error, Order, OrderStatus, Performance, Position, Side, Ticker, amount::Scale};

/// What every agent begins with, in dollars. Arbitrary.
const START_CASH: i64 = 100_000;

/// An agent's money and shares as the year goes by.
pub(super) struct Account<'a> {
    agent: &'a AgentId,
    cash: Decimal,
    holdings: BTreeMap<&'static str, Holding>,
    value_before: Decimal,
}

/// What it holds of a stock.
#[derive(Default)]
struct Holding {
    /// In quarters of a share.
    quarters: i64,
    cost: Decimal,
}

impl<'a> Account<'a> {
    pub(super) fn new(agent: &'a AgentId) -> Self {
        let cash = Decimal::from(START_CASH);
        Self { agent, cash, holdings: BTreeMap::new(), value_before: cash }
    }

    /// Buys, or sells a part of what it holds, and returns the order.
    pub(super) fn trade(
        &mut self,
        day: NaiveDate,
        quotes: &[Quote],
        chance: &mut fastrand::Rng,
        number: u64,
    ) -> Result<Order, Error> {
        let mut quote = chance.choice(quotes).expect("the market has stocks");
        // From 1 to 10 shares.
        let mut quarters = chance.i64(4..=40);
        let mut side = if self.spare(quote) > 0 && chance.u8(0..4) == 0 { Side::Sell } else { Side::Buy };
        if side == Side::Buy && shares(quarters) * quote.price > self.cash {
            // Trades are to be made, as many as were asked for: what is missing comes from the largest holding.
            quote = quotes.iter().max_by_key(|quote| shares(self.spare(quote)) * quote.price).unwrap_or(quote);
            side = Side::Sell;
        }
        if side == Side::Sell {
            // Never the last quarter: so a position, once there, stays.
            quarters = quarters.min(self.spare(quote));
        }
        let (quantity, value) = (shares(quarters), shares(quarters) * quote.price);
        let holding = self.holdings.entry(quote.ticker).or_default();
        match side {
            Side::Buy => {
                holding.quarters += quarters;
                holding.cost += value;
                self.cash -= value;
            }
            Side::Sell => {
                holding.cost -= Scale::Money.round(holding.cost * quantity / shares(holding.quarters));
                holding.quarters -= quarters;
                self.cash += value;
            }
        }
        let id = ClientOrderId::new(format!("sample-{number}-{}", day.format("%Y%m%d")))?;
        Ok(Order {
            executed_price: Some(quote.price),
            status: OrderStatus::Filled,
            source_trade_date: day.checked_sub_days(Days::new(chance.u64(10..45))),
            executed_at: Some(close_of(day)),
            ..Order::market(id, self.agent.clone(), side, quantity, Ticker::new(quote.ticker)?, day)
        })
    }

    /// How many quarters of a stock it can sell and still hold some.
    fn spare(&self, quote: &Quote) -> i64 {
        self.holdings.get(quote.ticker).map_or(0, |holding| holding.quarters - 1)
    }

    /// How the day ended.
    pub(super) fn close(&mut self, day: NaiveDate, quotes: &[Quote]) -> Performance {
        let held: Decimal = self.held(quotes).map(|(quote, holding)| shares(holding.quarters) * quote.price).sum();
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

    /// What it holds at the end of the day.
    pub(super) fn positions(&self, day: NaiveDate, quotes: &[Quote]) -> Result<Vec<Position>, Error> {
        let position = |(quote, holding): (&Quote, &Holding)| {
            let quantity = shares(holding.quarters);
            let market_value = Scale::Money.round(quantity * quote.price);
            Ok(Position {
                agent: self.agent.clone(),
                ticker: Ticker::new(quote.ticker)?,
                quantity,
                average_cost: Scale::Money.round(holding.cost / quantity),
                current_price: quote.price,
                market_value,
                unrealized_profit: market_value - Scale::Money.round(holding.cost),
                updated_at: close_of(day),
            })
        };
        self.held(quotes).map(position).collect()
    }

    fn held<'s>(&'s self, quotes: &'s [Quote]) -> impl Iterator<Item = (&'s Quote, &'s Holding)> {
        quotes.iter().filter_map(|quote| Some((quote, self.holdings.get(quote.ticker)?)))
    }
}

fn shares(quarters: i64) -> Decimal {
    Decimal::new(quarters * 25, 2)
}

//! The sums by which what was read is compared with what is recorded.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::ImportTotals;
use crate::{AgentId, Error, Order, Position, amount::Scale};

/// Sums of scaled integers, which stay exact whatever the order of the rows.
#[derive(Debug, Default)]
pub(super) struct Tally {
    trades: u64,
    trades_of: BTreeMap<AgentId, u64>,
    quantity: i128,
    value: i128,
    positions: u64,
    quantity_held: i128,
    market_value: i128,
    performance_days: u64,
    total_value: i128,
}

impl Tally {
    pub(super) fn trade(&mut self, order: &Order) -> Result<(), Error> {
        let quantity = i128::from(Scale::Quantity.encode("quantity", order.quantity)?);
        let price = order.executed_price.or(order.price).map_or(Ok(0), |price| Scale::Money.encode("price", price))?;
        self.trades += 1;
        *self.trades_of.entry(order.agent.clone()).or_default() += 1;
        self.quantity += quantity;
        self.value = self.value.saturating_add(quantity * i128::from(price));
        Ok(())
    }

    pub(super) fn position(&mut self, position: &Position) -> Result<(), Error> {
        self.positions += 1;
        self.quantity_held += i128::from(Scale::Quantity.encode("quantity", position.quantity)?);
        self.market_value += i128::from(Scale::Money.encode("market_value", position.market_value)?);
        Ok(())
    }

    pub(super) fn day(&mut self, total_value: i64) {
        self.performance_days += 1;
        self.total_value += i128::from(total_value);
    }

    /// Refuses what was read if it is not what is recorded.
    pub(super) fn compare(self, recorded: Self) -> Result<ImportTotals, Error> {
        let (read, recorded) = (self.totals(), recorded.totals());
        let sums = |totals: &ImportTotals| {
            [
                ("the number of trades", totals.trades.to_string()),
                ("the number of trades of each agent", of_agents(totals)),
                ("the quantity of all trades", totals.quantity.to_string()),
                ("the value of all trades", totals.value.to_string()),
                ("the number of positions", totals.positions.to_string()),
                ("the quantity of all positions", totals.quantity_held.to_string()),
                ("the value of all positions", totals.market_value.to_string()),
                ("the number of days of performance", totals.performance_days.to_string()),
                ("the total value of all days", totals.total_value.to_string()),
            ]
        };
        let mut pairs = sums(&read).into_iter().zip(sums(&recorded));
        match pairs.find(|(read, recorded)| read != recorded) {
            Some(((what, read), (_, recorded))) => Err(Error::ImportMismatch { what, read, recorded }),
            None => Ok(read),
        }
    }

    fn totals(self) -> ImportTotals {
        ImportTotals {
            trades: self.trades,
            trades_of: self.trades_of,
            quantity: decimal(self.quantity, 9),
            value: decimal(self.value, 15),
            positions: self.positions,
            quantity_held: decimal(self.quantity_held, 9),
            market_value: decimal(self.market_value, 6),
            performance_days: self.performance_days,
            total_value: decimal(self.total_value, 6),
        }
    }
}

fn of_agents(totals: &ImportTotals) -> String {
    let counts: Vec<_> = totals.trades_of.iter().map(|(agent, count)| format!("{agent} {count}")).collect();
    counts.join(", ")
}

/// A sum with its last digits cut where a decimal has no room for them.
fn decimal(mut sum: i128, mut scale: u32) -> Decimal {
    loop {
        match Decimal::try_from_i128_with_scale(sum, scale) {
            Ok(decimal) => return decimal.normalize(),
            Err(_) if scale > 0 => (sum, scale) = (sum / 10, scale - 1),
            Err(_) if sum < 0 => return Decimal::MIN,
            Err(_) => return Decimal::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_and_then_as_exact_as_there_is_room() {
        assert_eq!(decimal(1_500_000_000, 9), "1.5".parse().expect("a decimal"));
        assert_eq!(decimal(-1, 15), "-0.000000000000001".parse().expect("a decimal"));
        let largest = i128::from(i64::MAX) * i128::from(i64::MAX);
        assert_eq!(decimal(largest, 15), "85070591730234615847396.90778".parse().expect("a decimal"));
        assert_eq!((decimal(i128::MAX, 0), decimal(i128::MIN, 0)), (Decimal::MAX, Decimal::MIN));
    }
}

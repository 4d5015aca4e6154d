//! What the subject writes, so that whoever judges it knows what must be there.

use trading_storage::{Agent, AgentId, ClientOrderId, Error, Order, OrderStatus, Side, StatusUpdate, Ticker};

/// The agent of all orders.
pub(crate) fn agent() -> Result<Agent, Error> {
    let (name, kind) = ("The subject".to_owned(), "individual".to_owned());
    Ok(Agent { id: AgentId::new("subject")?, name, kind, enabled: true })
}

/// The order with a number. No two are alike.
pub(crate) fn order(number: u64) -> Result<Order, Error> {
    const TICKERS: [&str; 4] = ["NVDA", "BRK.B", "A", "MSFT"];
    let ticker = TICKERS.iter().cycle().nth(usize::try_from(number % 4).unwrap_or(0)).unwrap_or(&"A");
    let day = chrono::NaiveDate::default() + chrono::Days::new(number % 400);
    let side = if number.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let quantity = rust_decimal::Decimal::new(i64::try_from(number).unwrap_or(0) + 1, 3);
    let id = ClientOrderId::new(format!("subject-{number:06}"))?;
    let mut order = Order::market(id, agent()?.id, side, quantity, Ticker::new(*ticker)?, day);
    order.politician = Some(format!("Politician {number}"));
    Ok(order)
}

/// The number of an order.
pub(crate) fn number(order: &Order) -> Result<u64, String> {
    let id = order.client_order_id.as_str();
    let digits = id.strip_prefix("subject-").ok_or_else(|| format!("{id} was never asked for"))?;
    digits.parse().map_err(|_not_a_number| format!("{id} was never asked for"))
}

/// If the order with this number is also executed.
pub(crate) fn is_filled(number: u64) -> bool {
    number.is_multiple_of(3)
}

/// What becomes of it.
pub(crate) fn filled(number: u64) -> StatusUpdate {
    let executed_price = Some(rust_decimal::Decimal::new(i64::try_from(number).unwrap_or(0) + 1, 2));
    StatusUpdate {
        executed_price,
        broker_order_id: Some(format!("broker-{number}")),
        ..StatusUpdate::new(OrderStatus::Filled)
    }
}

//! The words of the earlier system, which had no list of them.

use crate::{OrderStatus, OrderType, Side};

/// Reads what stands in `order_type`: a side, a type, or both (`sell`, `Limit`, `market_buy`, `OrderType.STOP_LIMIT`).
///
/// Without a side it is a purchase, since the earlier system copied purchases; without a type it is a market order.
pub(super) fn order_type(text: &str) -> Option<(Side, OrderType)> {
    let word = plain(text);
    let (sides, kind): (Vec<_>, Vec<_>) = word.split('_').partition(|part| matches!(*part, "buy" | "sell"));
    let side = match *sides {
        [] => Side::Buy,
        [side] => Side::stored(side).ok()?,
        _ => return None,
    };
    let order_type = match kind.join("_").as_str() {
        "" if sides.is_empty() => return None,
        "" => OrderType::Market,
        kind => OrderType::stored(kind).ok()?,
    };
    Some((side, order_type))
}

/// Reads what stands in `order_status`: a word of Alpaca's, or one that people use for it.
pub(super) fn order_status(text: &str) -> Option<OrderStatus> {
    match plain(text).as_str() {
        // Nothing is known of it yet: it stays open, to be looked up.
        "pending" | "submitted" | "open" | "created" | "placed" => Some(OrderStatus::New),
        "executed" | "complete" | "completed" => Some(OrderStatus::Filled),
        "partial" | "partially_executed" => Some(OrderStatus::PartiallyFilled),
        "cancelled" => Some(OrderStatus::Canceled),
        "failed" | "error" => Some(OrderStatus::Rejected),
        word => OrderStatus::stored(word).ok(),
    }
}

/// `OrderStatus.FILLED`, as Python shows a member of an enum, and ` Filled ` are both `filled`.
fn plain(text: &str) -> String {
    let text = text.trim();
    let member = text.rsplit_once('.').map_or(text, |(_, member)| member);
    member.to_ascii_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_and_types_are_told_apart() {
        let market = |side| Some((side, OrderType::Market));
        for (text, expected) in [
            ("buy", market(Side::Buy)),
            (" SELL\n", market(Side::Sell)),
            ("market", market(Side::Buy)),
            ("Market Sell", market(Side::Sell)),
            ("sell-market", market(Side::Sell)),
            ("OrderSide.SELL", market(Side::Sell)),
            ("LIMIT", Some((Side::Buy, OrderType::Limit))),
            ("OrderType.STOP_LIMIT", Some((Side::Buy, OrderType::StopLimit))),
            ("sell_stop_limit", Some((Side::Sell, OrderType::StopLimit))),
            ("trailing stop", Some((Side::Buy, OrderType::TrailingStop))),
            ("", None),
            ("_", None),
            ("buy sell", None),
            ("short", None),
            ("buy market limit", None),
        ] {
            assert_eq!(order_type(text), expected, "{text:?}");
        }
    }

    #[test]
    fn each_word_of_alpaca_and_its_variants_are_known() {
        for status in OrderStatus::ALL {
            assert_eq!(order_status(status.as_str()), Some(status));
            assert_eq!(order_status(&status.as_str().to_uppercase().replace('_', " ")), Some(status));
        }
        for (text, expected) in [
            ("Pending", Some(OrderStatus::New)),
            ("submitted", Some(OrderStatus::New)),
            ("open", Some(OrderStatus::New)),
            ("created", Some(OrderStatus::New)),
            ("placed", Some(OrderStatus::New)),
            ("EXECUTED", Some(OrderStatus::Filled)),
            ("complete", Some(OrderStatus::Filled)),
            ("completed", Some(OrderStatus::Filled)),
            ("OrderStatus.FILLED", Some(OrderStatus::Filled)),
            ("partial", Some(OrderStatus::PartiallyFilled)),
            ("partially executed", Some(OrderStatus::PartiallyFilled)),
            ("Cancelled", Some(OrderStatus::Canceled)),
            ("failed", Some(OrderStatus::Rejected)),
            ("error", Some(OrderStatus::Rejected)),
            ("", None),
            ("lost", None),
        ] {
            assert_eq!(order_status(text), expected, "{text:?}");
        }
    }
}

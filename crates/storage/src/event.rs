//! The chain of events: each carries a hash of itself, of the order it is about, and of the hash before.

use sha2::{Digest as _, Sha256};

use crate::{Error, Order, OrderStatus, amount::Scale};

/// The end of the chain: how many events there are, and the hash of the last.
///
/// Kept outside the database too, it shows that the chain was cut or made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the last event; 0 if there is none.
    pub sequence: u64,
    /// Its hash; of an empty chain the hash of the database's instance id.
    pub hash: [u8; 32],
}

impl Head {
    /// The head of a chain without events.
    pub(crate) fn of_instance(instance_id: &str) -> Self {
        Self { sequence: 0, hash: Sha256::digest(instance_id).into() }
    }

    /// The head after one more event.
    pub(crate) fn after(&self, event: &Event<'_>) -> Result<Self, Error> {
        let sequence = self.sequence + 1;
        Ok(Self { sequence, hash: event.hash(sequence, &self.hash)? })
    }

    /// The hash as 64 hexadecimal digits.
    #[must_use]
    pub fn hash_hex(&self) -> String {
        hex(&self.hash)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an event says: a trade, and what it is from now on.
pub(crate) struct Event<'a> {
    pub(crate) trade_id: i64,
    /// The number of the trade's event before.
    pub(crate) previous: Option<u64>,
    /// The order with its state after the event.
    pub(crate) order: &'a Order,
    /// When the trade was recorded first, in microseconds since 1970 in UTC.
    pub(crate) created_at: i64,
    /// When the event was.
    pub(crate) recorded_at: i64,
}

impl Event<'_> {
    /// SHA-256 over the hash before and the event's canonical bytes.
    ///
    /// Canonical: the format's number, then each field in this order; integers as 8 bytes, least significant first; texts
    /// as the number of their bytes and the bytes; a missing value as one byte 0, a present optional one as a byte 1
    /// before it. The format's number changes when this does.
    fn hash(&self, sequence: u64, before: &[u8; 32]) -> Result<[u8; 32], Error> {
        const FORMAT: u8 = 1;
        let order = self.order;
        let mut bytes = Canonical(Vec::with_capacity(512));
        bytes.0.extend_from_slice(before);
        bytes.0.push(FORMAT);
        bytes.integer(number(sequence));
        bytes.integer(self.trade_id);
        bytes.optional(self.previous.map(number), Canonical::integer);
        bytes.integer(self.created_at);
        bytes.integer(self.recorded_at);
        bytes.text(order.client_order_id.as_str());
        bytes.text(order.agent.as_str());
        bytes.text(order.ticker.as_str());
        bytes.text(order.side.as_str());
        bytes.text(order.order_type.as_str());
        bytes.integer(Scale::Quantity.encode("quantity", order.quantity)?);
        bytes.optional(order.price.map(|price| Scale::Money.encode("price", price)).transpose()?, Canonical::integer);
        let executed_price =
            order.executed_price.map(|price| Scale::Money.encode("executed_price", price)).transpose()?;
        bytes.optional(executed_price, Canonical::integer);
        bytes.text(order.status.as_str());
        bytes.optional(order.broker_order_id.as_deref(), Canonical::text);
        bytes.optional(order.politician.as_deref(), Canonical::text);
        bytes.optional(order.source_trade_date.map(|day| day.to_string()).as_deref(), Canonical::text);
        bytes.text(&order.trade_date.to_string());
        bytes.optional(order.executed_at.map(|time| time.timestamp_micros()), Canonical::integer);
        Ok(Sha256::digest(&bytes.0).into())
    }
}

fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

struct Canonical(Vec<u8>);

impl Canonical {
    fn integer(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.integer(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// A change of a trade, as the record tells it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TradeEvent {
    /// Its number in the chain: from 1, without gaps.
    pub sequence: u64,
    /// What the trade's status was from then on.
    pub status: OrderStatus,
    /// The price it was executed at.
    pub executed_price: Option<rust_decimal::Decimal>,
    /// Its broker's id.
    pub broker_order_id: Option<String>,
    /// When it was executed.
    pub executed_at: Option<chrono::DateTime<chrono::Utc>>,
    /// When this was recorded.
    pub recorded_at: chrono::DateTime<chrono::Utc>,
    /// The hash of the event and of all before it.
    pub hash: [u8; 32],
}

//! Orders and the trades that record them.

mod status;

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use crate::{AgentId, ClientOrderId, Error, Ticker, TradeId};

macro_rules! word {
    ($(#[$meta:meta])* pub enum $Word:ident in $column:literal as $rule:literal { $( $(#[$variant_meta:meta])* $Variant:ident = $text:literal, )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $Word { $( $(#[$variant_meta])* $Variant, )+ }

        impl $Word {
            /// The word for it, as Alpaca and the tables have it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $text, )+ }
            }

            pub(crate) fn stored(text: &str) -> Result<Self, Error> {
                text.parse().map_err(|_unknown: Error| Error::Stored { column: $column, found: text.to_owned() })
            }
        }

        /// Reads the word as Alpaca writes it; another one is [`Error::Name`].
        impl FromStr for $Word {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                match text {
                    $( $text => Ok(Self::$Variant), )+
                    _ => Err(Error::Name { rule: $rule, found: text.to_owned() }),
                }
            }
        }

        impl fmt::Display for $Word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

word! {
    /// Which way an order goes.
    pub enum Side in "side" as "a side (buy or sell)" {
        /// Shares for money.
        Buy = "buy",
        /// Money for shares.
        Sell = "sell",
    }
}

word! {
    /// How an order finds its price. **Source:** Alpaca's order types.
    pub enum OrderType in "order_type" as "an order type of Alpaca's" {
        /// At once, at the market's price.
        Market = "market",
        /// At the given price or a better one.
        Limit = "limit",
        /// A market order from the given price on.
        Stop = "stop",
        /// A limit order from the given price on.
        StopLimit = "stop_limit",
        /// A stop that follows the market.
        TrailingStop = "trailing_stop",
    }
}

word! {
    /// How far an order got. **Source:** Alpaca's order status.
    pub enum OrderStatus in "order_status" as "an order status of Alpaca's" {
        /// Recorded here or received there, not yet routed.
        New = "new",
        /// Received by the broker, not yet routed.
        Accepted = "accepted",
        /// Routed, not yet taken by the exchange.
        PendingNew = "pending_new",
        /// Taken by the exchange for bidding.
        AcceptedForBidding = "accepted_for_bidding",
        /// Some of it was executed.
        PartiallyFilled = "partially_filled",
        /// All of it was executed.
        Filled = "filled",
        /// No more today.
        DoneForDay = "done_for_day",
        /// Withdrawn.
        Canceled = "canceled",
        /// Its time ran out.
        Expired = "expired",
        /// Another order took its place.
        Replaced = "replaced",
        /// To be withdrawn.
        PendingCancel = "pending_cancel",
        /// To be replaced.
        PendingReplace = "pending_replace",
        /// A trade is guaranteed and did not happen yet.
        Stopped = "stopped",
        /// Refused.
        Rejected = "rejected",
        /// Not open to trading.
        Suspended = "suspended",
        /// Done for the day, the settlement is being calculated.
        Calculated = "calculated",
        /// Held back by the broker.
        Held = "held",
    }
}

/// An order: what was asked for, why, and how far it got.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The id that we gave it; the same id is never recorded twice.
    pub client_order_id: ClientOrderId,
    /// Who asked.
    pub agent: AgentId,
    /// The stock.
    pub ticker: Ticker,
    /// Buy or sell.
    pub side: Side,
    /// How it finds its price.
    pub order_type: OrderType,
    /// The number of shares; above 0, at most 9 decimals.
    pub quantity: Decimal,
    /// Dollars a share that were asked for, at most 6 decimals: the limit, or the price of a stop. A market order asks for none.
    pub price: Option<Decimal>,
    /// Dollars a share that it was executed at, on average, at most 6 decimals.
    pub executed_price: Option<Decimal>,
    /// How far it got.
    pub status: OrderStatus,
    /// The id that the broker gave it.
    pub broker_order_id: Option<String>,
    /// Whose disclosed trade it copies.
    pub politician: Option<String>,
    /// The day of that trade.
    pub source_trade_date: Option<NaiveDate>,
    /// The day of this one, in the market's zone.
    pub trade_date: NaiveDate,
    /// When it was executed.
    pub executed_at: Option<DateTime<Utc>>,
}

impl Order {
    /// A new market order without price, origin or result; set the other fields as needed.
    #[must_use]
    pub fn market(
        client_order_id: ClientOrderId,
        agent: AgentId,
        side: Side,
        quantity: Decimal,
        ticker: Ticker,
        trade_date: NaiveDate,
    ) -> Self {
        Self {
            client_order_id,
            agent,
            ticker,
            side,
            order_type: OrderType::Market,
            quantity,
            price: None,
            executed_price: None,
            status: OrderStatus::New,
            broker_order_id: None,
            politician: None,
            source_trade_date: None,
            trade_date,
            executed_at: None,
        }
    }

    /// If the results of this one can come after those of `before`.
    pub(crate) fn may_follow(&self, before: &Self) -> bool {
        fn kept<T: PartialEq>(before: Option<&T>, now: Option<&T>) -> bool {
            before.is_none() || before == now
        }
        let settled = kept(before.executed_price.as_ref(), self.executed_price.as_ref())
            && kept(before.executed_at.as_ref(), self.executed_at.as_ref());
        let forgets = self.status.is_unexecuted() && !before.status.is_unexecuted();
        before.status.may_become(self.status)
            && !(forgets && self.executed_price.is_some())
            && (settled || !before.status.is_final())
            && kept(before.broker_order_id.as_ref(), self.broker_order_id.as_ref())
    }

    /// If both ask for the same: all but the results, which are status, broker's id, and price and time of the execution.
    #[must_use]
    pub fn same_intent(&self, other: &Self) -> bool {
        // Nearly always they are the same altogether.
        self == other || self.differences(other).is_empty()
    }

    /// What another order asks for otherwise, for people: `quantity 1 and not 2, ticker A and not B`; empty if nothing.
    #[must_use]
    pub fn differences(&self, other: &Self) -> String {
        fn some(value: impl fmt::Display) -> Option<String> {
            Some(value.to_string())
        }
        let fields = [
            ("client order id", some(&self.client_order_id), some(&other.client_order_id)),
            ("agent", some(&self.agent), some(&other.agent)),
            ("ticker", some(&self.ticker), some(&other.ticker)),
            ("side", some(self.side), some(other.side)),
            ("order type", some(self.order_type), some(other.order_type)),
            ("quantity", some(self.quantity.normalize()), some(other.quantity.normalize())),
            (
                "price",
                self.price.and_then(|price| some(price.normalize())),
                other.price.and_then(|price| some(price.normalize())),
            ),
            ("politician", self.politician.clone(), other.politician.clone()),
            ("source trade date", self.source_trade_date.and_then(some), other.source_trade_date.and_then(some)),
            ("trade date", some(self.trade_date), some(other.trade_date)),
        ];
        let differing = fields.into_iter().filter(|(_, mine, others)| mine != others);
        let text = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let said: Vec<_> =
            differing.map(|(field, mine, others)| format!("{field} {} and not {}", text(mine), text(others))).collect();
        said.join(", ")
    }
}

/// An order in the record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Trade {
    /// Its number.
    pub id: TradeId,
    /// The order as it stands now.
    pub order: Order,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The number of its last event in the chain: another one after each change.
    pub last_event: u64,
}

/// What became of an order: a new status, and what came with it. `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusUpdate {
    /// How far the order got.
    pub status: OrderStatus,
    /// Dollars a share that it was executed at, on average, at most 6 decimals.
    pub executed_price: Option<Decimal>,
    /// The id that the broker gave it; once set, it is never another.
    pub broker_order_id: Option<String>,
    /// When it was executed.
    pub executed_at: Option<DateTime<Utc>>,
}

/// `filled (price 5, broker's id b-1)`: the status, and what came with it.
impl fmt::Display for StatusUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, executed_price, broker_order_id, executed_at } = self;
        let price = executed_price.map(|price| format!("price {price}"));
        let id = broker_order_id.as_ref().map(|id| format!("broker's id {id}"));
        let time = executed_at.map(|time| format!("executed {}", time.format("%Y-%m-%dT%H:%M:%S%.fZ")));
        let with: Vec<_> = [price, id, time].into_iter().flatten().collect();
        write!(f, "{status}")?;
        if with.is_empty() { Ok(()) } else { write!(f, " ({})", with.join(", ")) }
    }
}

impl StatusUpdate {
    /// What is recorded of an order.
    pub(crate) fn of(order: &Order) -> Self {
        let Order { status, executed_price, broker_order_id, executed_at, .. } = order.clone();
        Self { status, executed_price, broker_order_id, executed_at }
    }

    /// A status, with nothing else; set the other fields as needed.
    #[must_use]
    pub fn new(status: OrderStatus) -> Self {
        Self { status, executed_price: None, broker_order_id: None, executed_at: None }
    }
}

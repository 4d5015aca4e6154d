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

    /// If both ask for the same: all but the results, which are status, broker's id, and price and time of the execution.
    #[must_use]
    pub fn same_intent(&self, other: &Self) -> bool {
        // Nearly always they are the same altogether.
        self == other || self.differences(other).is_empty()
    }

    /// What another order asks for otherwise, for people: `quantity 1 and not 2, ticker A and not B`; empty if nothing.
    #[must_use]
    pub fn differences(&self, other: &Self) -> String {
        fn text(value: Option<impl fmt::Display>) -> String {
            value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
        }
        let fields = [
            ("client order id", self.client_order_id.to_string(), other.client_order_id.to_string()),
            ("agent", self.agent.to_string(), other.agent.to_string()),
            ("ticker", self.ticker.to_string(), other.ticker.to_string()),
            ("side", self.side.to_string(), other.side.to_string()),
            ("order type", self.order_type.to_string(), other.order_type.to_string()),
            ("quantity", self.quantity.normalize().to_string(), other.quantity.normalize().to_string()),
            (
                "price",
                text(self.price.map(|price| price.normalize())),
                text(other.price.map(|price| price.normalize())),
            ),
            ("politician", text(self.politician.as_ref()), text(other.politician.as_ref())),
            ("source trade date", text(self.source_trade_date), text(other.source_trade_date)),
            ("trade date", self.trade_date.to_string(), other.trade_date.to_string()),
        ];
        let differing = fields.into_iter().filter(|(_, mine, others)| mine != others);
        let said: Vec<_> = differing.map(|(field, mine, others)| format!("{field} {mine} and not {others}")).collect();
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

impl StatusUpdate {
    /// A status, with nothing else; set the other fields as needed.
    #[must_use]
    pub fn new(status: OrderStatus) -> Self {
        Self { status, executed_price: None, broker_order_id: None, executed_at: None }
    }
}

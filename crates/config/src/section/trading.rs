//! What is traded, and when.

use chrono::NaiveTime;
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::SizeType;
use crate::{ProjectPath, section};

section! {
    /// What is copied, and how large.
    pub struct Trading in "trading" {
        /// The file that lists the agents. A relative path starts at the project root.
        agents_path: ProjectPath = "config/agents.json";
        /// The smallest order, in dollars.
        minimum_amount: Decimal = "100.00", variable "TRADE_MINIMUM_AMOUNT", above "0";
        /// How the size of a copied trade is chosen: `fixed` or `percentage`.
        size_type: SizeType = "fixed", variable "TRADE_SIZE_TYPE";
        /// How alike a name must be to count as the followed politician's; above 0, and 1 is the same to the letter.
        match_threshold: f64 = "0.85", variable "POLITICIAN_MATCH_THRESHOLD", above "0" to "1";
        /// The smallest disclosed trade that is copied, in dollars.
        minimum_congress_trade_value: Decimal = "50000", variable "MINIMUM_CONGRESS_TRADE_VALUE", from "0";
    }
}

section! {
    /// When agents run and when the market is open.
    pub struct Scheduling in "scheduling" {
        /// The zone of all times of day here.
        timezone: Tz = "US/Eastern", variable "TIMEZONE";
        /// When the agents run each day.
        daily_execution_time: NaiveTime = "21:30", variable "DAILY_EXECUTION_TIME";
        /// When the market opens.
        market_hours_start: NaiveTime = "09:30", variable "MARKET_HOURS_START";
        /// When the market closes; after it opens.
        market_hours_end: NaiveTime = "16:00", variable "MARKET_HOURS_END";
    }
    rules {
        [market_hours_start, market_hours_end]: |hours| hours.market_hours_start < hours.market_hours_end,
            "the market must open before it closes", "for example MARKET_HOURS_START=09:30 and MARKET_HOURS_END=16:00";
    }
}

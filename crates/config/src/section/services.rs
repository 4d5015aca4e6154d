//! The outside services: where they are, and as whom they are called.

use std::time::Duration;

use http::Uri;
use secrecy::SecretString;

use super::Authorization;
use crate::section;

section! {
    /// What holds for calls of every outside service.
    pub struct Api in "api" {
        /// How many requests a minute are sent to one service at the most.
        requests_per_minute: u32 = "60", variable "RATE_LIMIT_REQUESTS_PER_MINUTE", from "1" to "10000";
        /// How long one request may take.
        timeout: Duration = "30s", variable "API_TIMEOUT_SECONDS", from "1s" to "10m";
        /// How many attempts a request gets; the first one counts.
        retry_attempts_max: u32 = "3", variable "RETRY_MAX_ATTEMPTS", from "1" to "10";
        /// By how much the wait grows from one retry to the next.
        retry_backoff_factor: f64 = "2", variable "RETRY_BACKOFF_FACTOR", from "1" to "10";
        /// How long the first retry waits.
        retry_wait: Duration = "1s", from "10ms" to "1m";
        /// How long any retry waits at the most.
        retry_wait_max: Duration = "1m", from "10ms" to "1h";
    }
    sections {
        /// Quiver Quantitative: what members of Congress disclosed.
        quiver: Quiver;
        /// Alpaca: the broker.
        alpaca: Alpaca;
    }
    rules {
        [retry_wait, retry_wait_max]: |api| api.retry_wait <= api.retry_wait_max,
            "the first wait must not be longer than the longest", "for example API__RETRY_WAIT=1s and API__RETRY_WAIT_MAX=1m";
    }
}

section! {
    /// Quiver Quantitative: what members of Congress disclosed.
    pub struct Quiver in "api.quiver" {
        /// The API key. Required in production.
        key: Option<SecretString> = "", variable "QUIVER_API_KEY";
        /// The word before the key in the header `Authorization`: `Bearer` or `Token`.
        authorization: Authorization = "Bearer";
        /// The address that all its end points start with.
        base_url: Uri = "https://api.quiverquant.com/beta";
    }
}

section! {
    /// Alpaca: the broker.
    pub struct Alpaca in "api.alpaca" {
        /// The key's id. Required in production; paper and live have keys of their own.
        key: Option<SecretString> = "", variable "ALPACA_API_KEY";
        /// The key's secret. Required in production.
        secret_key: Option<SecretString> = "", variable "ALPACA_SECRET_KEY";
        /// If orders go to the paper account. `base_url` must say the same.
        paper: bool = "true", variable "ALPACA_PAPER_TRADING";
        /// The trading API: `https://paper-api.alpaca.markets`, or `https://api.alpaca.markets` for real money.
        base_url: Uri = "https://paper-api.alpaca.markets", variable "ALPACA_BASE_URL";
        /// The market data API.
        data_url: Uri = "https://data.alpaca.markets";
        /// Must say `yes-real-money` before real money is traded.
        live_confirmed: Option<String> = "", variable "ALPACA_LIVE_CONFIRMED";
    }
}

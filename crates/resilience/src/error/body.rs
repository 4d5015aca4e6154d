//! What the body of a refused request says.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::redaction::shown;

/// Longer bodies are not read for a code: the JSON errors of Alpaca have a few hundred bytes.
const BODY_BYTES_MAX: usize = 16 * 1_024;

/// What a body says that changes the judgement.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    /// Nothing that matters here.
    Silent,
    /// The account cannot pay: what the order costs and what there is, if the body tells both.
    BuyingPower {
        /// Required, available. Boxed to keep the `Result` small.
        amounts: Option<Box<(Decimal, Decimal)>>,
    },
    /// An order with the same client order id is there.
    Duplicate,
}

/// A body, read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) excerpt: Option<String>,
    pub(super) code: Option<Box<str>>,
    pub(super) meaning: Body,
}

impl Body {
    /// Reads Alpaca's `{"code": 40310000, "message": "…", …}`, and anything else for its excerpt alone.
    ///
    /// The words decide, not the number: `40310000` stands for too little money as well as for too few shares, and
    /// `40010001` for every wrong parameter.
    ///
    /// **Source:** answers of Alpaca as users reported them, 2019 to 2026.
    pub(super) fn read(body: &str) -> Read {
        let excerpt = Some(shown(body)).filter(|line| !line.is_empty());
        let fields = if body.len() <= BODY_BYTES_MAX { serde_json::from_str(body).ok() } else { None };
        let fields: Map<String, Value> = fields.unwrap_or_default();
        let code = match fields.get("code") {
            Some(Value::String(code)) => Some(shown(code).into()),
            Some(Value::Number(code)) => Some(code.to_string().into()),
            _ => None,
        };
        let message = fields.get("message").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let meaning = if says_too_little(&message) {
            let amounts = amount(&fields, "cost_basis").zip(amount(&fields, "buying_power")).map(Box::new);
            Self::BuyingPower { amounts }
        } else if message.contains("client_order_id must be unique") {
            Self::Duplicate
        } else {
            Self::Silent
        };
        Read { excerpt, code, meaning }
    }
}

/// If money is what is missing, and not shares: `insufficient day trading buying power` is money.
fn says_too_little(message: &str) -> bool {
    message.contains("insufficient") && ["buying power", "balance"].iter().any(|money| message.contains(money))
}

/// An amount as text or as a number: Alpaca writes text.
fn amount(fields: &Map<String, Value>, name: &str) -> Option<Decimal> {
    match fields.get(name)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

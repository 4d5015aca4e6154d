//! The one judgement of failed calls: what came back, from whom, to which method.

use std::time::Duration;

use crate::class::Class;
use crate::error::body::Body;
use crate::error::{Api, Code, Failure, Method};

/// Returns what a failed call leaves to do, and its code. The table is in the docs of [`ApiError`](super::ApiError).
pub(super) fn judge(
    api: Api,
    method: Method,
    failure: Failure,
    body: &Body,
    retry_after: Option<Duration>,
) -> (Class, Code) {
    let repeatable = method.is_idempotent();
    match failure {
        Failure::CannotSend => (Class::Permanent, Code::ApiRefused),
        Failure::NotSent => (Class::Transient, Code::ApiUnavailable),
        Failure::NoAnswer if repeatable => (Class::Transient, Code::ApiUnavailable),
        Failure::NoAnswer => (Class::Unknown, Code::ApiOutcomeUnknown),
        Failure::Status(429) => (Class::RateLimited { retry_after }, Code::ApiRateLimited),
        Failure::Status(408 | 500..=599) => match retry_after {
            _ if !repeatable => (Class::Unknown, Code::ApiOutcomeUnknown),
            Some(_) => (Class::RateLimited { retry_after }, Code::ApiUnavailable),
            None => (Class::Transient, Code::ApiUnavailable),
        },
        Failure::Status(200..=299) if method == Method::Get => (Class::Permanent, Code::ApiUnreadable),
        Failure::Status(200..=299) => (Class::Unknown, Code::ApiOutcomeUnknown),
        Failure::Status(status) => (Class::Permanent, refusal(api, status, body)),
    }
}

/// The code of a refusal: the same call would be refused again, whatever the reason.
fn refusal(api: Api, status: u16, body: &Body) -> Code {
    match (status, body) {
        (401, _) => Code::ApiUnauthorized,
        (403, body) => match (api, body) {
            (Api::Alpaca, Body::BuyingPower { .. }) => Code::ApiBuyingPower,
            // Quiver and market data: the plan lacks the data set. Alpaca: the account is blocked, or too few shares.
            (Api::Alpaca | Api::Quiver | Api::MarketData, _) => Code::ApiForbidden,
        },
        (404, _) => Code::ApiNotFound,
        (422, Body::Duplicate) => match api {
            Api::Alpaca => Code::ApiDuplicate,
            Api::Quiver | Api::MarketData => Code::ApiRefused,
        },
        _ => Code::ApiRefused,
    }
}

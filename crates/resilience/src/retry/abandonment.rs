//! An async call under way, and its end when its time is up or nobody waits for it any more: its future is dropped.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::unconstrained;

use crate::call_error::CallError;
use crate::cancel::Cancel;
use crate::effects::Effects;
use crate::error::TimedOut;
use crate::retry::nesting::nested;

/// Waits for a call, which counts as an attempt whenever it is polled: for the time of `limit` at most, which began at its
/// moment, and until `cancel` is cancelled. A call that has its answer when it is looked at is never too late, and needs no timer.
pub(crate) async fn abandoning<T, E>(
    effects: &impl Effects,
    limit: Option<(Instant, Duration)>,
    cancel: Option<&Cancel>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, CallError<E>> {
    let end = async {
        let waiting_since = effects.now();
        let time_is_up = async {
            match limit.and_then(|(began, limit)| Some((limit, began.checked_add(limit)?))) {
                Some((limit, end)) => {
                    effects.until(end).await;
                    limit
                }
                None => pending().await,
            }
        };
        let cancelled = async {
            match cancel {
                Some(cancel) => cancel.cancelled().await,
                None => pending().await,
            }
            effects.now().saturating_duration_since(waiting_since)
        };
        tokio::select! {
            biased;
            limit = time_is_up => TimedOut { limit },
            limit = cancelled => TimedOut { limit },
        }
    };
    // A call that is always busy uses up what Tokio allows a task at a time, of which the clock must not need any.
    let mut end = pin!(unconstrained(end));
    let mut call = pin!(nested(call));
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer.map_err(CallError::Failed)),
        Poll::Pending => end.as_mut().poll(context).map(|timed_out| Err(CallError::TimedOut(timed_out))),
    })
    .await
}

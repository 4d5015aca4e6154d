//! The end of an async call whose time is up, or that nobody waits for any more: its future is dropped.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::unconstrained;

use crate::call_error::CallError;
use crate::cancel::Cancel;
use crate::effects::Effects;
use crate::error::TimedOut;

/// Waits for a call that `began`, for `limit` at most and until `cancel` is cancelled. A call that has its answer when it is
/// looked at is never too late, and needs no timer.
pub(crate) async fn abandoning<T, E>(
    effects: &impl Effects,
    began: Instant,
    limit: Option<Duration>,
    cancel: Option<&Cancel>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, CallError<E>> {
    let time_is_up = async {
        match limit.and_then(|limit| Some((limit, began.checked_add(limit)?))) {
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
        effects.now().saturating_duration_since(began)
    };
    // A call that is always busy uses up what Tokio allows a task at a time, of which the clock must not need any.
    let mut end = pin!(unconstrained(async {
        tokio::select! {
            biased;
            limit = time_is_up => TimedOut { limit },
            limit = cancelled => TimedOut { limit },
        }
    }));
    let mut call = pin!(call);
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer.map_err(CallError::Failed)),
        Poll::Pending => end.as_mut().poll(context).map(|timed_out| Err(CallError::TimedOut(timed_out))),
    })
    .await
}

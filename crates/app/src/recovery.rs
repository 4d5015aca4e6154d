//! What is done after a commit that the disk did not confirm: the record is opened anew, or the whole ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use trading_monitoring::Metrics;
use trading_resilience::retry::{Jitter, Policy};
use trading_storage::{Database, Error};

use crate::{Task, TaskContext, TaskError, error::chain, wiring::WRITES};

/// How often it is tried to open the record anew, and how long it is waited between. After it (three seconds) the whole ends: a start
/// looks at everything again, which no attempt from within does, and whoever started it knows when to try again.
const ATTEMPTS: Policy = Policy {
    attempts_max: 5,
    base: Duration::from_millis(200),
    factor: 2.0,
    cap: Duration::from_secs(2),
    jitter: Jitter::None,
    deadline: None,
};

const REOPENED: &str = "database_reopened_total";

/// Shared by the check that says no while the record takes no writes, and the task that ends that.
#[derive(Debug, Clone)]
pub(crate) struct Recovery {
    /// If the check has said no. Only then it is opened anew, so that nobody who looks can miss it.
    is_known: Arc<AtomicBool>,
}

impl Recovery {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        metrics.describe(
            REOPENED,
            "Attempts to open the record anew, after a commit that the disk did not confirm, by success.",
        );
        // A series that is there from the start shows its first event as an increase.
        for success in ["true", "false"] {
            metrics.counter(REOPENED, &[("success", success)]).increment(0);
        }
        Self { is_known: Arc::default() }
    }

    pub(crate) fn saw(&self, stopped: bool) {
        self.is_known.store(stopped, Ordering::Release);
    }

    /// The task `recovery`.
    pub(crate) fn task(self) -> Task {
        Task::every("recovery", WRITES, move |context| {
            let database = context.handles().database();
            if !self.is_known.load(Ordering::Acquire) || !database.is_stopped() {
                return Ok(());
            }
            log::error!("a commit was not confirmed: nothing is written before the record is opened anew");
            reopen(context, database)
        })
    }
}

fn reopen(context: &TaskContext, database: &Database) -> Result<(), TaskError> {
    let handles = context.handles();
    let counted = |success| handles.metrics().counter(REOPENED, &[("success", success)]).increment(1);
    let mut delays = ATTEMPTS.delays(0);
    loop {
        let error = match database.reopen() {
            Ok(()) => {
                counted("true");
                log::warn!("the record was opened anew: what it has now is what happened");
                return Ok(());
            }
            Err(error) => error,
        };
        counted("false");
        let reason = chain(&error);
        log::error!(error = reason.as_str(); "the record could not be opened anew");
        let delay = if is_lost(&error) { None } else { delays.next() };
        match delay {
            None => {
                handles.give_up(format!("a commit was not confirmed, and the record cannot be opened anew: {reason}"));
                return Err(reason.into());
            }
            Some(delay) if !context.wait(delay) => return Ok(()),
            Some(_) => {}
        }
    }
}

/// If waiting changes nothing: what stands there is not what was acknowledged.
fn is_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::Damaged { .. }
            | Error::HeadMismatch { .. }
            | Error::ChainBroken { .. }
            | Error::Replaced { .. }
            | Error::Missing { .. }
            | Error::Emptied { .. }
            | Error::NotADatabase { .. }
            | Error::Leftover { .. }
    )
}

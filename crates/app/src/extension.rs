//! What a program adds to the whole.

use trading_monitoring::Check;

use crate::Task;

/// What a program adds to the whole: health checks, tasks, routes and panels of the page.
///
/// ```
/// use std::time::Duration;
/// use trading_app::{Extension, Handles, Task, monitoring::{Check, Outcome}};
///
/// /// What a group gives to `App::builder(settings).extend(positions)`.
/// fn positions(handles: &Handles) -> Extension {
///     let database = handles.database().clone();
///     let look = move || match database.read(|r| r.counts()) {
///         Ok(counts) => Outcome::healthy("known").detail("positions", counts.positions),
///         Err(error) => Outcome::unhealthy(error.to_string()),
///     };
///     Extension::default()
///         .check(Check::new("positions", look).every(Duration::from_secs(60)))
///         .task(Task::every("revalue", Duration::from_secs(300), |_context| Ok(())))
/// }
/// # let _ = positions;
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing is added before it is given to a `Builder`"]
pub struct Extension {
    pub(crate) checks: Vec<Check>,
    pub(crate) tasks: Vec<Task>,
}

impl Extension {
    /// Adds a health check.
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Adds a supervised task.
    pub fn task(mut self, task: Task) -> Self {
        self.tasks.push(task);
        self
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.checks.extend(other.checks);
        self.tasks.extend(other.tasks);
    }
}

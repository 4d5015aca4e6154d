//! What a program adds to the whole.

use trading_monitoring::{Check, Pages};

use crate::Task;

/// What a program adds to the whole: health checks, tasks, routes and panels of the page.
///
/// ```
/// use std::time::Duration;
/// use trading_app::{Extension, Handles, Task, monitoring::{Check, Outcome, Pages, Reply}};
///
/// /// What a group gives to `App::builder(settings).extend(positions)`.
/// fn positions(handles: &Handles) -> Extension {
///     let database = handles.database().clone();
///     let look = move || match database.read(|r| r.counts()) {
///         Ok(counts) => Outcome::healthy("known").detail("positions", counts.positions),
///         Err(error) => Outcome::unhealthy(error.to_string()),
///     };
///     let database = handles.database().clone();
///     let pages = Pages::new("/positions").route("", "how many there are", move |_query| {
///         database.read(|r| r.counts()).map_or_else(
///             |error| Reply::text(error.to_string()).status(503),
///             |counts| Reply::text(counts.positions.to_string()),
///         )
///     });
///     Extension::default()
///         .pages(pages)
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
    pub(crate) pages: Vec<Pages>,
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

    /// Adds routes to the health server, and panels to its page.
    pub fn pages(mut self, pages: Pages) -> Self {
        self.pages.push(pages);
        self
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.checks.extend(other.checks);
        self.tasks.extend(other.tasks);
        self.pages.extend(other.pages);
    }
}

//! Work that goes on beside the rest, supervised: begun again when it fails, and seen when it hangs.

mod schedule;
mod supervisor;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use chrono::NaiveTime;
use chrono_tz::Tz;
use trading_monitoring::Status;
use trading_resilience::retry::{Jitter, Policy, UNBOUNDED};

use crate::{Handles, Notification};
use schedule::{Due, Now, Schedule};
pub(crate) use supervisor::Tasks;
use supervisor::{Failure, OnChange, Shared, TASK_FAILURES};

/// How a task says that it failed: any error.
pub type TaskError = Box<dyn Error + Send + Sync>;

const PAUSES: Policy = Policy {
    attempts_max: UNBOUNDED,
    base: Duration::from_secs(1),
    factor: 2.0,
    cap: Duration::from_secs(300),
    jitter: Jitter::Equal,
    deadline: None,
};

type Work = Box<dyn FnMut(&TaskContext) -> Result<(), TaskError> + Send>;

/// Work that goes on beside the rest, on a thread of its own.
///
/// One that fails, panics, or ends before it should is called again after a pause, which grows from a second to five minutes while it
/// goes on failing. Each task is a component of `/health`, named after it.
///
/// ```
/// use std::{sync::mpsc, time::Duration};
/// use trading_app::{App, Task, config::Settings};
///
/// # let folder = tempfile::tempdir()?;
/// # let settings = Settings::loader().root(folder.path()).environment([("MONITORING__PORT", "0")]).load()?;
/// let (sender, trades) = mpsc::channel();
/// let count = Task::every("count", Duration::from_millis(10), move |context| {
///     sender.send(context.handles().database().read(|r| r.counts())?.trades)?;
///     Ok(())
/// });
/// let app = App::builder(settings).without_logging().task(count).start()?;
/// assert!(trades.recv()? > 0);
/// # drop(app);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Task {
    name: String,
    schedule: Schedule,
    first: Option<Duration>,
    silence_max: Duration,
    pauses: Policy,
    work: Work,
}

impl Task {
    /// A loop: `work` is called once, and returns when [`TaskContext::wait`] says that it is time to stop.
    pub fn new(
        name: impl Into<String>,
        work: impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static,
    ) -> Self {
        Self::with(name, Schedule::Always, work)
    }

    /// Has `work` called again and again, `interval` after it ended, and for the first time that long after the start; a clock that is set
    /// changes nothing.
    pub fn every(
        name: impl Into<String>,
        interval: Duration,
        work: impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static,
    ) -> Self {
        Self::with(name, Schedule::Every(interval), work)
    }

    /// Has `work` called each day at this time in this zone. On a day whose clocks skip the time it is called when they are past it, and
    /// on one that has it twice, the first time. The clock is looked at twice a minute, since it may be set.
    pub fn daily(
        name: impl Into<String>,
        time: NaiveTime,
        zone: Tz,
        work: impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static,
    ) -> Self {
        Self::with(name, Schedule::Daily { time, zone }, work)
    }

    fn with(
        name: impl Into<String>,
        schedule: Schedule,
        work: impl FnMut(&TaskContext) -> Result<(), TaskError> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            schedule,
            first: None,
            silence_max: Duration::from_secs(600),
            pauses: PAUSES,
            work: Box::new(work),
        }
    }

    /// Says how long after the start it is due for the first time, whatever the schedule.
    #[must_use]
    pub fn first_after(mut self, time: Duration) -> Self {
        self.first = Some(time);
        self
    }

    /// Says after how long without a [sign of life](TaskContext::beat) it counts as hanging, while it works. Default 10 min
    /// (arbitrary: longer than any of ours takes, shorter than a trading day).
    #[must_use]
    pub fn silent_for_at_most(mut self, limit: Duration) -> Self {
        self.silence_max = limit;
        self
    }

    /// Sets the pauses after failures: those of this policy, whose number of attempts and deadline mean nothing here. A run that lasted
    /// longer than the cap begins them anew. Default from 1 s to 5 min, doubled each time, half of each by chance.
    #[must_use]
    pub fn back_off(mut self, pauses: Policy) -> Self {
        self.pauses = Policy { attempts_max: UNBOUNDED, deadline: None, ..pauses };
        self
    }

    fn first_due(&self, now: Now) -> Option<Due> {
        self.first.map(|time| now.after(time)).or_else(|| self.schedule.next(now))
    }
}

/// A failed task is a log line, a count, and a message to people.
pub(crate) fn on_change(handles: &Handles) -> OnChange {
    let (metrics, notifier) = (handles.metrics.clone(), handles.notifier.clone());
    Arc::new(move |task, failure| {
        let Some(failure) = failure else {
            log::info!(task; "a task that had failed is well again");
            return notifier.notify(Notification::new(task, Status::Healthy, "is well again"));
        };
        let Failure { error, failures, pause } = failure;
        metrics.counter(TASK_FAILURES, &[("task", task)]).increment(1);
        log::error!(task, failures, pause_ms = pause.as_millis(), error; "a task failed, and is begun again");
        notifier.notify(Notification::new(task, failure.status(), failure.to_string()));
    })
}

#[cfg(test)]
impl Task {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn first(&self) -> Option<Duration> {
        self.first
    }

    /// Works once, on this thread.
    pub(crate) fn work(&mut self, handles: &Handles) -> Result<(), TaskError> {
        let shared = std::sync::Arc::new(Shared::of(self, Now::read()));
        (self.work)(&TaskContext { handles: handles.clone(), shared })
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, schedule, first, silence_max, pauses, .. } = self;
        f.debug_struct("Task")
            .field("name", name)
            .field("schedule", schedule)
            .field("first", first)
            .field("silence_max", silence_max)
            .field("pauses", pauses)
            .finish_non_exhaustive()
    }
}

/// What a task has while it works.
#[derive(Debug)]
pub struct TaskContext {
    handles: Handles,
    shared: std::sync::Arc<Shared>,
}

impl TaskContext {
    /// The parts of the app.
    #[must_use]
    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    /// Gives a sign of life. Asking for anything else here gives one too.
    pub fn beat(&self) {
        self.shared.beat();
    }

    /// If it should return, since the app stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.beat();
        self.shared.is_stopping()
    }

    /// Waits for so long, or until the app stops: `false` then, and the task should return.
    #[must_use = "when the app stops, the task should return"]
    pub fn wait(&self, time: Duration) -> bool {
        let goes_on = self.shared.wait(time);
        self.beat();
        goes_on
    }
}

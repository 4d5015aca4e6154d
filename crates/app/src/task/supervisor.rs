//! The threads of the tasks, what is known of each, and their end.

use std::{
    any::Any,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use trading_monitoring::{Outcome, Status};
use trading_resilience::retry::{Delays, Policy};

use super::{
    Schedule, Task, TaskContext, Work,
    schedule::{Due, Now},
};
use crate::{Handles, error::chain};

/// From so many failures in a row on, a task is unhealthy, and not only degraded.
const FAILURES_MAX: u32 = 3;

/// How long a wait goes on without a look at the clock, which may have been set.
const LOOK: Duration = Duration::from_secs(30);

/// Of what is due sooner it is not said when: it would be past before the check looks again.
const SOON: Duration = Duration::from_secs(60);

/// How long dropping waits for the tasks.
const DROP_LIMIT: Duration = Duration::from_secs(5);

/// How often each failed.
pub(crate) const TASK_FAILURES: &str = "task_failures_total";

/// A task that failed, as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: String,
    /// How many in a row.
    pub(crate) failures: u32,
    pub(crate) pause: Duration,
}

impl Failure {
    pub(crate) fn status(&self) -> Status {
        if self.failures < FAILURES_MAX { Status::Degraded } else { Status::Unhealthy }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failures {
            1 => write!(f, "failed: {}", self.error),
            failures => write!(f, "failed {failures} times in a row: {}", self.error),
        }
    }
}

/// Is told of a task that failed, or, without a failure, of one that is well again.
pub(crate) type OnChange = Arc<dyn Fn(&str, Option<&Failure>) + Send + Sync>;

/// What is known of a task.
pub(super) struct Shared {
    name: String,
    silence_max: Duration,
    pauses: Policy,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    stopping: bool,
    doing: Doing,
    runs: u64,
    /// In a row.
    failures: u32,
    error: String,
    succeeded_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy)]
enum Doing {
    Waiting(Due),
    Working { since: Instant, sign: Instant },
}

impl Shared {
    pub(super) fn of(task: &Task, now: Now) -> Self {
        let state = State {
            stopping: false,
            doing: Doing::Waiting(task.first_due(now).unwrap_or(Due::Steady(now.steady))),
            runs: 0,
            failures: 0,
            error: String::new(),
            succeeded_at: None,
        };
        let (name, silence_max, pauses) = (task.name.clone(), task.silence_max, task.pauses);
        Self { name, silence_max, pauses, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn beat(&self) {
        let mut state = self.state();
        if let Doing::Working { sign, .. } = &mut state.doing {
            *sign = Instant::now();
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// `false` if it should stop.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let state = self.state();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, time, |state| !state.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        !state.stopping
    }

    fn wait_until(&self, mut due: Due, schedule: &Schedule) -> bool {
        loop {
            let now = Now::read();
            due = schedule.still(due, now);
            self.state().doing = Doing::Waiting(due);
            let left = due.left(now);
            if left.is_zero() {
                return !self.is_stopping();
            }
            if !self.wait(left.min(LOOK)) {
                return false;
            }
        }
    }

    fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    /// Since when it works without a sign of life, if that is too long.
    fn hangs_for(&self) -> Option<Duration> {
        match self.state().doing {
            Doing::Working { sign, .. } => Some(sign.elapsed()).filter(|silence| *silence > self.silence_max),
            Doing::Waiting(_) => None,
        }
    }

    fn outcome(&self) -> Outcome {
        let (hangs, now) = (self.hangs_for(), Now::read());
        let state = self.state();
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let failures = match state.doing {
            // A loop that failed once is not called failing for ever.
            Doing::Working { since, .. } if since.elapsed() > self.pauses.cap => 0,
            Doing::Working { .. } | Doing::Waiting(_) => state.failures,
        };
        let outcome = match (hangs, failures, state.doing) {
            (Some(silence), ..) => Outcome::unhealthy(format!("hangs: no sign of life for {} s", silence.as_secs())),
            (None, 0, Doing::Working { .. }) => Outcome::healthy("works"),
            (None, 0, Doing::Waiting(due)) if due.left(now) < SOON => Outcome::healthy("is due within a minute"),
            (None, 0, Doing::Waiting(due)) => Outcome::healthy(format!("is due at {}", time(due.told(now)))),
            (None, ..) => {
                let failure = Failure { error: state.error.clone(), failures, pause: Duration::ZERO };
                Outcome::new(failure.status(), failure.to_string())
            }
        };
        let outcome = outcome.detail("runs", state.runs).detail("failures", failures);
        match state.succeeded_at {
            Some(at) => outcome.detail("succeeded_at", time(at)),
            None => outcome,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The tasks of an app.
pub(crate) struct Tasks {
    waiting: Vec<(Task, Arc<Shared>)>,
    running: Vec<Arc<Shared>>,
    ended: Receiver<String>,
    end: Sender<String>,
}

impl Tasks {
    /// Nothing of them runs before [`start`](Self::start), and their checks can be asked already.
    pub(crate) fn new(tasks: Vec<Task>) -> Self {
        let (end, ended) = mpsc::channel();
        let now = Now::read();
        let waiting = tasks.into_iter().map(|task| {
            let shared = Shared::of(&task, now);
            (task, Arc::new(shared))
        });
        Self { waiting: waiting.collect(), running: Vec::new(), ended, end }
    }

    /// What tells how each is: its name, and a probe.
    pub(crate) fn probes(&self) -> Vec<(String, impl Fn() -> Outcome + Send + Sync + 'static)> {
        let probe = |(_, shared): &(Task, Arc<Shared>)| {
            let (name, shared) = (shared.name.clone(), Arc::clone(shared));
            (name, move || shared.outcome())
        };
        self.waiting.iter().map(probe).collect()
    }

    pub(crate) fn start(&mut self, handles: &Handles, on_change: &OnChange) -> io::Result<()> {
        let metrics = handles.metrics();
        metrics.describe(TASK_FAILURES, "Runs of supervised tasks that failed, panicked or ended early, by task.");
        for (task, _) in &self.waiting {
            // A series that is there from the start shows its first failure as an increase.
            metrics.counter(TASK_FAILURES, &[("task", task.name.as_str())]).increment(0);
        }
        for (task, shared) in self.waiting.drain(..) {
            let first = task.first_due(Now::read());
            let Task { name, schedule, work, .. } = task;
            let context = TaskContext { handles: handles.clone(), shared: Arc::clone(&shared) };
            let (end, on_change) = (self.end.clone(), Arc::clone(on_change));
            let thread = thread::Builder::new().name(format!("task-{name}"));
            thread.spawn(move || {
                let pauses = Pauses { policy: context.shared.pauses, delays: None, seed: seed(&name) };
                Worker { context, schedule, work, on_change, pauses }.run(first);
                // Nobody waits any more if the app was dropped meanwhile.
                let _nobody = end.send(name);
            })?;
            self.running.push(shared);
        }
        Ok(())
    }

    /// What names the first task that hangs, if one does.
    pub(crate) fn hanging(&self) -> impl Fn() -> Option<String> + Send + 'static {
        let tasks = self.running.clone();
        move || tasks.iter().find(|task| task.hangs_for().is_some()).map(|task| task.name.clone())
    }

    /// Tells all to stop, and waits for them; the names of those that had not at the deadline.
    pub(crate) fn shutdown(&mut self, limit: Duration) -> Vec<String> {
        let deadline = Instant::now() + limit;
        self.running.iter().for_each(|task| task.stop());
        let mut left: Vec<String> = self.running.drain(..).map(|task| task.name.clone()).collect();
        while !left.is_empty() {
            match self.ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(name) => {
                    // Two may have the same name.
                    if let Some(at) = left.iter().position(|other| *other == name) {
                        left.swap_remove(at);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        left
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        let left = self.shutdown(DROP_LIMIT);
        if !left.is_empty() {
            log::warn!(tasks = left.join(", "); "tasks were left behind");
        }
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.running.iter().map(|task| &task.name)).finish()
    }
}

/// A task on its thread.
struct Worker {
    context: TaskContext,
    schedule: Schedule,
    work: Work,
    on_change: OnChange,
    pauses: Pauses,
}

impl Worker {
    fn run(mut self, mut due: Option<Due>) {
        let shared = Arc::clone(&self.context.shared);
        loop {
            if let Some(due) = due
                && !shared.wait_until(due, &self.schedule)
            {
                return;
            }
            let began = Instant::now();
            shared.state().doing = Doing::Working { since: began, sign: began };
            // What a panic left of the work's own state is the work's to cope with: it is called again, as a loop would.
            let ended = catch_unwind(AssertUnwindSafe(|| (self.work)(&self.context)));
            let failed = match ended {
                Ok(Ok(())) if shared.is_stopping() => return,
                Ok(Ok(())) if matches!(self.schedule, Schedule::Always) => Some("it ended by itself".to_owned()),
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(chain(&*error)),
                Err(panic) => Some(format!("it panicked: {}", panic_text(&*panic))),
            };
            due = match failed {
                None => {
                    self.succeeded();
                    self.schedule.next(Now::read())
                }
                Some(error) => Some(self.failed(error, began.elapsed())),
            };
        }
    }

    fn succeeded(&mut self) {
        self.pauses.begin_anew();
        let shared = &self.context.shared;
        let had_failed = {
            let mut state = shared.state();
            state.runs += 1;
            state.error.clear();
            state.succeeded_at = Some(Utc::now());
            std::mem::take(&mut state.failures) > 0
        };
        if had_failed {
            (self.on_change)(&shared.name, None);
        }
    }

    /// Returns when it is tried again.
    fn failed(&mut self, error: String, lasted: Duration) -> Due {
        let shared = Arc::clone(&self.context.shared);
        let went_well_before = lasted > shared.pauses.cap;
        if went_well_before {
            self.pauses.begin_anew();
        }
        let pause = self.pauses.next();
        let failures = {
            let mut state = shared.state();
            state.runs += 1;
            state.failures = if went_well_before { 1 } else { state.failures.saturating_add(1) };
            state.error.clone_from(&error);
            state.failures
        };
        (self.on_change)(&shared.name, Some(&Failure { error, failures, pause }));
        Now::read().after(pause)
    }
}

/// The growing pauses between attempts.
struct Pauses {
    policy: Policy,
    delays: Option<Delays>,
    seed: u64,
}

impl Pauses {
    fn begin_anew(&mut self) {
        self.delays = None;
    }

    fn next(&mut self) -> Duration {
        self.delays.get_or_insert_with(|| self.policy.delays(self.seed)).next().unwrap_or(self.policy.cap)
    }
}

/// Several tasks that fail for the same reason should not all come back at the same moment.
fn seed(name: &str) -> u64 {
    name.bytes().fold(u64::from(std::process::id()), |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}

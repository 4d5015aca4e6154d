//! Runs the checks in the background and keeps their results. Requests only read them.
//!
//! Each check has a thread and a [`Slot`]. A thread that hangs inside a probe cannot report that it hangs, so a
//! time-out is not an event: whoever reads a slot compares the start of the running look with the clock.

mod report;
mod slot;

use std::any::Any;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;

pub use report::{ComponentReport, Past, Report, Transition};

use crate::check::Probe;
use crate::error::Error;
use crate::{Check, Outcome};
use slot::Slot;

/// The running health checks; clones share them. They stop when the last clone is dropped, or at
/// [`shutdown`](Self::shutdown).
///
/// ```
/// use std::time::Duration;
/// use trading_monitoring::{Check, Health, Outcome, Status};
///
/// let health = Health::start([Check::new("clock", || Outcome::healthy("ticks"))])?;
/// assert!(health.wait_first(Duration::from_secs(10)));
/// assert_eq!(health.report().status, Status::Healthy);
/// # Ok::<(), trading_monitoring::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Health {
    handle: Arc<Handle>,
}

/// Stops the checks when the last [`Health`] goes. The threads hold `Shared`, not this.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when a look begins or ends, when a thread ends, and at shutdown.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    stopping: bool,
    slots: Vec<Slot>,
    transitions: VecDeque<Transition>,
    /// The thread that sees transitions has not ended.
    watched: bool,
    /// Where the observers' threads are told of them; empty when no more will be.
    observers: Vec<SyncSender<Transition>>,
    /// How many of those threads have not ended.
    observing: usize,
}

/// How many transitions of all components together are kept, and how many wait for an observer at the most.
const TRANSITIONS: usize = 100;

impl Health {
    /// Starts the checks, each on a thread of its own, and returns at once. Their first look begins now; use
    /// [`wait_first`](Self::wait_first) to have true answers from the first request on.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCheck`] when a check's name, interval or time-out breaks its rule, or two have one name;
    /// [`Error::Thread`] when a thread cannot be started. Then no check runs.
    pub fn start(checks: impl IntoIterator<Item = Check>) -> Result<Self, Error> {
        let checks: Vec<Check> = checks.into_iter().collect();
        let mut names = HashSet::new();
        for check in &checks {
            check.validate()?;
            if !names.insert(check.name.as_str()) {
                return Err(Error::InvalidCheck { name: check.name.clone(), rule: "each name is given once" });
            }
        }
        let now = Instant::now();
        let slots = checks.iter().map(|check| Slot::new(check, now)).collect();
        let transitions = VecDeque::new();
        let state = State { stopping: false, slots, transitions, watched: true, observers: Vec::new(), observing: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let health = Self { handle: Arc::new(Handle { shared: Arc::clone(&shared) }) };
        spawn("health".to_owned(), {
            let shared = Arc::clone(&shared);
            move || shared.watch()
        })?;
        for (index, check) in checks.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            spawn(format!("check-{}", check.name), move || shared.run(index, check))?;
        }
        Ok(health)
    }

    /// Has `observer` called with each change of a component's status from now on, in order, on a thread of its own: it may block, and no
    /// check and no other observer waits for it. One that is more than 100 changes behind is not told of the next, which is logged at
    /// ERROR. It must not wait for the end of the checks. What hangs is told while it hangs. Transitions are in the log already, at
    /// INFO or WARN.
    ///
    /// # Errors
    ///
    /// [`Error::Thread`] when its thread cannot be started.
    ///
    /// ```
    /// use std::{sync::mpsc, time::Duration};
    /// use trading_monitoring::{Check, Health, Outcome, Status};
    ///
    /// let (sender, transitions) = mpsc::channel();
    /// let (fail, failed) = mpsc::channel::<()>();
    /// let health = Health::start([Check::new("disk", move || {
    ///     if failed.recv().is_err() { Outcome::unhealthy("full") } else { Outcome::healthy("") }
    /// })])?;
    /// health.observe(move |transition| drop(sender.send((transition.component.clone(), transition.to))))?;
    /// drop(fail);
    /// assert_eq!(transitions.recv()?, ("disk".to_owned(), Status::Unhealthy));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observe(&self, mut observer: impl FnMut(&Transition) + Send + 'static) -> Result<(), Error> {
        let (sender, told) = mpsc::sync_channel(TRANSITIONS);
        let shared = Arc::clone(&self.handle.shared);
        spawn("health-observer".to_owned(), move || {
            for transition in told {
                tell(&mut observer, &transition);
            }
            drop(observer);
            shared.lock().observing -= 1;
            shared.changed.notify_all();
        })?;
        let mut state = self.handle.shared.lock();
        state.observing += 1;
        if state.watched {
            state.observers.push(sender);
        }
        Ok(())
    }

    /// The last 100 transitions of all components, the newest last.
    #[must_use]
    pub fn transitions(&self) -> Vec<Transition> {
        self.handle.shared.lock().transitions.iter().cloned().collect()
    }

    /// The last 100 results of a component's check, the newest last; `None` if there is no such component.
    #[must_use]
    pub fn history(&self, component: &str) -> Option<Vec<Past>> {
        let state = self.handle.shared.lock();
        state.slots.iter().find(|slot| slot.name() == component).map(Slot::history)
    }

    /// The results as they are now. Waits for no check.
    #[must_use]
    pub fn report(&self) -> Report {
        let now = Instant::now();
        Report::new(self.handle.shared.lock().slots.iter().map(|slot| slot.view(now)).collect())
    }

    /// Waits until every check has a verdict: its first result, or the end of its time-out. Says whether all have one
    /// within `limit`.
    #[must_use]
    pub fn wait_first(&self, limit: Duration) -> bool {
        let shared = &self.handle.shared;
        let start = Instant::now();
        let mut state = shared.lock();
        loop {
            let now = Instant::now();
            let Some(longest) = state.slots.iter().filter_map(|slot| slot.until_verdict(now)).max() else {
                return true;
            };
            let left = limit.saturating_sub(now.duration_since(start));
            if left.is_zero() {
                return false;
            }
            state = shared.wait(state, left.min(longest));
        }
    }

    /// Begins no further look, and waits up to `limit` for those that run. Returns the names of the checks that had not
    /// come back by then; their threads end, and let go of what the probes hold, when they do. The last results stay
    /// readable. A second call only waits.
    pub fn shutdown(&self, limit: Duration) -> Vec<String> {
        let shared = &self.handle.shared;
        shared.stop();
        let start = Instant::now();
        let mut state = shared.lock();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            let running: Vec<String> = state.slots.iter().filter(|slot| slot.alive).map(Slot::name).collect();
            if (running.is_empty() && !state.watched && state.observing == 0) || left.is_zero() {
                return running;
            }
            state = shared.wait(state, left);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Shared {
    /// The life of one check's thread.
    fn run(&self, index: usize, mut check: Check) {
        loop {
            let start = Instant::now();
            if !self.begin(index, start) {
                break;
            }
            let outcome = look(&mut check.probe, check.timeout);
            let rest = outcome.again_in.map_or(check.every, |again_in| check.every.min(again_in));
            self.finish(index, outcome, start);
            if self.rest(rest) {
                break;
            }
        }
        // What the probe holds is let go of before `shutdown` is told that the check has come back.
        drop(check);
        self.update(index, |slot| slot.alive = false);
    }

    /// Marks the start of a look, unless the checks are to stop.
    fn begin(&self, index: usize, start: Instant) -> bool {
        let go_on = !self.lock().stopping;
        if go_on {
            self.update(index, |slot| slot.begin(start));
        }
        go_on
    }

    fn finish(&self, index: usize, outcome: Outcome, start: Instant) {
        self.update(index, |slot| slot.finish(outcome, start, Instant::now(), Utc::now()));
    }

    /// Tells of transitions until the checks have ended.
    fn watch(&self) {
        let mut state = self.lock();
        loop {
            let (now, wall) = (Instant::now(), Utc::now());
            let told: Vec<Transition> = state.slots.iter_mut().filter_map(|slot| slot.transition(now, wall)).collect();
            if !told.is_empty() {
                state.transitions.extend(told.iter().cloned());
                let surplus = state.transitions.len().saturating_sub(TRANSITIONS);
                state.transitions.drain(..surplus);
                let behind = told.iter().map(|transition| state.tell(transition)).sum();
                drop(state);
                told.iter().for_each(log_transition);
                complain(behind);
                state = self.lock();
                continue;
            }
            if state.stopping {
                state.watched = false;
                state.observers.clear();
                self.changed.notify_all();
                return;
            }
            state = match state.slots.iter().filter_map(|slot| slot.overdue_in(now)).min() {
                Some(next) => self.wait(state, next),
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Rests for an interval; says whether the checks are to stop.
    fn rest(&self, interval: Duration) -> bool {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            let left = interval.saturating_sub(start.elapsed());
            if state.stopping || left.is_zero() {
                return state.stopping;
            }
            state = self.wait(state, left);
        }
    }

    fn update<T>(&self, index: usize, change: impl FnOnce(&mut Slot) -> T) -> T {
        let mut state = self.lock();
        let result = change(state.slots.get_mut(index).expect("the slots are as many as the threads"));
        self.changed.notify_all();
        result
    }

    fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// Hands a transition to the observers; says how many are too far behind. One that has ended is forgotten.
    fn tell(&mut self, transition: &Transition) -> usize {
        let mut behind = 0;
        self.observers.retain(|observer| match observer.try_send(transition.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                behind += 1;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
        behind
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = thread::Builder::new().name(name.clone()).spawn(work);
    thread.map(drop).map_err(|source| Error::Thread { name, source })
}

fn tell(observer: &mut impl FnMut(&Transition), transition: &Transition) {
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| observer(transition))) {
        let (component, panic) = (transition.component.as_str(), panic_text(&*panic));
        log::error!(component, panic; "an observer of transitions panicked");
    }
}

fn complain(behind: usize) {
    if behind > 0 {
        log::error!(behind; "an observer of transitions is too far behind, and is not told of all");
    }
}

fn log_transition(transition: &Transition) {
    let Transition { component, from, to, message, critical, .. } = transition;
    let level = if to.works() { log::Level::Info } else { log::Level::Warn };
    let (component, from, to, critical) = (component.as_str(), from.as_str(), to.as_str(), *critical);
    log::log!(level, component, status = to, from, critical; "{component} is {to}: {message}");
}

fn look(probe: &mut Probe, timeout: Duration) -> Outcome {
    let looked = match probe {
        Probe::Blocking(probe) => panic::catch_unwind(AssertUnwindSafe(probe)),
        Probe::Async(probe) => panic::catch_unwind(AssertUnwindSafe(|| look_async(&mut **probe, timeout))),
    };
    looked.unwrap_or_else(|panic| Outcome::unhealthy(format!("the check panicked: {}", panic_text(&*panic))))
}

fn look_async(probe: &mut dyn FnMut() -> Pin<Box<dyn Future<Output = Outcome>>>, timeout: Duration) -> Outcome {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::unhealthy(format!("cannot run the check: {error}")),
    };
    let looked = runtime.block_on(async { tokio::time::timeout(timeout, probe()).await });
    // What it left in threads of the runtime must not hold up this one.
    runtime.shutdown_background();
    looked.unwrap_or_else(|_late| Outcome::unhealthy(format!("did not end within its time-out of {timeout:?}")))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text was given")
}

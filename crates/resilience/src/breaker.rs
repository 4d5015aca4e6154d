//! Holds calls back from a dependency that is not well, and finds out when it is again.

mod machine;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::breaker::machine::{Change, Machine, Ticket, Verdict};
use crate::class::Class;
use crate::error::{Refusal, ValidationError};
use crate::observer::{Event, LogObserver, Observer};

/// When a [`CircuitBreaker`] opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerOptions {
    /// How far back calls count. Above zero. It moves in tenths of its length. Default: 60 s.
    pub window: Duration,
    /// Below this many calls in the window no rate says anything. At least 1. Default: 10.
    pub calls_min: u32,
    /// Opens when this share of the calls failed, or more. Above 0; above 1 means never. Default: 0.5.
    pub failure_rate: f64,
    /// A call that takes this long, or longer, is slow. Default: 10 s.
    pub slow_after: Duration,
    /// Opens when this share of the calls was slow, or more. Above 0; above 1 means never. Default: 0.8.
    pub slow_rate: f64,
    /// How long it stays open at first. Above zero. Default: 10 s.
    pub open_base: Duration,
    /// By how much longer it stays open each time that a probe fails. At least 1. Default: 2.
    pub open_factor: f64,
    /// It never stays open for longer than this. At least `open_base`. Default: 5 min.
    pub open_cap: Duration,
    /// How many calls are let through to see whether the dependency is well; all must succeed. At least 1. Default: 3.
    pub probes: u32,
}

/// **Source:** rate, slow rate and window follow the defaults that such breakers have in common; the times are arbitrary.
impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            calls_min: 10,
            failure_rate: 0.5,
            slow_after: Duration::from_secs(10),
            slow_rate: 0.8,
            open_base: Duration::from_secs(10),
            open_factor: 2.0,
            open_cap: Duration::from_secs(300),
            probes: 3,
        }
    }
}

impl BreakerOptions {
    fn check(&self) -> Result<(), ValidationError> {
        let refuse = |field: &str, rule: &str, found: &dyn fmt::Debug| {
            Err(ValidationError::new(field, rule, format_args!("{found:?}")))
        };
        let Self {
            window,
            calls_min,
            failure_rate,
            slow_after: _,
            slow_rate,
            open_base,
            open_factor,
            open_cap,
            probes,
        } = self;
        if window.as_nanos() < u128::from(crate::window::BUCKETS) {
            return refuse("window", "be above zero", window);
        }
        if *calls_min < 1 {
            return refuse("calls_min", "be at least 1", calls_min);
        }
        if failure_rate.is_nan() || *failure_rate <= 0.0 {
            return refuse("failure_rate", "be above 0", failure_rate);
        }
        if slow_rate.is_nan() || *slow_rate <= 0.0 {
            return refuse("slow_rate", "be above 0", slow_rate);
        }
        if open_base.is_zero() {
            return refuse("open_base", "be above zero", open_base);
        }
        if !open_factor.is_finite() || *open_factor < 1.0 {
            return refuse("open_factor", "be a number of at least 1", open_factor);
        }
        if open_cap < open_base {
            return refuse("open_cap", "be at least open_base", open_cap);
        }
        if *probes < 1 {
            return refuse("probes", "be at least 1", probes);
        }
        Ok(())
    }
}

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Lets all through, and counts.
    Closed,
    /// Lets none through, for a time.
    Open,
    /// Lets a few through, to see.
    HalfOpen,
    /// Lets none through until somebody says otherwise.
    ForcedOpen,
    /// Lets all through until somebody says otherwise.
    Disabled,
}

impl BreakerState {
    /// Returns the name used in logs: `closed`, `open`, `half_open`, `forced_open` or `disabled`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
        }
    }
}

/// What a breaker knows at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerReport {
    /// What it does with calls.
    pub state: BreakerState,
    /// Why: `12 of 20 calls failed`, `a probe failed`, or what was given with a change by hand.
    pub reason: String,
    /// When the next call may go through, from now; zero when one may now, `None` when that takes somebody's word.
    pub come_back_after: Option<Duration>,
    /// How many calls the window holds.
    pub calls: u32,
    /// How many of them failed.
    pub failures: u32,
    /// How many of them were slow, failed or not.
    pub slow: u32,
    /// How often it opened without closing in between.
    pub opened_in_a_row: u32,
}

/// Holds calls back from a dependency that is not well.
///
/// Closed, it counts. When too many of the calls in the window failed or were slow, it opens and refuses all. After a while
/// it lets a few probes through: if all succeed it closes, if one fails it opens again, for longer.
///
/// A failure is a call that was `Transient` or `Unknown`: the dependency broke down or was silent. `Permanent` is an
/// answer, and counts as a success. `RateLimited` counts as neither: it is the limiter's matter.
///
/// Time is a parameter: the caller has a clock, and a test has its own. Threads may share it; a call takes a lock for
/// some nanoseconds and never waits.
///
/// ```
/// use std::time::{Duration, Instant};
/// use trading_resilience::{BreakerOptions, BreakerState, CircuitBreaker, Class, Refusal};
///
/// let now = Instant::now();
/// let options = BreakerOptions { calls_min: 2, ..BreakerOptions::default() };
/// let breaker = CircuitBreaker::new("alpaca", options).unwrap();
/// for _ in 0..2 {
///     breaker.permit(now).unwrap().finish(Some(Class::Transient), now);
/// }
/// assert_eq!(breaker.report(now).state, BreakerState::Open);
/// assert_eq!(breaker.report(now).reason, "2 of 2 calls failed");
/// assert_eq!(breaker.permit(now).unwrap_err(), Refusal::CircuitOpen { come_back_after: Some(Duration::from_secs(10)) });
/// ```
pub struct CircuitBreaker {
    name: String,
    machine: Mutex<Machine>,
    observer: Arc<dyn Observer + Send>,
}

impl CircuitBreaker {
    /// Makes a closed one. `name` stands in events.
    ///
    /// # Errors
    /// The first of the options that is out of its range.
    pub fn new(name: impl Into<String>, options: BreakerOptions) -> Result<Self, ValidationError> {
        options.check()?;
        Ok(Self { name: name.into(), machine: Mutex::new(Machine::new(options)), observer: Arc::new(LogObserver) })
    }

    /// Tells `observer` of changes, instead of the log.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer + Send>) -> Self {
        Self { observer, ..self }
    }

    /// A breaker of the same kind that nothing has happened to, and that tells nobody.
    pub(crate) fn fresh(&self) -> Self {
        let options = self.machine().options();
        let silent: Arc<dyn Observer + Send> = Arc::new(|_: &Event<'_>| {});
        Self { name: self.name.clone(), machine: Mutex::new(Machine::new(options)), observer: silent }
    }

    /// Asks to make a call at `now`.
    ///
    /// # Errors
    /// [`Refusal::CircuitOpen`].
    pub fn permit(&self, now: Instant) -> Result<Permit<'_>, Refusal> {
        let (answer, change) = self.machine().permit(now);
        self.tell(change);
        let ticket = answer.map_err(|come_back_after| Refusal::CircuitOpen { come_back_after })?;
        Ok(Permit { breaker: self, ticket: Some(ticket) })
    }

    /// Lets none through until [`reset`](Self::reset) or [`disable`](Self::disable).
    pub fn force_open(&self, reason: &str, now: Instant) {
        let change = self.machine().set(BreakerState::ForcedOpen, reason, now);
        self.tell(change);
    }

    /// Lets all through until [`reset`](Self::reset) or [`force_open`](Self::force_open).
    pub fn disable(&self, reason: &str, now: Instant) {
        let change = self.machine().set(BreakerState::Disabled, reason, now);
        self.tell(change);
    }

    /// Closes it and forgets all calls. Also ends [`force_open`](Self::force_open) and [`disable`](Self::disable).
    pub fn reset(&self, reason: &str, now: Instant) {
        let change = self.machine().set(BreakerState::Closed, reason, now);
        self.tell(change);
    }

    /// Returns what it knows at `now`. Changes nothing: an open one whose time is over stays open until it is asked.
    #[must_use]
    pub fn report(&self, now: Instant) -> BreakerReport {
        self.machine().report(now)
    }

    fn finish(&self, ticket: Ticket, verdict: Verdict, now: Option<Instant>) {
        let change = self.machine().finish(ticket, verdict, now);
        self.tell(change);
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: Option<Box<Change>>) {
        if let Some(change) = change {
            let Change { from, to, reason } = &*change;
            self.observer.observe(&Event::BreakerChanged { breaker: &self.name, from: *from, to: *to, reason });
        }
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// The permission to make one call.
///
/// Dropped without a word, by a panic or because a future was dropped, it counts as a failed call at the latest moment that
/// the breaker knows of: a probe that never came back is no sign of health.
#[must_use = "a permit that is dropped counts as a failed call"]
#[derive(Debug)]
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    ticket: Option<Ticket>,
}

impl Permit<'_> {
    /// Says how the call ended at `now`: `None` for success, else the class of its error.
    pub fn finish(mut self, failure: Option<Class>, now: Instant) {
        let verdict = match failure {
            None | Some(Class::Permanent) => Verdict::Success,
            Some(Class::Transient | Class::Unknown) => Verdict::Failure,
            Some(Class::RateLimited { .. }) => Verdict::Nothing,
        };
        if let Some(ticket) = self.ticket.take() {
            self.breaker.finish(ticket, verdict, Some(now));
        }
    }

    /// Says that the call was not made after all.
    pub fn unused(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.finish(ticket, Verdict::Nothing, None);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.finish(ticket, Verdict::Failure, None);
        }
    }
}

//! A guard on virtual time, against adversaries: how long, how many calls, how much quota at worst.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::class::{Class, Classify};
use crate::effects::Effects;
use crate::guard::Guard;
use crate::limiter::QuotaUse;
use crate::observer::Event;
use crate::retry::{Attempt, Jitter, Policy};
use crate::virtual_clock::VirtualClock;

/// An adversary that a guard is run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scenario {
    /// Each call takes all the time it may, and then asks for the longest wait that the cap and the deadline allow.
    Slow,
    /// Each call fails at once, and chance makes all waits as short as they can be.
    Refusing,
    /// Each call succeeds at once.
    Well,
}

impl Scenario {
    const ALL: [Self; 3] = [Self::Slow, Self::Refusing, Self::Well];

    fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Refusing => "refusing",
            Self::Well => "well",
        }
    }
}

/// What happened in one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The adversary.
    pub scenario: Scenario,
    /// How long the longest operation took; `None` when a call may take for ever.
    pub longest: Option<Duration>,
    /// How many calls all operations made.
    pub calls: u32,
    /// How many operations succeeded.
    pub succeeded: u32,
    /// The most that each of the limiter's quotas held, in the order of its options; empty without a limiter.
    pub quotas: Vec<QuotaUse>,
}

/// What a guard does at worst. Displayed, it is a table of a line for each scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Simulation {
    /// How many operations followed each other without a pause.
    pub operations: u32,
    /// What happened, in each scenario.
    pub outcomes: Vec<Outcome>,
    /// No operation takes longer, whatever happens, if blocking calls keep to their time: the deadline, or else all
    /// time-outs, all waits at the cap and all waits for the limiter together. `None` when there is no bound.
    pub duration_bound: Option<Duration>,
    /// No operation makes more calls, whatever happens.
    pub calls_bound: u32,
    /// The operations together never use more of the limiter's quotas, whatever happens and whatever their priority; in the order
    /// of its options, and empty without a limiter.
    pub quota_bounds: Vec<QuotaUse>,
}

impl<F: Effects> Guard<F> {
    /// Runs `operations` operations, one after the other, through copies of all parts that nothing has happened to, on
    /// virtual time, against each [`Scenario`]. Takes no real time, and leaves the guard alone. A call or a wait of more than a
    /// year counts as a year, and of more than 1,000 attempts the first 1,000 are watched; the bounds are not cut.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trading_resilience::{Guard, retry};
    ///
    /// let guard = Guard::new(retry::API).time_out(Duration::from_secs(10));
    /// let simulation = guard.simulate(1);
    /// // Three calls of ten seconds, and two waits of sixty.
    /// assert_eq!(simulation.duration_bound, Some(Duration::from_secs(150)));
    /// assert_eq!(
    ///     simulation.to_string(),
    ///     "1 operation: at most 150s and 3 calls each\n\
    ///      slow      longest 150s, 3 calls, 0 succeeded\n\
    ///      refusing  longest 1.5s, 3 calls, 0 succeeded\n\
    ///      well      longest 0ns, 1 call, 1 succeeded\n"
    /// );
    /// ```
    #[must_use]
    pub fn simulate(&self, operations: u32) -> Simulation {
        let attempts = self.policy.attempts_max.max(1);
        let waits = |wait: Duration| wait.saturating_mul(attempts - 1);
        let without_deadline = self.time_out.map(|time_out| {
            let limiter_wait = if self.limiter.is_some() { self.limiter_wait_max } else { Duration::ZERO };
            time_out.saturating_add(limiter_wait).saturating_mul(attempts).saturating_add(waits(self.policy.cap))
        });
        Simulation {
            operations,
            outcomes: Scenario::ALL.map(|scenario| self.outcome(scenario, operations)).into(),
            duration_bound: without_deadline.into_iter().chain(self.policy.deadline).min(),
            calls_bound: attempts,
            quota_bounds: self.quota_bounds(operations.saturating_mul(attempts)),
        }
    }

    fn quota_bounds(&self, calls: u32) -> Vec<QuotaUse> {
        let Some(limiter) = &self.limiter else { return Vec::new() };
        let unused = limiter.fresh().report(VirtualClock::new(0).now());
        unused.into_iter().map(|QuotaUse { quota, .. }| QuotaUse { quota, used: quota.calls.min(calls) }).collect()
    }

    fn outcome(&self, scenario: Scenario, operations: u32) -> Outcome {
        let world = VirtualClock::new(0);
        let guard = self.copy(scenario, &world);
        let bounded = self.time_out.or(self.policy.deadline).is_some();
        let mut outcome =
            Outcome { scenario, longest: Some(Duration::ZERO), calls: 0, succeeded: 0, quotas: Vec::new() };
        for _ in 0..operations {
            let began = world.elapsed();
            let answer = guard.idempotent("simulated").run("simulated", |attempt| {
                outcome.calls += 1;
                if let Some(limiter) = &guard.limiter {
                    outcome.quotas = most(&outcome.quotas, limiter.report(world.now()));
                }
                scenario.answer(&self.policy, attempt, began, &world)
            });
            outcome.succeeded += u32::from(answer.is_ok());
            outcome.longest = outcome.longest.max(Some(world.elapsed().saturating_sub(began)));
        }
        if scenario == Scenario::Slow && !bounded {
            outcome.longest = None;
        }
        outcome
    }

    fn copy<'w>(&self, scenario: Scenario, world: &'w VirtualClock) -> Guard<&'w VirtualClock> {
        let Policy { base, cap, jitter, .. } = self.policy;
        // Chance, as the adversary would have it.
        let (base, cap) = match (scenario, jitter) {
            (Scenario::Refusing, Jitter::Full) => (Duration::ZERO, cap),
            (Scenario::Refusing, Jitter::Equal) => (base / 2, cap / 2),
            (Scenario::Refusing, Jitter::None) | (Scenario::Slow | Scenario::Well, _) => (base, cap),
        };
        // One that may go on for ever is watched for a while.
        let attempts_max = self.policy.attempts_max.min(1_000);
        let mut guard = Guard::new(Policy { attempts_max, base, cap, jitter: Jitter::None, ..self.policy })
            .observed_by(Arc::new(|_: &Event<'_>| {}))
            .effects(world);
        guard.budget = self.budget.as_ref().map(|budget| Arc::new(budget.fresh()));
        guard.limiter = self.limiter.as_ref().map(|limiter| Arc::new(limiter.fresh()));
        guard.limiter_wait_max = self.limiter_wait_max;
        guard.breaker = self.breaker.as_ref().map(|breaker| Arc::new(breaker.fresh()));
        guard.time_out = self.time_out;
        guard
    }
}

impl Scenario {
    /// Plays the dependency for one call.
    fn answer(self, policy: &Policy, attempt: Attempt, began: Duration, world: &VirtualClock) -> Result<(), Failed> {
        match self {
            Self::Well => Ok(()),
            Self::Refusing => Err(Failed(Class::Transient)),
            Self::Slow => {
                world.pass(attempt.remaining.unwrap_or_default());
                // Just short of the deadline, where the retry would give up.
                let left =
                    policy.deadline.map(|deadline| began.saturating_add(deadline).saturating_sub(world.elapsed()));
                let longest =
                    left.map_or(policy.cap, |left| left.saturating_sub(Duration::from_nanos(1)).min(policy.cap));
                Err(Failed(Class::RateLimited { retry_after: Some(longest) }))
            }
        }
    }
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: u32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let bound = self.duration_bound.map_or_else(|| "any time".to_owned(), |bound| format!("{bound:?}"));
        let quotas = |f: &mut fmt::Formatter<'_>, quotas: &[QuotaUse]| {
            quotas
                .iter()
                .try_for_each(|QuotaUse { quota, used }| write!(f, ", {used} of {} in {:?}", quota.calls, quota.per))
        };
        let (operations, calls) = (counted(self.operations, "operation"), counted(self.calls_bound, "call"));
        write!(f, "{operations}: at most {bound} and {calls} each")?;
        quotas(f, &self.quota_bounds)?;
        writeln!(f)?;
        for Outcome { scenario, longest, calls, succeeded, quotas: used } in &self.outcomes {
            let longest = longest.map_or_else(|| "any time".to_owned(), |longest| format!("{longest:?}"));
            let calls = counted(*calls, "call");
            write!(f, "{:<9} longest {longest}, {calls}, {succeeded} succeeded", scenario.as_str())?;
            quotas(f, used)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

fn most(before: &[QuotaUse], now: Vec<QuotaUse>) -> Vec<QuotaUse> {
    let used = |index: usize| before.get(index).map_or(0, |quota| quota.used);
    now.into_iter().enumerate().map(|(index, quota)| QuotaUse { used: quota.used.max(used(index)), ..quota }).collect()
}

/// An error of nothing but its class.
#[derive(Debug)]
struct Failed(Class);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated ({})", self.0)
    }
}

impl std::error::Error for Failed {}

impl Classify for Failed {
    fn class(&self) -> Class {
        self.0
    }
}

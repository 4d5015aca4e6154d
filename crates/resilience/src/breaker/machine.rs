//! The states of a breaker and what moves it between them, without clock, lock or observer.

use std::time::{Duration, Instant};

use crate::breaker::{BreakerOptions, BreakerReport, BreakerState};
use crate::window::Window;

/// One call that was let through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    /// Results of a state that has passed do not count in the next.
    epoch: u64,
    started: Instant,
}

/// How a call ended, as far as the dependency's health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Success,
    Failure,
    Nothing,
}

/// From one state to another.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) from: BreakerState,
    pub(super) to: BreakerState,
    pub(super) reason: String,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        granted: u32,
        succeeded: u32,
        /// When probes that have not come back are given up, and others let through.
        until: Instant,
    },
    ForcedOpen,
    Disabled,
}

#[derive(Debug)]
pub(super) struct Machine {
    options: BreakerOptions,
    state: State,
    reason: String,
    epoch: u64,
    opened_in_a_row: u32,
    /// Calls, failures, slow calls.
    window: Window<3>,
    /// The latest moment it was told: threads may bring theirs in another order.
    latest: Option<Instant>,
}

impl Machine {
    pub(super) fn new(options: BreakerOptions) -> Self {
        Self {
            options,
            state: State::Closed,
            reason: "new".to_owned(),
            epoch: 0,
            opened_in_a_row: 0,
            window: Window::new(options.window),
            latest: None,
        }
    }

    pub(super) fn options(&self) -> BreakerOptions {
        self.options
    }

    /// Lets a call through, or says when to come back.
    pub(super) fn permit(&mut self, now: Instant) -> (Result<Ticket, Option<Duration>>, Option<Box<Change>>) {
        let started = now;
        let now = self.at(now);
        let mut change = None;
        match self.state {
            State::Open { until } if now >= until => {
                change = Some(self.half_open(now, 0, "the open time is over".to_owned()));
            }
            State::HalfOpen { granted, succeeded, until } if granted >= self.options.probes && now >= until => {
                // Forgotten permits must not hold it for ever.
                change = Some(self.half_open(now, succeeded, "the probes did not come back".to_owned()));
            }
            State::Open { .. } | State::HalfOpen { .. } | State::Closed | State::ForcedOpen | State::Disabled => {}
        }
        let answer = match &mut self.state {
            State::Closed | State::Disabled => Ok(()),
            State::HalfOpen { granted, .. } if *granted < self.options.probes => {
                *granted += 1;
                Ok(())
            }
            State::Open { until } | State::HalfOpen { until, .. } => Err(Some(until.saturating_duration_since(now))),
            State::ForcedOpen => Err(None),
        };
        (answer.map(|()| Ticket { epoch: self.epoch, started }), change)
    }

    /// Takes the result of a call. Without a time it is the latest one known.
    pub(super) fn finish(&mut self, ticket: Ticket, verdict: Verdict, now: Option<Instant>) -> Option<Box<Change>> {
        if ticket.epoch != self.epoch {
            return None;
        }
        let latest = self.at(now.unwrap_or(ticket.started));
        // The caller's own clock, not the latest of all: threads may be a little apart.
        let slow = now.unwrap_or(latest).saturating_duration_since(ticket.started) >= self.options.slow_after;
        let now = latest;
        match &mut self.state {
            State::Closed => {
                if verdict == Verdict::Nothing {
                    return None;
                }
                self.window.add([true, verdict == Verdict::Failure, slow], now);
                // A success at the usual speed makes no rate worse.
                if verdict == Verdict::Failure || slow { self.judge(now) } else { None }
            }
            State::HalfOpen { granted, succeeded, .. } => match verdict {
                Verdict::Nothing => {
                    *granted = granted.saturating_sub(1);
                    None
                }
                Verdict::Failure => Some(self.open(now, "a probe failed".to_owned())),
                Verdict::Success if slow => Some(self.open(now, "a probe was slow".to_owned())),
                Verdict::Success => {
                    *succeeded += 1;
                    (*succeeded >= self.options.probes)
                        .then(|| self.to(State::Closed, BreakerState::Closed, "all probes succeeded".to_owned()))
                }
            },
            State::Open { .. } | State::ForcedOpen | State::Disabled => None,
        }
    }

    /// Goes to a state by somebody's word.
    pub(super) fn set(&mut self, state: BreakerState, reason: &str, now: Instant) -> Option<Box<Change>> {
        let now = self.at(now);
        let reason = reason.to_owned();
        Some(match state {
            BreakerState::Closed => self.to(State::Closed, state, reason),
            BreakerState::Open => self.open(now, reason),
            BreakerState::HalfOpen => self.half_open(now, 0, reason),
            BreakerState::ForcedOpen => self.to(State::ForcedOpen, state, reason),
            BreakerState::Disabled => self.to(State::Disabled, state, reason),
        })
    }

    pub(super) fn report(&mut self, now: Instant) -> BreakerReport {
        let now = self.at(now);
        let [calls, failures, slow] = self.window.counts(now);
        let come_back_after = match self.state {
            State::Closed | State::Disabled => Some(Duration::ZERO),
            State::HalfOpen { granted, .. } if granted < self.options.probes => Some(Duration::ZERO),
            State::Open { until } | State::HalfOpen { until, .. } => Some(until.saturating_duration_since(now)),
            State::ForcedOpen => None,
        };
        BreakerReport {
            state: self.state(),
            reason: self.reason.clone(),
            come_back_after,
            calls,
            failures,
            slow,
            opened_in_a_row: self.opened_in_a_row,
        }
    }

    fn judge(&mut self, now: Instant) -> Option<Box<Change>> {
        let [calls, failures, slow] = self.window.counts(now);
        if calls < self.options.calls_min {
            return None;
        }
        let reached = |part: u32, rate: f64| f64::from(part) >= f64::from(calls) * rate;
        if reached(failures, self.options.failure_rate) {
            Some(self.open(now, format!("{failures} of {calls} calls failed")))
        } else if reached(slow, self.options.slow_rate) {
            Some(self.open(now, format!("{slow} of {calls} calls were slow")))
        } else {
            None
        }
    }

    fn open(&mut self, now: Instant, reason: String) -> Box<Change> {
        let until = later(now, self.open_time());
        let times = self.opened_in_a_row.saturating_add(1);
        let change = self.to(State::Open { until }, BreakerState::Open, reason);
        self.opened_in_a_row = times;
        change
    }

    fn half_open(&mut self, now: Instant, succeeded: u32, reason: String) -> Box<Change> {
        let until = later(now, self.open_time());
        let times = self.opened_in_a_row;
        let change = self.to(State::HalfOpen { granted: succeeded, succeeded, until }, BreakerState::HalfOpen, reason);
        self.opened_in_a_row = times;
        change
    }

    /// How long to stay open, given how often that did not help.
    fn open_time(&self) -> Duration {
        let BreakerOptions { open_base, open_factor, open_cap, .. } = self.options;
        let times = i32::try_from(self.opened_in_a_row).unwrap_or(i32::MAX);
        let seconds = open_base.as_secs_f64() * open_factor.powi(times);
        Duration::try_from_secs_f64(seconds).map_or(open_cap, |time| time.min(open_cap))
    }

    fn to(&mut self, state: State, to: BreakerState, reason: String) -> Box<Change> {
        let from = self.state();
        self.state = state;
        self.reason.clone_from(&reason);
        self.epoch += 1;
        self.opened_in_a_row = 0;
        self.window.clear();
        Box::new(Change { from, to, reason })
    }

    fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
            State::ForcedOpen => BreakerState::ForcedOpen,
            State::Disabled => BreakerState::Disabled,
        }
    }

    fn at(&mut self, now: Instant) -> Instant {
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        latest
    }
}

/// A time that no clock reaches is as good as the last one that it does.
fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}

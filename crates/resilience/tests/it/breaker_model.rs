//! The breaker beside a model of it that remembers every call, through random lives; and that it is never stuck.

use std::time::{Duration, Instant};

use trading_resilience::{BreakerOptions, BreakerState, CircuitBreaker, Class, Permit};

use crate::world::secs;

/// All times are multiples of a tenth of the window, so that the breaker's tenths are exact.
const TICK: Duration = secs(6);

/// What the docs say, with a list of all calls in the place of counts.
struct Model {
    options: BreakerOptions,
    now: Duration,
    state: State,
    calls: Vec<(Duration, bool, bool)>,
    /// Counts the states that were: a result of an earlier one is void.
    age: u32,
    opened: i32,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Closed,
    Open(Duration),
    HalfOpen { out: u32, good: u32, until: Duration },
    Forced,
    Disabled,
}

impl Model {
    fn go(&mut self, state: State) {
        if !matches!(state, State::Open(_) | State::HalfOpen { .. }) {
            self.opened = 0;
        }
        self.state = state;
        self.age += 1;
        self.calls.clear();
    }

    fn open_for(&self) -> Duration {
        let BreakerOptions { open_base, open_factor, open_cap, .. } = self.options;
        open_base.mul_f64(open_factor.powi(self.opened.min(20))).min(open_cap)
    }

    fn open(&mut self) {
        let until = self.now + self.open_for();
        self.opened += 1;
        self.go(State::Open(until));
    }

    fn permit(&mut self) -> bool {
        let probes = self.options.probes;
        let begin_with = match self.state {
            State::Open(until) if self.now >= until => Some(0),
            State::HalfOpen { out, good, until } if out >= probes && self.now >= until => Some(good),
            State::Closed | State::Open(_) | State::HalfOpen { .. } | State::Forced | State::Disabled => None,
        };
        if let Some(good) = begin_with {
            self.go(State::HalfOpen { out: good, good, until: self.now + self.open_for() });
        }
        match &mut self.state {
            State::Closed | State::Disabled => true,
            State::HalfOpen { out, .. } if *out < probes => {
                *out += 1;
                true
            }
            State::HalfOpen { .. } | State::Open(_) | State::Forced => false,
        }
    }

    /// `failed` is `None` for a call that says nothing.
    fn finish(&mut self, age: u32, failed: Option<bool>, took: Duration) {
        if age != self.age {
            return;
        }
        let slow = took >= self.options.slow_after;
        match (&mut self.state, failed) {
            (State::Closed, Some(failed)) => {
                self.calls.push((self.now, failed, slow));
                let (calls, failures, slows) = self.counts();
                let reached = |part: u32, rate: f64| f64::from(part) / f64::from(calls) >= rate;
                let bad = reached(failures, self.options.failure_rate) || reached(slows, self.options.slow_rate);
                if (failed || slow) && calls >= self.options.calls_min && bad {
                    self.open();
                }
            }
            (State::HalfOpen { out, .. }, None) => *out -= 1,
            (State::HalfOpen { .. }, Some(failed)) if failed || slow => self.open(),
            (State::HalfOpen { good, .. }, Some(_)) => {
                *good += 1;
                if *good >= self.options.probes {
                    self.go(State::Closed);
                }
            }
            (State::Closed | State::Open(_) | State::Forced | State::Disabled, _) => {}
        }
    }

    fn counts(&self) -> (u32, u32, u32) {
        let recent = self.calls.iter().filter(|(at, ..)| *at + self.options.window > self.now);
        recent.fold((0, 0, 0), |(calls, failures, slows), (_, failed, slow)| {
            (calls + 1, failures + u32::from(*failed), slows + u32::from(*slow))
        })
    }

    fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open(_) => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
            State::Forced => BreakerState::ForcedOpen,
            State::Disabled => BreakerState::Disabled,
        }
    }
}

fn random_options(random: &mut fastrand::Rng) -> BreakerOptions {
    BreakerOptions {
        window: TICK * 10,
        calls_min: random.u32(1..8),
        failure_rate: *random.choice(&[0.25, 0.5, 1.0, 2.0]).expect("some"),
        slow_after: TICK * random.u32(1..4),
        slow_rate: *random.choice(&[0.25, 0.5, 2.0]).expect("some"),
        open_base: TICK,
        open_factor: *random.choice(&[1.0, 2.0]).expect("some"),
        open_cap: TICK * random.u32(1..6),
        probes: random.u32(1..4),
    }
}

/// Lives one random life on both, and returns the breaker with its time and options.
fn live(seed: u64) -> (CircuitBreaker, Instant, BreakerOptions) {
    let mut random = fastrand::Rng::with_seed(seed);
    let options = random_options(&mut random);
    let breaker = CircuitBreaker::new("model", options).expect("they make sense");
    let origin = Instant::now();
    let mut model = Model { options, now: Duration::ZERO, state: State::Closed, calls: Vec::new(), age: 0, opened: 0 };
    {
        let mut out: Vec<(Permit<'_>, u32, Duration)> = Vec::new();
        for step in 0..300 {
            let now = origin + model.now;
            match random.u8(0..20) {
                0..8 => {
                    let permit = breaker.permit(now);
                    assert_eq!(permit.is_ok(), model.permit(), "seed {seed}, step {step}: {:?}", model.state);
                    out.extend(permit.ok().map(|permit| (permit, model.age, model.now)));
                }
                8..15 if !out.is_empty() => {
                    let (permit, age, started) = out.swap_remove(random.usize(0..out.len()));
                    let took = model.now - started;
                    match random.u8(0..8) {
                        0..3 => {
                            permit.finish(None, now);
                            model.finish(age, Some(false), took);
                        }
                        3..6 => {
                            permit.finish(Some(Class::Unknown), now);
                            model.finish(age, Some(true), took);
                        }
                        6 => {
                            permit.unused();
                            model.finish(age, None, took);
                        }
                        _ => {
                            drop(permit);
                            model.finish(age, Some(true), took);
                        }
                    }
                }
                15..18 => model.now += TICK * random.u32(0..4),
                18 if random.u8(0..10) == 0 => {
                    let (state, by_hand): (_, fn(&CircuitBreaker, &str, Instant)) = match random.u8(0..4) {
                        0 => (State::Forced, CircuitBreaker::force_open),
                        1 => (State::Disabled, CircuitBreaker::disable),
                        _ => (State::Closed, CircuitBreaker::reset),
                    };
                    by_hand(&breaker, "by hand", now);
                    model.go(state);
                }
                _ => {}
            }
            let report = breaker.report(origin + model.now);
            let found = (report.state, (report.calls, report.failures, report.slow));
            assert_eq!(found, (model.state(), model.counts()), "seed {seed}, step {step}, {options:?}");
        }
        // Some permits are never heard of again.
        out.into_iter().for_each(|(permit, ..)| std::mem::forget(permit));
    }
    (breaker, origin + model.now, options)
}

#[test]
fn the_breaker_lives_as_its_model_does() {
    for seed in 0..2_000 {
        live(seed);
    }
}

#[test]
fn it_is_never_stuck() {
    for seed in 0..1_000 {
        let (breaker, mut now, options) = live(seed);
        if breaker.report(now).state == BreakerState::ForcedOpen {
            continue;
        }
        // However it lived: once the dependency is well, it is closed after one open time and its probes.
        now += options.open_cap;
        for _ in 0..options.probes {
            match breaker.permit(now) {
                Ok(permit) => permit.finish(None, now),
                Err(refusal) => panic!("seed {seed}: {refusal}"),
            }
        }
        let state = breaker.report(now).state;
        assert!(
            matches!(state, BreakerState::Closed | BreakerState::Disabled),
            "seed {seed}: {:?}",
            breaker.report(now)
        );
    }
}

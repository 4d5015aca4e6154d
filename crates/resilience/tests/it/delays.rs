//! The waits: how many, how long, never above the cap.

use std::time::Duration;

use trading_resilience::retry::{self, Jitter, Policy};

const POLICY: Policy = Policy {
    attempts_max: 6,
    base: Duration::from_millis(100),
    factor: 3.0,
    cap: Duration::from_secs(2),
    jitter: Jitter::None,
    deadline: None,
};

#[track_caller]
fn check(policy: Policy, expected_ms: &[u128]) {
    let waits: Vec<u128> = policy.delays(1).take(8).map(|wait| wait.as_millis()).collect();
    assert_eq!(waits, expected_ms, "{policy:?}");
}

#[test]
fn waits_grow_to_the_cap() {
    check(POLICY, &[100, 300, 900, 2_000, 2_000]);
    check(Policy { jitter: Jitter::None, ..retry::API }, &[1_000, 2_000]);
    check(Policy { jitter: Jitter::None, ..retry::DATABASE }, &[100]);
    check(Policy { jitter: Jitter::None, ..retry::TRADING }, &[1_000]);
}

#[test]
fn the_ready_made_ones_are_the_earlier_systems() {
    let numbers =
        |policy: Policy| (policy.attempts_max, policy.factor.to_string(), policy.cap.as_secs(), policy.deadline);
    assert_eq!(numbers(retry::API), (3, "2".to_owned(), 60, None));
    assert_eq!(numbers(retry::DATABASE), (2, "1.5".to_owned(), 10, None));
    assert_eq!(numbers(retry::TRADING), (2, "3".to_owned(), 30, None));
}

#[test]
fn waits_are_one_fewer_than_attempts() {
    check(Policy { attempts_max: 0, ..POLICY }, &[]);
    check(Policy { attempts_max: 1, ..POLICY }, &[]);
    check(Policy { attempts_max: 2, ..POLICY }, &[100]);
    check(Policy { attempts_max: retry::UNBOUNDED, ..POLICY }, &[100, 300, 900, 2_000, 2_000, 2_000, 2_000, 2_000]);
    assert_eq!(POLICY.delays(1).size_hint(), (5, Some(5)));
    let mut endless = Policy { attempts_max: retry::UNBOUNDED, ..POLICY }.delays(1);
    assert!(endless.nth(1_000).is_some());
    assert_eq!(endless.size_hint(), (usize::MAX, None), "waits are used up");
}

#[test]
fn senseless_numbers_are_read_as_the_nearest_sensible_ones() {
    let three = Policy { attempts_max: 4, ..POLICY };
    for factor in [1.0, 0.5, 0.0, -2.0, f64::NAN, f64::NEG_INFINITY] {
        check(Policy { factor, ..three }, &[100, 100, 100]);
    }
    check(Policy { factor: f64::INFINITY, ..three }, &[100, 2_000, 2_000]);
    check(Policy { base: Duration::from_secs(9), ..three }, &[2_000, 2_000, 2_000]);
    check(Policy { base: Duration::MAX, cap: Duration::ZERO, ..three }, &[0, 0, 0]);
}

#[test]
fn the_same_seed_gives_the_same_waits() {
    for jitter in [Jitter::Full, Jitter::Equal] {
        let policy = Policy { jitter, ..POLICY };
        assert!(policy.delays(7).eq(policy.delays(7)));
        assert!(policy.delays(7).ne(policy.delays(8)));
    }
}

#[test]
fn no_wait_is_above_the_cap_or_outside_its_jitter() {
    let caps = [0, 1, 7, 2_000_000_000, 60_000_000_001, u64::MAX].map(Duration::from_nanos);
    let caps: Vec<Duration> = caps.into_iter().chain([Duration::MAX]).collect();
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let cap = *random.choice(&caps).expect("there are caps");
        let plain = Policy {
            attempts_max: 200,
            base: Duration::from_nanos(random.u64(..) >> random.u32(0..64)),
            factor: random.f64() * 10.0,
            cap,
            jitter: Jitter::None,
            deadline: None,
        };
        for jitter in [Jitter::Full, Jitter::Equal, Jitter::None] {
            let jittered = Policy { jitter, ..plain };
            for (wait, whole) in jittered.delays(seed).zip(plain.delays(seed)) {
                let least = match jitter {
                    Jitter::Full => Duration::ZERO,
                    Jitter::Equal => whole / 2,
                    Jitter::None => whole,
                };
                assert!(wait <= cap, "seed {seed}: {wait:?} is above the cap, {jittered:?}");
                assert!((least..=whole).contains(&wait), "seed {seed}: {wait:?} of {whole:?}, {jittered:?}");
            }
        }
    }
}

#[test]
fn jitter_uses_its_whole_range() {
    let whole = Duration::from_secs(1);
    let base = Policy { attempts_max: 1_001, base: whole, cap: whole, ..POLICY };
    for (jitter, least) in [(Jitter::Full, Duration::ZERO), (Jitter::Equal, whole / 2)] {
        let waits: Vec<Duration> = Policy { jitter, ..base }.delays(42).collect();
        let margin = Duration::from_millis(20);
        assert!(waits.iter().any(|wait| *wait < least + margin), "seed 42, {jitter:?}: nothing near the least");
        assert!(waits.iter().any(|wait| *wait > whole - margin), "seed 42, {jitter:?}: nothing near the whole");
    }
}

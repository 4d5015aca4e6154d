//! The limiter: all quotas at once, priorities, waiting, what it learns, and what it keeps beyond a process.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use trading_resilience::{Cancel, Effects, LimiterOptions, Priority, Quota, RateHeaders, RateLimiter, Refusal};

use crate::world::{World, secs};

use Priority::{Order, Probe, Read};

fn limiter(quotas: &[Quota]) -> RateLimiter {
    RateLimiter::new(LimiterOptions::of(quotas)).expect("they make sense")
}

fn spent(seconds: u64) -> Refusal {
    Refusal::QuotaSpent { come_back_after: secs(seconds) }
}

/// Takes room until there is none, and returns for how many there was, and what was said then.
fn exhaust(limiter: &RateLimiter, priority: Priority, world: &World) -> (usize, Refusal) {
    for taken in 0..1_000 {
        if let Err(refusal) = limiter.try_acquire(priority, world.now()) {
            return (taken, refusal);
        }
    }
    panic!("there is always room");
}

#[test]
fn all_quotas_hold_at_once() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(3), Quota::per_hour(5)]);
    assert_eq!(exhaust(&limiter, Order, &world), (3, spent(60)));
    world.pass(secs(59));
    assert_eq!(exhaust(&limiter, Order, &world), (0, spent(1)));
    world.pass(secs(1));
    assert_eq!(exhaust(&limiter, Order, &world), (2, spent(3_540)));
    let used: Vec<u32> = limiter.report(world.now()).iter().map(|quota| quota.used).collect();
    assert_eq!(used, [2, 5]);
    world.pass(secs(3_540));
    assert_eq!(exhaust(&limiter, Order, &world), (3, spent(60)));
}

#[test]
fn room_comes_back_call_by_call() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(3)]);
    for _ in 0..3 {
        assert!(limiter.try_acquire(Order, world.now()).is_ok());
        world.pass(secs(10));
    }
    assert_eq!(exhaust(&limiter, Order, &world), (0, spent(30)));
    world.pass(secs(30));
    assert_eq!(exhaust(&limiter, Order, &world), (1, spent(10)));
}

#[test]
fn orders_have_a_part_for_themselves_and_reads_one_before_probes() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(100)]);
    assert_eq!(exhaust(&limiter, Probe, &world).0, 50);
    assert_eq!(exhaust(&limiter, Read, &world).0, 40);
    assert_eq!(exhaust(&limiter, Order, &world).0, 10);
    // Of a small quota the orders' share is less than a call.
    let small = self::limiter(&[Quota::per_hour(5)]);
    assert_eq!(exhaust(&small, Probe, &world).0, 3);
    assert_eq!(exhaust(&small, Read, &world).0, 2);
    assert_eq!(exhaust(&small, Order, &world).0, 0);
}

#[test]
fn it_waits_for_room_and_no_longer_than_allowed() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(2)]);
    let acquire = |wait_max| limiter.acquire(&world, Order, wait_max, None).map(drop);
    assert_eq!((acquire(Duration::ZERO), acquire(Duration::ZERO)), (Ok(()), Ok(())));
    assert_eq!(acquire(Duration::ZERO), Err(spent(60)));
    assert_eq!(acquire(secs(60) - Duration::from_nanos(1)), Err(spent(60)));
    assert_eq!(world.slept(), []);
    assert_eq!(acquire(secs(60)), Ok(()));
    assert_eq!(world.slept(), [secs(60)]);
}

#[test]
fn cancelling_ends_a_wait() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(1), Quota::per_hour(2)]);
    assert!(limiter.acquire(&world, Order, Duration::ZERO, None).is_ok());
    let cancel = Cancel::new();
    cancel.cancel();
    // Somebody else takes the room meanwhile, so that it would have to wait again.
    let taking = Taking { world: &world, limiter: &limiter };
    assert_eq!(limiter.acquire(&taking, Order, secs(9_999), Some(&cancel)), Err(spent(3_540)));
}

/// A world in which somebody else is quicker after every sleep.
struct Taking<'a> {
    world: &'a World,
    limiter: &'a RateLimiter,
}

impl Effects for Taking<'_> {
    fn now(&self) -> std::time::Instant {
        self.world.now()
    }

    fn sleep(&self, duration: Duration, _cancel: Option<&Cancel>) {
        self.world.sleep(duration, None);
        // Not through the door, where those who wait go first.
        let other = RateLimiter::new(LimiterOptions::of(&[Quota::per_hour(2)])).expect("it makes sense");
        assert!(other.try_acquire(Order, self.now()).is_ok());
        let usage = other.usage(self.now(), self.world.wall());
        self.limiter.restore(&usage, self.now(), self.world.wall()).expect("it is one");
    }

    fn seed(&self) -> u64 {
        0
    }
}

/// A world in which somebody else comes when the room is there, and those who wait for it still sleep.
struct Barging<'a> {
    world: &'a World,
    limiter: &'a RateLimiter,
}

impl Effects for Barging<'_> {
    fn now(&self) -> std::time::Instant {
        self.world.now()
    }

    fn sleep(&self, duration: Duration, cancel: Option<&Cancel>) {
        self.world.sleep(duration, cancel);
        assert!(self.limiter.try_acquire(Read, self.now()).is_err(), "it was another's turn");
    }

    fn seed(&self) -> u64 {
        0
    }
}

#[test]
fn who_comes_goes_behind_those_of_its_kind_who_wait() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(1)]);
    assert!(limiter.try_acquire(Read, world.now()).is_ok());
    let barging = Barging { world: &world, limiter: &limiter };
    assert!(limiter.acquire(&barging, Read, secs(60), None).is_ok());
    assert_eq!(world.slept(), [secs(60)]);
}

#[test]
fn a_call_that_was_not_made_gives_its_room_back() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(2)]);
    let slot = limiter.try_acquire(Order, world.now()).expect("room");
    world.pass(secs(1));
    assert!(limiter.try_acquire(Order, world.now()).is_ok());
    limiter.give_back(&world, slot);
    limiter.give_back(&world, slot);
    assert_eq!(exhaust(&limiter, Order, &world), (1, spent(60)));
}

#[test]
fn a_thread_whose_clock_is_behind_takes_room_as_of_the_latest_call() {
    let (world, limiter) = (World::new(0), limiter(&[Quota::per_minute(3)]));
    let earlier = world.now();
    world.pass(secs(10));
    assert!(limiter.try_acquire(Order, world.now()).is_ok());
    assert!(limiter.try_acquire(Order, earlier).is_ok());
    world.pass(secs(55));
    assert_eq!(limiter.report(world.now())[0].used, 2);
}

fn headers(pairs: &[(&str, &str)]) -> RateHeaders {
    let header = |name: &str| pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    RateHeaders::read(header, UNIX_EPOCH)
}

#[test]
fn it_learns_to_stay_away() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(100)]);
    limiter.learn(&world, &headers(&[("Retry-After", "7")]));
    assert_eq!(limiter.try_acquire(Order, world.now()), Err(spent(7)));
    // A later and shorter word does not take it back, and a senseless one is believed for a minute at most.
    limiter.learn(&world, &headers(&[("Retry-After", "1")]));
    assert_eq!(limiter.try_acquire(Order, world.now()), Err(spent(7)));
    limiter.learn(&world, &headers(&[("Retry-After", "999999999")]));
    assert_eq!(limiter.try_acquire(Order, world.now()), Err(spent(60)));
    world.pass(secs(60));
    assert!(limiter.try_acquire(Order, world.now()).is_ok());
}

#[test]
fn it_learns_what_is_left() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_minute(200)]);
    let told = |remaining, reset| {
        headers(&[("X-RateLimit-Limit", "20"), ("X-RateLimit-Remaining", remaining), ("X-RateLimit-Reset", reset)])
    };
    limiter.learn(&world, &told("5", "30"));
    // Answers overtake each other: the higher number is the older one.
    limiter.learn(&world, &told("9", "30"));
    // Two of twenty are for orders alone.
    assert_eq!(exhaust(&limiter, Read, &world), (3, spent(30)));
    assert_eq!(exhaust(&limiter, Order, &world), (2, spent(30)));
    world.pass(secs(29));
    limiter.learn(&world, &told("20", "59"));
    assert_eq!(exhaust(&limiter, Order, &world), (20, spent(59)));
    world.pass(secs(1));
    limiter.learn(&world, &told("0", "10"));
    assert_eq!(limiter.try_acquire(Order, world.now()), Err(spent(58)));
    // Room that is given back is left again.
    let returned = self::limiter(&[Quota::per_minute(200)]);
    returned.learn(&world, &told("1", "30"));
    let slot = returned.try_acquire(Order, world.now()).expect("room");
    assert_eq!(exhaust(&returned, Order, &world), (0, spent(30)));
    returned.give_back(&world, slot);
    assert_eq!(exhaust(&returned, Order, &world), (1, spent(30)));
    // The end of a window, which comes with every answer, holds nothing back.
    let fresh = self::limiter(&[Quota::per_minute(2)]);
    fresh.learn(&world, &headers(&[("X-RateLimit-Reset", "30")]));
    assert!(fresh.try_acquire(Order, world.now()).is_ok());
}

#[test]
fn a_restart_loop_does_not_burn_the_quota() {
    let world = World::new(0);
    let file: Arc<Mutex<Option<String>>> = Arc::default();
    let mut made = Vec::new();
    for minute in 0..200 {
        // A process that starts, loads, calls and dies over its call.
        let limiter = limiter(&[Quota::per_minute(10), Quota::per_hour(5)]);
        if let Some(usage) = &*file.lock().unwrap() {
            limiter.restore(usage, world.now(), world.wall()).unwrap();
        }
        let disk = Arc::clone(&file);
        let limiter = limiter.saving(move |usage| *disk.lock().unwrap() = Some(usage.to_owned()));
        if limiter.acquire(&world, Read, Duration::ZERO, None).is_ok() {
            made.push(minute);
        }
        world.pass(secs(60));
    }
    let hours = [0, 60, 120, 180];
    let expected: Vec<i32> = hours.iter().flat_map(|hour| *hour..hour + 5).collect();
    assert_eq!(made, expected);
}

#[test]
fn usage_is_text_and_comes_back() {
    let world = World::new(0);
    let limiter = limiter(&[Quota::per_hour(5)]);
    assert!(limiter.try_acquire(Order, world.now()).is_ok());
    world.pass(Duration::from_micros(1_500));
    assert!(limiter.try_acquire(Order, world.now()).is_ok());
    limiter.learn(&world, &headers(&[("Retry-After", "7")]));
    let usage = limiter.usage(world.now(), world.wall());
    assert_eq!(
        usage,
        r#"{"version":1,"calls_unix_ms":[1767225600000,1767225600002],"blocked_until_unix_ms":1767225607002,"told":null}"#
    );
    let next = self::limiter(&[Quota::per_hour(5)]);
    // It was used already when the saved use is added.
    assert!(next.try_acquire(Order, world.now()).is_ok());
    next.restore(&usage, world.now(), world.wall()).unwrap();
    let refusal = next.try_acquire(Order, world.now()).unwrap_err();
    assert_eq!(refusal, Refusal::QuotaSpent { come_back_after: Duration::from_micros(7_000_500) });
    world.pass(secs(8));
    assert_eq!(exhaust(&next, Order, &world).0, 2);
    // A clock that was set back: what lies in the future counts as now.
    let back = self::limiter(&[Quota::per_hour(2)]);
    back.restore(&usage, world.now(), UNIX_EPOCH).unwrap();
    assert_eq!(exhaust(&back, Order, &world), (0, spent(3_600)));
}

/// A limiter of the next process, after the last one saved `saved` and died.
fn next_process(saved: &Mutex<String>, quota: Quota, world: &World) -> RateLimiter {
    let next = limiter(&[quota]);
    next.restore(&saved.lock().expect("no panic"), world.now(), world.wall()).expect("it was saved");
    next
}

fn saving(quota: Quota) -> (RateLimiter, Arc<Mutex<String>>) {
    let saved: Arc<Mutex<String>> = Arc::default();
    let disk = Arc::clone(&saved);
    (limiter(&[quota]).saving(move |usage| usage.clone_into(&mut disk.lock().expect("no panic"))), saved)
}

#[test]
fn what_it_was_told_outlives_the_process() {
    let world = World::new(0);
    let quota = Quota::per_hour(100);
    let (limiter, saved) = saving(quota);
    limiter.acquire(&world, Read, Duration::ZERO, None).unwrap();
    limiter.learn(&world, &headers(&[("Retry-After", "1800")]));
    assert_eq!(next_process(&saved, quota, &world).try_acquire(Order, world.now()), Err(spent(1_800)));

    let (limiter, saved) = saving(quota);
    let left = [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "1"), ("X-RateLimit-Reset", "1800")];
    limiter.learn(&world, &headers(&left));
    let told = r#""told":{"remaining":1,"limit":100,"until_unix_ms":1767227400000}}"#;
    assert!(saved.lock().unwrap().ends_with(told), "{}", saved.lock().unwrap());
    let next = next_process(&saved, quota, &world);
    assert_eq!(exhaust(&next, Order, &world), (1, spent(1_800)));
    // What this process hears itself is newer than what it restores.
    let next = self::limiter(&[quota]);
    let more = [("X-RateLimit-Remaining", "3"), ("X-RateLimit-Reset", "600")];
    next.learn(&world, &headers(&more));
    next.restore(&saved.lock().unwrap(), world.now(), world.wall()).unwrap();
    assert_eq!(exhaust(&next, Order, &world), (3, spent(600)));
    // It ends with its window, and is believed for the longest period at most.
    world.pass(secs(1_800));
    assert_eq!(exhaust(&next_process(&saved, quota, &world), Order, &world).0, 100);
    let absurd = r#"{"version":1,"calls_unix_ms":[],"told":{"remaining":0,"limit":9,"until_unix_ms":99999999999999}}"#;
    let next = self::limiter(&[quota]);
    next.restore(absurd, world.now(), world.wall()).unwrap();
    assert_eq!(next.try_acquire(Order, world.now()), Err(spent(3_600)));
}

#[test]
fn what_was_given_back_is_saved() {
    let world = World::new(0);
    let quota = Quota::per_hour(1);
    let (limiter, saved) = saving(quota);
    let slot = limiter.acquire(&world, Order, Duration::ZERO, None).unwrap();
    assert!(next_process(&saved, quota, &world).try_acquire(Order, world.now()).is_err());
    limiter.give_back(&world, slot);
    assert!(next_process(&saved, quota, &world).try_acquire(Order, world.now()).is_ok());
    // An answer that says nothing costs nothing.
    saved.lock().unwrap().clear();
    limiter.learn(&world, &headers(&[("Server", "x")]));
    assert_eq!(*saved.lock().unwrap(), "");
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn async_calls_are_saved_too() {
    let world = World::new(0);
    let quota = Quota::per_hour(1);
    let (limiter, saved) = saving(quota);
    limiter.acquire_async(&world, Order, Duration::ZERO, None).await.unwrap();
    assert_eq!(next_process(&saved, quota, &world).try_acquire(Order, world.now()), Err(spent(3_600)));
}

#[test]
fn what_is_no_usage_is_refused() {
    let (world, limiter) = (World::new(0), limiter(&[Quota::per_hour(5)]));
    for text in [
        "",
        "{}",
        r#"{"version":2,"calls_unix_ms":[]}"#,
        r#"{"version":1}"#,
        r#"{"version":1,"calls_unix_ms":[1,"x"]}"#,
        r#"{"version":1,"calls_unix_ms":[-1]}"#,
    ] {
        let error = limiter.restore(text, world.now(), world.wall()).unwrap_err();
        assert_eq!(error.to_string(), format!("usage must be what `usage` returned, found {text:?}"));
    }
    assert_eq!(limiter.report(world.now())[0].used, 0);
}

#[track_caller]
fn check(options: LimiterOptions, expected: Result<(), &str>) {
    let shown = format!("{options:?}");
    let found = RateLimiter::new(options).map(drop).map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned), "{shown}");
}

#[test]
fn options_are_checked() {
    let of = |calls, per| LimiterOptions::of(&[Quota { calls, per }]);
    let shares = |order_share, read_share| LimiterOptions { order_share, read_share, ..of(1, secs(1)) };
    check(LimiterOptions::of(&[]), Err("quotas must have at least one"));
    check(of(0, secs(1)), Err("quotas.calls must be from 1 to 100000, found \"0\""));
    check(of(1, secs(1)), Ok(()));
    check(of(100_000, secs(1)), Ok(()));
    check(of(100_001, secs(1)), Err("quotas.calls must be from 1 to 100000, found \"100001\""));
    check(of(1, Duration::ZERO), Err("quotas.per must be above zero, at most 31 days, found \"0ns\""));
    check(of(1, secs(31 * 86_400)), Ok(()));
    check(of(1, secs(31 * 86_400 + 1)), Err("quotas.per must be above zero, at most 31 days, found \"2678401s\""));
    check(shares(0.0, 0.0), Ok(()));
    check(shares(1.0, 0.0), Err("order_share must be from 0 to below 1, found \"1\""));
    check(shares(-0.1, 0.0), Err("order_share must be from 0 to below 1, found \"-0.1\""));
    check(shares(0.0, f64::NAN), Err("read_share must be from 0 to below 1, found \"NaN\""));
    check(shares(0.5, 0.5), Err("read_share must be below 1 with order_share, found \"0.5\""));
    let defaults = LimiterOptions::of(&[]);
    assert_eq!((defaults.order_share, defaults.read_share), (0.1, 0.4));
}

#[test]
fn no_window_ever_holds_more_than_its_quota() {
    let mut calls_made = 0;
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::new(seed);
        let quotas: Vec<Quota> = (0..random.usize(1..4))
            .map(|_| Quota { calls: random.u32(1..30), per: Duration::from_millis(random.u64(1..100_000)) })
            .collect();
        let mut limiter = limiter(&quotas);
        let mut made: Vec<Duration> = Vec::new();
        for _ in 0..400 {
            let priority = *random.choice(&[Order, Read, Probe]).expect("there are three");
            match random.u8(0..12) {
                0..8 => made.extend(limiter.try_acquire(priority, world.now()).map(|_| world.elapsed())),
                8 => {
                    let wait_max = Duration::from_millis(random.u64(0..200_000));
                    made.extend(limiter.acquire(&world, priority, wait_max, None).map(|_| world.elapsed()));
                }
                9 => {
                    if let Ok(slot) = limiter.try_acquire(priority, world.now()) {
                        limiter.give_back(&world, slot);
                    }
                }
                10 if random.u8(0..5) == 0 => {
                    let usage = limiter.usage(world.now(), world.wall());
                    limiter = self::limiter(&quotas);
                    limiter.restore(&usage, world.now(), world.wall()).expect("it is one");
                }
                _ => world.pass(Duration::from_micros(random.u64(0..20_000_000))),
            }
        }
        for Quota { calls, per } in &quotas {
            for (index, last) in made.iter().enumerate() {
                let recent = made.iter().take(index + 1).rev().take_while(|call| **call + *per > *last).count();
                assert!(u32::try_from(recent).unwrap() <= *calls, "seed {seed}: {recent} calls, {calls} in {per:?}");
            }
        }
        calls_made += made.len();
    }
    assert!(calls_made > 20_000, "only {calls_made} calls");
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn those_who_wait_go_by_priority() {
    use tokio::time::Instant;
    use trading_resilience::System;

    let limiter = limiter(&[Quota::per_minute(1)]);
    let started = Instant::now();
    let served = Mutex::new(Vec::new());
    let wait = async |priority| {
        limiter.acquire_async(&System, priority, secs(600), None).await.expect("room in time");
        served.lock().unwrap().push((priority, started.elapsed().as_secs()));
    };
    wait(Order).await;
    // The last to come is the first to go.
    tokio::join!(wait(Probe), wait(Read), wait(Order), async {
        // One that gives up its wait holds nobody up.
        let gone = tokio::time::timeout(secs(30), wait(Order)).await;
        assert!(gone.is_err());
        // Who comes now goes behind those of its kind who wait.
        assert!(limiter.try_acquire(Order, System.now()).is_err());
    });
    assert_eq!(*served.lock().unwrap(), [(Order, 0), (Order, 60), (Read, 120), (Probe, 180)]);
    let waited = limiter.acquire_async(&System, Order, secs(10), None).await;
    assert_eq!(waited, Err(spent(60)));
}

#[test]
fn threads_share_it_exactly() {
    let (world, limiter) = (World::new(0), limiter(&[Quota::per_minute(500)]));
    let now = world.now();
    let take = || (0..200).filter(|_| limiter.try_acquire(Order, now).is_ok()).count();
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(taken, 500);
}

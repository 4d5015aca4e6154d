//! The recent samples of a series: a ring that is written without a lock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::time::Duration;

/// Milliseconds since the metrics began.
#[derive(Debug, Clone)]
pub(super) enum Clock {
    Monotonic(Duration),
    #[cfg(test)]
    Virtual(std::sync::Arc<AtomicU64>),
}

impl Clock {
    pub(super) fn start() -> Self {
        Self::Monotonic(monotonic())
    }

    pub(super) fn millis(&self) -> u64 {
        match self {
            Self::Monotonic(start) => u64::try_from(monotonic().saturating_sub(*start).as_millis()).unwrap_or(u64::MAX),
            #[cfg(test)]
            Self::Virtual(millis) => millis.load(Ordering::Relaxed),
        }
    }
}

/// The kernel's coarse clock, a few milliseconds late at the most: the exact one would cost more than all the rest of recording.
#[cfg(target_os = "linux")]
fn monotonic() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
fn monotonic() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// The newest samples, as many as the options allow; each overwrites the oldest.
#[derive(Debug)]
pub(super) struct Samples {
    clock: Clock,
    pushed: AtomicUsize,
    /// A power of two of them, or none.
    slots: Box<[Slot]>,
}

#[derive(Debug, Default)]
struct Slot {
    /// One more than its milliseconds; 0 while there is nothing, or something is being written.
    time: AtomicU64,
    bits: AtomicU64,
}

impl Samples {
    /// With room for at least `wanted`; a power of two, so that no record divides.
    pub(super) fn new(wanted: usize, clock: Clock) -> Self {
        let slots = if wanted == 0 { 0 } else { wanted.next_power_of_two() };
        Self { clock, pushed: AtomicUsize::new(0), slots: (0..slots).map(|_| Slot::default()).collect() }
    }

    pub(super) fn push(&self, value: f64) {
        let at = self.pushed.fetch_add(1, Ordering::Relaxed) & self.slots.len().wrapping_sub(1);
        let Some(slot) = self.slots.get(at) else { return };
        slot.time.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        slot.bits.store(value.to_bits(), Ordering::Relaxed);
        slot.time.store(self.clock.millis() + 1, Ordering::Release);
    }

    /// Those of the last `window`, the oldest first: how long ago each was, and its value.
    pub(super) fn within(&self, window: Duration) -> Vec<(Duration, f64)> {
        let now = self.clock.millis();
        let newest = self.pushed.load(Ordering::Relaxed);
        let mask = self.slots.len().wrapping_sub(1);
        let read = |back: usize| {
            let slot = self.slots.get(newest.wrapping_sub(back) & mask)?;
            let time = slot.time.load(Ordering::Acquire);
            let bits = slot.bits.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            // One that is being written is as good as not there yet.
            let whole = time != 0 && slot.time.load(Ordering::Relaxed) == time;
            let age = Duration::from_millis(now.saturating_sub(time.saturating_sub(1)));
            (whole && age <= window).then(|| (age, f64::from_bits(bits)))
        };
        let mut samples: Vec<_> = (1..=self.slots.len()).rev().filter_map(read).collect();
        // Two threads may have taken their places in another order than their times.
        samples.sort_by(|(a, _), (b, _)| b.cmp(a));
        samples
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn samples(room: usize) -> (Samples, Arc<AtomicU64>) {
        let time = Arc::new(AtomicU64::new(0));
        (Samples::new(room, Clock::Virtual(Arc::clone(&time))), time)
    }

    const EVER: Duration = Duration::MAX;

    #[test]
    fn the_newest_are_kept_and_the_old_are_forgotten() {
        let (samples, time) = samples(3);
        assert_eq!(samples.within(EVER), []);
        for second in 0..6_u32 {
            time.store(u64::from(second) * 1000, Ordering::Relaxed);
            samples.push(f64::from(second));
        }
        let at = |age: u64, value: f64| (Duration::from_secs(age), value);
        assert_eq!(samples.within(EVER), [at(3, 2.0), at(2, 3.0), at(1, 4.0), at(0, 5.0)], "four: a power of two");
        assert_eq!(samples.within(Duration::from_secs(1)), [at(1, 4.0), at(0, 5.0)]);
        time.store(60_000, Ordering::Relaxed);
        assert_eq!(samples.within(Duration::from_secs(54)), []);
        assert_eq!(samples.within(Duration::from_secs(55)), [at(55, 5.0)]);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let (samples, _) = samples(0);
        samples.push(1.0);
        assert_eq!(samples.within(EVER), []);
    }

    #[test]
    fn what_is_read_while_others_write_was_written() {
        let (samples, time) = samples(8);
        let samples = &samples;
        let writer = |thread: u32| {
            let time = &time;
            move || {
                for n in 0..20_000_u32 {
                    time.store(u64::from(n), Ordering::Relaxed);
                    samples.push(f64::from(thread * 1_000_000 + n));
                }
            }
        };
        std::thread::scope(|scope| {
            let writers = [scope.spawn(writer(0)), scope.spawn(writer(1))];
            while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                for (_, value) in samples.within(EVER) {
                    assert!(value % 1_000_000.0 < 20_000.0 && value.fract() == 0.0, "{value}");
                }
            }
        });
        assert_eq!(samples.within(EVER).len(), 8);
    }
}

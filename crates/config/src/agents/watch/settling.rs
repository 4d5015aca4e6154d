//! When to look at the file, and when what was found counts.

use std::time::{Duration, Instant};

/// Pure: it is told the time and what was found.
pub(super) struct Settling<F> {
    interval: Duration,
    debounce: Duration,
    due: Instant,
    settled: Option<F>,
    candidate: Option<F>,
}

/// What a look has shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look<'f, F> {
    /// Nothing new.
    Same,
    /// Something new, which may not be complete yet.
    Moving,
    /// Something new, and it stays.
    Settled(&'f F),
}

impl<F: PartialEq> Settling<F> {
    pub(super) fn new(interval: Duration, debounce: Duration, now: Instant) -> Self {
        // Without a pause between two looks the thread would do nothing else.
        let at_least = Duration::from_millis(1);
        Self {
            interval: interval.max(at_least),
            debounce: debounce.max(at_least),
            due: now,
            settled: None,
            candidate: None,
        }
    }

    /// How long until the next look.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }

    /// Something may have happened. The look is delayed, so that a busy folder costs one look a `debounce`.
    pub(super) fn wake(&mut self, now: Instant) {
        self.due = self.due.min(now + self.debounce);
    }

    /// Takes what was found, and judges it new if it stays, or without waiting for that if `at_once`.
    pub(super) fn look(&mut self, found: F, at_once: bool, now: Instant) -> Look<'_, F> {
        self.due = now + self.interval;
        if self.settled.as_ref() == Some(&found) {
            self.candidate = None;
            return Look::Same;
        }
        if at_once || self.candidate.as_ref() == Some(&found) {
            self.candidate = None;
            return Look::Settled(self.settled.insert(found));
        }
        self.candidate = Some(found);
        self.due = now + self.debounce;
        Look::Moving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);
    const DEBOUNCE: Duration = Duration::from_millis(200);

    /// Looks whenever it is due, at what the file holds then; tells what counted, and when.
    #[track_caller]
    fn check(wakes: &[u64], contents: &[(u64, &'static str)], expected: &[(u64, &'static str)]) {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let content = |now| contents.iter().rfind(|(ms, _)| at(*ms) <= now).map_or("old", |(_, content)| content);
        let mut settling = Settling::new(INTERVAL, DEBOUNCE, begin);
        assert_eq!(settling.look("old", true, begin), Look::Settled(&"old"));
        let mut wakes = wakes.iter().copied().peekable();
        let (mut now, mut counted) = (begin, Vec::new());
        while now < at(20_000) {
            let wait = settling.wait(now);
            match wakes.next_if(|wake| !wait.is_zero() && at(*wake) <= now + wait) {
                Some(wake) => {
                    now = now.max(at(wake));
                    settling.wake(now);
                }
                None => {
                    now += wait;
                    if let Look::Settled(found) = settling.look(content(now), false, now) {
                        counted.push(((now - begin).as_millis().try_into().expect("small"), *found));
                    }
                }
            }
        }
        assert_eq!(counted, expected);
    }

    #[test]
    fn a_notified_change_counts_after_it_stayed() {
        check(&[1_000], &[(1_000, "new")], &[(1_400, "new")]);
    }

    #[test]
    fn a_change_that_nobody_notified_counts_after_the_interval() {
        check(&[], &[(1_000, "new")], &[(5_200, "new")]);
    }

    #[test]
    fn what_is_half_written_does_not_count() {
        check(&[1_000], &[(1_000, ""), (1_300, "n"), (1_500, "ne"), (1_700, "new")], &[(2_000, "new")]);
        check(&[1_000], &[(1_000, "new"), (1_300, "old")], &[]);
        check(&[1_000, 1_500], &[(1_000, "new"), (1_300, "old"), (1_500, "new")], &[(1_900, "new")]);
    }

    #[test]
    fn a_storm_of_notifications_neither_hurries_nor_starves_the_looks() {
        let storm: Vec<u64> = (1_000..4_000).collect();
        check(&storm, &[(1_000, "new")], &[(1_400, "new")]);
    }

    #[test]
    fn no_pause_is_shorter_than_a_millisecond() {
        let now = Instant::now();
        let mut settling = Settling::new(Duration::ZERO, Duration::ZERO, now);
        assert_eq!(settling.look(1, true, now), Look::Settled(&1));
        assert_eq!(settling.wait(now), Duration::from_millis(1));
        assert_eq!(settling.look(2, false, now), Look::Moving);
        assert_eq!(settling.wait(now), Duration::from_millis(1));
    }
}

//! The calls that were made, and whether there is room for another: arithmetic on given times, without clock or lock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::headers::RateHeaders;
use crate::limiter::{LimiterOptions, Priority, Quota};

/// A moment in nanoseconds from the ledger's own zero; below zero before it.
pub(super) type Moment = i64;

/// What the other side said is left.
#[derive(Debug, Clone, Copy)]
struct Told {
    remaining: u32,
    limit: u32,
    until: Moment,
}

/// What the other side said, as it outlives a process: for how long from now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    /// No call for this long; zero when calls are welcome.
    pub(super) blocked_for: Duration,
    /// What remains of which limit, and for how long.
    pub(super) told: Option<(u32, u32, Duration)>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    options: LimiterOptions,
    zero: Option<Instant>,
    /// When calls were made, oldest first; as many as the largest quota has.
    calls: VecDeque<Moment>,
    kept_max: usize,
    /// No call before this: the other side asked to be left alone.
    blocked_until: Option<Moment>,
    told: Option<Told>,
    /// How many wait, by priority.
    waiting: [u32; Priority::ALL.len()],
}

impl Ledger {
    pub(super) fn new(options: LimiterOptions) -> Self {
        let largest = options.quotas.iter().map(|quota| quota.calls).max().unwrap_or(0);
        let kept_max = usize::try_from(largest).unwrap_or(usize::MAX);
        Self {
            options,
            zero: None,
            calls: VecDeque::with_capacity(kept_max),
            kept_max,
            blocked_until: None,
            told: None,
            waiting: Default::default(),
        }
    }

    pub(super) fn options(&self) -> &LimiterOptions {
        &self.options
    }

    pub(super) fn moment(&mut self, now: Instant) -> Moment {
        let zero = *self.zero.get_or_insert(now);
        match now.checked_duration_since(zero) {
            Some(since) => nanos(since),
            None => -nanos(zero.duration_since(now)),
        }
    }

    /// Notes a call at `now` if there is room for it, else says how long there will be none.
    ///
    /// Who `waits` already goes before those of its priority that come now.
    pub(super) fn take(&mut self, priority: Priority, waits: bool, now: Moment) -> Result<Moment, Duration> {
        let ahead = self.ahead(priority, waits);
        let wait = self.wait(priority, ahead, now);
        if wait > 0 {
            return Err(Duration::from_nanos(wait.unsigned_abs()));
        }
        let at = self.calls.back().map_or(now, |last| now.max(*last));
        if self.calls.len() >= self.kept_max {
            self.calls.pop_front();
        }
        self.calls.push_back(at);
        if let Some(told) = &mut self.told {
            told.remaining = told.remaining.saturating_sub(1);
        }
        Ok(at)
    }

    /// Takes back a call that was not made.
    pub(super) fn give_back(&mut self, at: Moment) {
        if let Some(index) = self.calls.iter().rposition(|call| *call == at) {
            self.calls.remove(index);
            if let Some(told) = &mut self.told {
                told.remaining = told.remaining.saturating_add(1);
            }
        }
    }

    pub(super) fn wait_begins(&mut self, priority: Priority) {
        if let Some(count) = self.waiting.get_mut(priority.rank()) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn wait_ends(&mut self, priority: Priority) {
        if let Some(count) = self.waiting.get_mut(priority.rank()) {
            *count = count.saturating_sub(1);
        }
    }

    fn ahead(&self, priority: Priority, waits: bool) -> u32 {
        let ranks = if waits { priority.rank() } else { priority.rank() + 1 };
        self.waiting.iter().take(ranks).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How long there is no room for one more call; 0 or below when there is.
    fn wait(&self, priority: Priority, ahead: u32, now: Moment) -> Moment {
        let of_quota = |quota: &Quota| {
            let period = nanos(quota.per);
            let usable = quota.calls.saturating_sub(self.options.reserved(priority, quota.calls)).saturating_sub(ahead);
            let usable = usize::try_from(usable).unwrap_or(usize::MAX);
            let Some(index) = self.calls.len().checked_sub(usable.max(1)) else {
                // There were few calls. But all the room may be for those who wait.
                return if usable == 0 { period / i64::from(quota.calls.max(1)) } else { 0 };
            };
            // A call is allowed when the one `usable` calls before it has left the window.
            let leaves = self.calls.get(index).map_or(now, |call| call.saturating_add(period));
            if usable == 0 { (leaves - now).max(period / i64::from(quota.calls.max(1))) } else { leaves - now }
        };
        let of_quotas = self.options.quotas.iter().map(of_quota).max().unwrap_or(0);
        let blocked = self.blocked_until.map_or(0, |until| until - now);
        let told = match self.told {
            Some(Told { remaining, limit, until })
                if remaining <= self.options.reserved(priority, limit).saturating_add(ahead) =>
            {
                until - now
            }
            _ => 0,
        };
        of_quotas.max(blocked).max(told)
    }

    /// Takes in what an answer said. It is believed for the longest period of the quotas at most. Tells whether the answer
    /// said anything.
    pub(super) fn learn(&mut self, headers: &RateHeaders, now: Moment) -> bool {
        let longest = self.options.quotas.iter().map(|quota| quota.per).max().unwrap_or_default();
        let until = |after: Duration| now.saturating_add(nanos(after.min(longest)));
        // An end alone, as it comes with every answer, holds nothing back.
        let spent = headers.retry_after.is_some() || headers.remaining == Some(0);
        let blocked = headers.come_back_after().filter(|_| spent);
        if let Some(after) = blocked {
            self.blocked_until = self.blocked_until.max(Some(until(after)));
        }
        let Some((remaining, after)) = headers.remaining.zip(headers.reset_after) else {
            return blocked.is_some();
        };
        let heard = Told { remaining, limit: headers.limit.unwrap_or(remaining), until: until(after) };
        self.told = match self.told {
            // Answers overtake each other: within one window the lower number is the later one. A second of difference
            // between two ends is the rounding of one.
            Some(told)
                if told.until > now && heard.until <= told.until.saturating_add(nanos(Duration::from_secs(1))) =>
            {
                Some(Told { remaining: told.remaining.min(remaining), ..told })
            }
            _ => Some(heard),
        };
        true
    }

    /// How many calls each quota's window holds at `now`, and for how long the other side wants no call.
    pub(super) fn used(&self, quota: &Quota, now: Moment) -> u32 {
        let since = now.saturating_sub(nanos(quota.per));
        let recent = self.calls.iter().rev().take_while(|call| **call > since).count();
        u32::try_from(recent).unwrap_or(u32::MAX)
    }

    /// What the other side said and still holds at `now`.
    pub(super) fn heard(&self, now: Moment) -> Heard {
        let left = |until: Moment| Duration::from_nanos(until.saturating_sub(now).max(0).unsigned_abs());
        Heard {
            blocked_for: self.blocked_until.map_or(Duration::ZERO, left),
            told: self.told.filter(|told| told.until > now).map(|told| (told.remaining, told.limit, left(told.until))),
        }
    }

    /// The calls that still count, as how long ago each was, oldest first.
    pub(super) fn ages(&self, now: Moment) -> impl Iterator<Item = Duration> {
        self.calls.iter().map(move |call| Duration::from_nanos((now - call).max(0).unsigned_abs()))
    }

    /// Adds calls that an earlier process made, and what it was told; that is believed for the longest period of the quotas
    /// at most.
    pub(super) fn restore(&mut self, ages: impl Iterator<Item = Duration>, heard: Heard, now: Moment) {
        let longest = self.options.quotas.iter().map(|quota| quota.per).max().unwrap_or_default();
        let until = |after: Duration| now.saturating_add(nanos(after.min(longest)));
        let mut calls: Vec<Moment> =
            ages.map(|age| now.saturating_sub(nanos(age))).chain(self.calls.drain(..)).collect();
        calls.sort_unstable();
        let surplus = calls.len().saturating_sub(self.kept_max);
        self.calls.extend(calls.into_iter().skip(surplus));
        if !heard.blocked_for.is_zero() {
            self.blocked_until = self.blocked_until.max(Some(until(heard.blocked_for)));
        }
        if let Some((remaining, limit, after)) = heard.told
            // What this process was told itself is newer.
            && self.told.is_none()
        {
            self.told = Some(Told { remaining, limit, until: until(after) });
        }
    }
}

fn nanos(duration: Duration) -> Moment {
    Moment::try_from(duration.as_nanos()).unwrap_or(Moment::MAX)
}

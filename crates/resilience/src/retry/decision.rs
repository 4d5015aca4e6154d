//! What to do after a failed attempt: the rules of retrying, without clock, sleep or call, shared by all drivers.

use std::time::Duration;

use crate::class::Class;
use crate::retry::{Delays, Policy, Reason};

/// Why there is no further attempt, and when one would make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) reason: Reason,
    pub(super) come_back_after: Option<Duration>,
}

/// The state of one retry from its first failure on.
#[derive(Debug)]
pub(super) struct Decisions {
    delays: Delays,
    cap: Duration,
    deadline: Option<Duration>,
    keyed: bool,
    unknown: bool,
}

impl Decisions {
    pub(super) fn new(policy: &Policy, keyed: bool, seed: u64) -> Self {
        Self { delays: policy.delays(seed), cap: policy.cap, deadline: policy.deadline, keyed, unknown: false }
    }

    /// Judges a failed attempt, `elapsed` after the start of the first: how long to wait for the next one, at least as long
    /// as `asked`. `veto` is asked last, when nothing else speaks against it: it may spend something.
    pub(super) fn after(
        &mut self,
        class: Class,
        asked: Option<Duration>,
        elapsed: Duration,
        veto: impl FnOnce() -> Option<Reason>,
    ) -> Result<Duration, Verdict> {
        match class {
            Class::Transient | Class::RateLimited { .. } => {}
            Class::Unknown => {
                self.unknown = true;
                if !self.keyed {
                    return give_up(Reason::NoKey, asked);
                }
            }
            Class::Permanent => return give_up(Reason::Permanent, None),
        }
        let Some(delay) = self.delays.next() else {
            return give_up(Reason::AttemptsUsed, asked);
        };
        let wanted = asked.map_or(delay, |asked| asked.max(delay));
        let wait = wanted.min(self.cap);
        if !self.may_start(elapsed.saturating_add(wait)) {
            return give_up(Reason::Deadline, Some(wanted));
        }
        match veto() {
            Some(reason) => give_up(reason, asked),
            None => Ok(wait),
        }
    }

    /// Tells whether an attempt may start this long after the first: asked again after a wait, which may have been
    /// longer than ordered.
    pub(super) fn may_start(&self, elapsed: Duration) -> bool {
        self.deadline.is_none_or(|deadline| elapsed < deadline)
    }

    pub(super) fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_sub(elapsed))
    }

    /// Returns the class of the whole retry. Once an attempt may have succeeded unseen, no later failure takes that
    /// back: a refused connection says nothing about the order that timed out before it.
    pub(super) fn class_of_all(&self, last: Class) -> Class {
        if self.unknown { Class::Unknown } else { last }
    }
}

fn give_up(reason: Reason, come_back_after: Option<Duration>) -> Result<Duration, Verdict> {
    Err(Verdict { reason, come_back_after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Jitter;

    const POLICY: Policy = Policy {
        attempts_max: 3,
        base: secs(1),
        factor: 2.0,
        cap: secs(10),
        jitter: Jitter::None,
        deadline: Some(secs(20)),
    };

    const TOLD: fn(u64) -> Class = |seconds| Class::RateLimited { retry_after: Some(secs(seconds)) };

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn asked(class: Class) -> Option<Duration> {
        match class {
            Class::RateLimited { retry_after } => retry_after,
            Class::Transient | Class::Unknown | Class::Permanent => None,
        }
    }

    #[track_caller]
    fn check(keyed: bool, class: Class, elapsed: u64, expected: Result<Duration, Verdict>) {
        let decided = Decisions::new(&POLICY, keyed, 0).after(class, asked(class), secs(elapsed), || None);
        assert_eq!(decided, expected);
    }

    #[test]
    fn an_unknown_outcome_may_come_with_a_wish() {
        let decide = |keyed| Decisions::new(&POLICY, keyed, 0).after(Class::Unknown, Some(secs(7)), secs(0), || None);
        assert_eq!((decide(true), decide(false)), (Ok(secs(7)), give_up(Reason::NoKey, Some(secs(7)))));
    }

    #[test]
    fn each_class_has_its_rule() {
        check(false, Class::Transient, 0, Ok(secs(1)));
        check(false, Class::RateLimited { retry_after: None }, 0, Ok(secs(1)));
        check(false, Class::Unknown, 0, give_up(Reason::NoKey, None));
        check(true, Class::Unknown, 0, Ok(secs(1)));
        check(false, Class::Permanent, 0, give_up(Reason::Permanent, None));
        check(true, Class::Permanent, 0, give_up(Reason::Permanent, None));
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_up_to_the_cap() {
        check(false, TOLD(0), 0, Ok(secs(1)));
        check(false, TOLD(1), 0, Ok(secs(1)));
        check(false, TOLD(7), 0, Ok(secs(7)));
        check(false, TOLD(10), 0, Ok(secs(10)));
        check(false, TOLD(11), 0, Ok(secs(10)));
        check(false, TOLD(u64::MAX), 0, Ok(secs(10)));
    }

    #[test]
    fn a_wait_to_the_deadline_is_not_begun() {
        check(false, Class::Transient, 18, Ok(secs(1)));
        check(false, Class::Transient, 19, give_up(Reason::Deadline, Some(secs(1))));
        check(false, TOLD(7), 12, Ok(secs(7)));
        check(false, TOLD(7), 13, give_up(Reason::Deadline, Some(secs(7))));
        // When to come back is what the server said, not what the cap made of it.
        check(false, TOLD(300), 15, give_up(Reason::Deadline, Some(secs(300))));
        check(false, Class::Transient, u64::MAX, give_up(Reason::Deadline, Some(secs(1))));
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        let mut decisions = Decisions::new(&POLICY, false, 0);
        assert_eq!(decisions.after(Class::Transient, asked(Class::Transient), secs(0), || None), Ok(secs(1)));
        assert_eq!(decisions.after(Class::Transient, asked(Class::Transient), secs(1), || None), Ok(secs(2)));
        assert_eq!(
            decisions.after(TOLD(5), asked(TOLD(5)), secs(3), || None),
            give_up(Reason::AttemptsUsed, Some(secs(5)))
        );
    }

    #[test]
    fn what_may_have_happened_stays_so() {
        let mut decisions = Decisions::new(&POLICY, true, 0);
        assert_eq!(decisions.class_of_all(Class::Transient), Class::Transient);
        assert_eq!(decisions.after(Class::Unknown, asked(Class::Unknown), secs(0), || None), Ok(secs(1)));
        assert_eq!(decisions.after(Class::Transient, asked(Class::Transient), secs(1), || None), Ok(secs(2)));
        assert_eq!(decisions.class_of_all(Class::Transient), Class::Unknown);
        assert_eq!(decisions.class_of_all(Class::Permanent), Class::Unknown);
    }

    #[test]
    fn a_veto_is_asked_only_when_there_would_be_another_attempt() {
        let veto = || Some(Reason::Declined);
        let decide = |class, elapsed| Decisions::new(&POLICY, false, 0).after(class, asked(class), secs(elapsed), veto);
        assert_eq!(decide(Class::Transient, 0), give_up(Reason::Declined, None));
        assert_eq!(decide(TOLD(5), 0), give_up(Reason::Declined, Some(secs(5))));
        assert_eq!(decide(Class::Permanent, 0), give_up(Reason::Permanent, None));
        assert_eq!(decide(Class::Unknown, 0), give_up(Reason::NoKey, None));
        assert_eq!(decide(Class::Transient, 19), give_up(Reason::Deadline, Some(secs(1))));
        let mut last = Decisions::new(&Policy { attempts_max: 1, ..POLICY }, false, 0);
        assert_eq!(
            last.after(Class::Transient, asked(Class::Transient), secs(0), veto),
            give_up(Reason::AttemptsUsed, None)
        );
    }
}

//! What a connection is doing: told by its socket and its service, read by whoever ends the slow ones.
//!
//! There is no clock here, for it would cost as much as the rest of a small answer: who looks has one, and sees that nothing
//! has begun since it looked before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// The rest of a header, or the first one.
    Head,
    /// The next request.
    Idle,
    /// The client to take its answer.
    Writing,
    /// Our answer.
    Answering,
}

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How often something was begun, and in the lowest two bits what: one word, so that both change at once.
    state: AtomicU64,
    /// No further request is to be read.
    pub(super) finish: Notify,
    /// The client has sent something.
    pub(super) heard: AtomicBool,
    /// The header had a line that ends in a bare LF.
    pub(super) bare_lf: AtomicBool,
}

/// The state of a moment: another one means that something has begun in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(u64);

// Relaxed throughout: the word stands for itself, and one task writes it.
impl Pace {
    pub(super) fn begins(&self, doing: Doing) {
        let begun = (self.state.load(Ordering::Relaxed) >> 2).wrapping_add(1);
        self.state.store(begun << 2 | doing as u64, Ordering::Relaxed);
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.state.load(Ordering::Relaxed))
    }

    /// A request is under way, from its first byte to the last of its answer.
    pub(super) fn has_request(&self) -> bool {
        match self.moment().doing() {
            Doing::Head => self.heard.load(Ordering::Relaxed),
            Doing::Idle => false,
            Doing::Writing | Doing::Answering => true,
        }
    }
}

impl Moment {
    pub(super) fn doing(self) -> Doing {
        match self.0 & 3 {
            0 => Doing::Head,
            1 => Doing::Idle,
            2 => Doing::Writing,
            _ => Doing::Answering,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_beginning_is_another_moment() {
        let pace = Pace::default();
        assert_eq!(pace.moment().doing(), Doing::Head);
        for doing in [Doing::Head, Doing::Answering, Doing::Writing, Doing::Idle, Doing::Idle] {
            let before = pace.moment();
            pace.begins(doing);
            assert_ne!(pace.moment(), before);
            assert_eq!(pace.moment().doing(), doing);
        }
    }
}

//! Where the program is between its start and its end, and whether it should be given work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::{ComponentReport, Report};

/// Where the program is between its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is being put together.
    Starting,
    /// It does its work.
    Running,
    /// It is being taken apart.
    Stopping,
}

impl Phase {
    /// The word used in JSON: `starting`, `running` or `stopping`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
        }
    }
}

/// Tells the server which phase the program is in; clones share it. It starts in [`Phase::Starting`].
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    // The phase's place in the order of `Phase`.
    phase: Arc<AtomicU8>,
}

impl Lifecycle {
    /// Moves on to a later phase. There is no way back: an earlier one changes nothing, so that a late `Running` of one
    /// thread cannot undo the `Stopping` of another.
    pub fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Running,
            _ => Phase::Stopping,
        }
    }
}

/// Says why the program should be given no work now; empty when it should. It should while it is running and every
/// critical check is healthy or degraded.
pub(crate) fn reasons_against(phase: Phase, health: &Report) -> Vec<String> {
    let mut reasons = Vec::new();
    if phase != Phase::Running {
        reasons.push(format!("the program is {}", phase.as_str()));
    }
    for component in health.components.iter().filter(|component| component.critical && !component.status.works()) {
        let ComponentReport { name, status, message, .. } = component;
        reasons.push(format!("{name} is {status}: {message}"));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_only_go_forward() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.phase(), Phase::Starting);
        lifecycle.clone().advance(Phase::Running);
        assert_eq!(lifecycle.phase(), Phase::Running);
        lifecycle.advance(Phase::Stopping);
        lifecycle.advance(Phase::Running);
        assert_eq!(lifecycle.phase(), Phase::Stopping);
    }
}

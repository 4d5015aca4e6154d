//! What the checks have found, as a snapshot.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::Status;

/// How well the whole is, and each of its components.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The verdict on the whole:
    ///
    /// - unhealthy, when a critical component is unhealthy, or was looked at and is still unknown;
    /// - unknown, when a critical one has not been looked at yet and still has time to be;
    /// - degraded, when a critical one is degraded or another one is anything but healthy;
    /// - healthy otherwise, and so also without any check.
    pub status: Status,
    /// The components, in the order in which the checks were given.
    pub components: Vec<ComponentReport>,
}

/// How well one component is.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentReport {
    /// The check's name.
    pub name: String,
    /// How well it is. Before its first result [`Status::Unknown`]; while a look is longer than its time-out
    /// [`Status::Unhealthy`].
    pub status: Status,
    /// A sentence for people.
    pub message: String,
    /// Figures and texts for programs; empty while there is no result.
    pub details: Map<String, Value>,
    /// Whether the whole is unhealthy when this one is.
    pub critical: bool,
    /// When the last look ended; `None` before the first did.
    pub checked_at: Option<DateTime<Utc>>,
    /// The time since then, by the monotonic clock.
    pub age: Option<Duration>,
    /// How long the last look took; while a look is longer than its time-out, how long it has taken so far.
    pub duration: Option<Duration>,
}

/// A result of a check, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// When the look ended.
    pub time: DateTime<Utc>,
    /// What was found, which may not have counted yet: see [`Check::failures`](crate::Check::failures).
    pub status: Status,
    /// A sentence for people.
    pub message: String,
    /// How long the look took.
    pub duration: Duration,
}

/// A component whose status has changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// When it was seen.
    pub time: DateTime<Utc>,
    /// The check's name.
    pub component: String,
    /// What it was; [`Status::Healthy`] before the first result.
    pub from: Status,
    /// What it is.
    pub to: Status,
    /// A sentence for people.
    pub message: String,
    /// Whether the whole is unhealthy when this one is.
    pub critical: bool,
    /// Figures and texts for programs.
    pub details: Map<String, Value>,
}

impl Report {
    pub(super) fn new(components: Vec<ComponentReport>) -> Self {
        Self { status: overall(&components), components }
    }

    /// The component of that name.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&ComponentReport> {
        self.components.iter().find(|component| component.name == name)
    }
}

fn overall(components: &[ComponentReport]) -> Status {
    let mut overall = Status::Healthy;
    for component in components {
        let verdict = match (component.critical, component.status) {
            (_, Status::Healthy) => continue,
            (true, Status::Unhealthy) => return Status::Unhealthy,
            (true, Status::Unknown) if component.checked_at.is_some() => return Status::Unhealthy,
            (true, Status::Unknown) => Status::Unknown,
            (true, Status::Degraded) | (false, _) => Status::Degraded,
        };
        if overall != Status::Unknown {
            overall = verdict;
        }
    }
    overall
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(critical: bool, status: Status, checked: bool) -> ComponentReport {
        ComponentReport {
            name: "some".into(),
            status,
            message: String::new(),
            details: Map::new(),
            critical,
            checked_at: checked.then(Utc::now),
            age: None,
            duration: None,
        }
    }

    #[track_caller]
    fn check(components: &[ComponentReport], expected: Status) {
        assert_eq!(overall(components), expected);
        let reversed: Vec<_> = components.iter().rev().cloned().collect();
        assert_eq!(overall(&reversed), expected, "whatever the order");
    }

    #[test]
    fn the_whole_is_as_well_as_its_critical_components() {
        let well = component(true, Status::Healthy, true);
        check(&[], Status::Healthy);
        check(std::slice::from_ref(&well), Status::Healthy);
        check(&[well.clone(), component(true, Status::Degraded, true)], Status::Degraded);
        check(&[well.clone(), component(true, Status::Unhealthy, true)], Status::Unhealthy);
        check(&[component(true, Status::Degraded, true), component(true, Status::Unhealthy, true)], Status::Unhealthy);
    }

    #[test]
    fn a_component_that_is_not_critical_only_degrades_the_whole() {
        let well = component(true, Status::Healthy, true);
        for status in [Status::Degraded, Status::Unhealthy, Status::Unknown] {
            check(&[well.clone(), component(false, status, true)], Status::Degraded);
        }
    }

    #[test]
    fn a_critical_component_may_be_unknown_only_until_its_first_result() {
        let pending = component(true, Status::Unknown, false);
        check(&[component(true, Status::Healthy, true), pending.clone()], Status::Unknown);
        check(&[component(false, Status::Unhealthy, true), pending.clone()], Status::Unknown);
        check(&[component(true, Status::Unhealthy, true), pending], Status::Unhealthy);
        check(&[component(true, Status::Unknown, true)], Status::Unhealthy);
    }
}

//! Which series there are, and whether there is room for one more.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::MetricsOptions;
use super::instrument::{Counter, Gauge, Instrument, Timing};

/// The series of each name of one kind, by their labels as rendered.
pub(super) type Families<T> = BTreeMap<String, BTreeMap<String, T>>;

const OVERFLOW: &str = "overflow=\"true\"";

#[derive(Debug)]
pub(super) struct Registry {
    options: MetricsOptions,
    series: usize,
    /// Each name that is rendered.
    claimed: HashSet<String>,
    help: HashMap<&'static str, &'static str>,
    pub(super) tables: Tables,
}

/// A table a kind, so that a handle's type follows from where it is found.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) counters: Families<Counter>,
    pub(super) gauges: Families<Gauge>,
    pub(super) timings: Families<Timing>,
}

/// What became of a call for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Admitted,
    TooMany,
    TooLong,
    OtherKind,
}

impl Registry {
    pub(super) fn new(options: MetricsOptions) -> Self {
        Self { options, series: 0, claimed: HashSet::new(), help: HashMap::new(), tables: Tables::default() }
    }

    pub(super) fn describe(&mut self, name: &'static str, help: &'static str) {
        self.help.insert(name, help);
    }

    pub(super) fn help(&self, name: &str) -> Option<&'static str> {
        self.help.get(name).copied()
    }

    pub(super) fn get<T: Instrument>(&self, name: &str, labels: &str) -> Option<T> {
        T::families(&self.tables).get(name)?.get(labels).cloned()
    }

    /// Finds or makes the series. Without room it is the name's overflow; without even the name, one that nobody sees.
    pub(super) fn admit<T: Instrument>(&mut self, name: &str, labels: &str) -> (T, Verdict) {
        if let Some(found) = self.get(name, labels) {
            return (found, Verdict::Admitted);
        }
        let known = T::families(&self.tables).contains_key(name);
        let verdict = if !known && self.is_claimed::<T>(name) {
            Verdict::OtherKind
        } else if name.len() + labels.len() > self.options.series_bytes_max {
            Verdict::TooLong
        } else if self.series >= self.options.series_max {
            Verdict::TooMany
        } else {
            Verdict::Admitted
        };
        let series = match verdict {
            Verdict::Admitted => self.insert(name, labels),
            // One a name at most, so that the whole stays bounded.
            Verdict::TooMany | Verdict::TooLong if known => self.insert(name, OVERFLOW),
            Verdict::TooMany | Verdict::TooLong | Verdict::OtherKind => None,
        };
        (series.unwrap_or_default(), verdict)
    }

    /// Makes the series if it is not there, whatever room there is; `None` when the name is another metric's.
    pub(super) fn insert<T: Instrument>(&mut self, name: &str, labels: &str) -> Option<T> {
        if !T::families(&self.tables).contains_key(name) {
            if self.is_claimed::<T>(name) {
                return None;
            }
            self.claimed.extend(T::RENDERED.iter().map(|ending| format!("{name}{ending}")));
        }
        let family = T::families_mut(&mut self.tables).entry(name.to_owned()).or_default();
        if !family.contains_key(labels) {
            self.series += 1;
        }
        Some(family.entry(labels.to_owned()).or_default().clone())
    }

    fn is_claimed<T: Instrument>(&self, name: &str) -> bool {
        T::RENDERED.iter().any(|ending| self.claimed.contains(&format!("{name}{ending}")))
    }
}

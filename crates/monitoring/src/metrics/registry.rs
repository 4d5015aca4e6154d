//! Which series there are, and whether there is room for one more.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::MetricsOptions;
use super::distribution::Distribution;
use super::instrument::{Counter, Gauge, Instrument, Timing};
use super::samples::Clock;
use super::summary::{Kind, Raw};

/// The series of each name of one kind, by their labels as rendered.
pub(super) type Families<T> = BTreeMap<String, BTreeMap<String, T>>;

const OVERFLOW: &str = "overflow=\"true\"";

/// How long a description may be; the rest is cut off.
const HELP_BYTES_MAX: usize = 1_024;

/// What is said of a name.
#[derive(Debug, Default, Clone)]
pub(super) struct Described {
    pub(super) help: Cow<'static, str>,
    /// How many seconds one of its unit has, where that is one of time.
    #[cfg(feature = "facade")]
    pub(super) seconds: Option<f64>,
}

#[derive(Debug)]
pub(super) struct Registry {
    options: MetricsOptions,
    clock: Clock,
    series: usize,
    /// Each name that is rendered.
    claimed: HashSet<String>,
    described: HashMap<String, Described>,
    pub(super) tables: Tables,
}

/// A table a kind, so that a handle's type follows from where it is found.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) counters: Families<Counter>,
    pub(super) gauges: Families<Gauge>,
    pub(super) timings: Families<Timing>,
    pub(super) distributions: Families<Distribution>,
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
    pub(super) fn new(options: MetricsOptions, clock: Clock) -> Self {
        let (claimed, described) = (HashSet::new(), HashMap::new());
        Self { options, clock, series: 0, claimed, described, tables: Tables::default() }
    }

    /// What is said of a name, to be changed. What there is no room for is forgotten: a name too long, or one too many.
    pub(super) fn describe(&mut self, name: &str, change: impl FnOnce(&mut Described)) {
        let has_room = self.described.len() < self.options.series_max && name.len() <= self.options.series_bytes_max;
        if let Some(known) = self.described.get_mut(name) {
            change(known);
        } else if has_room {
            change(self.described.entry(name.to_owned()).or_default());
        }
    }

    pub(super) fn described(&self, name: &str) -> Option<&Described> {
        self.described.get(name)
    }

    pub(super) fn help(&self, name: &str) -> Option<&Cow<'static, str>> {
        self.described(name).map(|described| &described.help).filter(|help| !help.is_empty())
    }

    /// Tells of each name its kind, and how many series it has.
    pub(super) fn each_family<'r>(&'r self, mut tell: impl FnMut(&'r str, Kind, usize)) {
        fn all<'r, T: Instrument + 'r>(tables: &'r Tables, tell: &mut impl FnMut(&'r str, Kind, usize)) {
            T::families(tables).iter().for_each(|(name, family)| tell(name, T::KIND, family.len()));
        }
        all::<Counter>(&self.tables, &mut tell);
        all::<Gauge>(&self.tables, &mut tell);
        all::<Timing>(&self.tables, &mut tell);
        all::<Distribution>(&self.tables, &mut tell);
    }

    /// What each series of a name has to tell, by its labels as rendered.
    pub(super) fn raw(&self, name: &str, window: Duration) -> Option<(Kind, Vec<(String, Raw)>)> {
        fn of<T: Instrument>(tables: &Tables, name: &str, window: Duration) -> Option<(Kind, Vec<(String, Raw)>)> {
            let family = T::families(tables).get(name)?;
            let series = family.iter().map(|(labels, series)| (labels.clone(), series.raw(window)));
            Some((T::KIND, series.collect()))
        }
        let tables = &self.tables;
        let counter = || of::<Counter>(tables, name, window);
        let gauge = || of::<Gauge>(tables, name, window);
        let timing = || of::<Timing>(tables, name, window);
        counter().or_else(gauge).or_else(timing).or_else(|| of::<Distribution>(tables, name, window))
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
        (series.unwrap_or_else(|| T::new(0, self.clock.clone())), verdict)
    }

    /// Makes the series if it is not there, whatever room there is; `None` when the name is another metric's.
    pub(super) fn insert<T: Instrument>(&mut self, name: &str, labels: &str) -> Option<T> {
        if !T::families(&self.tables).contains_key(name) {
            if self.is_claimed::<T>(name) {
                return None;
            }
            self.claimed.extend(names::<T>(name));
        }
        let family = T::families_mut(&mut self.tables).entry(name.to_owned()).or_default();
        if !family.contains_key(labels) {
            self.series += 1;
        }
        let make = || T::new(self.options.samples_max, self.clock.clone());
        Some(family.entry(labels.to_owned()).or_insert_with(make).clone())
    }

    fn is_claimed<T: Instrument>(&self, name: &str) -> bool {
        names::<T>(name).any(|name| self.claimed.contains(&name))
    }
}

/// Each name under which a metric is rendered in one of the formats.
fn names<T: Instrument>(name: &str) -> impl Iterator<Item = String> {
    T::RENDERED.iter().map(move |ending| format!("{name}{ending}")).chain([T::base(name).to_owned()])
}

/// Cut at a character's end.
pub(super) fn shortened(help: Cow<'static, str>) -> Cow<'static, str> {
    if help.len() <= HELP_BYTES_MAX {
        return help;
    }
    let end = help.floor_char_boundary(HELP_BYTES_MAX);
    Cow::Owned(help.get(..end).unwrap_or_default().to_owned())
}

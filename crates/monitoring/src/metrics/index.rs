//! Finds a series by its name and labels, for those who record by name.
//!
//! One lock for all would be one place in memory that every thread writes to, even to read: so there are many, and series of
//! different hashes seldom share one.

use std::hash::BuildHasher as _;
use std::sync::{PoisonError, RwLock};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::distribution::Distribution;
use super::instrument::{Counter, Gauge, Instrument, Timing};

const SHARDS: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Index {
    // Seeded, and three times as fast as that of `std`; whoever still makes keys collide finds that series are few.
    hasher: DefaultHashBuilder,
    shards: [Shard; SHARDS],
}

/// In cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(RwLock<HashTable<Entry>>);

#[derive(Debug)]
struct Entry {
    key: Box<str>,
    series: AnySeries,
}

/// A handle of one of the kinds.
#[derive(Debug)]
pub(super) enum AnySeries {
    Counter(Counter),
    Gauge(Gauge),
    Timing(Timing),
    Distribution(Distribution),
}

impl Index {
    /// The series of a key, which is as [`super::name::key`] makes it; `None` where there is none of this kind.
    pub(super) fn get<T: Instrument>(&self, key: &str) -> Option<T> {
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(hash).read().unwrap_or_else(PoisonError::into_inner);
        T::of(&shard.find(hash, |entry| *entry.key == *key)?.series).cloned()
    }

    pub(super) fn insert<T: Instrument>(&self, key: &str, series: &T) {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been quicker.
        if shard.find(hash, |entry| *entry.key == *key).is_none() {
            let entry = Entry { key: key.into(), series: series.clone().into_any() };
            shard.insert_unique(hash, entry, |entry| self.hasher.hash_one(&*entry.key));
        }
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Entry>> {
        // Not the bits that the table itself goes by first.
        let place = usize::try_from(hash >> 32).unwrap_or_default() % SHARDS;
        &self.shards.get(place).expect("a remainder is below what it is of").0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::samples::Clock;

    #[test]
    fn each_of_many_is_found_as_what_it_is() {
        let index = Index::default();
        let counters: Vec<Counter> = (0..2_000).map(|_| Counter::new(0, Clock::start())).collect();
        for (number, counter) in counters.iter().enumerate() {
            index.insert(&number.to_string(), counter);
            counter.increment(number as u64);
        }
        for number in 0..2_000 {
            let found = index.get::<Counter>(&number.to_string()).map(|counter| counter.value());
            assert_eq!(found, Some(number));
        }
        assert!(index.get::<Gauge>("7").is_none() && index.get::<Counter>("2000").is_none());
    }
}

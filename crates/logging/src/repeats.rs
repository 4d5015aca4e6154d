//! Identical lines that come too often, folded into one that says how many they were.

use std::{hash::BuildHasher, iter, mem, num::NonZeroU32};

use crate::{
    line::{Lines, Time},
    options::Options,
    queue::Entry,
};

/// How many different lines are watched at once, in sets that are searched whole. Arbitrary: a program in trouble repeats few.
const WATCHED: usize = SETS * WAYS;
const SETS: usize = 16;
const WAYS: usize = 4;

/// How many folded lines may wait for the writer. Beyond, nothing new is folded.
const DUE_MAX: usize = 256;

/// The longest line whose buffers are kept for the next one. Arbitrary: a few times an ordinary line.
const SPARE_BYTES_MAX: usize = 4_096;

/// How long the limit holds for, in microseconds.
const WINDOW: u64 = 1_000_000;

/// A line that was not written, and how often.
#[derive(Debug)]
pub(crate) struct Folded {
    pub(crate) entry: Entry,
    pub(crate) lines: Lines,
    pub(crate) count: u64,
}

/// Tells identical lines by a number.
#[derive(Debug)]
pub(crate) struct Identities {
    seed: u64,
}

impl Identities {
    /// The numbers differ from process to process, so that nobody can write a line that passes for another.
    pub(crate) fn new() -> Self {
        Self { seed: std::hash::RandomState::new().hash_one(()) | 1 }
    }

    /// By hand, because the hasher of the standard library takes as long as all the rest of a line.
    pub(crate) fn of(&self, text: &str) -> u64 {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, word: u64| {
            let product = (hash ^ word).wrapping_mul(FACTOR);
            product ^ product.rotate_right(29)
        };
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        let hash = words.iter().fold(self.seed, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        let hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte) + 1));
        mix(hash, self.seed)
    }
}

/// One line that is watched; of an empty place, the count is 0.
#[derive(Debug, Default)]
struct Watched {
    identity: u64,
    since: Time,
    count: u32,
    folded: Option<Folded>,
}

/// The lines that are watched, and those that are to be told.
#[derive(Debug)]
pub(crate) struct Repeats {
    max: Option<NonZeroU32>,
    watched: [[Watched; WAYS]; SETS],
    due: Vec<Folded>,
    /// Buffers for what is folded, so that no caller has to make one.
    spare: Vec<Lines>,
    /// The bytes of the lines that were folded and not yet told. Where there is no room for one, it is written.
    held: usize,
    held_max: usize,
}

impl Repeats {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            max: options.repeats_max,
            watched: Default::default(),
            due: Vec::with_capacity(DUE_MAX),
            spare: iter::repeat_with(Lines::with_room).take(WATCHED).collect(),
            held: 0,
            held_max: options.queue_bytes,
        }
    }

    /// Whether a line is to be written; else it was folded.
    pub(crate) fn admit(&mut self, entry: &Entry, lines: &Lines) -> bool {
        let (Some(max), Some(identity)) = (self.max, entry.identity) else { return true };
        let set = usize::try_from(identity).unwrap_or(usize::MAX) % SETS;
        let Some(set) = self.watched.get_mut(set) else { return true };
        let same = set.iter().position(|watched| watched.identity == identity);
        if let Some(watched) = same.and_then(|same| set.get_mut(same))
            && is_within(watched.since, entry.at)
        {
            watched.count = watched.count.saturating_add(1);
            if watched.count <= max.get() {
                return true;
            }
            if watched.folded.is_none() {
                if self.held + lines.bytes() > self.held_max {
                    return true;
                }
                self.held += lines.bytes();
            }
            let spare = &mut self.spare;
            let folded = watched.folded.get_or_insert_with(|| {
                let mut copy = spare.pop().unwrap_or_else(Lines::with_room);
                copy.copy_from(lines);
                Folded { entry: *entry, lines: copy, count: 0 }
            });
            folded.count += 1;
            folded.entry.at = entry.at;
            return false;
        }
        // Lines that do not repeat give way to others, and never those that do: else ordinary traffic would let a flood through.
        let gives_way = |watched: &&mut Watched| {
            watched.identity == identity || watched.count <= 1 || !is_within(watched.since, entry.at)
        };
        let first = |watched: &&mut Watched| (watched.identity != identity, watched.since);
        let Some(place) = set.iter_mut().filter(gives_way).min_by_key(first) else { return true };
        if place.folded.is_none() || self.due.len() < DUE_MAX {
            let before = mem::replace(place, Watched { identity, since: entry.at, count: 1, folded: None });
            self.due.extend(before.folded);
        }
        true
    }

    /// Takes the buffers of what was told back.
    pub(crate) fn recycle(&mut self, told: &mut Vec<Folded>) {
        let room = WATCHED - self.spare.len().min(WATCHED);
        let small = told.drain(..).map(|folded| folded.lines).filter(|lines| lines.bytes() <= SPARE_BYTES_MAX);
        self.spare.extend(small.take(room));
    }

    /// Hands over what can be told now: `all`, or what did not come again for long enough.
    pub(crate) fn collect(&mut self, now: Time, all: bool, told: &mut Vec<Folded>) {
        told.append(&mut self.due);
        let over = self.watched.as_flattened_mut().iter_mut().filter(|watched| all || !is_within(watched.since, now));
        told.extend(over.filter_map(|watched| watched.folded.take()));
        self.held -= told.iter().map(|folded| folded.lines.bytes()).sum::<usize>();
    }
}

/// Whether the limit that began to hold at `since` still does. A clock that went back begins anew.
fn is_within(since: Time, now: Time) -> bool {
    now.micros_since(since).is_some_and(|micros| micros < WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_and_the_length_make_another_identity() {
        let identities = Identities::new();
        let text = "0123456789abcdef0123";
        let mut seen = vec![identities.of(text)];
        assert_eq!(identities.of(text), seen[0]);
        for at in 0..text.len() {
            let mut other = text.to_owned();
            other.replace_range(at..=at, "X");
            seen.push(identities.of(&other));
            seen.push(identities.of(&text[..at]));
        }
        seen.push(identities.of("\0"));
        seen.push(identities.of("\0\0"));
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}

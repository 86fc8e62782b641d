//! What matchers were found to do over the files of a database, for the queries to come.
//!
//! Two generations (ADR 13): what is asked for is in the young one, or moves there. When the young
//! one has half of the bytes it becomes the old one, and what was in that and not asked for since
//! is dropped.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;

use crate::index::{MatcherResult, is_costly};
use crate::maintenance::plan::SourceId;
use crate::model::{MatchOp, Matcher};

/// A result may take this part of all bytes at most, so that one does not drive out all others.
const PART_OF_ALL: usize = 8;
/// What a result takes in the table of its matcher, as the table may have room for twice as many.
const ENTRY_BYTES: usize = 2 * (size_of::<(SourceId, Arc<MatcherResult>)>() + 1) + 2 * 16;
/// The same of a matcher, its texts apart.
const MATCHER_BYTES: usize = 2 * (size_of::<OfMatcher>() + 1) + 3 * 16;

/// Results of matchers over files, as many as there is room for. Locked for a few look-ups at a
/// time, never while a matcher is evaluated.
#[derive(Debug)]
pub(super) struct MatcherCache {
    /// Bytes of both generations together.
    bytes_max: usize,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The files that new views read. Of others nothing is kept, however long a view reads them.
    files: HashSet<SourceId, RandomState>,
    young: Generation,
    old: Generation,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Generation {
    matchers: HashTable<OfMatcher>,
    bytes: usize,
    results: usize,
}

/// The results of one matcher. Its texts, which may be long, stand here once for all files.
#[derive(Debug)]
struct OfMatcher {
    hash: u64,
    op: MatchOp,
    name: Box<str>,
    value: Box<str>,
    results: HashMap<SourceId, Arc<MatcherResult>, RandomState>,
}

/// What became of it so far, and what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evictions: u64,
    pub(super) bytes: usize,
    pub(super) results: usize,
}

impl MatcherCache {
    /// An empty one that takes so many bytes; 0 for one that keeps nothing.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
            hasher: RandomState::default(),
            state: Mutex::default(),
        }
    }

    /// A file is read from now on.
    pub(super) fn admit(&self, file: SourceId) {
        self.state.lock().files.insert(file);
    }

    /// New views read these files no more.
    pub(super) fn forget(&self, files: &[SourceId]) {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        let State {
            files: live,
            young,
            old,
            ..
        } = &mut *state;
        for file in files {
            live.remove(file);
            young.forget(*file, &mut gone);
            old.forget(*file, &mut gone);
        }
        // What is dropped is dropped when others can go on.
        drop(state);
    }

    /// What is known of matchers over a file, by the place of the matcher; none if nothing is to
    /// be kept of it.
    pub(super) fn known(
        &self,
        file: SourceId,
        matchers: &[Matcher],
    ) -> Option<Vec<Option<Arc<MatcherResult>>>> {
        if self.bytes_max == 0 || !matchers.iter().any(is_costly) {
            return None;
        }
        let hashes: Vec<_> = matchers.iter().map(|matcher| self.hash(matcher)).collect();
        let mut dropped = Vec::new();
        let mut state = self.state.lock();
        if !state.files.contains(&file) {
            return None;
        }
        let known = hashes.iter().zip(matchers).map(|(&hash, matcher)| {
            let hash = hash?;
            let found = state.find(file, hash, matcher, self.bytes_max, &mut dropped);
            match found.is_some() {
                true => state.figures.hits += 1,
                false => state.figures.misses += 1,
            }
            found
        });
        let known = known.collect();
        drop(state);
        Some(known)
    }

    /// Keeps what was found out of matchers over a file: by a read that was whole.
    pub(super) fn keep(
        &self,
        file: SourceId,
        matchers: &[Matcher],
        found: Vec<(usize, MatcherResult)>,
    ) {
        for (place, result) in found {
            let Some(matcher) = matchers.get(place) else {
                continue;
            };
            let Some(hash) = self.hash(matcher) else {
                continue;
            };
            let (bytes_max, mut dropped) = (self.bytes_max, Vec::new());
            if most_bytes(matcher, &result) > bytes_max / PART_OF_ALL {
                continue;
            }
            let mut state = self.state.lock();
            if !state.files.contains(&file) {
                return;
            }
            // Somebody else may have found the same out.
            let found = state.find(file, hash, matcher, bytes_max, &mut dropped);
            if found.is_none() {
                state.make_room(most_bytes(matcher, &result), bytes_max, &mut dropped);
                state.young.add(file, hash, matcher, Arc::new(result));
            }
            drop(state);
        }
    }

    /// What became of it so far, and what it has.
    pub(super) fn figures(&self) -> Figures {
        let state = self.state.lock();
        Figures {
            bytes: state.young.bytes + state.old.bytes,
            results: state.young.results + state.old.results,
            ..state.figures
        }
    }

    /// The hash of a matcher whose results are kept.
    fn hash(&self, matcher: &Matcher) -> Option<u64> {
        let of = || (matcher.op(), matcher.name(), matcher.value());
        is_costly(matcher).then(|| self.hasher.hash_one(of()))
    }
}

impl State {
    /// A result, which is young then. What goes for it is put into `dropped`.
    fn find(
        &mut self,
        file: SourceId,
        hash: u64,
        matcher: &Matcher,
        bytes_max: usize,
        dropped: &mut Vec<Generation>,
    ) -> Option<Arc<MatcherResult>> {
        if let Some(found) = self.young.get(file, hash, matcher) {
            return Some(Arc::clone(found));
        }
        let found = self.old.take(file, hash, matcher)?;
        self.make_room(most_bytes(matcher, &found), bytes_max, dropped);
        self.young.add(file, hash, matcher, Arc::clone(&found));
        Some(found)
    }

    /// Makes the young generation the old one unless it has room for so many bytes more within
    /// half of all. What goes is put into `dropped`, to be dropped when others can go on.
    fn make_room(&mut self, bytes: usize, bytes_max: usize, dropped: &mut Vec<Generation>) {
        if self.young.bytes + bytes > bytes_max / 2 {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.figures.evictions += old.results as u64;
            dropped.push(old);
        }
    }
}

impl Generation {
    fn get(&self, file: SourceId, hash: u64, matcher: &Matcher) -> Option<&Arc<MatcherResult>> {
        let of_matcher = self.matchers.find(hash, |own| own.is(matcher))?;
        of_matcher.results.get(&file)
    }

    /// Adds a result that is not there.
    fn add(&mut self, file: SourceId, hash: u64, matcher: &Matcher, result: Arc<MatcherResult>) {
        self.bytes += ENTRY_BYTES + result.bytes();
        self.results += 1;
        let found = self.matchers.find_mut(hash, |own| own.is(matcher));
        if let Some(of_matcher) = found {
            of_matcher.results.insert(file, result);
            return;
        }
        let mut own = OfMatcher {
            hash,
            op: matcher.op(),
            name: matcher.name().into(),
            value: matcher.value().into(),
            results: HashMap::default(),
        };
        own.results.insert(file, result);
        self.bytes += own.bytes();
        self.matchers.insert_unique(hash, own, |own| own.hash);
    }

    /// Takes a result out.
    fn take(&mut self, file: SourceId, hash: u64, matcher: &Matcher) -> Option<Arc<MatcherResult>> {
        let mut entry = self.matchers.find_entry(hash, |own| own.is(matcher)).ok()?;
        let result = entry.get_mut().results.remove(&file)?;
        self.bytes -= ENTRY_BYTES + result.bytes();
        self.results -= 1;
        if entry.get().results.is_empty() {
            let (own, _) = entry.remove();
            self.bytes -= own.bytes();
        }
        Some(result)
    }

    /// Takes the results of a file out and adds them to `gone`.
    fn forget(&mut self, file: SourceId, gone: &mut Vec<Arc<MatcherResult>>) {
        let Self {
            matchers,
            bytes,
            results,
        } = self;
        matchers.retain(|own| {
            if let Some(result) = own.results.remove(&file) {
                *bytes -= ENTRY_BYTES + result.bytes();
                *results -= 1;
                gone.push(result);
            }
            let is_left = !own.results.is_empty();
            if !is_left {
                *bytes -= own.bytes();
            }
            is_left
        });
    }
}

impl OfMatcher {
    fn is(&self, matcher: &Matcher) -> bool {
        self.op == matcher.op() && *self.name == *matcher.name() && *self.value == *matcher.value()
    }

    /// What it takes, its results apart; see [`most_bytes`].
    fn bytes(&self) -> usize {
        MATCHER_BYTES + self.name.len() + self.value.len()
    }
}

/// What a result takes in a generation, if it is the first of its matcher.
fn most_bytes(matcher: &Matcher, result: &MatcherResult) -> usize {
    let texts = matcher.name().len() + matcher.value().len();
    ENTRY_BYTES + result.bytes() + MATCHER_BYTES + texts
}

#[cfg(test)]
mod tests;

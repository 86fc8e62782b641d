//! Lists in order without repetitions: of label names, of label values, of label sets.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::vec;

use crate::model::{Ended, Labels, ReadBounds, Tally};

/// How many elements are sorted at once, and how many are merged from one check to the next.
const RUN: usize = 1024;
/// How many are sorted at once where fewer are wanted.
const RUN_MIN: usize = 32;

/// Something of which there can be so much that its memory counts.
pub trait Weighed: Ord + Clone {
    /// What it takes on the heap, as the allocator takes it.
    fn heap_bytes(&self) -> usize;
}

impl Weighed for String {
    fn heap_bytes(&self) -> usize {
        allocated(self.len())
    }
}

impl Weighed for Labels {
    fn heap_bytes(&self) -> usize {
        let ends = 2 * self.len() * size_of::<u32>();
        allocated(self.text_bytes()) + allocated(ends)
    }
}

/// What the allocator takes for so many bytes.
fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => (bytes.saturating_add(8 + 15) & !15).max(32),
    }
}

/// Gathers elements that come in any order, and gives those of them that come first, in order
/// and each once: as many as its bounds say.
///
/// Where the bounds have a limit, no more than about twice as many are kept at a time.
#[derive(Debug)]
pub struct SortedList<'a, T> {
    bounds: ReadBounds<'a>,
    tally: Tally<'a>,
    /// Sorted, each for itself.
    runs: Vec<Vec<T>>,
    /// How many elements the runs have.
    in_runs: usize,
    last: Vec<T>,
    /// Where there are as many as the limit before it, the last of them.
    beyond: Option<T>,
}

impl<'a, T: Weighed> SortedList<'a, T> {
    /// An empty list.
    pub fn new(bounds: ReadBounds<'a>) -> Self {
        Self {
            bounds,
            tally: Tally::new(bounds),
            runs: Vec::new(),
            in_runs: 0,
            last: Vec::new(),
            beyond: None,
        }
    }

    /// Adds an element, which `make` makes of `of` where it is wanted.
    ///
    /// # Errors
    /// The read may not go on, or not hold it.
    pub fn push<Q: ?Sized + Ord>(&mut self, of: &Q, make: impl FnOnce(&Q) -> T) -> Result<(), Ended>
    where
        T: Borrow<Q>,
    {
        match self.is_beyond(of) {
            true => Ok(()),
            false => self.add(make(of)),
        }
    }

    /// Adds an element.
    ///
    /// # Errors
    /// The read may not go on, or not hold it.
    pub fn push_own(&mut self, element: T) -> Result<(), Ended> {
        match self.is_beyond(&element) {
            true => Ok(()),
            false => self.add(element),
        }
    }

    /// Adds elements that rise, each once.
    ///
    /// # Errors
    /// The read may not go on, or not hold them.
    pub fn push_sorted(&mut self, elements: Vec<T>) -> Result<(), Ended> {
        if self.runs.is_empty() && self.last.is_empty() {
            self.tally.grow(elements.iter().map(taken).sum())?;
            self.in_runs = elements.len();
            self.runs.push(elements);
            return Ok(());
        }
        for element in elements {
            if self.is_beyond(&element) {
                break;
            }
            self.add(element)?;
        }
        Ok(())
    }

    fn is_beyond<Q: ?Sized + Ord>(&self, of: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        let beyond = self.beyond.as_ref();
        self.bounds.limit == 0 || beyond.is_some_and(|last| of >= last.borrow())
    }

    fn add(&mut self, element: T) -> Result<(), Ended> {
        self.tally.grow(taken(&element))?;
        self.last.push(element);
        // Few are wanted: few are kept.
        let twice = self.bounds.limit.saturating_mul(2);
        let run = twice.clamp(RUN_MIN, RUN);
        if self.last.len() < run {
            return Ok(());
        }
        self.end_run()?;
        if self.in_runs > twice.saturating_add(run) {
            let first = self.merge()?;
            if first.len() == self.bounds.limit {
                self.beyond = first.last().cloned();
            }
            self.in_runs = first.len();
            self.runs = vec![first];
        }
        Ok(())
    }

    fn end_run(&mut self) -> Result<(), Ended> {
        self.bounds.check()?;
        let mut run = std::mem::take(&mut self.last);
        run.sort_unstable();
        run.dedup();
        self.in_runs += run.len();
        self.runs.push(run);
        Ok(())
    }

    /// The elements that come first of all runs, which are gone then.
    fn merge(&mut self) -> Result<Vec<T>, Ended> {
        if let [one] = self.runs.as_mut_slice() {
            let mut only = std::mem::take(one);
            only.truncate(self.bounds.limit);
            return Ok(only);
        }
        let count = self.in_runs.min(self.bounds.limit);
        self.tally.grow(count.saturating_mul(size_of::<T>()))?;
        let mut merged: Vec<T> = Vec::with_capacity(count);
        let mut rest: Vec<vec::IntoIter<T>> = Vec::with_capacity(self.runs.len());
        let mut next = BinaryHeap::with_capacity(self.runs.len());
        for run in std::mem::take(&mut self.runs) {
            let mut run = run.into_iter();
            next.extend(run.next().map(|first| Reverse((first, rest.len()))));
            rest.push(run);
        }
        let mut pace = self.bounds.pace(RUN);
        while let Some(mut first) = next.peek_mut() {
            pace.step(1)?;
            let Reverse((element, run)) = &mut *first;
            let following = rest.get_mut(*run).and_then(Iterator::next);
            let element = match following {
                Some(following) => std::mem::replace(element, following),
                None => PeekMut::pop(first).0.0,
            };
            if merged.last() == Some(&element) {
                self.tally.shrink(taken(&element));
                continue;
            }
            if merged.len() == count {
                self.tally.shrink(taken(&element));
                break;
            }
            merged.push(element);
        }
        // What is not among the first goes.
        let heads = next.iter().map(|Reverse((element, _))| element);
        for element in heads.chain(rest.iter().flat_map(vec::IntoIter::as_slice)) {
            self.tally.shrink(taken(element));
        }
        self.tally.shrink(count.saturating_mul(size_of::<T>()));
        Ok(merged)
    }

    /// The elements.
    ///
    /// # Errors
    /// The read may not go on.
    pub fn finish(mut self) -> Result<Vec<T>, Ended> {
        if !self.last.is_empty() {
            self.end_run()?;
        }
        self.merge()
    }
}

/// What an element of a list takes: the list may have grown to twice its length.
pub fn taken<T: Weighed>(element: &T) -> usize {
    2 * size_of::<T>() + element.heap_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::Ordering::Relaxed;

    use proptest::prelude::*;

    use super::*;
    use crate::model::allowance::tests::Counted;

    fn text(n: u32) -> String {
        format!("value-{:08x}", n.wrapping_mul(0x9e37_79b9))
    }

    fn push(list: &mut SortedList<'_, String>, n: u32) -> Result<(), Ended> {
        list.push(text(n).as_str(), str::to_owned)
    }

    #[test]
    fn a_limit_bounds_what_is_kept() {
        for limit in [0, 1, 10, 3000] {
            let allowance = Counted::new(usize::MAX, usize::MAX);
            let mut list = SortedList::new(ReadBounds::new(&allowance).limited(limit));
            let mut expected = BTreeSet::new();
            for n in 0..50_000 {
                push(&mut list, n).unwrap();
                expected.insert(text(n));
            }
            let found = list.finish().unwrap();
            let expected: Vec<String> = expected.into_iter().take(limit).collect();
            assert_eq!(found, expected);
            assert_eq!(allowance.held.into_inner(), 0);
            let held = allowance.peak.into_inner();
            let run = (2 * limit).clamp(RUN_MIN, RUN);
            let most = (3 * limit + 3 * run) * (taken(&text(0)) + size_of::<String>()) * 9 / 8;
            assert!(held <= most, "{limit}: {held} of {most}");
        }
    }

    #[test]
    fn it_ends_soon_after_it_is_told() {
        const COUNT: u32 = 40_000;
        let allowance = Counted::new(usize::MAX, usize::MAX);
        let mut list = SortedList::new(ReadBounds::new(&allowance));
        (0..COUNT).for_each(|n| push(&mut list, n).unwrap());
        let while_pushed = allowance.asked.load(Relaxed);
        assert!(while_pushed >= COUNT as usize / RUN, "{while_pushed}");
        list.finish().unwrap();
        let in_all = allowance.asked.into_inner();
        assert!(in_all >= 2 * COUNT as usize / (RUN + 1), "{in_all}");

        for asks_max in [0, 1, 7, while_pushed, while_pushed + 5, in_all - 1] {
            let allowance = Counted::new(asks_max, usize::MAX);
            let mut list = SortedList::new(ReadBounds::new(&allowance));
            let pushed = (0..COUNT).take_while(|&n| push(&mut list, n).is_ok());
            let pushed = pushed.count();
            assert!(pushed <= (asks_max + 1) * RUN, "{pushed}");
            let is_whole = pushed == COUNT as usize && list.finish().is_ok();
            assert!(!is_whole, "{asks_max}");
            assert_eq!(allowance.asked.load(Relaxed), asks_max + 1);
        }
    }

    proptest! {
        #[test]
        fn those_that_come_first_each_once(
            numbers in prop::collection::vec(0..3000u32, 0..6000),
            sorted in prop::collection::btree_set(0..3000u32, 0..2000),
            limit in prop::option::of(0..4000usize),
            sorted_first in any::<bool>(),
        ) {
            let limit = limit.unwrap_or(usize::MAX);
            let sorted: BTreeSet<String> = sorted.into_iter().map(text).collect();
            let mut list = SortedList::new(ReadBounds::NONE.limited(limit));
            let run: Vec<String> = sorted.iter().cloned().collect();
            if sorted_first {
                list.push_sorted(run.clone()).unwrap();
            }
            for &n in &numbers {
                push(&mut list, n).unwrap();
            }
            if !sorted_first {
                list.push_sorted(run).unwrap();
            }
            let all: BTreeSet<String> = numbers.into_iter().map(text).chain(sorted).collect();
            let expected: Vec<String> = all.into_iter().take(limit).collect();
            prop_assert_eq!(list.finish().unwrap(), expected);
        }
    }
}

//! Which pages of a mapped file were found to be right.

use std::sync::atomic::{AtomicU64, Ordering};

/// Pages a word speaks of.
const WORD_PAGES: usize = 32;

/// A set of pages that is empty again after each fault of the file.
///
/// A word is the number of faults at which its pages were checked, then a bit for each of them.
/// They are one word so that a page that was checked before a fault is never taken for one that
/// was checked after it, however long its thread slept in between.
#[derive(Debug)]
pub(super) struct Checked(Box<[AtomicU64]>);

impl Checked {
    /// None of `pages` pages.
    pub(super) fn new(pages: usize) -> Self {
        let words = pages.div_ceil(WORD_PAGES);
        Self(
            std::iter::repeat_with(AtomicU64::default)
                .take(words)
                .collect(),
        )
    }

    /// Whether the page was checked since the fault of that number.
    pub(super) fn contains(&self, page: usize, faults: u64) -> bool {
        let word = self.0.get(page / WORD_PAGES);
        word.is_some_and(|word| {
            let word = word.load(Ordering::Relaxed);
            era(word) == faults as u32 && word & bit(page) != 0
        })
    }

    /// The page is right, and it was looked at after `faults` was.
    pub(super) fn insert(&self, page: usize, faults: u64) {
        let Some(word) = self.0.get(page / WORD_PAGES) else {
            return;
        };
        let faults = faults as u32;
        // Fails where a later fault has been seen: then this page counts for nothing.
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            if era(word) == faults {
                Some(word | bit(page))
            } else {
                let is_later = faults.wrapping_sub(era(word)) < 1 << 31;
                is_later.then_some(u64::from(faults) << WORD_PAGES | bit(page))
            }
        });
    }
}

/// The number of faults in a word. That it is cut to 32 bits matters to nobody: for it to come
/// around, pages would have to go missing four thousand million times.
fn era(word: u64) -> u32 {
    (word >> WORD_PAGES) as u32
}

fn bit(page: usize) -> u64 {
    1 << (page % WORD_PAGES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_empties_the_set() {
        let checked = Checked::new(40);
        for page in [0, 31, 32, 39] {
            assert!(!checked.contains(page, 7));
            checked.insert(page, 7);
            assert!(checked.contains(page, 7));
            assert!(!checked.contains(page, 8));
        }
        assert!(!checked.contains(1, 7) && !checked.contains(33, 7));
        checked.insert(1, 8);
        assert!(checked.contains(1, 8) && !checked.contains(0, 8) && !checked.contains(0, 7));
        assert!(checked.contains(32, 7));
    }

    #[test]
    fn a_check_from_before_a_fault_is_not_taken() {
        let checked = Checked::new(2);
        checked.insert(0, 8);
        checked.insert(1, 7);
        assert!(checked.contains(0, 8));
        assert!(!checked.contains(1, 8) && !checked.contains(1, 7));
    }

    #[test]
    fn pages_that_there_are_not_are_never_in_it() {
        let checked = Checked::new(1);
        checked.insert(32, 0);
        assert!(!checked.contains(32, 0) && !checked.contains(usize::MAX, 0));
    }
}

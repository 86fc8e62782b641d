//! Which memory is a map of a file of ours, and how often a part of it was found to be gone.
//!
//! Memory that is mapped from a file is there as long as the file has the bytes: when another
//! program cuts the file, or the medium cannot be read, the system sends SIGBUS to the thread
//! that touches them. A program that maps files handles that signal: it asks [`count`] whether
//! the memory is ours, and if it is, puts a page of zeros in the place of the one that is gone.
//! Whoever reads looks at [`File::look_for_faults`](super::File::look_for_faults) afterwards, and
//! reads again if there are any; bytes are not borrowed from such a file any more.
//!
//! This is the one place in the crate with state of the process in place of a database's: a
//! signal handler is given an address and nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many files are mapped at once; those beyond are read.
const MAPS_MAX: usize = 4096;

/// What ranges are counted in: every page size is a multiple of it.
const UNIT_BYTES: usize = 4096;
/// Bits of a range that are its length in units: maps of less than a TiB.
const LEN_BITS: u32 = 28;
/// Bits of a range that are its first unit: addresses of 48 bits, which is what the system hands
/// out unless it is asked for more.
const START_BITS: u32 = u64::BITS - LEN_BITS;

static MAPS: Maps<MAPS_MAX> = Maps([const { Slot::new() }; MAPS_MAX]);

/// Counts a fault at `address` if it lies in a map of ours, and says whether it does.
///
/// To be called by a handler of SIGBUS, for a thread that just read there, before it puts
/// anything in the place of the page: threads that read what it puts there must find the fault
/// counted. Takes no lock, allocates nothing and calls nothing of the system.
pub fn count(address: usize) -> bool {
    match MAPS.find(address) {
        Some(slot) => {
            slot.faults.fetch_add(1, Ordering::AcqRel);
            true
        }
        None => false,
    }
}

/// Makes the memory of a map known. `None` where there is no room to remember it.
pub(super) fn watch(map: &[u8]) -> Option<Watched> {
    MAPS.watch(map.as_ptr().addr(), map.len()).map(Watched::new)
}

/// A map that is known, until dropped: which must come before it is unmapped.
#[derive(Debug)]
pub(super) struct Watched {
    slot: &'static Slot,
    /// Faults of the maps that had the slot before.
    faults_before: u64,
}

impl Watched {
    fn new(slot: &'static Slot) -> Self {
        // Nobody has borrowed from the new map yet: none of these are its.
        let faults_before = slot.faults.load(Ordering::Acquire);
        Self {
            slot,
            faults_before,
        }
    }

    /// Whether there were faults in this map.
    pub(super) fn has_faults(&self) -> bool {
        self.slot.faults.load(Ordering::Acquire) != self.faults_before
    }

    /// Counts a fault that came without a signal.
    pub(super) fn count(&self) {
        self.slot.faults.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.slot.range.store(0, Ordering::Release);
    }
}

/// Place for one map.
#[derive(Debug)]
struct Slot {
    /// Start and length in one word, so that the handler never sees the start of one map with
    /// the length of another; 0 while the slot is free.
    range: AtomicU64,
    /// Goes on counting for the next map of the slot.
    faults: AtomicU64,
}

impl Slot {
    const fn new() -> Self {
        Self {
            range: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        }
    }
}

struct Maps<const N: usize>([Slot; N]);

impl<const N: usize> Maps<N> {
    fn watch(&self, start: usize, len: usize) -> Option<&Slot> {
        let range = pack(start, len)?;
        self.0.iter().find(|slot| {
            slot.range
                .compare_exchange(0, range, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })
    }

    /// The slot of the map that holds `address`. It stays that map's for as long as the thread
    /// that faulted borrows the map.
    fn find(&self, address: usize) -> Option<&Slot> {
        let unit = (address / UNIT_BYTES) as u64;
        self.0.iter().find(|slot| {
            let range = slot.range.load(Ordering::Acquire);
            let (start, len) = (range >> LEN_BITS, range & ((1 << LEN_BITS) - 1));
            start <= unit && unit - start < len
        })
    }
}

/// A range in one word; `None` where it does not fit.
fn pack(start: usize, len: usize) -> Option<u64> {
    let len = len.div_ceil(UNIT_BYTES) as u64;
    let start = (start / UNIT_BYTES) as u64;
    let fits = start != 0 && start >> START_BITS == 0 && len >> LEN_BITS == 0;
    fits.then_some(start << LEN_BITS | len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: usize = UNIT_BYTES;

    #[test]
    fn an_address_is_found_in_its_map_alone() {
        let maps: Maps<3> = Maps([const { Slot::new() }; 3]);
        let one = maps.watch(10 * U, 2 * U).unwrap();
        let two = maps.watch(12 * U, 1).unwrap();
        let find = |address| maps.find(address).map(std::ptr::from_ref);
        for (address, slot) in [
            (10 * U - 1, None),
            (10 * U, Some(one)),
            (12 * U - 1, Some(one)),
            (12 * U, Some(two)),
            (13 * U - 1, Some(two)),
            (13 * U, None),
            (0, None),
            (usize::MAX, None),
        ] {
            assert_eq!(find(address), slot.map(std::ptr::from_ref), "{address:#x}");
        }
    }

    #[test]
    fn a_slot_is_used_again_and_none_beyond_the_last() {
        let maps: Maps<2> = Maps([const { Slot::new() }; 2]);
        let one = maps.watch(10 * U, U).unwrap();
        maps.watch(20 * U, U).unwrap();
        assert!(maps.watch(30 * U, U).is_none());
        one.range.store(0, Ordering::Release);
        assert!(maps.find(10 * U).is_none());
        maps.watch(30 * U, U).unwrap();
        assert!(maps.find(30 * U).is_some());
    }

    #[test]
    fn what_does_not_fit_a_word_is_not_watched() {
        let maps: Maps<1> = Maps([const { Slot::new() }; 1]);
        assert!(maps.watch(1 << 48, U).is_none());
        assert!(maps.watch(U, 1 << 40).is_none());
        assert!(maps.watch(0, U).is_none());
        let (start, len) = ((1 << 48) - U, (1 << 40) - U);
        maps.watch(start, len).unwrap();
        assert!(maps.find(start).is_some() && maps.find(start - 1).is_none());
    }

    #[test]
    fn faults_are_counted_for_maps_that_are_watched() {
        // Never touched, only compared.
        let map = vec![0; 3 * U];
        let inside = map.as_ptr().addr() + U;
        assert!(!count(inside));
        let watched = watch(&map).unwrap();
        assert!(!watched.has_faults());
        assert!(count(inside));
        assert!(watched.has_faults());
        drop(watched);
        assert!(!count(inside));
        // Most likely the same slot.
        assert!(!watch(&map).unwrap().has_faults());
    }
}

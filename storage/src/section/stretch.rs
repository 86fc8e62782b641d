//! Reading a section in small parts that lie near each other.

use std::borrow::Cow;

use super::{Bytes, PAGE_BYTES, SectionError};

/// Holds the pages of a section that were asked for last, so that parts within them are neither
/// read nor checked again.
#[derive(Debug)]
pub struct Stretch<'a> {
    of: &'a dyn Bytes,
    start: u64,
    held: Cow<'a, [u8]>,
}

impl<'a> Stretch<'a> {
    pub fn new(of: &'a dyn Bytes) -> Self {
        Self {
            of,
            start: 0,
            held: Cow::default(),
        }
    }

    /// Lets go of bytes that belong to a mapped file, which may have lost them since they were
    /// checked; says whether it did. Those of others are copies, and stay.
    pub fn begin(&mut self) -> bool {
        let is_mapped = matches!(self.held, Cow::Borrowed(_));
        if is_mapped {
            self.held = Cow::default();
        }
        is_mapped
    }

    /// The `bytes` bytes at `offset`.
    ///
    /// # Errors
    /// Those of [`Bytes::get`].
    pub fn get(&mut self, offset: u64, bytes: usize) -> Result<&[u8], SectionError> {
        if self.place_of(offset, bytes).is_none() {
            let page = PAGE_BYTES as u64;
            let start = offset / page * page;
            let end = offset.saturating_add(bytes as u64);
            let whole = end.div_ceil(page).saturating_mul(page).min(self.of.len());
            // What does not lie within the section is refused by it, in its words.
            (self.start, self.held) = match usize::try_from(whole.saturating_sub(start)) {
                Ok(whole) if end <= self.of.len() => (start, self.of.get(start, whole)?),
                _ => (offset, self.of.get(offset, bytes)?),
            };
        }
        let place = self.place_of(offset, bytes).unwrap_or(0..0);
        Ok(self.held.get(place).unwrap_or(&[]))
    }

    /// As [`Stretch::get`], but fewer bytes where the section ends before.
    pub fn get_up_to(&mut self, offset: u64, bytes: usize) -> Result<&[u8], SectionError> {
        let there = self.of.len().saturating_sub(offset);
        self.get(offset, usize::try_from(there).unwrap_or(bytes).min(bytes))
    }

    /// Where in `held` the bytes are, if all of them are there.
    fn place_of(&self, offset: u64, bytes: usize) -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(bytes)?;
        (to <= self.held.len()).then_some(from..to)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts what is asked of it.
    #[derive(Debug)]
    struct Counted(Vec<u8>, AtomicUsize);

    impl Bytes for Counted {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Bytes::get(&self.0[..], offset, bytes)
        }
    }

    #[test]
    fn parts_of_a_page_are_read_once() {
        let bytes: Vec<u8> = (0..2 * PAGE_BYTES + 100).map(|i| (i / 7) as u8).collect();
        let counted = Counted(bytes.clone(), AtomicUsize::new(0));
        let mut stretch = Stretch::new(&counted);
        let reads = |(offset, length): (usize, usize), stretch: &mut Stretch<'_>| {
            let before = counted.1.load(Ordering::Relaxed);
            let got = stretch.get(offset as u64, length).unwrap();
            assert_eq!(got, &bytes[offset..offset + length]);
            counted.1.load(Ordering::Relaxed) - before
        };
        let p = PAGE_BYTES;
        for (part, expected) in [
            ((0, 0), 0),
            ((3, 4), 1),
            ((0, p), 0),
            ((p - 1, 2), 1),
            ((0, 2 * p), 0),
            ((2 * p + 1, 99), 1),
            ((2 * p, 100), 0),
            ((5, 1), 1),
        ] {
            assert_eq!(reads(part, &mut stretch), expected, "{part:?}");
        }
        let end = counted.len();
        assert_eq!(stretch.get_up_to(end - 3, 50).unwrap().len(), 3);
        assert_eq!(stretch.get_up_to(end, 50).unwrap().len(), 0);
        for (offset, length) in [(end, 1), (0, usize::MAX), (u64::MAX, 1), (end + 1, 0)] {
            let refused = stretch.get(offset, length);
            assert!(matches!(refused, Err(SectionError::OutOfBounds { .. })));
        }
    }
}

//! Loops over many samples that end with their query.

use std::ops::Range;

use super::numeric::nan_first;
use crate::limits::Limits;
use crate::limits::meter::work;

/// How many samples are looked at, or sorted, from one check to the next: a millisecond or two.
const PIECE: usize = 1 << 16;

/// Whether the query that a function works for still is to go on. A function that finds it is
/// not gives any value: nobody gets to see it, for a check that failed once fails from then on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'l>(Option<&'l Limits<'l>>);

impl<'l> Patience<'l> {
    /// As long as the query may.
    pub(crate) fn of(limits: &'l Limits<'l>) -> Self {
        Self(Some(limits))
    }

    /// Without end.
    #[cfg(test)]
    pub(crate) const ENDLESS: Self = Self(None);

    fn goes_on(self) -> bool {
        self.0.is_none_or(|limits| limits.check().is_ok())
    }

    /// Elements piece by piece, as long as the query goes on. Where there are few it is not asked.
    #[inline]
    pub(crate) fn pieces<T>(self, all: &[T]) -> impl Iterator<Item = &[T]> {
        all.chunks(PIECE).take_while(move |piece| {
            let goes_on = piece.len() < PIECE || self.goes_on();
            work(piece.len());
            goes_on
        })
    }

    /// Places piece by piece, as [`Self::pieces`].
    #[inline]
    pub(crate) fn ranges(self, all: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let starts = all.clone().step_by(PIECE);
        let piece = move |start| start..all.end.min(start + PIECE);
        starts.map(piece).take_while(move |piece| {
            let goes_on = piece.len() < PIECE || self.goes_on();
            work(piece.len());
            goes_on
        })
    }

    /// Sorts numbers, NaN first, equal ones in the order in which they were: in pieces, which are
    /// then merged.
    pub(crate) fn sort(self, values: &mut Vec<f64>) {
        for piece in values.chunks_mut(PIECE) {
            if piece.len() == PIECE && !self.goes_on() {
                return;
            }
            piece.sort_by(nan_first);
        }
        let mut width = PIECE;
        let mut merged = Vec::new();
        while width < values.len() {
            merged.clear();
            merged.reserve(values.len());
            for pair in values.chunks(2 * width) {
                let (left, right) = pair.split_at(width.min(pair.len()));
                if !self.merge(left, right, &mut merged) {
                    return;
                }
            }
            std::mem::swap(values, &mut merged);
            width *= 2;
        }
    }

    /// Appends two sorted runs as one; whether it got to the end.
    fn merge(self, mut left: &[f64], mut right: &[f64], out: &mut Vec<f64>) -> bool {
        while let (Some(a), Some(b)) = (left.first(), right.first()) {
            if out.len().is_multiple_of(PIECE) && !self.goes_on() {
                return false;
            }
            if nan_first(a, b).is_gt() {
                out.push(*b);
                right = &right[1..];
            } else {
                out.push(*a);
                left = &left[1..];
            }
        }
        for piece in self.pieces(left).chain(self.pieces(right)) {
            out.extend_from_slice(piece);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::limits::Budget;

    fn numbers(count: usize) -> Vec<f64> {
        let number = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
        let value = |at: usize| match number(at) % 1000 {
            0 => f64::NAN,
            1 => -0.0,
            2 => 0.0,
            other => other as f64 - 500.0,
        };
        (0..count).map(value).collect()
    }

    #[test]
    fn sorting_in_pieces_is_sorting() {
        for count in [0, 1, 1000, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7] {
            let mut found = numbers(count);
            let mut expected = found.clone();
            Patience::ENDLESS.sort(&mut found);
            expected.sort_by(nan_first);
            let bits =
                |values: &[f64]| -> Vec<u64> { values.iter().map(|v| v.to_bits()).collect() };
            assert_eq!(bits(&found), bits(&expected), "{count}");
        }
    }

    #[test]
    fn pieces_and_ranges_are_all_there_is_until_the_query_ends() {
        let all = vec![1_u8; 3 * PIECE + 5];
        let pieces = Patience::ENDLESS.pieces(&all);
        assert_eq!(pieces.map(<[u8]>::len).sum::<usize>(), all.len());
        let places = Patience::ENDLESS.ranges(7..3 * PIECE).flatten();
        assert!(places.eq(7..3 * PIECE));
        let budget = Arc::new(Budget::new(0));
        let cancel = AtomicBool::new(true);
        let limits = Limits::new(&budget, 0, None, Some(&cancel));
        let patience = Patience::of(&limits);
        assert_eq!(patience.pieces(&all).count(), 0);
        assert_eq!(patience.ranges(7..3 * PIECE).count(), 0);
        // A short one is not worth a look.
        assert_eq!(patience.pieces(&all[..10]).count(), 1);
        assert_eq!(patience.ranges(0..10).count(), 1);
    }
}

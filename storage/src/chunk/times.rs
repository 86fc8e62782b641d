//! Timestamps that many series share: the series of a scrape all have the same ones.

mod stored;

use super::CHUNK_SAMPLES_MAX;

pub use stored::{TIMES_BYTES_MAX, decode_times, times_within};

/// How many deltas a column takes room for at a time.
const GROWTH: usize = 16;

/// Up to [`CHUNK_SAMPLES_MAX`] timestamps in rising order, in milliseconds. Never empty.
///
/// They are only ever added at the end. Two bytes each, as a scrape comes within 65 s of the one
/// before; four where one does not.
#[derive(Clone, Debug)]
pub struct TimeColumn {
    first_ms: i64,
    last_ms: i64,
    deltas: Deltas,
}

/// Differences between neighbours, in milliseconds.
#[derive(Clone, Debug)]
enum Deltas {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl TimeColumn {
    /// A column of one timestamp.
    pub fn new(first_ms: i64) -> Self {
        Self {
            first_ms,
            last_ms: first_ms,
            deltas: Deltas::Narrow(Vec::new()),
        }
    }

    /// How many timestamps there are, 1 to [`CHUNK_SAMPLES_MAX`].
    pub fn count(&self) -> usize {
        1 + match &self.deltas {
            Deltas::Narrow(deltas) => deltas.len(),
            Deltas::Wide(deltas) => deltas.len(),
        }
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.count() >= usize::from(CHUNK_SAMPLES_MAX)
    }

    /// The first timestamp.
    pub fn first_ms(&self) -> i64 {
        self.first_ms
    }

    /// The last timestamp.
    pub fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// Bytes of the timestamps, with unused room.
    pub fn capacity_bytes(&self) -> usize {
        match &self.deltas {
            Deltas::Narrow(deltas) => deltas.capacity() * size_of::<u16>(),
            Deltas::Wide(deltas) => deltas.capacity() * size_of::<u32>(),
        }
    }

    /// Adds a timestamp at the end and says whether it could: not if it is full, the timestamp
    /// not above the last one, or 2^32 ms (49 days) or more above it.
    pub fn push(&mut self, timestamp_ms: i64) -> bool {
        if timestamp_ms <= self.last_ms || self.is_full() {
            return false;
        }
        // What is above by more than i64 holds is right modulo 2^64.
        let delta = timestamp_ms.wrapping_sub(self.last_ms) as u64;
        let Ok(delta) = u32::try_from(delta) else {
            return false;
        };
        if let Deltas::Narrow(deltas) = &mut self.deltas {
            if let Ok(delta) = u16::try_from(delta) {
                add(deltas, delta);
                self.last_ms = timestamp_ms;
                return true;
            }
            self.deltas = Deltas::Wide(deltas.iter().map(|&delta| delta.into()).collect());
        }
        if let Deltas::Wide(deltas) = &mut self.deltas {
            add(deltas, delta);
            self.last_ms = timestamp_ms;
        }
        true
    }

    /// The timestamp at a place, counted from 0.
    pub fn get(&self, place: usize) -> Option<i64> {
        let count = self.count();
        if place + 1 >= count {
            return (place + 1 == count).then_some(self.last_ms);
        }
        Some(self.first_ms.wrapping_add(self.deltas.sum(place)))
    }

    /// Copies the timestamps from place `start` on into `out`; returns how many, fewer than
    /// `out` takes if there are no more.
    pub fn copy(&self, start: usize, out: &mut [i64]) -> usize {
        let (Some(mut timestamp_ms), Some(head)) = (self.get(start), out.first_mut()) else {
            return 0;
        };
        *head = timestamp_ms;
        let mut copied = 1;
        let mut set = |(out, delta): (&mut i64, i64)| {
            timestamp_ms = timestamp_ms.wrapping_add(delta);
            *out = timestamp_ms;
            copied += 1;
        };
        let rest = out.iter_mut().skip(1);
        match &self.deltas {
            Deltas::Narrow(deltas) => rest
                .zip(deltas[start..].iter().map(|&delta| i64::from(delta)))
                .for_each(&mut set),
            Deltas::Wide(deltas) => rest
                .zip(deltas[start..].iter().map(|&delta| i64::from(delta)))
                .for_each(&mut set),
        }
        copied
    }
}

impl Deltas {
    /// The sum of the first `count`.
    fn sum(&self, count: usize) -> i64 {
        match self {
            Self::Narrow(deltas) => deltas.iter().take(count).map(|&d| i64::from(d)).sum(),
            Self::Wide(deltas) => deltas.iter().take(count).map(|&d| i64::from(d)).sum(),
        }
    }
}

fn add<T>(deltas: &mut Vec<T>, delta: T) {
    if deltas.len() == deltas.capacity() {
        deltas.reserve_exact(GROWTH);
    }
    deltas.push(delta);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_follow_or_is_too_far_is_refused() {
        let mut column = TimeColumn::new(-5);
        for refused in [-5, -6, i64::MIN, i64::MAX, (1 << 32) - 5] {
            assert!(!column.push(refused), "{refused}");
        }
        assert!(column.push((1 << 32) - 6));
        assert_eq!(
            (column.get(0), column.get(1)),
            (Some(-5), Some((1 << 32) - 6))
        );
        assert_eq!(column.get(2), None);
    }

    proptest! {
        #[test]
        fn timestamps_come_back(
            first_ms in prop_oneof![Just(0), Just(i64::MIN), any::<i64>()],
            deltas in prop::collection::vec(
                prop_oneof![20 => 14_990..15_010u32, 1 => any::<u32>(), 1 => 65_530..65_540u32],
                0..130,
            ),
            start in 0..125usize,
            wanted in 0..125usize,
        ) {
            let mut column = TimeColumn::new(first_ms);
            let mut model = vec![first_ms];
            for delta in deltas {
                let next_ms = model[model.len() - 1].wrapping_add(i64::from(delta));
                let fits = next_ms > model[model.len() - 1] && model.len() < 120;
                prop_assert_eq!(column.push(next_ms), fits);
                if fits {
                    model.push(next_ms);
                }
                prop_assert_eq!(column.last_ms(), model[model.len() - 1]);
            }
            prop_assert_eq!(column.count(), model.len());
            prop_assert_eq!(column.get(start), model.get(start).copied());
            let mut out = vec![0; wanted];
            let copied = column.copy(start, &mut out);
            let expected: Vec<i64> = model.iter().copied().skip(start).take(wanted).collect();
            prop_assert_eq!(&out[..copied], expected);
        }
    }
}

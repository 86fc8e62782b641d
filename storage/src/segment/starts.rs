//! The start timestamps of a row: runs of its points in order, then of the late ones.

use crate::chunk::StartRun;
use crate::immutable::{put_starts, take_starts};

/// Appends the runs of both lists of a row.
pub(super) fn put(out: &mut Vec<u8>, lists: [&[StartRun]; 2]) {
    lists.into_iter().for_each(|runs| put_starts(out, runs));
}

/// Reads what [`put`] wrote. Says what is wrong with the bytes.
pub(super) fn take(mut bytes: &[u8]) -> Result<[Vec<StartRun>; 2], &'static str> {
    let lists = [take_starts(&mut bytes)?, take_starts(&mut bytes)?];
    match bytes.is_empty() {
        true => Ok(lists),
        false => Err("more bytes than runs"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs() -> impl Strategy<Value = Vec<StartRun>> {
        let value = prop_oneof![-20..20i64, any::<i64>()];
        let run = (0..100u64, 1..=u32::MAX, value, any::<bool>());
        prop::collection::vec(run, 0..20).prop_map(|runs| {
            let mut end = 0;
            let run = |(gap, count, value, is_distance)| {
                let run = StartRun {
                    ordinal: end + gap,
                    value,
                    count,
                    is_distance,
                };
                end = run.end();
                run
            };
            runs.into_iter().map(run).collect()
        })
    }

    proptest! {
        #[test]
        fn runs_come_back(in_order in runs(), late in runs(), cut in any::<prop::sample::Index>()) {
            let mut out = Vec::new();
            put(&mut out, [&in_order, &late]);
            prop_assert_eq!(take(&out), Ok([in_order, late]));
            prop_assert!(take(&out[..cut.index(out.len())]).is_err());
            out.push(0);
            prop_assert!(take(&out).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(lists) = take(&bytes) {
                for runs in lists {
                    prop_assert!(runs.is_sorted_by(|a, b| a.end() <= b.ordinal));
                }
            }
        }
    }
}

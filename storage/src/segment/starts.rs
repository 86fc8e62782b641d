//! The start timestamps of a row: runs of its points in order, then of the late ones.

use crate::chunk::StartRun;
use crate::codec::varint::{put_i64, put_u64, take_i64, take_u64};

const CUT: &str = "a run is cut short";
/// Least bytes of a run.
const RUN_BYTES_MIN: u64 = 3;

/// Appends the runs of both lists of a row.
pub(super) fn put(out: &mut Vec<u8>, lists: [&[StartRun]; 2]) {
    for runs in lists {
        put_u64(out, runs.len() as u64);
        let (mut end, mut before) = (0, [0i64; 2]);
        for run in runs {
            let before = &mut before[usize::from(run.is_distance)];
            put_u64(out, run.ordinal - end);
            put_u64(out, u64::from(run.count) << 1 | u64::from(run.is_distance));
            put_i64(out, run.value.wrapping_sub(*before));
            (end, *before) = (run.end(), run.value);
        }
    }
}

/// Reads what [`put`] wrote. Says what is wrong with the bytes.
pub(super) fn take(mut bytes: &[u8]) -> Result<[Vec<StartRun>; 2], &'static str> {
    let lists = [take_list(&mut bytes)?, take_list(&mut bytes)?];
    match bytes.is_empty() {
        true => Ok(lists),
        false => Err("more bytes than runs"),
    }
}

fn take_list(input: &mut &[u8]) -> Result<Vec<StartRun>, &'static str> {
    let runs = take_u64(input).ok_or(CUT)?;
    if runs > input.len() as u64 / RUN_BYTES_MIN {
        return Err("a bad number of runs");
    }
    let mut list = Vec::with_capacity(runs as usize);
    let (mut end, mut before) = (0u64, [0i64; 2]);
    for _ in 0..runs {
        let (gap, form, step) = (take_u64(input), take_u64(input), take_i64(input));
        let (Some(gap), Some(form), Some(step)) = (gap, form, step) else {
            return Err(CUT);
        };
        let is_distance = form & 1 != 0;
        let before = &mut before[usize::from(is_distance)];
        *before = before.wrapping_add(step);
        let count = u32::try_from(form >> 1).ok().filter(|&count| count > 0);
        let count = count.ok_or("a bad number of points in a run")?;
        let ordinal = end.checked_add(gap);
        let ordinal = ordinal.filter(|ordinal| ordinal.checked_add(count.into()).is_some());
        let run = StartRun {
            ordinal: ordinal.ok_or("a run of points above 2^64")?,
            value: *before,
            count,
            is_distance,
        };
        end = run.end();
        list.push(run);
    }
    Ok(list)
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

//! The histograms of a row: those among its points in order, then those among the late ones.

use std::borrow::Cow;

use crate::chunk::{BLOCK_HISTOGRAMS, HistogramParts, HistogramRun};
use crate::codec::varint::{put_u64, take_u64};

const CUT: &str = "a list of histograms is cut short";
/// Least bytes of a run.
const RUN_BYTES_MIN: u64 = 2;

/// Appends both lists of a row.
pub(super) fn put(out: &mut Vec<u8>, lists: &[HistogramParts<'_>; 2]) {
    for list in lists {
        put_u64(out, list.runs.len() as u64);
        let mut end = 0;
        for (place, run) in list.runs.iter().enumerate() {
            let next = list.runs.get(place + 1);
            let count = next.map_or(list.count, |next| next.index) - run.index;
            put_u64(out, run.ordinal - end);
            put_u64(out, count);
            end = run.ordinal + count;
        }
        debug_assert_eq!(
            list.count.div_ceil(BLOCK_HISTOGRAMS),
            list.blocks.len() as u64
        );
        for block in &list.blocks {
            put_u64(out, block.len() as u64);
        }
        for block in &list.blocks {
            out.extend_from_slice(block);
        }
    }
}

/// Reads what [`put`] wrote, but for the histograms themselves. Says what is wrong with the
/// bytes.
pub(super) fn take(mut bytes: &[u8]) -> Result<[HistogramParts<'_>; 2], &'static str> {
    let lists = [take_list(&mut bytes)?, take_list(&mut bytes)?];
    match bytes.is_empty() {
        true => Ok(lists),
        false => Err("more bytes than histograms"),
    }
}

fn take_list<'a>(input: &mut &'a [u8]) -> Result<HistogramParts<'a>, &'static str> {
    let runs = take_u64(input).ok_or(CUT)?;
    if runs > input.len() as u64 / RUN_BYTES_MIN {
        return Err("a bad number of runs");
    }
    let mut list = Vec::with_capacity(runs as usize);
    let (mut end, mut index) = (0u64, 0u64);
    for _ in 0..runs {
        let (Some(gap), Some(count)) = (take_u64(input), take_u64(input)) else {
            return Err(CUT);
        };
        let ordinal = end.checked_add(gap);
        let (Some(ordinal), 1..) = (ordinal, count) else {
            return Err("a bad run of histograms");
        };
        list.push(HistogramRun { ordinal, index });
        let after = ordinal.checked_add(count).zip(index.checked_add(count));
        (end, index) = after.ok_or("a run of points above 2^64")?;
    }
    let blocks = index.div_ceil(BLOCK_HISTOGRAMS);
    // The length of each takes a byte.
    if blocks > input.len() as u64 {
        return Err("a bad number of histograms");
    }
    let mut lengths = Vec::with_capacity(blocks as usize);
    for _ in 0..blocks {
        lengths.push(take_u64(input).ok_or(CUT)?);
    }
    let mut blocks = Vec::with_capacity(lengths.len());
    for length in lengths {
        let length = usize::try_from(length).map_err(|_| CUT)?;
        let (block, rest) = input.split_at_checked(length).ok_or(CUT)?;
        *input = rest;
        blocks.push(block);
    }
    Ok(HistogramParts {
        runs: Cow::Owned(list),
        count: index,
        blocks,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lengths of gaps and of runs, and the blocks that they make.
    type List = (Vec<(u64, u64)>, Vec<Vec<u8>>);

    fn list() -> impl Strategy<Value = List> {
        let runs = prop::collection::vec((0..50u64, 1..90u64), 0..9);
        runs.prop_flat_map(|runs| {
            let count: u64 = runs.iter().map(|run| run.1).sum();
            let blocks = count.div_ceil(BLOCK_HISTOGRAMS) as usize;
            let block = prop::collection::vec(any::<u8>(), 0..20);
            (Just(runs), prop::collection::vec(block, blocks))
        })
    }

    fn parts((runs, blocks): &List) -> HistogramParts<'_> {
        let (mut ordinal, mut index) = (0, 0);
        let mut list = Vec::new();
        for (place, &(gap, count)) in runs.iter().enumerate() {
            ordinal += gap + u64::from(place > 0);
            list.push(HistogramRun { ordinal, index });
            ordinal += count;
            index += count;
        }
        HistogramParts {
            runs: Cow::Owned(list),
            count: index,
            blocks: blocks.iter().map(Vec::as_slice).collect(),
        }
    }

    proptest! {
        #[test]
        fn lists_come_back(
            in_order in list(),
            late in list(),
            cut in any::<prop::sample::Index>(),
        ) {
            let lists = [parts(&in_order), parts(&late)];
            let mut out = Vec::new();
            put(&mut out, &lists);
            let read = take(&out).unwrap();
            for (read, wrote) in read.iter().zip(&lists) {
                prop_assert_eq!(&read.runs, &wrote.runs);
                prop_assert_eq!((read.count, &read.blocks), (wrote.count, &wrote.blocks));
            }
            prop_assert!(take(&out[..cut.index(out.len())]).is_err());
            out.push(0);
            prop_assert!(take(&out).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop::collection::vec(prop_oneof![0..40u8, any::<u8>()], 0..200),
            ordinals in prop::collection::vec(any::<u64>(), 9),
        ) {
            for list in take(&bytes).into_iter().flatten() {
                for &ordinal in &ordinals {
                    let read = list.read(ordinal % 100, &mut Default::default());
                    let is_none = matches!(read, Ok(None));
                    prop_assert_eq!(is_none, !list.contains(ordinal % 100));
                }
            }
        }
    }
}

//! Sorting that can be ended.

use std::cmp::Ordering;

use super::rows::WORK_A_LABEL_SET;
use crate::Error;
use crate::limits::{Limits, Loan, bytes_of};

/// How many elements are sorted from one check to the next.
const RUN: usize = 1024;

/// Sorts, equal elements in the order in which they were: runs at first, which are then merged.
///
/// # Errors
/// The query was ended, or may not hold what sorting takes.
pub(crate) fn sorted<T>(
    rows: Vec<T>,
    limits: &Limits<'_>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Result<Vec<T>, Error> {
    let mut work = 0;
    let mut is_sorted = true;
    for pair in rows.windows(2) {
        limits.check_work(&mut work, WORK_A_LABEL_SET)?;
        if compare(&pair[0], &pair[1]) == Ordering::Greater {
            is_sorted = false;
            break;
        }
    }
    if is_sorted {
        return Ok(rows);
    }
    let mut loan = Loan::new(limits);
    let count = rows.len();
    loan.add(0, 2 * bytes_of::<usize>(count))?;
    let compare = |a: &usize, b: &usize| compare(&rows[*a], &rows[*b]);
    let mut order: Vec<usize> = (0..count).collect();
    for run in order.chunks_mut(RUN) {
        limits.check()?;
        run.sort_by(compare);
    }
    let mut merged = Vec::with_capacity(count);
    let mut width = RUN;
    while width < count {
        merged.clear();
        for pair in order.chunks(2 * width) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
            while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
                limits.check_work(&mut work, WORK_A_LABEL_SET)?;
                let next = if compare(a, b) == Ordering::Greater {
                    right.next()
                } else {
                    left.next()
                };
                merged.extend(next);
            }
            merged.extend(left.chain(right));
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    drop(merged);
    in_order(rows, &order, &mut loan)
}

/// The elements in an order that names each at most once.
///
/// # Errors
/// The query may not hold what that takes.
pub(crate) fn in_order<T>(
    rows: Vec<T>,
    order: &[usize],
    loan: &mut Loan<'_>,
) -> Result<Vec<T>, Error> {
    loan.add(
        0,
        bytes_of::<Option<T>>(rows.len()) + bytes_of::<T>(order.len()),
    )?;
    let mut rows: Vec<Option<T>> = rows.into_iter().map(Some).collect();
    let take = |&at: &usize| rows.get_mut(at).and_then(Option::take);
    Ok(order.iter().filter_map(take).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;
    use crate::ErrorKind;
    use crate::limits::Budget;

    fn numbers(count: u64) -> Vec<(u64, usize)> {
        let number = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        (0..count).map(|at| (number(at), at as usize)).collect()
    }

    #[test]
    fn any_number_of_elements_is_sorted_stably() {
        let budget = Budget::new(1 << 20);
        let limits = Limits::new(&budget, 0, None, None);
        for count in [0, 1, 2, 1023, 1024, 1025, 5000, 8192] {
            let mut expected = numbers(count);
            let found = sorted(expected.clone(), &limits, |a, b| a.0.cmp(&b.0)).unwrap();
            expected.sort();
            assert_eq!(found, expected);
        }
        assert_eq!(limits.bytes_held(), 0);
    }

    #[test]
    fn sorting_ends_when_the_query_does() {
        let budget = Budget::new(1 << 30);
        let flag = AtomicBool::new(false);
        let limits = Limits::new(&budget, 0, None, Some(&flag));
        let compared = std::cell::Cell::new(0);
        let result = sorted(numbers(100_000), &limits, |a, b| {
            compared.set(compared.get() + 1);
            flag.store(compared.get() > 500_000, Relaxed);
            a.0.cmp(&b.0)
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Canceled);
        assert!(compared.get() < 520_000, "{}", compared.get());
    }
}

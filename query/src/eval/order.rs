//! Sorting that can be ended.

use std::cell::Cell;
use std::cmp::Ordering;

use super::rows::WORK_A_LABEL_SET;
use crate::Error;
use crate::functions::go_sort::go_sort;
use crate::limits::{Limits, Loan, Swept, bytes_of};

/// How many elements are sorted from one check to the next.
const RUN: usize = 1024;

/// How long it takes to move an element, in samples looked at: it may be anywhere.
const WORK_A_MOVE: usize = 16;

/// Sorts, equal elements in the order in which they were: runs at first, which are then merged.
///
/// # Errors
/// The query was ended, or may not hold what sorting takes.
pub(crate) fn sorted<'l, T: Send + 'static>(
    rows: Swept<'l, Vec<T>>,
    limits: &'l Limits<'l>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Result<Swept<'l, Vec<T>>, Error> {
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
            limits.check_work(&mut work, left.len() + right.len())?;
            merged.extend(left.chain(right));
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    drop(merged);
    in_order(rows, &order, &mut loan)
}

/// How long a comparison of values takes, in samples looked at.
const WORK_A_COMPARISON: usize = 4;

/// Sorts as Go does ([`go_sort`]).
///
/// # Errors
/// The query was ended.
pub(crate) fn go_sorted<T>(
    elements: &mut [T],
    limits: &Limits<'_>,
    less: impl Fn(&T, &T) -> bool,
) -> Result<(), Error> {
    let (ended, work) = (Cell::new(None), Cell::new(0));
    let going_on = || {
        let mut looked_at = work.get();
        let checked = limits.check_work(&mut looked_at, WORK_A_COMPARISON);
        work.set(looked_at);
        let error = ended.take().or(checked.err());
        let going_on = error.is_none();
        ended.set(error);
        going_on
    };
    // In an order in which nothing goes before anything, sorting soon ends.
    go_sort(elements, |a, b| going_on() && less(a, b));
    match ended.into_inner() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// The elements in an order that names each at most once.
///
/// # Errors
/// The query may not hold what that takes.
pub(crate) fn in_order<'l, T: Send + 'static>(
    rows: Swept<'l, Vec<T>>,
    order: &[usize],
    loan: &mut Loan<'l>,
) -> Result<Swept<'l, Vec<T>>, Error> {
    loan.add(
        0,
        bytes_of::<Option<T>>(rows.len()) + bytes_of::<T>(order.len()),
    )?;
    let limits = loan.limits();
    let mut work = 0;
    let mut all = Swept::new(Vec::with_capacity(rows.len()), limits);
    for row in rows {
        limits.check_work(&mut work, WORK_A_MOVE)?;
        all.push(Some(row));
    }
    let mut ordered = Swept::new(Vec::with_capacity(order.len()), limits);
    for &at in order {
        limits.check_work(&mut work, WORK_A_MOVE)?;
        ordered.extend(all.get_mut(at).and_then(Option::take));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
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
        let budget = Arc::new(Budget::new(1 << 20));
        let limits = Limits::new(&budget, 0, None, None);
        for count in [0, 1, 2, 1023, 1024, 1025, 5000, 8192] {
            let mut expected = numbers(count);
            let numbers = Swept::new(expected.clone(), &limits);
            let found = sorted(numbers, &limits, |a, b| a.0.cmp(&b.0)).unwrap();
            expected.sort();
            assert_eq!(*found, expected);
        }
        assert_eq!(limits.bytes_held(), 0);
    }

    #[test]
    fn sorting_ends_when_the_query_does() {
        let budget = Arc::new(Budget::new(1 << 30));
        let flag = AtomicBool::new(false);
        let limits = Limits::new(&budget, 0, None, Some(&flag));
        let compared = Cell::new(0);
        let numbers = Swept::new(numbers(100_000), &limits);
        let result = sorted(numbers, &limits, |a, b| {
            compared.set(compared.get() + 1);
            flag.store(compared.get() > 500_000, Relaxed);
            a.0.cmp(&b.0)
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Canceled);
        assert!(compared.get() < 520_000, "{}", compared.get());
    }
}

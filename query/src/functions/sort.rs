//! Orders of vectors: by value, and by labels in natural order.

use std::cmp::Ordering;

use crate::Labels;

/// The length up to which Go sorts by insertion.
const INSERTION_MAX: usize = 12;

/// Whether `a` stands before `b` on a heap of Prometheus: NaN before all else, then the smaller
/// one, or the larger one if `descending`.
pub(crate) fn value_before(a: f64, b: f64, descending: bool) -> bool {
    a.is_nan() || if descending { a > b } else { a < b }
}

/// Sorts as Go's `sort.Sort` does as long as that inserts (the order of equal elements and of
/// several NaN follows from it); above that length a stable sort.
pub(crate) fn insertion_sort<T>(elements: &mut [T], before: impl Fn(&T, &T) -> bool) {
    if elements.len() > INSERTION_MAX {
        elements.sort_by(|a, b| match (before(a, b), before(b, a)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => Ordering::Equal,
        });
        return;
    }
    for sorted in 1..elements.len() {
        let mut at = sorted;
        while at > 0 && before(&elements[at], &elements[at - 1]) {
            elements.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// By the labels named, in natural order (`a2` before `a10`), then by all labels.
pub(crate) fn by_labels(a: &Labels, b: &Labels, names: &[String]) -> Ordering {
    for name in names {
        let (a, b) = (a.get(name), b.get(name));
        if a != b {
            return if natural_before(a, b) {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
    }
    a.cmp(b)
}

/// Whether `a` comes before `b`, runs of digits compared as numbers (github.com/facette/natsort,
/// which Prometheus sorts labels with).
fn natural_before(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (chunks(a).peekable(), chunks(b).peekable());
    while let Some(left) = a.next() {
        let Some(right) = b.next() else { return false };
        let equal = match (left.parse::<i64>(), right.parse::<i64>()) {
            (Ok(left), Ok(right)) if left != right => return left < right,
            (Ok(_), Ok(_)) => true,
            _ => left == right,
        };
        if !equal {
            return left < right;
        }
        if a.peek().is_none() {
            return true;
        }
        if b.peek().is_none() {
            return false;
        }
    }
    false
}

/// Runs of digits and of everything else.
fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digits = rest.bytes().next()?.is_ascii_digit();
        let end = rest
            .find(|next: char| next.is_ascii_digit() != digits)
            .unwrap_or(rest.len());
        let (chunk, after) = rest.split_at(end);
        rest = after;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_labels_sort_as_numbers() {
        let mut names = ["a10", "a2", "b1", "a", "a2b", "", "10", "9"];
        names.sort_by(|a, b| {
            if a == b {
                Ordering::Equal
            } else if natural_before(a, b) {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        });
        assert_eq!(names[2..], ["10", "a", "a2", "a2b", "a10", "b1"]);
    }

    #[test]
    fn nan_sorts_last() {
        for length in [5, 20] {
            let mut values: Vec<f64> = (0..length).map(|at| f64::from(at * 7 % 5)).collect();
            values[1] = f64::NAN;
            insertion_sort(&mut values, |a, b| value_before(*b, *a, true));
            assert!(values[values.len() - 1].is_nan());
            assert!(values[..values.len() - 1].is_sorted());
        }
    }
}

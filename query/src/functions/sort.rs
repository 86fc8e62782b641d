//! Orders of vectors: by value, and by labels in natural order.

use std::cmp::Ordering;

use crate::Labels;
use crate::limits::meter::work;

/// Whether `a` stands before `b` on a heap of Prometheus: NaN before all else, then the smaller
/// one, or the larger one if `descending`.
pub(crate) fn value_before(a: f64, b: f64, descending: bool) -> bool {
    work(4);
    a.is_nan() || if descending { a > b } else { a < b }
}

/// By the labels named, in natural order (`a2` before `a10`), then by all labels.
pub(crate) fn by_labels(a: &Labels, b: &Labels, names: &[String]) -> Ordering {
    names
        .iter()
        .map(|name| natural(a.get(name), b.get(name)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.cmp(b))
}

/// Runs of digits compared as numbers, all else by its bytes, as Prometheus sorts labels
/// (github.com/facette/natsort). Numbers may be of any size here, so that it is an order.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut lefts, mut rights) = (chunks(a), chunks(b));
    loop {
        let order = match (lefts.next(), rights.next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) if is_number(left) && is_number(right) => {
                let [left, right] = [left, right].map(|number| number.trim_start_matches('0'));
                left.len().cmp(&right.len()).then(left.cmp(right))
            }
            (Some(left), Some(right)) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn is_number(chunk: &str) -> bool {
    chunk.starts_with(|first: char| first.is_ascii_digit())
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
    use crate::functions::go_sort::go_sort;

    #[test]
    fn numbers_in_labels_sort_as_numbers() {
        let long = "100000000000000000000000000";
        let mut names = ["a10", "a2", "b1", "a", long, "a2b", "", "10", "9", "a02"];
        names.sort_by(|a, b| natural(a, b));
        let sorted = ["", "9", "10", long, "a", "a02", "a2", "a2b", "a10", "b1"];
        assert_eq!(names, sorted);
    }

    #[test]
    fn nan_sorts_last() {
        for length in [5, 20] {
            let mut values: Vec<f64> = (0..length).map(|at| f64::from(at * 7 % 5)).collect();
            values[1] = f64::NAN;
            go_sort(&mut values, |a, b| value_before(*b, *a, true));
            assert!(values[values.len() - 1].is_nan());
            assert!(values[..values.len() - 1].is_sorted());
        }
    }
}

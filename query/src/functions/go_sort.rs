//! Go's `sort.Sort`: pattern-defeating quicksort. It is not stable, and where elements are equal,
//! or not comparable at all, their order in Prometheus's answers is the one it leaves them in:
//! hence the same choices of pivots, swaps and all.

/// Lengths up to this are sorted by insertion.
const INSERTION_MAX: usize = 12;

/// From this length on the pivot is a median of medians.
const NINTHER_MIN: usize = 50;

/// Sorts by `less`, which need not be an order.
pub(crate) fn go_sort<T>(elements: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let limit = usize::BITS - elements.len().leading_zeros();
    let end = elements.len();
    Sorter { elements, less }.sort(0, end, limit);
}

struct Sorter<'e, T, L> {
    elements: &'e mut [T],
    less: L,
}

/// What the choice of a pivot has shown of the order of elements.
#[derive(PartialEq)]
enum Hint {
    Unknown,
    Increasing,
    Decreasing,
}

impl<T, L: Fn(&T, &T) -> bool> Sorter<'_, T, L> {
    fn less(&self, a: usize, b: usize) -> bool {
        (self.less)(&self.elements[a], &self.elements[b])
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.elements.swap(a, b);
    }

    /// Sorts from `start` to before `end`; `limit` bad pivots may be chosen before it falls back
    /// on a heap.
    fn sort(&mut self, mut start: usize, mut end: usize, mut limit: u32) {
        let (mut was_balanced, mut was_partitioned) = (true, true);
        loop {
            let length = end - start;
            if length <= INSERTION_MAX {
                return self.insert(start, end);
            }
            if limit == 0 {
                return self.heap_sort(start, end);
            }
            if !was_balanced {
                self.break_patterns(start, end);
                limit -= 1;
            }
            let (mut pivot, mut hint) = self.choose_pivot(start, end);
            if hint == Hint::Decreasing {
                self.elements[start..end].reverse();
                pivot = (end - 1) - (pivot - start);
                hint = Hint::Increasing;
            }
            let seems_sorted = was_balanced && was_partitioned && hint == Hint::Increasing;
            if seems_sorted && self.insert_few(start, end) {
                return;
            }
            // The element before is not less than the pivot: many are equal to it.
            if start > 0 && !self.less(start - 1, pivot) {
                start = self.partition_equal(start, end, pivot);
                continue;
            }
            let (middle, partitioned) = self.partition(start, end, pivot);
            was_partitioned = partitioned;
            let (left, right) = (middle - start, end - middle);
            was_balanced = left.min(right) >= length / 8;
            if left < right {
                self.sort(start, middle, limit);
                start = middle + 1;
            } else {
                self.sort(middle + 1, end, limit);
                end = middle;
            }
        }
    }

    fn insert(&mut self, start: usize, end: usize) {
        for sorted in start + 1..end {
            let mut at = sorted;
            while at > start && self.less(at, at - 1) {
                self.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    /// Puts a few elements in place; whether everything is sorted then.
    fn insert_few(&mut self, start: usize, end: usize) -> bool {
        const STEPS_MAX: usize = 5;
        const SHIFTED_MIN: usize = 50;
        let mut at = start + 1;
        for _ in 0..STEPS_MAX {
            while at < end && !self.less(at, at - 1) {
                at += 1;
            }
            if at == end {
                return true;
            }
            if end - start < SHIFTED_MIN {
                return false;
            }
            self.swap(at, at - 1);
            if at - start >= 2 {
                let mut left = at - 1;
                while left >= 1 && self.less(left, left - 1) {
                    self.swap(left, left - 1);
                    left -= 1;
                }
            }
            if end - at >= 2 {
                let mut right = at + 1;
                while right < end && self.less(right, right - 1) {
                    self.swap(right, right - 1);
                    right += 1;
                }
            }
        }
        false
    }

    fn heap_sort(&mut self, start: usize, end: usize) {
        let length = end - start;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift_down(start, root, length);
        }
        for last in (0..length).rev() {
            self.swap(start, start + last);
            self.sift_down(start, 0, last);
        }
    }

    fn sift_down(&mut self, start: usize, mut root: usize, length: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= length {
                return;
            }
            if child + 1 < length && self.less(start + child, start + child + 1) {
                child += 1;
            }
            if !self.less(start + root, start + child) {
                return;
            }
            self.swap(start + root, start + child);
            root = child;
        }
    }

    /// Swaps some elements for others that a fixed sequence of numbers picks.
    fn break_patterns(&mut self, start: usize, end: usize) {
        let length = end - start;
        if length < 8 {
            return;
        }
        let mut random = length as u64;
        let modulus = 1u64 << (u64::BITS - random.leading_zeros());
        let first = start + (length / 4) * 2 - 1;
        for at in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut other = (random & (modulus - 1)) as usize;
            if other >= length {
                other -= length;
            }
            self.swap(first + at, start + other);
        }
    }

    fn choose_pivot(&self, start: usize, end: usize) -> (usize, Hint) {
        const SWAPS_MAX: usize = 4 * 3;
        let quarter = (end - start) / 4;
        let mut places = [1, 2, 3].map(|part| start + quarter * part);
        let mut swaps = 0;
        if end - start >= NINTHER_MIN {
            places = places.map(|at| self.median([at - 1, at, at + 1], &mut swaps));
        }
        let pivot = self.median(places, &mut swaps);
        let hint = match swaps {
            0 => Hint::Increasing,
            SWAPS_MAX => Hint::Decreasing,
            _ => Hint::Unknown,
        };
        (pivot, hint)
    }

    fn median(&self, [mut a, mut b, mut c]: [usize; 3], swaps: &mut usize) -> usize {
        let mut order = |first: &mut usize, second: &mut usize| {
            if self.less(*second, *first) {
                *swaps += 1;
                std::mem::swap(first, second);
            }
        };
        order(&mut a, &mut b);
        order(&mut b, &mut c);
        order(&mut a, &mut b);
        b
    }

    /// Brings elements less than the pivot to the left; where the pivot is then, and whether
    /// nothing had to move.
    fn partition(&mut self, start: usize, end: usize, pivot: usize) -> (usize, bool) {
        self.swap(start, pivot);
        let (mut left, mut right) = (start + 1, end - 1);
        let mut in_place = true;
        loop {
            while left <= right && self.less(left, start) {
                left += 1;
            }
            while left <= right && !self.less(right, start) {
                right -= 1;
            }
            if left > right {
                break;
            }
            in_place = false;
            self.swap(left, right);
            left += 1;
            right -= 1;
        }
        self.swap(right, start);
        (right, in_place)
    }

    /// Brings elements equal to the pivot to the left; where the others begin.
    fn partition_equal(&mut self, start: usize, end: usize, pivot: usize) -> usize {
        self.swap(start, pivot);
        let (mut left, mut right) = (start + 1, end - 1);
        loop {
            while left <= right && !self.less(start, left) {
                left += 1;
            }
            while left <= right && self.less(start, right) {
                right -= 1;
            }
            if left > right {
                return left;
            }
            self.swap(left, right);
            left += 1;
            right -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_sorted(mut values in proptest::collection::vec(-20..20i32, 0..400)) {
            let mut expected = values.clone();
            expected.sort_unstable();
            go_sort(&mut values, |a, b| a < b);
            prop_assert_eq!(values, expected);
        }

        #[test]
        fn what_is_no_order_ends_and_loses_nothing(
            values in proptest::collection::vec(0..1000u32, 0..300),
        ) {
            let mut sorted = values.clone();
            // Neither transitive nor antisymmetric.
            go_sort(&mut sorted, |a, b| a % 7 == 0 || (a * 31 + b * 17) % 5 < 2);
            let mut expected = values;
            expected.sort_unstable();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }

    /// As Prometheus 3.5.3 answered `sort` of such a vector.
    #[test]
    fn equal_elements_lie_where_go_leaves_them() {
        let sorted = |length: usize, value: fn(usize) -> usize| {
            let mut places: Vec<usize> = (0..length).collect();
            go_sort(&mut places, |&a, &b| value(a) < value(b));
            places
        };
        assert_eq!(
            sorted(20, |at| at * 7 % 5),
            [
                10, 5, 15, 0, 13, 3, 18, 8, 6, 16, 1, 11, 9, 14, 4, 19, 12, 2, 17, 7
            ]
        );
        assert_eq!(
            sorted(60, |at| at * at % 4)[..30],
            [
                46, 44, 2, 58, 30, 56, 6, 54, 8, 52, 10, 50, 12, 48, 14, 0, 16, 28, 18, 42, 20, 40,
                22, 38, 24, 36, 26, 34, 32, 4
            ]
        );
    }

    #[test]
    fn patterns_take_every_way() {
        for length in [0, 1, 12, 13, 49, 50, 300, 5000] {
            let patterns: [fn(usize) -> usize; 6] = [
                |at| at,
                |at| usize::MAX - at,
                |at| at / 2 * 2 + 1 - at % 2,
                |at| at * 7919 % 104_729,
                |at| at % 3,
                // Halves that rise and fall: bad pivots.
                |at| if at % 2 == 0 { at } else { 10_000 - at },
            ];
            for pattern in patterns {
                let mut values: Vec<usize> = (0..length).map(pattern).collect();
                go_sort(&mut values, |a, b| a < b);
                assert!(values.is_sorted());
            }
        }
    }
}

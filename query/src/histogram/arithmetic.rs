//! Sums and differences of native histograms, their buckets brought to what both have.

use super::bounds::upper_bound;
use super::{CUSTOM_SCHEMA, FloatHistogram, ResetHint};
use crate::functions::numeric::KahanSum;

/// Exponential buckets and custom ones do not add up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Incompatible;

/// What happened when two histograms were brought together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reconciled {
    /// One was known to follow a reset, the other not to.
    pub(crate) hints_collide: bool,
    /// Custom bounds differ, and those that both have were kept.
    pub(crate) bounds: bool,
}

type Buckets = Vec<(i32, f64)>;

/// The bucket of a lower resolution that a bucket lies in.
pub(super) fn lower_index(index: i32, schema: i32, target: i32) -> i32 {
    ((index - 1) >> (schema - target)) + 1
}

/// The place of a bucket, made if there is none.
fn slot(buckets: &mut Buckets, index: i32) -> &mut f64 {
    let at = match buckets.binary_search_by_key(&index, |bucket| bucket.0) {
        Ok(at) => at,
        Err(at) => {
            buckets.insert(at, (index, 0.0));
            at
        }
    };
    &mut buckets[at].1
}

/// Adds a number to another, what rounding takes to a third.
fn add_to(sum: &mut f64, lost: Option<&mut f64>, value: f64) {
    match lost {
        None => *sum += value,
        Some(lost) => {
            let total = KahanSum {
                sum: *sum,
                compensation: *lost,
            }
            .plus(value);
            (*sum, *lost) = (total.sum, total.compensation);
        }
    }
}

/// Merges buckets to a lower resolution, what was lost in rounding with them.
fn reduce(buckets: &mut Buckets, lost: Option<&mut Buckets>, schema: i32, target: i32) {
    let lower = |index| lower_index(index, schema, target);
    let old = std::mem::take(buckets);
    let Some(lost) = lost else {
        for (index, count) in old {
            match buckets.last_mut() {
                Some(last) if last.0 == lower(index) => last.1 += count,
                _ => buckets.push((lower(index), count)),
            }
        }
        return;
    };
    let old_lost = std::mem::take(lost);
    for (index, count) in old {
        let place = slot(lost, lower(index));
        add_to(slot(buckets, lower(index)), Some(place), count);
    }
    for (index, count) in old_lost {
        let place = slot(lost, lower(index));
        add_to(slot(buckets, lower(index)), Some(place), count);
    }
}

impl FloatHistogram {
    /// Adds another histogram.
    ///
    /// # Errors
    /// One has custom buckets, the other has not.
    pub(crate) fn add(&mut self, other: &Self) -> Result<Reconciled, Incompatible> {
        combine(self, None, other, false)
    }

    /// Takes another histogram away.
    ///
    /// # Errors
    /// One has custom buckets, the other has not.
    pub(crate) fn subtract(&mut self, other: &Self) -> Result<Reconciled, Incompatible> {
        combine(self, None, other, true)
    }

    /// The same with a lower resolution.
    pub(crate) fn at_schema(&self, target: i32) -> Self {
        let mut reduced = self.clone();
        if target < self.schema && !self.is_custom() && target != CUSTOM_SCHEMA {
            reduce(&mut reduced.positive, None, self.schema, target);
            reduce(&mut reduced.negative, None, self.schema, target);
            reduced.schema = target;
            reduced.reset_hint = ResetHint::Unknown;
        }
        reduced
    }

    /// Takes over what is known of resets; whether that collides.
    fn join_hints(&mut self, other: ResetHint) -> bool {
        use ResetHint::{Gauge, Unknown};
        let own = self.reset_hint;
        if own == other || own == Gauge || (own == Unknown && other != Gauge) {
            return false;
        }
        self.reset_hint = if other == Gauge { Gauge } else { Unknown };
        !matches!(other, Gauge | Unknown)
    }

    /// The count of the zero bucket, were it as wide as `threshold`, and how wide it must be so
    /// that it ends where a bucket does; and what rounding took from the count.
    pub(super) fn zero_count_within(&self, threshold: f64, lost: Option<&Self>) -> (f64, f64, f64) {
        let lost_zero = lost.map_or(0.0, |lost| lost.zero_count);
        if threshold <= self.zero_threshold {
            return (self.zero_count, self.zero_threshold, lost_zero);
        }
        let lost_of = |buckets: Option<&Buckets>, index: i32| {
            let buckets = buckets?;
            let at = buckets.binary_search_by_key(&index, |bucket| bucket.0);
            at.ok()
                .and_then(|at| buckets.get(at))
                .map(|bucket| bucket.1)
        };
        let sides = [
            (&self.positive, lost.map(|lost| &lost.positive)),
            (&self.negative, lost.map(|lost| &lost.negative)),
        ];
        let mut threshold = threshold;
        loop {
            let mut total = KahanSum {
                sum: self.zero_count,
                compensation: lost_zero,
            };
            let before = threshold;
            for (buckets, lost) in sides {
                for &(index, count) in buckets {
                    let lower = upper_bound(index.saturating_sub(1), self.schema, &[]);
                    let upper = upper_bound(index, self.schema, &[]);
                    if lower >= threshold {
                        break;
                    }
                    total = total.plus(count);
                    if let Some(lost) = lost_of(lost, index) {
                        total = total.plus(lost);
                    }
                    if upper > threshold {
                        if count != 0.0 {
                            threshold = upper;
                        }
                        break;
                    }
                }
            }
            // Positive buckets were looked at with the old width.
            if threshold == before {
                return (total.sum, threshold, total.compensation);
            }
        }
    }

    /// Widens the zero bucket to the end of a bucket.
    fn widen_zero(&mut self, threshold: f64, lost: Option<&mut Self>) {
        let (count, threshold, lost_count) = self.zero_count_within(threshold, lost.as_deref());
        let schema = self.schema;
        let outside = |index: i32| upper_bound(index.saturating_sub(1), schema, &[]) >= threshold;
        self.zero_count = count;
        self.zero_threshold = threshold;
        for buckets in [&mut self.positive, &mut self.negative] {
            buckets.retain(|&(index, count)| outside(index) && count != 0.0);
        }
        if let Some(lost) = lost {
            lost.zero_count = lost_count;
            lost.zero_threshold = threshold;
            lost.positive.retain(|&(index, _)| outside(index));
            lost.negative.retain(|&(index, _)| outside(index));
        }
    }
}

/// Adds `other` to `total`, or takes it away; with `lost`, what rounding takes is kept there.
fn combine(
    total: &mut FloatHistogram,
    mut lost: Option<&mut FloatHistogram>,
    other: &FloatHistogram,
    negative: bool,
) -> Result<Reconciled, Incompatible> {
    if total.is_custom() != other.is_custom() {
        return Err(Incompatible);
    }
    let mut reconciled = Reconciled {
        hints_collide: total.join_hints(other.reset_hint),
        bounds: false,
    };
    let sign = if negative { -1.0 } else { 1.0 };
    let zero = if total.is_custom() {
        0.0
    } else {
        other_zero_count(total, lost.as_deref_mut(), other)
    };
    for (of, value) in [
        (Number::Zero, zero),
        (Number::Count, other.count),
        (Number::Sum, other.sum),
    ] {
        let lost = lost.as_deref_mut().map(|lost| of.of(lost));
        add_to(of.of(total), lost, sign * value);
    }
    if total.is_custom() && total.custom_bounds != other.custom_bounds {
        reconciled.bounds = true;
        to_common_bounds(total, lost, other, negative);
        return Ok(reconciled);
    }
    let mut reduced = None;
    if other.schema < total.schema {
        let (from, to) = (total.schema, other.schema);
        let (lost_positive, lost_negative) = match lost.as_deref_mut() {
            Some(lost) => (Some(&mut lost.positive), Some(&mut lost.negative)),
            None => (None, None),
        };
        reduce(&mut total.positive, lost_positive, from, to);
        reduce(&mut total.negative, lost_negative, from, to);
        total.schema = to;
    } else if other.schema > total.schema {
        reduced = Some(other.at_schema(total.schema));
    }
    let other = reduced.as_ref().unwrap_or(other);
    // Those within the zero bucket are counted there.
    let (schema, width) = (total.schema, total.zero_threshold);
    let inside = |index| schema != CUSTOM_SCHEMA && upper_bound(index, schema, &[]) <= width;
    for (of, buckets) in [
        (Side::Positive, &other.positive),
        (Side::Negative, &other.negative),
    ] {
        for &(index, count) in buckets.iter().skip_while(|bucket| inside(bucket.0)) {
            let lost = lost.as_deref_mut().map(|lost| slot(of.of(lost), index));
            add_to(slot(of.of(total), index), lost, sign * count);
        }
    }
    Ok(reconciled)
}

/// Widens the zero bucket of `total` as far as both need it; gives the other's count then.
fn other_zero_count(
    total: &mut FloatHistogram,
    mut lost: Option<&mut FloatHistogram>,
    other: &FloatHistogram,
) -> f64 {
    let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
    while threshold != total.zero_threshold {
        if total.zero_threshold > threshold {
            (count, threshold, _) = other.zero_count_within(total.zero_threshold, None);
        }
        if threshold > total.zero_threshold {
            total.widen_zero(threshold, lost.as_deref_mut());
        }
    }
    count
}

#[derive(Clone, Copy)]
enum Number {
    Zero,
    Count,
    Sum,
}

impl Number {
    fn of(self, histogram: &mut FloatHistogram) -> &mut f64 {
        match self {
            Self::Zero => &mut histogram.zero_count,
            Self::Count => &mut histogram.count,
            Self::Sum => &mut histogram.sum,
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Positive,
    Negative,
}

impl Side {
    fn of(self, histogram: &mut FloatHistogram) -> &mut Buckets {
        match self {
            Self::Positive => &mut histogram.positive,
            Self::Negative => &mut histogram.negative,
        }
    }
}

/// The bounds that both have.
pub(super) fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut common: Vec<f64> = a
        .iter()
        .copied()
        .filter(|bound| b.contains(bound))
        .collect();
    common.dedup();
    common
}

/// The bucket of fewer bounds that a bucket lies in.
pub(super) fn common_index(index: i32, bounds: &[f64], common: &[f64]) -> i32 {
    let bound = usize::try_from(index).ok().and_then(|at| bounds.get(at));
    let at = match bound {
        Some(bound) => common.partition_point(|other| other < bound),
        None => common.len(),
    };
    at as i32
}

fn to_common_bounds(
    total: &mut FloatHistogram,
    lost: Option<&mut FloatHistogram>,
    other: &FloatHistogram,
    negative: bool,
) {
    let common = common_bounds(&total.custom_bounds, &other.custom_bounds);
    let (mut sums, mut rests) = (Buckets::new(), Buckets::new());
    let mut add = |index, bounds: &[f64], count| {
        let index = common_index(index, bounds, &common);
        add_to(slot(&mut sums, index), Some(slot(&mut rests, index)), count);
    };
    let own = std::mem::take(&mut total.positive);
    let own_lost = lost.as_ref().map(|lost| lost.positive.clone());
    for (index, count) in own {
        add(index, &total.custom_bounds, count);
        let rest = own_lost.as_ref().and_then(|lost| {
            let at = lost.binary_search_by_key(&index, |bucket| bucket.0);
            at.ok().and_then(|at| lost.get(at))
        });
        if let Some(&(_, rest)) = rest {
            add(index, &total.custom_bounds, rest);
        }
    }
    let sign = if negative { -1.0 } else { 1.0 };
    for &(index, count) in &other.positive {
        add(index, &other.custom_bounds, sign * count);
    }
    sums.retain(|bucket| bucket.1 != 0.0);
    total.positive = sums;
    total.custom_bounds.clone_from(&common);
    if let Some(lost) = lost {
        lost.positive = rests;
        lost.custom_bounds = common;
    }
}

/// A sum of histograms and what rounding took from it.
#[derive(Clone, Debug)]
pub(crate) struct HistogramSum {
    total: FloatHistogram,
    lost: Option<FloatHistogram>,
}

impl HistogramSum {
    pub(crate) fn of(first: FloatHistogram) -> Self {
        Self {
            total: first,
            lost: None,
        }
    }

    /// Takes another histogram in.
    ///
    /// # Errors
    /// One has custom buckets, the other has not.
    pub(crate) fn add(&mut self, other: &FloatHistogram) -> Result<Reconciled, Incompatible> {
        let total = &self.total;
        let lost = self.lost.get_or_insert_with(|| FloatHistogram {
            schema: total.schema,
            zero_threshold: total.zero_threshold,
            custom_bounds: total.custom_bounds.clone(),
            ..FloatHistogram::default()
        });
        let reconciled = combine(&mut self.total, Some(lost), other, false)?;
        lost.schema = self.total.schema;
        Ok(reconciled)
    }

    /// Whether a number in it is infinite.
    pub(crate) fn has_overflow(&self) -> bool {
        self.total.has_overflow()
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        self.total.scale(factor);
        if let Some(lost) = &mut self.lost {
            lost.scale(factor);
        }
    }

    pub(crate) fn divide(&mut self, divisor: f64) {
        self.total.divide(divisor);
        if let Some(lost) = &mut self.lost {
            lost.divide(divisor);
        }
    }

    /// The sum, buckets that hold nothing left out.
    pub(crate) fn total(self) -> FloatHistogram {
        let Self { mut total, lost } = self;
        if let Some(lost) = lost {
            let hint = total.reset_hint;
            // Both have the same layout.
            let _ = total.add(&lost);
            total.reset_hint = hint;
        }
        total.compact();
        total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(schema: i32, width: f64, buckets: &[(i32, f64)]) -> FloatHistogram {
        let inside: f64 = buckets.iter().map(|bucket| bucket.1).sum();
        FloatHistogram {
            schema,
            zero_threshold: width,
            zero_count: 1.0,
            count: inside + 1.0,
            sum: inside,
            positive: buckets.to_vec(),
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn sums_have_the_lower_resolution_and_the_wider_zero_bucket() {
        let mut sum = histogram(1, 0.25, &[(-2, 1.0), (1, 2.0), (2, 4.0)]);
        sum.add(&histogram(0, 0.4, &[(-1, 8.0), (1, 16.0)]))
            .unwrap();
        sum.compact();
        // 0.4 lies in the populated bucket (0.354, 0.5] of the first: its end is taken.
        assert_eq!((sum.schema, sum.zero_threshold), (0, 0.5));
        assert_eq!(sum.zero_count, 11.0);
        assert_eq!(sum.positive, [(1, 22.0)]);
        assert_eq!(sum.count, 33.0);
    }

    #[test]
    fn custom_bounds_that_both_have_are_kept() {
        let custom = |bounds: &[f64], buckets: &[(i32, f64)]| FloatHistogram {
            schema: CUSTOM_SCHEMA,
            custom_bounds: bounds.to_vec(),
            positive: buckets.to_vec(),
            ..FloatHistogram::default()
        };
        let mut sum = custom(&[1.0, 2.0, 4.0], &[(0, 1.0), (1, 2.0), (3, 8.0)]);
        let other = custom(&[1.0, 4.0], &[(1, 16.0), (2, 32.0)]);
        let reconciled = sum.add(&other).unwrap();
        assert!(reconciled.bounds);
        assert_eq!(sum.custom_bounds, [1.0, 4.0]);
        assert_eq!(sum.positive, [(0, 1.0), (1, 18.0), (2, 40.0)]);
        assert_eq!(sum.add(&histogram(0, 0.0, &[])), Err(Incompatible));
    }

    #[test]
    fn what_is_known_of_resets_is_joined() {
        use ResetHint::{Gauge, NoReset, Reset, Unknown};
        for (one, other, joined, collide) in [
            (NoReset, NoReset, NoReset, false),
            (NoReset, Reset, Unknown, true),
            (Reset, Unknown, Unknown, false),
            (Unknown, Reset, Unknown, false),
            (Reset, Gauge, Gauge, false),
            (Gauge, NoReset, Gauge, false),
        ] {
            let mut histogram = FloatHistogram {
                reset_hint: one,
                ..FloatHistogram::default()
            };
            let collides = histogram.join_hints(other);
            assert_eq!((histogram.reset_hint, collides), (joined, collide));
        }
    }

    fn any() -> impl Strategy<Value = FloatHistogram> {
        let counts = proptest::collection::vec(0..1000_u32, 0..6);
        (-2..3_i32, -3..4_i32, counts).prop_map(|(schema, first, counts)| {
            let counts = counts.into_iter().map(f64::from);
            histogram(schema, 0.0, &(first..).zip(counts).collect::<Vec<_>>())
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_sums(histograms in proptest::collection::vec(any(), 1..6)) {
            let mut sum = HistogramSum::of(histograms[0].clone());
            let mut plain = histograms[0].clone();
            for histogram in &histograms[1..] {
                prop_assert!(sum.add(histogram).is_ok());
                prop_assert!(plain.add(histogram).is_ok());
            }
            let sum = sum.total();
            plain.compact();
            prop_assert_eq!(&sum.positive, &plain.positive);
            let inside: f64 = sum.positive.iter().map(|bucket| bucket.1).sum();
            prop_assert_eq!(sum.count, inside + sum.zero_count);
            prop_assert!(sum.positive.is_sorted_by(|a, b| a.0 < b.0));
            // What was added is no reset, and taking it away gives what was there.
            prop_assert!(!plain.is_reset_after(&histograms[0]) || plain.schema < histograms[0].schema
                || plain.zero_threshold != histograms[0].zero_threshold);
            let mut rest = plain.clone();
            for histogram in &histograms {
                prop_assert!(rest.subtract(histogram).is_ok());
            }
            rest.compact();
            prop_assert!(rest.positive.is_empty() && rest.count == 0.0);
        }
    }
}

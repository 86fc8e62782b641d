//! Which histograms are refused, and why.

use super::*;
use crate::model::STALE_NAN_BITS;

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

/// 1 + 3 + 2 positive, 4 negative and 5 zero observations.
fn integer() -> Histogram {
    Histogram {
        schema: 3,
        zero_threshold: 0.001,
        sum: 12.5,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![span(-5, 2), span(3, 1)],
        negative_spans: vec![span(0, 1)],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: 15,
            zero_count: 5,
            positive_deltas: vec![1, 2, -1],
            negative_deltas: vec![4],
        },
    }
}

fn float() -> Histogram {
    Histogram {
        counts: HistogramCounts::Float {
            count: 15.5,
            zero_count: 5.0,
            positive: vec![1.0, 3.0, 2.5],
            negative: vec![4.0],
        },
        ..integer()
    }
}

/// Three observations in the buckets below 1 and above 2.
fn custom() -> Histogram {
    Histogram {
        schema: CUSTOM_SCHEMA,
        zero_threshold: 0.0,
        sum: 4.5,
        reset_hint: ResetHint::Gauge,
        positive_spans: vec![span(0, 1), span(1, 1)],
        negative_spans: vec![],
        custom_bounds: vec![1.0, 2.0],
        counts: HistogramCounts::Integer {
            count: 3,
            zero_count: 0,
            positive_deltas: vec![2, -1],
            negative_deltas: vec![],
        },
    }
}

fn with_counts(count: u64, zero_count: u64, deltas: &[i64], negative: &[i64]) -> HistogramCounts {
    HistogramCounts::Integer {
        count,
        zero_count,
        positive_deltas: deltas.to_vec(),
        negative_deltas: negative.to_vec(),
    }
}

fn with_floats(count: f64, zero_count: f64, positive: &[f64]) -> HistogramCounts {
    HistogramCounts::Float {
        count,
        zero_count,
        positive: positive.to_vec(),
        negative: vec![4.0],
    }
}

#[test]
fn histograms_as_exporters_send_them_are_taken() {
    let stale = Histogram {
        sum: f64::from_bits(STALE_NAN_BITS),
        positive_spans: vec![],
        negative_spans: vec![],
        counts: with_counts(0, 0, &[], &[]),
        ..integer()
    };
    // Two observations of NaN are in no bucket.
    let nan = Histogram {
        sum: f64::NAN,
        counts: with_counts(17, 5, &[1, 2, -1], &[4]),
        ..integer()
    };
    let open_below = Histogram {
        custom_bounds: vec![f64::NEG_INFINITY, 2.0],
        ..custom()
    };
    let no_bounds = Histogram {
        custom_bounds: vec![],
        positive_spans: vec![span(0, 1)],
        counts: with_counts(2, 0, &[2], &[]),
        ..custom()
    };
    for histogram in [
        integer(),
        float(),
        custom(),
        stale,
        nan,
        open_below,
        no_bounds,
    ] {
        assert_eq!(histogram.validate(), Ok(()));
    }
}

fn assert_refused(histogram: &Histogram, want: &str) {
    let error = histogram.validate().unwrap_err().to_string();
    assert!(error.contains(want), "{error:?} lacks {want:?}");
}

#[test]
fn layouts_that_fit_nothing_are_refused() {
    for schema in [-5, 9, -52, i8::MIN] {
        let histogram = Histogram {
            schema,
            ..integer()
        };
        assert_refused(&histogram, &format!("schema {schema}"));
    }
    let spans = |spans: &[BucketSpan]| Histogram {
        positive_spans: spans.to_vec(),
        ..integer()
    };
    assert_refused(
        &spans(&[span(0, 1), span(-1, 2)]),
        "positive span 2 of the histogram has the negative offset -1",
    );
    assert_refused(
        &spans(&[span(0, 1), span(1, 1)]),
        "positive spans of the histogram have 2 buckets, and 3 are given",
    );
    assert_refused(
        &spans(&[span(i32::MAX - 1, 1), span(1, 2)]),
        "positive span 2 of the histogram goes beyond",
    );
    assert_refused(&spans(&[span(0, u32::MAX)]), "positive span 1");
    let bounds = Histogram {
        custom_bounds: vec![1.0],
        ..integer()
    };
    assert_refused(&bounds, "schema 3 has bounds of its own");
}

#[test]
fn custom_bounds_rise_and_are_enough() {
    let bounds = |bounds: &[f64]| Histogram {
        custom_bounds: bounds.to_vec(),
        ..custom()
    };
    assert_refused(&bounds(&[2.0, 2.0]), "must rise: 2 follows 2");
    assert_refused(
        &bounds(&[2.0, f64::NAN]),
        "custom bound 2 of the histogram is NaN",
    );
    assert_refused(&bounds(&[2.0, f64::INFINITY]), "is inf");
    assert_refused(&bounds(&[1.0]), "make too few buckets for spans up to 3");
    let of = |change: fn(&mut Histogram)| {
        let mut histogram = custom();
        change(&mut histogram);
        histogram
    };
    assert_refused(
        &of(|h| h.positive_spans[0].offset = -1),
        "span 1 of the histogram has the negative offset",
    );
    assert_refused(&of(|h| h.zero_threshold = 0.1), "a zero threshold");
    assert_refused(
        &of(|h| h.negative_spans = vec![span(0, 0)]),
        "negative spans",
    );
    assert_refused(
        &of(|h| h.counts = with_counts(3, 0, &[2, -1], &[0])),
        "negative buckets",
    );
    assert_refused(
        &of(|h| h.counts = with_counts(4, 1, &[2, -1], &[])),
        "zero bucket",
    );
}

#[test]
fn counts_that_do_not_add_up_are_refused() {
    let counts = |counts| Histogram {
        counts,
        ..integer()
    };
    assert_refused(
        &counts(with_counts(15, 5, &[1, -2, 3], &[4])),
        "positive bucket 2 of the histogram has the negative count -1",
    );
    for count in [14, 16] {
        assert_refused(
            &counts(with_counts(count, 5, &[1, 2, -1], &[4])),
            "hold 15 observations",
        );
    }
    // Sums beyond any integer do not wrap around to what would fit.
    assert_refused(
        &counts(with_counts(5, 5, &[i64::MAX, i64::MAX, -1], &[3])),
        "observations",
    );
    let more_than_nan = Histogram {
        sum: f64::NAN,
        ..counts(with_counts(14, 5, &[1, 2, -1], &[4]))
    };
    assert_refused(&more_than_nan, "its count is 14");
    assert_refused(
        &counts(with_floats(-1.0, 0.0, &[1.0, 1.0, 1.0])),
        "the negative count -1",
    );
    assert_refused(
        &counts(with_floats(1.0, -2.0, &[1.0, 1.0, 1.0])),
        "zero bucket",
    );
    assert_refused(
        &counts(with_floats(1.0, 0.0, &[1.0, 1.0, -0.5])),
        "positive bucket 3 of the histogram has the negative count -0.5",
    );
}

#[test]
fn identical_is_to_the_bit() {
    let with_sum = |bits| Histogram {
        sum: f64::from_bits(bits),
        ..float()
    };
    let stale = with_sum(STALE_NAN_BITS);
    assert!(stale.is_identical(&stale.clone()) && stale != stale.clone());
    assert!(!stale.is_identical(&with_sum(f64::NAN.to_bits())));
    assert!(!with_sum(0).is_identical(&with_sum((-0.0f64).to_bits())));
    assert!(!integer().is_identical(&float()));
    let mut other = float();
    other.reset_hint = ResetHint::Reset;
    assert!(!float().is_identical(&other));
}

//! One recorded series, and how a target plays it in another order.

/// Most decimals that an exporter is taken to have printed on purpose; beyond them the digits are
/// the noise of a float.
const DECIMALS_MAX: i32 = 12;

/// Up to here an f64 holds every integer.
const EXACT_MAX: f64 = (1_u64 << 53) as f64;

/// The values of a series, by recorded scrape.
#[derive(Debug)]
pub(crate) enum Column {
    /// Played as it was recorded, scrape by scrape.
    Gauge(Vec<f64>),
    /// What never fell, in integers and decimals: its increments are summed up again as integers,
    /// so that the sums are as short as the exporter printed them.
    Decimals {
        /// The first value times `scale`.
        first: i64,
        /// By how much it had risen since the scrape before, times `scale`; 0 for the first.
        increments: Vec<i64>,
        /// A power of ten.
        scale: f64,
    },
    /// What never fell, and is no decimal.
    Floats {
        /// The first value.
        first: f64,
        /// By how much it had risen since the scrape before; 0 for the first.
        increments: Vec<f64>,
    },
}

/// How far a target has come in a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    /// A gauge's value is the recorded one, wherever the target is.
    Anywhere,
    /// The sum so far, times the scale.
    Decimals(i64),
    /// The sum so far.
    Floats(f64),
}

impl Column {
    /// A column of recorded values. What is finite, never negative and never falls counts as a
    /// counter, whatever its name is.
    pub(crate) fn new(values: &[f64]) -> Self {
        let rises = values.is_sorted() && values.iter().all(|v| v.is_finite() && *v >= 0.0);
        let (Some(&first), true) = (values.first(), rises) else {
            return Self::Gauge(values.to_vec());
        };
        // The scale that fits the whole column.
        let scale = (0..=DECIMALS_MAX)
            .map(|decimals| 10_f64.powi(decimals))
            .find(|&scale| values.iter().all(|&value| scaled(value, scale).is_some()));
        let Some(scale) = scale else {
            let pairs = values.windows(2).map(|pair| pair[1] - pair[0]);
            let increments = std::iter::once(0.0).chain(pairs).collect();
            return Self::Floats { first, increments };
        };
        let integers: Vec<i64> = values.iter().filter_map(|&v| scaled(v, scale)).collect();
        let pairs = integers.windows(2).map(|pair| pair[1] - pair[0]);
        Self::Decimals {
            first: integers.first().copied().unwrap_or(0),
            increments: std::iter::once(0).chain(pairs).collect(),
            scale,
        }
    }

    /// How many recorded scrapes there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Gauge(values) => values.len(),
            Self::Decimals { increments, .. } => increments.len(),
            Self::Floats { increments, .. } => increments.len(),
        }
    }

    /// Where a target begins.
    pub(crate) fn begin(&self) -> Position {
        match self {
            Self::Gauge(_) => Position::Anywhere,
            Self::Decimals { first, .. } => Position::Decimals(*first),
            Self::Floats { first, .. } => Position::Floats(*first),
        }
    }

    /// The value once the recorded scrape `row`, which must be one, has been played.
    pub(crate) fn play(&self, position: &mut Position, row: usize) -> f64 {
        match (self, position) {
            (
                Self::Decimals {
                    increments, scale, ..
                },
                Position::Decimals(sum),
            ) => {
                *sum = sum.saturating_add(increments[row]);
                // Correctly rounded, so the double that the decimal's text would be read as.
                *sum as f64 / scale
            }
            (Self::Floats { increments, .. }, Position::Floats(sum)) => {
                *sum += increments[row];
                *sum
            }
            (Self::Gauge(values), _) => values[row],
            // A position from another column: begin() never gives one.
            (Self::Decimals { first, scale, .. }, _) => *first as f64 / scale,
            (Self::Floats { first, .. }, _) => *first,
        }
    }
}

/// The value times the scale, where that is an integer that gives the very value back.
fn scaled(value: f64, scale: f64) -> Option<i64> {
    let integer = (value * scale).round();
    let same = (integer / scale).to_bits() == value.to_bits();
    (integer < EXACT_MAX && same).then_some(integer as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn played(values: &[f64], rows: &[usize]) -> Vec<f64> {
        let column = Column::new(values);
        let mut position = column.begin();
        rows.iter()
            .map(|&row| column.play(&mut position, row))
            .collect()
    }

    #[test]
    fn kinds() {
        let gauge = [3.0, 1.0, f64::NAN];
        assert_eq!(played(&gauge, &[1, 0]), [1.0, 3.0]);
        assert!(played(&gauge, &[2])[0].is_nan());
        assert_eq!(played(&[-2.0, -1.0], &[1, 1]), [-1.0, -1.0]);
        assert_eq!(
            played(&[0.1, 0.3, 0.6], &[0, 2, 1, 2]),
            [0.1, 0.4, 0.6, 0.9]
        );
        // 1/3 has no end: summed up as floats.
        assert!(matches!(
            Column::new(&[0.0, 1.0 / 3.0]),
            Column::Floats { .. }
        ));
        assert!(matches!(
            Column::new(&[1e300, 2e300]),
            Column::Floats { .. }
        ));
    }

    proptest! {
        #[test]
        fn counters_rise_and_keep_their_decimals(
            increments in prop::collection::vec(0_u32..100_000, 2..60),
            decimals in 0_usize..5,
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
        ) {
            let scale = 10_f64.powi(decimals as i32);
            let mut sum = 0_u64;
            let values: Vec<f64> = increments
                .iter()
                .map(|&increment| {
                    sum += u64::from(increment);
                    sum as f64 / scale
                })
                .collect();
            let rows: Vec<usize> = order.iter().map(|i| i.index(values.len())).collect();
            let out = played(&values, &rows);
            prop_assert!(out.is_sorted());
            for value in out {
                let text = format!("{value}");
                let printed = text.split_once('.').map_or(0, |(_, tail)| tail.len());
                prop_assert!(printed <= decimals, "{text}");
            }
            // In the recorded order it is the recording.
            let rows: Vec<usize> = (0..values.len()).collect();
            prop_assert_eq!(played(&values, &rows), values);
        }
    }
}

//! The steps of a query.

/// Moments of evaluation: `count` of them, `step_ms` apart, the first at `start_ms`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Grid {
    /// First moment, in milliseconds since the Unix epoch.
    pub(crate) start_ms: i64,
    /// Distance from one to the next, in milliseconds, above 0.
    pub(crate) step_ms: i64,
    /// How many there are, at least 1.
    pub(crate) count: usize,
}

impl Grid {
    /// One moment.
    pub(crate) fn instant(time_ms: i64) -> Self {
        Self {
            start_ms: time_ms,
            step_ms: 1,
            count: 1,
        }
    }

    /// From `start_ms` to `end_ms` at most, both inside.
    pub(crate) fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        debug_assert!(start_ms <= end_ms && step_ms > 0);
        let span_ms = i128::from(end_ms) - i128::from(start_ms);
        let count = span_ms / i128::from(step_ms) + 1;
        Self {
            start_ms,
            step_ms,
            count: usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    /// The same start alone.
    pub(crate) fn first_step(&self) -> Self {
        Self { count: 1, ..*self }
    }

    /// Whether there is one step: the order of results means something then.
    pub(crate) fn is_instant(&self) -> bool {
        self.count == 1
    }

    /// The moment of a step, in milliseconds since the Unix epoch.
    pub(crate) fn time_ms(&self, step: usize) -> i64 {
        self.start_ms + step as i64 * self.step_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_belongs_to_the_grid_where_a_step_meets_it() {
        assert_eq!(Grid::range(0, 100, 10).count, 11);
        assert_eq!(Grid::range(0, 99, 10).time_ms(9), 90);
        assert_eq!(Grid::range(0, 99, 10).count, 10);
        assert_eq!(Grid::range(i64::MIN, i64::MAX, i64::MAX).count, 3);
    }
}

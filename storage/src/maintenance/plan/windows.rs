//! Spans of time that blocks keep to.
//!
//! Windows are as wide as a level says, and aligned to the epoch of Unix time, so that each lies
//! in one of the level above. Timestamps are any i64: the windows at both ends are cut short.

use std::time::Duration;

use crate::model::TimeRange;

/// The narrowest windows, in milliseconds: 2 h.
const WIDTH_MIN_MS: i64 = 2 * 3_600_000;
/// The widest that blocks are made for, in milliseconds: 512 h.
const WIDTH_MAX_MS: i64 = 512 * 3_600_000;
/// How many windows of a level lie in one of the next.
const WINDOWS_PER_LEVEL: i64 = 4;
/// How many times as long as the widest window the retention is, at least: so much is kept beyond
/// it at most, as files go as a whole.
const RETENTION_WINDOWS: u32 = 10;

/// Into how many ranges samples are cut whose windows could be narrower or wider.
const RANGES_WANTED: i128 = 8;
/// The same where the widest windows make more: from here on they are wider.
const RANGES_MAX: i128 = 64;

/// The width of windows, in milliseconds: 2 h times a power of four.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Width(i64);

impl Width {
    /// Of the narrowest windows.
    pub(super) const MIN: Self = Self(WIDTH_MIN_MS);

    /// Of the widest that blocks are made for, with that retention.
    pub(super) fn widest(retention: Option<Duration>) -> Self {
        let retention = retention.map_or(u128::MAX, |retention| retention.as_millis());
        let limit = retention / u128::from(RETENTION_WINDOWS);
        let mut widest = Self::MIN;
        while let Some(wider) = widest.wider()
            && wider.0 <= WIDTH_MAX_MS
            && wider.0 as u128 <= limit
        {
            widest = wider;
        }
        widest
    }

    /// Of the windows of the next level; none where one of them would be as long as time.
    pub(super) fn wider(self) -> Option<Self> {
        self.0.checked_mul(WINDOWS_PER_LEVEL).map(Self)
    }

    fn narrower(self) -> Self {
        Self((self.0 / WINDOWS_PER_LEVEL).max(WIDTH_MIN_MS))
    }

    /// The number of the window that a timestamp lies in.
    pub(super) fn number_of(self, timestamp_ms: i64) -> i64 {
        timestamp_ms.div_euclid(self.0)
    }

    /// The window that a timestamp lies in.
    pub(super) fn window_of(self, timestamp_ms: i64) -> TimeRange {
        let within = timestamp_ms.rem_euclid(self.0);
        let start_ms = timestamp_ms.saturating_sub(within);
        // What is left of the window, so that a start that was cut off does not matter.
        let end_ms = timestamp_ms.saturating_add(self.0 - 1 - within);
        TimeRange { start_ms, end_ms }
    }

    /// How many windows have a part in a range.
    fn count(self, range: TimeRange) -> i128 {
        let [first, last] = [range.start_ms, range.end_ms].map(|at| self.number_of(at));
        i128::from(last) - i128::from(first) + 1
    }
}

/// Into which ranges samples within `range` are cut: few of them, the narrower the nearer to
/// `horizon_ms`, up to which time has come. They rise, do not overlap, leave nothing out between
/// them, and together hold all of time: an exemplar may lie outside of the samples.
pub(super) fn ranges(range: Option<TimeRange>, horizon_ms: i64, widest: Width) -> Vec<TimeRange> {
    let mut ranges = Vec::new();
    if let Some(range) = range {
        let width = width_for(range, widest);
        let mut at = range.start_ms;
        loop {
            let window = width.window_of(at);
            cut(window, width, range, horizon_ms, &mut ranges);
            match window.end_ms.checked_add(1) {
                Some(next) if next <= range.end_ms => at = next,
                _ => break,
            }
        }
    }
    if ranges.is_empty() {
        return vec![TimeRange::ALL];
    }
    if let Some(first) = ranges.first_mut() {
        first.start_ms = i64::MIN;
    }
    if let Some(last) = ranges.last_mut() {
        last.end_ms = i64::MAX;
    }
    ranges
}

/// Whether samples within `range` are of a few of the narrowest windows and lie in one window that
/// is no wider than `widest`, so that a block of all of them is none that a merge could not write.
pub(super) fn is_short(range: Option<TimeRange>, widest: Width) -> bool {
    range.is_none_or(|range| {
        let widths = std::iter::successors(Some(Width::MIN), |width| width.wider());
        let lies_in_one = widths
            .take_while(|&width| width <= widest)
            .any(|width| width.count(range) == 1);
        lies_in_one && Width::MIN.count(range) <= RANGES_WANTED
    })
}

fn width_for(range: TimeRange, widest: Width) -> Width {
    let mut width = Width::MIN;
    loop {
        let count = width.count(range);
        let is_few = count <= RANGES_WANTED || width >= widest && count <= RANGES_MAX;
        match width.wider() {
            Some(wider) if !is_few => width = wider,
            _ => return width,
        }
    }
}

/// Adds a window, in parts where its time is not over: what is written now need not lie in one
/// block with what is written next week.
fn cut(
    window: TimeRange,
    width: Width,
    within: TimeRange,
    horizon_ms: i64,
    out: &mut Vec<TimeRange>,
) {
    if width == Width::MIN || !window.contains(horizon_ms) {
        out.push(window);
        return;
    }
    let narrower = width.narrower();
    let mut at = window.start_ms;
    loop {
        let part = narrower.window_of(at);
        if part.overlaps(within) {
            cut(part, narrower, within, horizon_ms, out);
        }
        match part.end_ms.checked_add(1) {
            Some(next) if next <= window.end_ms => at = next,
            _ => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn any_time() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            -100 * HOUR..100 * HOUR,
            (0..100 * HOUR).prop_map(|t| i64::MAX - t),
            (0..100 * HOUR).prop_map(|t| i64::MIN + t),
            Just(i64::MIN),
            Just(i64::MAX),
        ]
    }

    fn widths() -> Vec<Width> {
        std::iter::successors(Some(Width::MIN), |width| width.wider()).collect()
    }

    #[test]
    fn the_widest_window_is_a_tenth_of_the_retention_at_most() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        for (retention, widest) in [
            (None, 512),
            (hours(100_000), 512),
            (hours(5119), 128),
            (hours(5120), 512),
            (hours(360), 32),
            (hours(80), 8),
            (hours(1), 2),
            (Some(Duration::ZERO), 2),
            (Some(Duration::MAX), 512),
        ] {
            assert_eq!(Width::widest(retention), Width(widest * HOUR));
        }
    }

    proptest! {
        #[test]
        fn a_window_lies_in_one_of_the_next_level(at in any_time(), other in any_time()) {
            let mut before = TimeRange::new(at, at);
            for width in widths() {
                let window = width.window_of(at);
                prop_assert!(window.start_ms <= before.start_ms);
                prop_assert!(before.end_ms <= window.end_ms);
                prop_assert_eq!(width.number_of(other) == width.number_of(at), window.contains(other));
                prop_assert_eq!(window == width.window_of(other), window.contains(other));
                before = window;
            }
        }

        #[test]
        fn ranges_hold_everything_once_and_are_few(
            a in any_time(),
            b in any_time(),
            horizon in any_time(),
            level in 0..5usize,
        ) {
            let range = TimeRange::new(a.min(b), a.max(b));
            let widest = widths()[level];
            let ranges = ranges(Some(range), horizon, widest);
            prop_assert!(ranges.len() <= 64 + 3 * widths().len(), "{}", ranges.len());
            prop_assert_eq!(ranges[0].start_ms, i64::MIN);
            prop_assert_eq!(ranges[ranges.len() - 1].end_ms, i64::MAX);
            for pair in ranges.windows(2) {
                prop_assert_eq!(pair[0].end_ms.checked_add(1), Some(pair[1].start_ms));
                // Both have something of the range, so none is there in vain for sure.
                prop_assert!(pair[0].overlaps(range) && pair[1].overlaps(range));
            }
            // Each but for its open ends lies in one window of some level.
            for one in &ranges {
                let inside = TimeRange {
                    start_ms: one.start_ms.max(range.start_ms),
                    end_ms: one.end_ms.min(range.end_ms),
                };
                let width = widths().into_iter().find(|width| width.count(inside) == 1);
                let limit = width_for(range, widest);
                prop_assert!(width.is_some_and(|width| width <= limit));
            }
        }
    }

    #[test]
    fn a_few_hours_are_short_where_one_window_holds_them() {
        let is_short = |hours: std::ops::Range<i64>, widest: i64| {
            let range = TimeRange::new(hours.start * HOUR, hours.end * HOUR - 1);
            is_short(Some(range), Width(widest * HOUR))
        };
        // Across a border of 2 h, of 8 h, of 32 h.
        for (hours, widest) in [(1..3, 8), (7..9, 32), (31..33, 128), (0..2, 2)] {
            assert!(is_short(hours.clone(), widest), "{hours:?}");
            let narrower = Width(widest * HOUR).narrower() < Width(widest * HOUR);
            assert!(!narrower || !is_short(hours, widest / 4));
        }
        assert!(is_short(0..16, 512) && !is_short(0..17, 512));
        assert!(!is_short(-1..1, 512), "all windows meet in the epoch");
        assert!(super::is_short(None, Width::MIN));
    }

    #[test]
    fn samples_are_cut_at_the_hours_and_what_is_far_away_more_coarsely() {
        let now = 100_011 * HOUR + 1;
        let cuts = |hours: std::ops::Range<i64>| -> Vec<i64> {
            let range = TimeRange::new(hours.start * HOUR, hours.end * HOUR - 1);
            let ranges = ranges(Some(range), now, Width::widest(None));
            ranges.iter().skip(1).map(|r| r.start_ms / HOUR).collect()
        };
        assert_eq!(cuts(100_009..100_011), [100_010]);
        assert_eq!(cuts(100_003..100_010), [100_004, 100_006, 100_008]);
        // A day of some time ago, and a year with the hours of now.
        assert_eq!(cuts(50_000..50_024), [50_008, 50_016]);
        let year = cuts(91_250..100_012);
        assert_eq!(year[..2], [91_648, 92_160]);
        let last = [99_328, 99_840, 99_968, 100_000, 100_008, 100_010];
        assert_eq!(year[year.len() - 6..], last);
        assert_eq!(year.len(), 16 + 5, "{year:?}");
    }
}

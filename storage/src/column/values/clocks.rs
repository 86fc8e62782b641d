//! Which clocks there are: found in a column of durations, and remembered for the next ones, for
//! what is measured by one clock stands in many columns.

use super::decimal::Decimals;
use super::ticks::Ticks;

/// A clock that goes in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::column) struct Clock {
    /// Units are 10^-exponent.
    pub(super) exponent: u8,
    /// The tick, in units of 2^-24.
    pub(super) tick: u64,
}

/// Clocks that are remembered.
const CLOCKS_MAX: usize = 4;
/// Columns of fewer values are not asked what clock they came from.
const VALUES_MIN: usize = 64;
/// Nor are those of fewer bits a value, from which hardly any could be taken.
const BITS_MIN: usize = 10;
/// Units that durations are printed in: microseconds at most, if values are seconds.
const EXPONENT_MIN: u8 = 6;
/// Once so many columns in a row had no clock, as a power of two, one of so many is searched.
const PAUSE_BITS_MAX: u32 = 10;
/// The ticks that are looked for, in units.
const TICKS: std::ops::Range<f64> = 4.0..64.0;
/// By how much one differs from the next that is tried.
const TICK_STEP: f64 = 1.004;
/// Differences between values that are looked at first are below this.
const NEAR: u64 = 128;
/// So many of them there must be.
const NEAR_MIN: u32 = 48;

/// Clocks that were found in columns before. By default none is searched.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    is_searching: bool,
    /// The one that was of use last stands first.
    known: Vec<Clock>,
    /// Columns that had none, one after the other.
    misses: u32,
    /// Columns that are not searched any more for now.
    pause: u32,
}

impl Clocks {
    /// None yet.
    pub(super) fn searching() -> Self {
        Self {
            is_searching: true,
            ..Self::default()
        }
    }

    /// Decimals by a clock, if that may be the smaller way to write them.
    pub(super) fn ticks(&mut self, decimals: &Decimals) -> Option<Ticks> {
        let values = decimals.len();
        let is_asked = self.is_searching
            && values >= VALUES_MIN
            && decimals.exponent() >= EXPONENT_MIN
            && decimals.bytes() * 8 >= values * BITS_MIN
            && decimals.are_plain();
        if !is_asked {
            return None;
        }
        let known = self.known.iter().enumerate();
        let found = known
            .filter_map(|(place, &clock)| Some((place, Ticks::of(decimals, clock)?)))
            .next();
        if let Some((place, ticks)) = found {
            self.known[..=place].rotate_right(1);
            return Some(ticks);
        }
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        let found = search(decimals).and_then(|clock| Some((clock, Ticks::of(decimals, clock)?)));
        match found {
            Some((clock, ticks)) => {
                self.misses = 0;
                self.known.truncate(CLOCKS_MAX - 1);
                self.known.insert(0, clock);
                Some(ticks)
            }
            None => {
                self.misses = PAUSE_BITS_MAX.min(self.misses + 1);
                self.pause = (1 << self.misses) - 1;
                None
            }
        }
    }
}

/// The clock that values were counted by, if one can be told from them.
fn search(decimals: &Decimals) -> Option<Clock> {
    let mut sorted: Vec<u64> = decimals
        .integers()
        .map(|integer| u64::try_from(integer).ok())
        .collect::<Option<_>>()?;
    sorted.sort_unstable();
    sorted.dedup();
    let units = refined(&sorted, coarse(&sorted)?);
    Clock::new(decimals.exponent(), units)
}

/// The tick of which most small differences between values are multiples, give or take one unit,
/// and that says most by that. (Four times something was cut off: one of ten is further away.)
fn coarse(sorted: &[u64]) -> Option<f64> {
    let mut counts = [0u32; NEAR as usize];
    for apart in 1..=4 {
        for (low, high) in sorted.iter().zip(sorted.iter().skip(apart)) {
            if let Some(count) = counts.get_mut((high - low) as usize) {
                *count += 1;
            }
        }
    }
    let all: u32 = counts.iter().sum();
    if all < NEAR_MIN {
        return None;
    }
    let mut best = None;
    let mut tick = TICKS.start;
    while tick < TICKS.end {
        let near = |difference: usize| is_multiple(difference as f64, tick);
        let counts = counts.iter().enumerate();
        let hits: u32 = counts
            .filter(|&(difference, _)| near(difference))
            .map(|(_, &count)| count)
            .sum();
        // Of any differences so many would be.
        let chance = f64::from(all) * (2.0 / tick);
        let surprise = (f64::from(hits) - chance) / (chance * (1.0 - 2.0 / tick)).sqrt();
        let is_clear = hits * 5 >= all * 4;
        if is_clear && best.is_none_or(|(most, _)| surprise > most) {
            best = Some((surprise, tick));
        }
        tick *= TICK_STEP;
    }
    best.map(|(_, tick)| tick)
}

/// Whether a difference between two numbers of ticks, each cut to whole units, may be so large.
fn is_multiple(difference: f64, tick: f64) -> bool {
    (difference - nearest(difference, tick) * tick).abs() <= 1.01
}

/// The nearest number of ticks. (A cast is quicker than to round.)
fn nearest(difference: f64, tick: f64) -> f64 {
    (difference / tick + 0.5) as i64 as f64
}

/// A tick that larger and larger differences agree with. What is known from differences up to some
/// length tells how many ticks there are in those of twice that length.
fn refined(sorted: &[u64], mut tick: f64) -> f64 {
    let largest = sorted.last().copied().unwrap_or(0);
    let mut limit = NEAR;
    while limit / 2 < largest {
        let (mut products, mut squares, mut pairs) = (0.0, 0.0, 0);
        let mut add = |difference: u64| {
            let difference = difference as f64;
            if difference > limit as f64 / 8.0
                && difference <= limit as f64
                && is_multiple(difference, tick)
            {
                let ticks = nearest(difference, tick);
                products += ticks * difference;
                squares += ticks * ticks;
                pairs += 1;
            }
        };
        let mut apart = 1;
        while apart < sorted.len() {
            let highs = sorted.iter().skip(apart);
            let differences = sorted.iter().zip(highs).map(|(low, high)| high - low);
            differences.for_each(&mut add);
            apart *= 2;
        }
        sorted.iter().copied().for_each(&mut add);
        if pairs >= 8 {
            tick = products / squares;
        }
        limit *= 2;
    }
    tick
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a clock of such a tick shows after numbers of ticks that follow no rule, in units of a
    /// nanosecond; with a tick of one, whole units.
    fn column(tick: f64, seed: u64) -> Decimals {
        let mut state = seed;
        let durations: Vec<f64> = (0..240)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let ticks = 1000 + (state >> 33) % (20_000.0 / tick) as u64;
                (ticks as f64 * tick).floor() / 1e9
            })
            .collect();
        Decimals::best(&durations).unwrap()
    }

    fn tick_of(clocks: &Clocks) -> f64 {
        clocks.known[0].tick as f64 / f64::from(1u32 << 24)
    }

    #[test]
    fn what_has_no_clock_is_searched_less_and_less_until_one_is_found() {
        let mut clocks = Clocks::searching();
        let mut pauses = Vec::new();
        for seed in 0..15 {
            assert!(clocks.ticks(&column(1.0, seed)).is_none());
            pauses.push(clocks.pause);
        }
        // Searched at each rise.
        assert_eq!(pauses, [1, 0, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0, 15]);
        while clocks.pause > 0 {
            assert!(clocks.ticks(&column(41.667, 1)).is_none());
        }
        assert!(clocks.ticks(&column(41.667, 1)).is_some());
        assert_eq!(clocks.misses, 0);
        clocks.misses = PAUSE_BITS_MAX;
        assert!(clocks.ticks(&column(1.0, 1)).is_none());
        assert_eq!(clocks.pause, (1 << PAUSE_BITS_MAX) - 1);
        // One that is known is found meanwhile.
        assert!(clocks.ticks(&column(41.667, 2)).is_some());
    }

    #[test]
    fn a_few_clocks_are_remembered_and_the_one_of_long_ago_is_forgotten() {
        let mut clocks = Clocks::searching();
        for tick in [9.5, 18.52, 41.667, 13.3] {
            assert!(clocks.ticks(&column(tick, 3)).is_some(), "{tick}");
        }
        assert_eq!(clocks.known.len(), CLOCKS_MAX);
        assert!(clocks.ticks(&column(9.5, 4)).is_some());
        assert!((tick_of(&clocks) - 9.5).abs() < 0.01);
        assert!(clocks.ticks(&column(29.9, 3)).is_some());
        let mut known: Vec<u64> = clocks.known.iter().map(|clock| clock.tick >> 24).collect();
        known.sort_unstable();
        assert_eq!(known, [9, 13, 29, 41]);
    }
}

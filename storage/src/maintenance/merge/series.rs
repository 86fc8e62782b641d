//! The samples of one series from all sources that have it.

use super::cursor::Cursor;
use super::error::MergeError;
use super::overlay;
use super::pass::Wanted;
use super::times::{SharedTimes, TimesCache, TimesRef};
use crate::model::{Exemplar, Sample, Samples};

/// Stands for timestamps that no source keeps apart from the values.
const OWN: u32 = u32::MAX;

/// Floats of a series as they came: source after source.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// Where the timestamps of the values stand.
    places: Vec<TimesRef>,
    values: Vec<f64>,
    /// Timestamps that stand nowhere else.
    own_ms: Vec<i64>,
}

impl Arrived {
    fn clear(&mut self) {
        self.places.clear();
        self.values.clear();
        self.own_ms.clear();
    }

    /// Adds values, and where their timestamps stand.
    pub(super) fn push(&mut self, places: impl Iterator<Item = TimesRef>, values: &[f64]) {
        self.places.extend(places);
        self.values.extend_from_slice(values);
    }

    /// Adds samples with timestamps of their own.
    pub(super) fn push_own(&mut self, samples: &[(i64, f64)]) {
        if samples.is_empty() {
            return;
        }
        self.places.push(TimesRef {
            input: OWN,
            // A row of a source has fewer than 2^32.
            count: samples.len() as u32,
            column: self.own_ms.len() as u64,
            start: 0,
        });
        self.own_ms.extend(samples.iter().map(|sample| sample.0));
        self.values.extend(samples.iter().map(|sample| sample.1));
    }
}

/// The samples of a series, in order of time, none at a timestamp of another.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// Floats whose timestamps other series may have, too.
    Shared {
        /// The timestamps; they rise.
        times: &'a SharedTimes,
        /// As many values.
        values: &'a [f64],
    },
    /// Floats.
    Floats(&'a Samples),
    /// Samples of any kinds.
    Points(&'a mut [Sample]),
}

/// Reads one series after the other, in memory that is used again.
#[derive(Debug)]
pub(super) struct SeriesReader<'r> {
    wanted: Wanted<'r>,
    cache: TimesCache,
    arrived: Arrived,
    floats: Samples,
    points: Vec<Sample>,
    exemplars: Vec<Exemplar>,
}

impl<'r> SeriesReader<'r> {
    /// For the outputs of a pass.
    pub(super) fn new(wanted: Wanted<'r>) -> Self {
        Self {
            wanted,
            cache: TimesCache::default(),
            arrived: Arrived::default(),
            floats: Samples::default(),
            points: Vec::new(),
            exemplars: Vec::new(),
        }
    }

    /// Reads the series that the cursors at `places`, which rise, have as their current row.
    pub(super) fn read(
        &mut self,
        cursors: &mut [Cursor<'_>],
        places: &[usize],
    ) -> Result<(Content<'_>, &[Exemplar]), MergeError> {
        self.exemplars.clear();
        for &place in places {
            cursors[place].exemplars(&mut self.exemplars)?;
        }
        Exemplar::sort(&mut self.exemplars);
        if places.iter().any(|&place| cursors[place].has_beside()) {
            self.points.clear();
            for &place in places {
                cursors[place].points(&mut self.points)?;
            }
            overlay::points(&mut self.points);
            return Ok((Content::Points(&mut self.points), &self.exemplars));
        }
        self.arrived.clear();
        for &place in places {
            cursors[place].floats(&mut self.arrived)?;
        }
        self.resolve(cursors)
    }

    /// Puts the floats that came in order of time.
    fn resolve(
        &mut self,
        cursors: &mut [Cursor<'_>],
    ) -> Result<(Content<'_>, &[Exemplar]), MergeError> {
        let Self {
            wanted,
            cache,
            arrived,
            floats,
            exemplars,
            ..
        } = self;
        let mut read = |at: &TimesRef, out: &mut Vec<i64>| {
            let cursor = cursors.iter_mut().find(|one| one.number() == at.input);
            cursor.map_or(Ok(()), |cursor| cursor.times(at, out))
        };
        floats.clear();
        if arrived.own_ms.is_empty() {
            let number = cache.find(&arrived.places, *wanted, &mut read)?;
            let times = cache.get(number);
            if times.rises {
                let values = &arrived.values;
                return Ok((Content::Shared { times, values }, exemplars));
            }
            floats.timestamps_ms.extend_from_slice(&times.times_ms);
        } else {
            for place in &arrived.places {
                let all_ms = &mut floats.timestamps_ms;
                if place.input == OWN {
                    let own_ms = arrived.own_ms.iter().skip(place.column as usize);
                    all_ms.extend(own_ms.take(place.count as usize));
                } else {
                    let number = cache.find(std::slice::from_ref(place), *wanted, &mut read)?;
                    all_ms.extend_from_slice(&cache.get(number).times_ms);
                }
            }
        }
        floats.values.extend_from_slice(&arrived.values);
        overlay::floats(floats);
        Ok((Content::Floats(floats), exemplars))
    }
}

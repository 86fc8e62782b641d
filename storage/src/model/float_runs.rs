//! Floats as a log holds them: by runs of series that were scraped together.

use super::{FloatRow, SeriesId};

/// Floats of series with successive ids, all of one timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FloatRun {
    /// The first of the series. The last one is a u32 too.
    pub first: SeriesId,
    /// How many there are, from 1.
    pub count: u32,
    /// Milliseconds since the Unix epoch; any i64.
    pub timestamp_ms: i64,
}

impl FloatRun {
    /// The last of the series.
    pub fn last(self) -> SeriesId {
        SeriesId(self.first.0.saturating_add(self.count.saturating_sub(1)))
    }

    /// All of them.
    pub fn ids(self) -> impl Iterator<Item = SeriesId> {
        (self.first.0..=u32::MAX)
            .take(self.count as usize)
            .map(SeriesId)
    }
}

/// Float samples in the order of a request: eight bytes each, and sixteen a run.
#[derive(Clone, Debug, Default)]
pub struct FloatRuns {
    runs: Vec<FloatRun>,
    values: Vec<f64>,
}

/// Float samples, borrowed: as many values as the runs have series.
#[derive(Clone, Copy, Debug, Default)]
pub struct FloatSlices<'a> {
    /// The runs, in the order of the request.
    pub runs: &'a [FloatRun],
    /// The values of all of them.
    pub values: &'a [f64],
}

impl FloatRuns {
    /// Takes all samples out and keeps the memory.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.values.clear();
    }

    /// Adds series of which the values follow. They join the run before where they go on with it.
    pub fn push_run(&mut self, run: FloatRun) {
        if let Some(last) = self.runs.last_mut()
            && last.timestamp_ms == run.timestamp_ms
            && last.first.0.checked_add(last.count) == Some(run.first.0)
        {
            last.count += run.count;
        } else {
            self.runs.push(run);
        }
    }

    /// Room for `count` more values, all 0, to be filled in.
    pub fn add_values(&mut self, count: usize) -> &mut [f64] {
        let start = self.values.len();
        self.values.resize(start + count, 0.0);
        self.values.get_mut(start..).unwrap_or_default()
    }

    /// Adds other samples; their runs stay runs of their own.
    pub fn extend(&mut self, other: FloatSlices<'_>) {
        self.runs.extend_from_slice(other.runs);
        self.values.extend_from_slice(other.values);
    }

    /// All samples.
    pub fn as_slices(&self) -> FloatSlices<'_> {
        FloatSlices {
            runs: &self.runs,
            values: &self.values,
        }
    }

    /// How many samples there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// Bytes of the memory that is kept, with unused room.
    pub fn capacity_bytes(&self) -> usize {
        self.runs.capacity() * size_of::<FloatRun>() + self.values.capacity() * size_of::<f64>()
    }
}

impl<'a> FloatSlices<'a> {
    /// Takes the first `runs` runs off, with their values, of which there are `values`.
    #[must_use]
    pub fn split_off_front(&mut self, runs: usize, values: usize) -> Self {
        let (first_runs, runs) = self.runs.split_at(runs.min(self.runs.len()));
        let (first_values, values) = self.values.split_at(values.min(self.values.len()));
        *self = Self { runs, values };
        Self {
            runs: first_runs,
            values: first_values,
        }
    }

    /// The last run alone.
    #[must_use]
    pub fn last_run(self) -> Self {
        let runs = self.runs.get(self.runs.len().saturating_sub(1)..);
        let count = runs
            .and_then(|runs| runs.first())
            .map_or(0, |run| run.count);
        let start = self.values.len().saturating_sub(count as usize);
        Self {
            runs: runs.unwrap_or_default(),
            values: self.values.get(start..).unwrap_or_default(),
        }
    }

    /// The runs with their values.
    pub fn iter(self) -> impl Iterator<Item = (FloatRun, &'a [f64])> {
        let mut values = self.values;
        self.runs.iter().map(move |&run| {
            let (own, rest) = values.split_at(values.len().min(run.count as usize));
            values = rest;
            (run, own)
        })
    }

    /// The samples one by one.
    pub fn rows(self) -> impl Iterator<Item = FloatRow> {
        self.iter().flat_map(|(run, values)| {
            run.ids().zip(values).map(move |(series, &value)| FloatRow {
                series,
                timestamp_ms: run.timestamp_ms,
                value,
            })
        })
    }
}

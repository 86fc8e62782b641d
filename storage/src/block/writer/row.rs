//! What a row is made from, and its pieces.

use crate::block::SLICE_SAMPLES;
use crate::block::group::{LaneKind, PIECES_MAX, RowKind};
use crate::block::histograms::put_histograms;
use crate::block::lists::{Marks, put_all_exemplars};
use crate::column::ValuesEncoder;
use crate::model::{Exemplar, Histogram};

/// What a row is made from: points in strictly rising order of time, and exemplars.
///
/// # Examples
/// A row of floats: `RowInput { times, values, ..RowInput::default() }`.
#[derive(Clone, Copy, Default, Debug)]
pub struct RowInput<'a> {
    /// The timestamps of all points, floats and histograms, in milliseconds, strictly rising.
    pub times: &'a [i64],
    /// A value for each point; what stands where a histogram is means nothing.
    pub values: &'a [f64],
    /// The points that are histograms: their places among the points, rising.
    pub histograms: &'a [(usize, Histogram)],
    /// The points with a start timestamp (in milliseconds): their places, rising.
    pub starts: &'a [(usize, i64)],
    /// In order of time.
    pub exemplars: &'a [Exemplar],
}

impl RowInput<'_> {
    /// What is wrong with it, if anything is.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        let points = self.times.len();
        fn rise<T>(list: &[(usize, T)], points: usize) -> bool {
            list.is_sorted_by(|a, b| a.0 < b.0) && list.last().is_none_or(|last| last.0 < points)
        }
        if !self.times.is_sorted_by(|a, b| a < b) {
            Some("timestamps of a row do not rise")
        } else if self.values.len() != points {
            Some("a row has another number of values than of timestamps")
        } else if !rise(self.histograms, points) || !rise(self.starts, points) {
            Some("a row has no such points")
        } else if points == 0 && self.exemplars.is_empty() {
            Some("a row has nothing in it")
        } else {
            None
        }
    }
}

/// A row, encoded.
#[derive(Debug)]
pub(super) struct EncodedRow {
    pub(super) kind: RowKind,
    /// The value of all floats, of a constant row.
    pub(super) constant: f64,
    /// Those of [`LaneKind::ALL`].
    pub(super) lanes: [Pieces; 4],
    /// The floats of a row that has histograms too.
    floats: Vec<f64>,
    encoder: ValuesEncoder,
}

/// Pieces of a lane, one after the other.
#[derive(Default, Debug)]
pub(super) struct Pieces {
    pub(super) bytes: Vec<u8>,
    pub(super) lengths: Vec<u32>,
}

impl Pieces {
    fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
    }

    /// Adds what `put` appends. None for 4 GiB.
    fn add(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
        let before = self.bytes.len();
        put(&mut self.bytes);
        self.lengths
            .push(u32::try_from(self.bytes.len() - before).ok()?);
        Some(())
    }
}

impl Default for EncodedRow {
    fn default() -> Self {
        Self {
            kind: RowKind::NO_FLOATS,
            constant: 0.0,
            lanes: Default::default(),
            floats: Vec::new(),
            encoder: ValuesEncoder::default(),
        }
    }
}

impl EncodedRow {
    /// Encodes a row in place of the one before. None if it has more than a group holds.
    pub(super) fn encode(&mut self, input: &RowInput<'_>) -> Option<()> {
        self.lanes.iter_mut().for_each(Pieces::clear);
        // Slices of a row are counted as pieces are.
        if input.times.len() > PIECES_MAX * SLICE_SAMPLES {
            return None;
        }
        let [values, marks, histograms, exemplars] = &mut self.lanes;
        let floats = match input.histograms.is_empty() {
            true => input.values,
            false => {
                fill_floats(input, &mut self.floats);
                &self.floats
            }
        };
        self.kind = match floats {
            [] => RowKind::NO_FLOATS,
            [first, rest @ ..] if rest.iter().all(|f| f.to_bits() == first.to_bits()) => {
                self.constant = *first;
                RowKind::CONSTANT
            }
            _ => RowKind::COLUMN,
        };
        if self.kind == RowKind::COLUMN {
            for slice in floats.chunks(SLICE_SAMPLES) {
                values.add(|out| {
                    self.encoder.encode(slice, out);
                })?;
            }
        }
        self.kind.0 |= flag(RowKind::HISTOGRAMS, !input.histograms.is_empty())
            | flag(RowKind::STARTS, !input.starts.is_empty())
            | flag(RowKind::EXEMPLARS, !input.exemplars.is_empty());
        if LaneKind::Marks.is_of(self.kind) {
            marks.add(|out| marks_of(input).put(out))?;
        }
        for slice in input.histograms.chunks(SLICE_SAMPLES) {
            histograms.add(|out| put_histograms(out, slice))?;
        }
        if self.kind.has(RowKind::EXEMPLARS) {
            exemplars.add(|out| put_all_exemplars(out, input.exemplars))?;
        }
        Some(())
    }
}

fn flag(bit: u8, is_set: bool) -> u8 {
    if is_set { bit } else { 0 }
}

/// The values of points that are no histograms.
fn fill_floats(input: &RowInput<'_>, floats: &mut Vec<f64>) {
    floats.clear();
    let mut from = 0;
    for &(place, _) in input.histograms {
        floats.extend(input.values.get(from..place).unwrap_or_default());
        from = place + 1;
    }
    floats.extend(input.values.get(from..).unwrap_or_default());
}

fn marks_of(input: &RowInput<'_>) -> Marks {
    let mut marks = Marks::default();
    for &(place, _) in input.histograms {
        marks.add_histogram(place as u64);
    }
    for &(place, start_ms) in input.starts {
        let timestamp_ms = input.times.get(place).copied().unwrap_or(start_ms);
        marks.add_start(place as u64, timestamp_ms, start_ms);
    }
    marks
}

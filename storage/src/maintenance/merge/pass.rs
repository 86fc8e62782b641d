//! One walk over all series of the sources, which fills some outputs.

use std::ops::Range;

use super::cursor::Cursor;
use super::error::MergeError;
use super::join;
use super::output_index::{OutputLabels, metric_number};
use super::series::{Content, SeriesReader};
use super::source::Input;
use super::symbols::Symbols;
use super::times::cut;
use crate::model::{Exemplar, Sample, TimeRange};

/// What a series has in the range of an output.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) samples: Part<'a>,
    /// In order of time, none twice.
    pub(super) exemplars: &'a [Exemplar],
}

/// Samples of a row, in order of time, none at a timestamp of another.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// Floats without start timestamps.
    Floats {
        times_ms: &'a [i64],
        /// As many values.
        values: &'a [f64],
    },
    /// Samples of any kinds, whose histograms may be taken.
    Points(&'a mut [Sample]),
}

/// Takes the rows of an output, in the order of their labels.
pub(super) trait Sink {
    /// Adds a row.
    fn row(&mut self, row: Row<'_>) -> Result<(), MergeError>;
}

/// An output that has rows.
#[derive(Debug)]
pub(super) struct Output<S> {
    pub(super) sink: S,
    pub(super) labels: OutputLabels,
}

impl<S> Output<S> {
    /// Without a row; `metric` is the number of the metric name's name.
    pub(super) fn new(sink: S, metric: Option<u32>) -> Self {
        Self {
            sink,
            labels: OutputLabels::new(metric),
        }
    }
}

/// What the outputs of a pass are to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The range of each output: disjoint and rising.
    pub(super) ranges: &'a [TimeRange],
    /// What lies in here and in none of the ranges is an error; what does not is left to others.
    pub(super) span: TimeRange,
}

/// Walks all series. `open` makes the sink of an output, by the place of its range, when the
/// first row of it comes; there is none for a range without a row.
pub(super) fn run<S: Sink>(
    inputs: &[Input<'_>],
    symbols: &Symbols,
    wanted: Wanted<'_>,
    is_cancelled: &dyn Fn() -> bool,
    mut open: impl FnMut(usize) -> Result<S, MergeError>,
) -> Result<Vec<Option<Output<S>>>, MergeError> {
    let metric = metric_number(symbols, inputs)?;
    let mut cursors = Vec::with_capacity(inputs.len());
    let needed = inputs.iter().enumerate();
    for (place, &input) in needed.filter(|(_, input)| input.may_have(wanted.span)) {
        cursors.push(Cursor::new(input, symbols.numbers(place), wanted.span)?);
    }
    let mut outputs: Vec<Option<Output<S>>> = Vec::new();
    outputs.resize_with(wanted.ranges.len(), || None);
    let mut series = SeriesReader::new(wanted);
    let mut places = Vec::with_capacity(cursors.len());
    let mut key = Vec::new();
    let (mut cuts, mut exemplar_cuts) = (Vec::new(), Vec::new());
    loop {
        if is_cancelled() {
            return Err(MergeError::Cancelled);
        }
        join::find_least(&cursors, &mut places);
        let Some(first) = places.first().and_then(|&place| cursors[place].key()) else {
            return Ok(outputs);
        };
        key.clear();
        key.extend_from_slice(first);
        let (mut content, exemplars) = series.read(&mut cursors, &places)?;
        content.cut(wanted, &mut cuts)?;
        cut(
            exemplars,
            |one| one.timestamp_ms,
            wanted,
            &mut exemplar_cuts,
        )?;
        let all = outputs.iter_mut().zip(&cuts).zip(&exemplar_cuts);
        for (place, ((output, samples), exemplar_cut)) in all.enumerate() {
            if samples.is_empty() && exemplar_cut.is_empty() {
                continue;
            }
            let output = match output {
                Some(output) => output,
                None => output.insert(Output::new(open(place)?, metric)),
            };
            output.labels.push(&key)?;
            output.sink.row(Row {
                samples: content.part(samples.clone()),
                exemplars: &exemplars[exemplar_cut.clone()],
            })?;
        }
        join::advance(&mut cursors, &places)?;
    }
}

impl Content<'_> {
    /// Which of the samples lie in each output.
    fn cut(&self, wanted: Wanted<'_>, out: &mut Vec<Range<usize>>) -> Result<(), MergeError> {
        match self {
            Self::Shared { times, .. } => {
                out.clear();
                out.extend_from_slice(&times.cuts);
                Ok(())
            }
            Self::Floats(floats) => cut(&floats.timestamps_ms, |&t| t, wanted, out),
            Self::Points(points) => cut(points, |point| point.timestamp_ms, wanted, out),
        }
    }

    /// Some of the samples.
    fn part(&mut self, cut: Range<usize>) -> Part<'_> {
        match self {
            Self::Shared { times, values } => Part::Floats {
                times_ms: &times.times_ms[cut.clone()],
                values: &values[cut],
            },
            Self::Floats(floats) => Part::Floats {
                times_ms: &floats.timestamps_ms[cut.clone()],
                values: &floats.values[cut],
            },
            Self::Points(points) => Part::Points(&mut points[cut]),
        }
    }
}

//! Rows on their way into a block.

use super::error::MergeError;
use super::pass::{Part, Row, Sink};
use crate::block::{RowInput, Writer};
use crate::model::{Histogram, Sample, Value};

/// Writes rows into a block.
pub(super) struct BlockSink<'a> {
    pub(super) writer: Writer,
    /// Asked between pages, too: it is where a merge pauses.
    is_cancelled: &'a dyn Fn() -> bool,
    points: Points,
}

/// Samples of any kinds, each kind by itself.
#[derive(Debug, Default)]
struct Points {
    times: Vec<i64>,
    values: Vec<f64>,
    histograms: Vec<(usize, Histogram)>,
    starts: Vec<(usize, i64)>,
}

impl<'a> BlockSink<'a> {
    pub(super) fn new(writer: Writer, is_cancelled: &'a dyn Fn() -> bool) -> Self {
        Self {
            writer,
            is_cancelled,
            points: Points::default(),
        }
    }
}

impl Points {
    fn set(&mut self, samples: &mut [Sample]) {
        self.times.clear();
        self.values.clear();
        self.histograms.clear();
        self.starts.clear();
        for (place, sample) in samples.iter_mut().enumerate() {
            self.times.push(sample.timestamp_ms);
            let start = sample.start_timestamp_ms;
            self.starts.extend(start.map(|start_ms| (place, start_ms)));
            match std::mem::replace(&mut sample.value, Value::Float(0.0)) {
                Value::Float(value) => self.values.push(value),
                Value::Histogram(histogram) => {
                    // What stands there means nothing.
                    self.values.push(0.0);
                    self.histograms.push((place, *histogram));
                }
            }
        }
    }
}

impl Sink for BlockSink<'_> {
    fn row(&mut self, row: Row<'_>) -> Result<(), MergeError> {
        let exemplars = row.exemplars;
        let input = match row.samples {
            Part::Floats { times_ms, values } => RowInput {
                times: times_ms,
                values,
                exemplars,
                ..RowInput::default()
            },
            Part::Points(samples) => {
                self.points.set(samples);
                RowInput {
                    times: &self.points.times,
                    values: &self.points.values,
                    histograms: &self.points.histograms,
                    starts: &self.points.starts,
                    exemplars,
                }
            }
        };
        let between = || {
            // The next series is soon enough to end.
            let _ends = (self.is_cancelled)();
        };
        self.writer
            .row(&input, &between)
            .map_err(MergeError::of_output)
    }
}

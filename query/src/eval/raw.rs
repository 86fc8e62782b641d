//! The samples of a range vector as they are: the answer of an instant query.

use super::Evaluator;
use super::rows::RowLabels;
use super::selector::{LookTimes, Reader};
use super::stats;
use super::window::Input;
use crate::Error;
use crate::functions::extended::{Edges, values_at_edges};
use crate::functions::{Patience, Window};
use crate::limits::{Held, Limits, Loan, Swept, WORK_BETWEEN_CHECKS, bytes_of};
use crate::parse::ast::RangeEdges;
use crate::plan::RangeNode;
use crate::value::RangeSeries;

/// What a series takes beside its samples and labels: the vector of them may have room for as
/// many again.
pub(crate) const SERIES_BYTES: usize = 2 * size_of::<RangeSeries>();

impl<'e> Evaluator<'e> {
    /// The samples of a range vector at the one moment of an instant query.
    pub(crate) fn raw_samples(
        &self,
        range: &'e RangeNode,
    ) -> Result<Held<'e, Swept<'e, Vec<RangeSeries>>>, Error> {
        let (input, times) = self.open_range(range)?;
        let mut reader = Reader::new(self.limits);
        let mut all = Held::new(Swept::new(Vec::new(), self.limits), Loan::new(self.limits));
        let stored = matches!(input, Input::Stored(..));
        let mut counts = stats::counts(self.counts_wanted(), 1, self.limits)?;
        for series in 0..input.len() {
            self.limits.check()?;
            input.read(series, &mut reader)?;
            let samples = match range.edges {
                RangeEdges::Plain => within(&reader, &times, self.limits)?,
                edges => {
                    let patience = Patience::of(self.limits);
                    to_the_edges(&reader, &times, edges == RangeEdges::Smoothed, patience)
                }
            };
            let Some((timestamps_ms, values)) = samples else {
                continue;
            };
            counts.add(0, values.len(), if stored { values.len() } else { 0 });
            let labels = input.row_labels(series);
            let labels = RowLabels {
                without_metadata: labels.drop_name,
                ..labels
            }
            .to_labels();
            let (all, loan) = all.parts_mut();
            let bytes = SERIES_BYTES + labels.heap_bytes() + 2 * bytes_of::<f64>(values.len());
            loan.add(2 * values.len(), bytes)?;
            all.push(RangeSeries {
                labels,
                timestamps_ms,
                values,
                histograms: Vec::new(),
            });
        }
        self.count(&counts);
        Ok(all)
    }
}

/// Samples and their times, if there are any.
type Samples = Option<(Vec<i64>, Vec<f64>)>;

fn within(reader: &Reader<'_>, times: &LookTimes, limits: &Limits<'_>) -> Result<Samples, Error> {
    let (start_ms, end_ms) = times.window(0);
    let all = &reader.timestamps_ms;
    let first = all.partition_point(|&time| time <= start_ms);
    let end = all.partition_point(|&time| time <= end_ms);
    if first >= end {
        return Ok(None);
    }
    let times = copied(&all[first..end], limits)?;
    Ok(Some((times, copied(&reader.values[first..end], limits)?)))
}

/// A copy of what may be long.
fn copied<T: Copy + Send + 'static>(all: &[T], limits: &Limits<'_>) -> Result<Vec<T>, Error> {
    let mut copy = Vec::with_capacity(all.len());
    for piece in all.chunks(WORK_BETWEEN_CHECKS) {
        if let Err(error) = limits.check() {
            limits.leave(copy);
            return Err(error);
        }
        copy.extend_from_slice(piece);
    }
    Ok(copy)
}

/// The samples between the ends of the range, and a sample at each end (Prometheus
/// `extendFloats`).
fn to_the_edges(
    reader: &Reader<'_>,
    times: &LookTimes,
    smoothed: bool,
    patience: Patience<'_>,
) -> Samples {
    let (all, all_values) = (&reader.timestamps_ms, &reader.values);
    let (from_ms, to_ms) = times.wide_window(0);
    let reach = (
        all.partition_point(|&time| time <= from_ms),
        all.partition_point(|&time| time <= to_ms),
    );
    let (start_ms, end_ms) = times.window(0);
    let Edges { first, end } = Edges::find(all, reach, (start_ms, end_ms), smoothed)?;
    let window = Window {
        all_timestamps_ms: all,
        all_values,
        first,
        end,
        start_ms,
        end_ms,
        time_ms: end_ms,
        parameters: [0.0; 2],
        patience,
    };
    let (left, right) = values_at_edges(&window, smoothed, false);
    let inside = patience
        .ranges(first..end)
        .flatten()
        .filter(|&at| all[at] > start_ms && all[at] < end_ms);
    let inside = inside.map(|at| (all[at], all_values[at]));
    let ends = |at_ms, value| std::iter::once((at_ms, value));
    Some(
        ends(start_ms, left)
            .chain(inside)
            .chain(ends(end_ms, right))
            .unzip(),
    )
}

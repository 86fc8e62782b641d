//! From rows to the answer.

use crate::eval::order::sorted;
use crate::eval::raw::SERIES_BYTES;
use crate::eval::rows::{Row, Rows, WORK_A_LABEL_SET, merge_same_labels};
use crate::eval::{Evaluator, Grid};
use crate::limits::{Held, Swept, bytes_of};
use crate::plan::{Node, VectorNode};
use crate::{Error, InstantSample, Labels, RangeSeries, Value};

/// Label sets up to so many bytes are written into a piece of an answer that has room for them.
const LABEL_BYTES_SHORT: usize = 64 << 10;

/// How many bytes of JSON a byte of a label may become.
const ESCAPED_BYTES_MAX: usize = 6;

impl<'e> Evaluator<'e> {
    /// The answer of an instant query, and what it holds.
    pub(super) fn instant_answer(&self, node: &'e Node) -> Result<Held<'e, Value>, Error> {
        let time_ms = self.grid.start_ms;
        match node {
            Node::Scalar(scalar) => {
                let (values, loan) = self.scalar(scalar)?.into_parts();
                let value = Value::Scalar {
                    timestamp_ms: time_ms,
                    value: first(&values),
                };
                Ok(Held::new(value, loan))
            }
            Node::String(text) => {
                let mut none = Rows::none(self.limits).into_parts().1;
                none.add(0, (1 + ESCAPED_BYTES_MAX) * text.len())?;
                let value = Value::String {
                    timestamp_ms: time_ms,
                    value: text.clone(),
                };
                Ok(Held::new(value, none))
            }
            Node::Vector(vector) => self.vector_answer(self.finished(vector)?),
            Node::Range(range) => self.matrix_answer(self.raw_samples(range)?),
        }
    }

    /// The answer of a range query, and what it holds.
    pub(super) fn range_answer(&self, node: &'e Node) -> Result<Held<'e, Value>, Error> {
        let rows = match node {
            Node::Scalar(scalar) => {
                let values = self.scalar(scalar)?;
                let mut rows = Rows::none(self.limits);
                rows.add(Labels::default, false, 0, &values)?;
                rows
            }
            Node::Vector(vector) => self.finished(vector)?,
            Node::String(_) | Node::Range(_) => return Err(super::check_failed()),
        };
        let (rows, mut loan) = rows.into_parts();
        loan.add(0, rows.len() * SERIES_BYTES)?;
        let mut series = Swept::new(Vec::with_capacity(rows.len()), self.limits);
        for row in rows {
            self.limits.check()?;
            loan.add(0, bytes_of::<i64>(row.values.len()))?;
            series.push(range_series(row, self.grid));
        }
        self.matrix_answer(Held::new(series, loan))
    }

    /// The rows of a whole query: names that were to be dropped at the end are gone.
    fn finished(&self, node: &'e VectorNode) -> Result<Rows<'e>, Error> {
        let mut all = self.vector(node)?;
        if !self.delayed_name_removal {
            return Ok(all);
        }
        let mut work = 0;
        for row in all.iter_mut().filter(|row| row.drop_name) {
            self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            row.labels = row.labels.without_metadata();
        }
        merge_same_labels(all)
    }

    fn vector_answer(&self, rows: Rows<'e>) -> Result<Held<'e, Value>, Error> {
        let timestamp_ms = self.grid.start_ms;
        let (rows, mut loan) = rows.into_parts();
        loan.add(0, bytes_of::<InstantSample>(rows.len()))?;
        let longest = rows.iter().map(|row| row.labels.text_len()).max();
        loan.add(0, written_bytes(longest))?;
        let mut samples = Swept::new(Vec::with_capacity(rows.len()), self.limits);
        let mut work = 0;
        for row in rows {
            self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            samples.push(InstantSample {
                value: first(&row.values),
                labels: row.labels,
                timestamp_ms,
                histogram: None,
            });
        }
        Ok(Held::new(Value::Vector(samples.into_inner()), loan))
    }

    fn matrix_answer(
        &self,
        series: Held<'e, Swept<'e, Vec<RangeSeries>>>,
    ) -> Result<Held<'e, Value>, Error> {
        let (series, mut loan) = series.into_parts();
        let longest = series.iter().map(|series| series.labels.text_len()).max();
        loan.add(0, written_bytes(longest))?;
        let series = self
            .stats
            .sorting(|| sorted(series, self.limits, |a, b| a.labels.cmp(&b.labels)))?;
        Ok(Held::new(Value::Matrix(series.into_inner()), loan))
    }
}

/// What is to be held for the text of the longest label set, which is written in one piece.
fn written_bytes(longest: Option<usize>) -> usize {
    match longest {
        Some(bytes) if bytes > LABEL_BYTES_SHORT => bytes * ESCAPED_BYTES_MAX,
        _ => 0,
    }
}

fn first(values: &[f64]) -> f64 {
    values.first().copied().unwrap_or(f64::NAN)
}

fn range_series(row: Row, grid: Grid) -> RangeSeries {
    let Row {
        labels,
        first,
        mut values,
        ..
    } = row;
    let mut timestamps_ms = Vec::with_capacity(values.len());
    let mut step = first;
    values.retain(|&value| {
        let present = crate::eval::column::is_present(value);
        if present {
            timestamps_ms.push(grid.time_ms(step));
        }
        step += 1;
        present
    });
    RangeSeries {
        labels,
        timestamps_ms,
        values,
        histograms: Vec::new(),
    }
}

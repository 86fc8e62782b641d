//! Rows whose cells are floats or histograms, and their ways to and from columns of floats.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::eval::Grid;
use crate::eval::column::{ABSENT, cell, is_present, present_range};
use crate::eval::rows::{Row, Rows, same_labelset};
use crate::limits::{Held, Limits, Loan, bytes_of};
use crate::value::{InstantSample, RangeSeries};
use crate::{Error, FloatHistogram, Labels};

/// What a series is at a step.
#[derive(Clone, Debug, Default)]
pub(in crate::eval) enum Cell {
    #[default]
    Absent,
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

impl Cell {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// A cell of a column.
    pub(super) fn of_column(value: f64) -> Self {
        if is_present(value) {
            Self::Float(value)
        } else {
            Self::Absent
        }
    }

    /// The float, absent where there is none.
    pub(super) fn float(&self) -> f64 {
        match self {
            Self::Float(value) => cell(*value),
            _ => ABSENT,
        }
    }

    pub(super) fn histogram(&self) -> Option<&Arc<FloatHistogram>> {
        match self {
            Self::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }
}

/// A series of a result: a cell for each step of the grid.
#[derive(Clone, Debug)]
pub(crate) struct MixedRow {
    pub(super) labels: Labels,
    /// As in [`Row`].
    pub(super) drop_name: bool,
    pub(super) cells: Vec<Cell>,
}

impl MixedRow {
    /// Whether there is nothing at any step.
    pub(super) fn is_empty(&self) -> bool {
        self.cells.iter().all(Cell::is_absent)
    }

    /// A column of the cells as `value` has them.
    fn column(&self, value: impl Fn(&Cell) -> f64) -> Option<Row> {
        let values: Vec<f64> = self.cells.iter().map(value).collect();
        let range = present_range(&values);
        (!range.is_empty()).then(|| Row {
            labels: self.labels.clone(),
            drop_name: self.drop_name,
            first: range.start,
            values: values[range].to_vec(),
        })
    }

    /// As the answer of a range query.
    pub(super) fn into_series(self, grid: Grid) -> RangeSeries {
        let mut series = RangeSeries {
            labels: self.labels,
            timestamps_ms: Vec::new(),
            values: Vec::new(),
            histograms: Vec::new(),
        };
        for (step, cell) in self.cells.into_iter().enumerate() {
            match cell {
                Cell::Absent => {}
                Cell::Float(value) => {
                    series.timestamps_ms.push(grid.time_ms(step));
                    series.values.push(value);
                }
                Cell::Histogram(histogram) => {
                    series.histograms.push((grid.time_ms(step), histogram));
                }
            }
        }
        series
    }

    /// As an element of the answer of an instant query.
    pub(super) fn into_sample(self, timestamp_ms: i64) -> Option<InstantSample> {
        let (value, histogram) = match self.cells.into_iter().next()? {
            Cell::Absent => return None,
            Cell::Float(value) => (value, None),
            Cell::Histogram(histogram) => (f64::NAN, Some(histogram)),
        };
        Some(InstantSample {
            labels: self.labels,
            timestamp_ms,
            value,
            histogram,
        })
    }
}

/// Rows and what they hold.
pub(super) type Mixed<'l> = Held<'l, Vec<MixedRow>>;

/// Rows of floats.
pub(super) fn of_rows(rows: Rows<'_>, count: usize) -> Vec<MixedRow> {
    let mixed = |row: Row| {
        let mut cells = vec![Cell::Absent; count];
        for (step, value) in row.present() {
            cells[step] = Cell::Float(value);
        }
        MixedRow {
            labels: row.labels,
            drop_name: row.drop_name,
            cells,
        }
    };
    rows.into_parts().0.into_iter().map(mixed).collect()
}

/// The floats alone.
pub(super) fn floats(rows: &[MixedRow]) -> Vec<Row> {
    let floats = rows.iter().filter_map(|row| row.column(Cell::float));
    floats.collect()
}

/// Numbers that stand for the rows, wherever these have a float or a histogram: what picks,
/// joins or renames elements does so with them too, and [`decoded`] gives them back.
pub(super) fn encoded(rows: &[MixedRow], first: usize) -> Vec<Row> {
    let numbered = rows.iter().enumerate().filter_map(|(at, row)| {
        let number = (first + at) as f64;
        row.column(|cell| if cell.is_absent() { ABSENT } else { number })
    });
    numbered.collect()
}

/// The cells that numbers stand for; `cell` gives that of a number at a step.
pub(super) fn decoded(
    rows: Rows<'_>,
    count: usize,
    cell: impl Fn(f64, usize) -> Cell,
) -> Vec<MixedRow> {
    let mixed = |row: Row| {
        let mut cells = vec![Cell::Absent; count];
        for (step, number) in row.present() {
            cells[step] = cell(number, step);
        }
        MixedRow {
            labels: row.labels,
            drop_name: row.drop_name,
            cells,
        }
    };
    let rows = rows.into_parts().0.into_iter().map(mixed);
    rows.filter(|row| !row.is_empty()).collect()
}

/// The cell of the row that a number stands for, at a step.
pub(super) fn numbered(rows: &[MixedRow], number: f64, step: usize) -> Cell {
    let row = rows.get(number as usize);
    let cell = row.and_then(|row| row.cells.get(step));
    cell.cloned().unwrap_or_default()
}

/// Makes one row of rows with the same labels.
///
/// # Errors
/// Two of them are there at one step.
pub(super) fn merged(rows: Vec<MixedRow>) -> Result<Vec<MixedRow>, Error> {
    let mut places: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut merged: Vec<MixedRow> = Vec::with_capacity(rows.len());
    for row in rows {
        let next = merged.len();
        let place = *places.entry(row.labels.clone()).or_insert(next);
        if place == next {
            merged.push(row);
            continue;
        }
        for (cell, other) in merged[place].cells.iter_mut().zip(row.cells) {
            match (cell.is_absent(), other.is_absent()) {
                (_, true) => {}
                (true, false) => *cell = other,
                (false, false) => return Err(same_labelset()),
            }
        }
    }
    Ok(merged)
}

/// Rows with what they hold.
///
/// # Errors
/// More than the query may hold.
pub(super) fn held<'l>(rows: Vec<MixedRow>, limits: &'l Limits<'l>) -> Result<Mixed<'l>, Error> {
    let mut loan = Loan::new(limits);
    for row in &rows {
        let cells = row.cells.iter();
        let samples = cells.map(|cell| cell.histogram().map_or(1, |histogram| histogram.cells()));
        let samples = samples.sum();
        let bytes = bytes_of::<f64>(samples) + bytes_of::<Cell>(row.cells.len());
        loan.add(samples, bytes + row.labels.heap_bytes())?;
    }
    Ok(Held::new(rows, loan))
}

/// Rows of a column evaluator that are copies of others.
///
/// # Errors
/// More than the query may hold.
pub(in crate::eval) fn copied<'l>(rows: &[Row], limits: &'l Limits<'l>) -> Result<Rows<'l>, Error> {
    let mut copies = Rows::none(limits);
    for row in rows {
        copies.add_copy(row)?;
    }
    Ok(copies)
}

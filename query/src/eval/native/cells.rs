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

/// What rows take that are being made: asked for before there are more of them.
pub(super) struct Charge<'l> {
    loan: Loan<'l>,
    /// Where the histogram is that was charged last: steps that follow each other often share one.
    last: *const FloatHistogram,
}

impl<'l> Charge<'l> {
    pub(super) fn new(limits: &'l Limits<'l>) -> Self {
        Self {
            loan: Loan::new(limits),
            last: std::ptr::null(),
        }
    }

    /// A row with room for so many cells.
    ///
    /// # Errors
    /// More than the query may hold; the query was ended.
    pub(super) fn row(&mut self, labels: &Labels, count: usize) -> Result<(), Error> {
        self.loan.limits().check()?;
        // A list of rows may have grown to twice its length.
        let own = 2 * size_of::<MixedRow>() + labels.heap_bytes();
        self.loan.add(0, own + bytes_of::<Cell>(count))
    }

    /// What stands in a cell.
    ///
    /// # Errors
    /// More than the query may hold.
    pub(super) fn cell(&mut self, cell: &Cell) -> Result<(), Error> {
        match cell {
            Cell::Absent | Cell::Float(_) => self.loan.add(1, 0),
            Cell::Histogram(histogram) => {
                let at = Arc::as_ptr(histogram);
                let bytes = match at == self.last {
                    true => 0,
                    false => histogram.heap_bytes(),
                };
                self.last = at;
                self.loan.add(histogram.cells(), bytes)
            }
        }
    }

    /// A histogram that became another one, in its place.
    ///
    /// # Errors
    /// As [`Charge::cell`].
    pub(super) fn changed(&mut self, to: &Cell) -> Result<(), Error> {
        match to {
            Cell::Histogram(histogram) => self.loan.add(0, histogram.heap_bytes()),
            _ => Ok(()),
        }
    }

    /// So many bytes beside rows.
    ///
    /// # Errors
    /// More than the query may hold.
    pub(super) fn bytes(&mut self, bytes: usize) -> Result<(), Error> {
        self.loan.add(0, bytes)
    }

    /// Takes in what something else holds.
    pub(super) fn absorb(&mut self, loan: Loan<'l>) {
        self.loan.absorb(loan);
    }

    pub(super) fn into_loan(self) -> Loan<'l> {
        self.loan
    }
}

/// Adds a row if anything is in it, and what was charged for it to the charge of all.
pub(super) fn keep<'l>(
    row: MixedRow,
    charged: Charge<'l>,
    rows: &mut Vec<MixedRow>,
    all: &mut Charge<'l>,
) {
    if !row.is_empty() {
        rows.push(row);
        all.absorb(charged.loan);
    }
}

/// Rows of floats.
///
/// # Errors
/// More than the query may hold; the query was ended.
pub(super) fn of_rows<'l>(
    rows: Rows<'_>,
    count: usize,
    limits: &'l Limits<'l>,
) -> Result<Mixed<'l>, Error> {
    // Given back once all are made.
    let (rows, _columns) = rows.into_parts();
    let mut charge = Charge::new(limits);
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        charge.row(&row.labels, count)?;
        let mut cells = vec![Cell::Absent; count];
        for (step, value) in row.present() {
            cells[step] = Cell::Float(value);
        }
        charge.loan.add(count, 0)?;
        all.push(MixedRow {
            labels: row.labels,
            drop_name: row.drop_name,
            cells,
        });
    }
    Ok(Held::new(all, charge.loan))
}

/// The floats alone.
///
/// # Errors
/// More than the query may hold; the query was ended.
pub(super) fn floats<'l>(rows: &[MixedRow], limits: &'l Limits<'l>) -> Result<Rows<'l>, Error> {
    columns(rows, limits, |row, _| row.column(Cell::float))
}

/// Numbers that stand for the rows, wherever these have a float or a histogram: what picks,
/// joins or renames elements does so with them too, and [`decoded`] gives them back.
///
/// # Errors
/// More than the query may hold; the query was ended.
pub(super) fn encoded<'l>(
    rows: &[MixedRow],
    first: usize,
    limits: &'l Limits<'l>,
) -> Result<Rows<'l>, Error> {
    columns(rows, limits, |row, at| {
        let number = (first + at) as f64;
        row.column(|cell| if cell.is_absent() { ABSENT } else { number })
    })
}

fn columns<'l>(
    rows: &[MixedRow],
    limits: &'l Limits<'l>,
    column: impl Fn(&MixedRow, usize) -> Option<Row>,
) -> Result<Rows<'l>, Error> {
    let mut loan = Loan::new(limits);
    let mut all = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        limits.check()?;
        let bytes = 2 * size_of::<Row>() + row.labels.heap_bytes();
        loan.add(row.cells.len(), bytes + bytes_of::<f64>(row.cells.len()))?;
        all.extend(column(row, at));
    }
    Ok(Rows::of(all, loan))
}

/// The cells that numbers stand for; `cell` gives that of a number at a step. Where they are those
/// of rows that hold them already, `shared` is what these hold.
///
/// # Errors
/// More than the query may hold; the query was ended.
pub(super) fn decoded<'l>(
    rows: Rows<'_>,
    count: usize,
    limits: &'l Limits<'l>,
    shared: Option<Loan<'l>>,
    cell: impl Fn(f64, usize) -> Cell,
) -> Result<Mixed<'l>, Error> {
    let (rows, _numbers) = rows.into_parts();
    let is_shared = shared.is_some();
    let mut all = Charge::new(limits);
    shared.into_iter().for_each(|loan| all.absorb(loan));
    let mut made = Vec::with_capacity(rows.len());
    for row in rows {
        let mut charge = Charge::new(limits);
        charge.row(&row.labels, count)?;
        let mut cells = vec![Cell::Absent; count];
        for (step, number) in row.present() {
            let value = cell(number, step);
            if !is_shared {
                charge.cell(&value)?;
            }
            cells[step] = value;
        }
        let row = MixedRow {
            labels: row.labels,
            drop_name: row.drop_name,
            cells,
        };
        keep(row, charge, &mut made, &mut all);
    }
    Ok(Held::new(made, all.loan))
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
/// Two of them are there at one step; more than the query may hold; the query was ended.
pub(super) fn merged(rows: Mixed<'_>) -> Result<Mixed<'_>, Error> {
    /// What a place takes beside its labels.
    const PLACE_BYTES: usize = 3 * size_of::<(Labels, usize)>();
    let limits = rows.limits();
    let (rows, loan) = rows.into_parts();
    let mut charge = Charge::new(limits);
    charge.bytes(bytes_of::<MixedRow>(rows.len()))?;
    let mut places: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut merged: Vec<MixedRow> = Vec::with_capacity(rows.len());
    for row in rows {
        limits.check()?;
        charge.bytes(PLACE_BYTES + row.labels.heap_bytes())?;
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
    Ok(Held::new(merged, loan))
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

//! Instant vectors over all steps: one row a series.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::column::{ABSENT, is_present, present_range};
use crate::labels::METADATA;
use crate::limits::{Held, Limits, Loan, Swept, bytes_of};
use crate::source::{SeriesSet, Symbol};
use crate::{Error, ErrorKind, Labels};

/// A series of a result: its labels and a value for each step of a part of the grid. Outside
/// that part it is absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Its labels.
    pub(crate) labels: Labels,
    /// With delayed name removal: whether the metadata labels go at the end of the query.
    pub(crate) drop_name: bool,
    /// The step of the first of `values`.
    pub(crate) first: usize,
    /// One a step.
    pub(crate) values: Vec<f64>,
}

/// Rows and what they hold of the query's share.
pub(crate) type Rows<'l> = Held<'l, Swept<'l, Vec<Row>>>;

/// What a row takes beside its values and labels: the vector of rows may have room for as many
/// again.
const ROW_BYTES: usize = 2 * size_of::<Row>();

impl<'l> Rows<'l> {
    /// None yet.
    pub(crate) fn none(limits: &'l Limits<'l>) -> Self {
        Self::of(Vec::new(), Loan::new(limits))
    }

    /// These and what they hold.
    pub(crate) fn of(rows: Vec<Row>, loan: Loan<'l>) -> Self {
        Self::new(Swept::new(rows, loan.limits()), loan)
    }

    /// Adds a row of the values that are present, if any is.
    ///
    /// # Errors
    /// [`ErrorKind::Execution`] where the query may not hold it.
    pub(crate) fn add(
        &mut self,
        labels: impl FnOnce() -> Labels,
        drop_name: bool,
        first: usize,
        values: &[f64],
    ) -> Result<(), Error> {
        let range = present_range(values);
        if range.is_empty() {
            return Ok(());
        }
        let labels = labels();
        let (rows, loan) = self.parts_mut();
        let bytes = ROW_BYTES + bytes_of::<f64>(range.len()) + labels.heap_bytes();
        loan.add(range.len(), bytes)?;
        rows.push(Row {
            labels,
            drop_name,
            first: first + range.start,
            values: values[range].to_vec(),
        });
        Ok(())
    }

    /// Adds a copy of a row.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(crate) fn add_copy(&mut self, row: &Row) -> Result<(), Error> {
        self.add(|| row.labels.clone(), row.drop_name, row.first, &row.values)
    }

    /// Takes in the rows of another vector.
    pub(crate) fn append(&mut self, other: Self) {
        let (mut added, added_loan) = other.into_parts();
        let (rows, loan) = self.parts_mut();
        rows.append(&mut added);
        loan.absorb(added_loan);
    }
}

impl Row {
    /// The step behind the last value.
    pub(crate) fn end(&self) -> usize {
        self.first + self.values.len()
    }

    /// The value at a step, [`ABSENT`] where there is none.
    #[inline]
    pub(crate) fn at(&self, step: usize) -> f64 {
        step.checked_sub(self.first)
            .and_then(|at| self.values.get(at))
            .copied()
            .unwrap_or(ABSENT)
    }

    /// Whether there is a value at a step.
    #[inline]
    pub(crate) fn has(&self, step: usize) -> bool {
        is_present(self.at(step))
    }

    /// Steps and values that are present.
    pub(crate) fn present(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.values
            .iter()
            .enumerate()
            .filter(|(_, value)| is_present(**value))
            .map(|(at, value)| (self.first + at, *value))
    }

    /// Takes the values of another row in where this one has none.
    ///
    /// # Errors
    /// Both have a value at one step: two elements of a vector with the same labels.
    fn absorb(&mut self, other: &Self, loan: &mut Loan<'_>) -> Result<(), Error> {
        let (first, end) = (self.first.min(other.first), self.end().max(other.end()));
        let more = end - first - self.values.len();
        // Where it grows, it moves.
        loan.add(
            more,
            if more > 0 {
                bytes_of::<f64>(end - first)
            } else {
                0
            },
        )?;
        self.values.reserve_exact(more);
        if self.first > other.first {
            let missing = self.first - other.first;
            self.values
                .splice(0..0, std::iter::repeat_n(ABSENT, missing));
            self.first = other.first;
        }
        if self.end() < other.end() {
            self.values.resize(other.end() - self.first, ABSENT);
        }
        for (step, value) in other.present() {
            let cell = &mut self.values[step - self.first];
            if is_present(*cell) {
                return Err(same_labelset());
            }
            *cell = value;
        }
        Ok(())
    }
}

/// Two elements of a vector have the same labels.
pub(crate) fn same_labelset() -> Error {
    Error::new(
        ErrorKind::Execution,
        "vector cannot contain metrics with the same labelset",
    )
}

/// How long it takes to look at a label set, in samples looked at.
pub(crate) const WORK_A_LABEL_SET: usize = 64;

/// Makes one row of rows with the same labels.
///
/// # Errors
/// Two of them have a value at one step.
pub(crate) fn merge_same_labels(mut all: Rows<'_>) -> Result<Rows<'_>, Error> {
    if all.len() < 2 {
        return Ok(all);
    }
    let limits = all.limits();
    let (rows, loan) = all.parts_mut();
    let hasher = RandomState::default();
    // The table has room for as many again, and a list of moves may be as long.
    let mut table_loan = Loan::new(limits);
    table_loan.add(0, 2 * bytes_of::<[usize; 2]>(rows.len()))?;
    let mut table: HashTable<usize> = HashTable::with_capacity(rows.len());
    // (of which row, into which) in order.
    let mut moves = Vec::new();
    let mut work = 0;
    for at in 0..rows.len() {
        limits.check_work(&mut work, WORK_A_LABEL_SET)?;
        let hash = hasher.hash_one(&rows[at].labels);
        let entry = table.entry(
            hash,
            |&other| rows[other].labels == rows[at].labels,
            |&other| hasher.hash_one(&rows[other].labels),
        );
        match entry {
            Entry::Occupied(found) => moves.push((at, *found.get())),
            Entry::Vacant(free) => {
                free.insert(at);
            }
        }
    }
    for &(from, into) in &moves {
        limits.check_work(&mut work, rows[from].values.len())?;
        limits.check_work(&mut work, WORK_A_LABEL_SET)?;
        // Freed here, where it is looked at the time in between.
        let row = std::mem::take(&mut rows[from]);
        rows[into].absorb(&row, loan)?;
    }
    if !moves.is_empty() {
        let mut gone = moves.iter().map(|&(from, _)| from).peekable();
        let mut at = 0;
        rows.retain(|_| {
            let keep = gone.next_if_eq(&at).is_none();
            at += 1;
            keep
        });
    }
    Ok(all)
}

/// The labels of a row on its way through a stream: strings are made only where needed.
#[derive(Clone, Copy)]
pub(crate) struct RowLabels<'a> {
    pub(crate) origin: Origin<'a>,
    /// Whether the metadata labels are gone.
    pub(crate) without_metadata: bool,
    /// As in [`Row`].
    pub(crate) drop_name: bool,
}

/// Where the labels of a row are.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A series of a selection.
    Stored(&'a dyn SeriesSet, usize),
    /// Made by an operation.
    Made(&'a Labels),
}

impl RowLabels<'_> {
    /// The labels as strings.
    pub(crate) fn to_labels(self) -> Labels {
        match (self.origin, self.without_metadata) {
            (Origin::Stored(set, series), false) => set.labels(series),
            (Origin::Stored(set, series), true) => set.labels(series).without_metadata(),
            (Origin::Made(labels), false) => labels.clone(),
            (Origin::Made(labels), true) => labels.without_metadata(),
        }
    }
}

/// The values of a row on its way through a stream. Whoever gets them may overwrite them.
#[derive(Debug)]
pub(crate) struct Cells<'a> {
    /// The step of the first of `values`.
    pub(crate) first: usize,
    /// One a step.
    pub(crate) values: &'a mut [f64],
}

/// The symbols of the metadata labels in a selection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetadataSymbols([Option<Symbol>; METADATA.len()]);

impl MetadataSymbols {
    pub(crate) fn of(set: &dyn SeriesSet) -> Self {
        Self(METADATA.map(|name| set.symbol(name)))
    }

    /// Whether series may have one beside the metric name.
    pub(crate) fn beyond_name(&self) -> bool {
        self.0[1..].iter().any(Option::is_some)
    }

    pub(crate) fn contains(&self, name: Symbol) -> bool {
        self.0.contains(&Some(name))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::limits::Budget;

    fn merged(rows: &[(&str, usize, &[f64])]) -> Result<Vec<Row>, Error> {
        let budget = Arc::new(Budget::new(10_000));
        let limits = Limits::new(&budget, 100, None, None);
        let mut all = Rows::none(&limits);
        for &(name, first, values) in rows {
            let labels = || Labels::from_pairs([("a", name)]);
            all.add(labels, false, first, values)?;
        }
        merge_same_labels(all).map(|rows| rows.into_parts().0.into_inner())
    }

    #[test]
    fn rows_with_the_same_labels_become_one_where_they_do_not_overlap() {
        let merged = merged(&[
            ("x", 4, &[4.0]),
            ("y", 0, &[9.0]),
            ("x", 1, &[1.0, 2.0]),
            ("x", 6, &[6.0]),
        ])
        .unwrap();
        assert_eq!(merged.len(), 2);
        let present: Vec<_> = merged[0].present().collect();
        assert_eq!(present, [(1, 1.0), (2, 2.0), (4, 4.0), (6, 6.0)]);
        assert_eq!(merged[1].labels.get("a"), "y");
    }

    #[test]
    fn two_values_at_a_step_for_the_same_labels_are_an_error() {
        let error = merged(&[("x", 0, &[1.0, 2.0]), ("x", 1, &[3.0])]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "vector cannot contain metrics with the same labelset"
        );
    }
}

//! What a query sees.

use std::sync::Arc;

use super::Shared;
use crate::chunk::ChunkError;
use crate::error::{Error, ErrorKind};
use crate::head;
use crate::model::{Labels, Matcher, Samples, SeriesId, SymbolId, TimeRange};

/// A pinned state of a database: what was visible when it was made, and nothing after, however
/// long it is read. Selecting twice gives the same answer.
#[derive(Debug)]
pub struct View {
    // Dropped before what it points into.
    pin: head::Pin,
    shared: Arc<Shared>,
    /// What is older is past the retention and not shown, whether or not its space was taken
    /// back. Fixed when the view is made, so that two selections see the same.
    earliest_ms: i64,
}

/// The series of a [`View`] that match and have a sample in the range; a series is named by its
/// place, from 0.
#[derive(Debug)]
pub struct Selection<'a> {
    view: &'a View,
    range: TimeRange,
    series: Vec<SeriesId>,
}

impl View {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let earliest_ms = shared
            .bounds
            .window(super::newest_ms(&shared.head))
            .start_ms;
        Self {
            pin: shared.head.pin(),
            shared,
            earliest_ms,
        }
    }

    /// The series for which all matchers hold and that have a sample (a stale marker counts) in
    /// the range, in the order they were first written.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] and [`crate::ErrorKind::Corrupt`] where the data cannot be read.
    pub fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<Selection<'_>, Error> {
        let range = self.within_retention(range);
        let series = self
            .shared
            .head
            .select(&self.pin, matchers, range)
            .map_err(corrupt)?;
        Ok(Selection {
            view: self,
            range,
            series,
        })
    }

    /// Names of labels, sorted, of the series that match. Without a matcher, of all series, if
    /// the range holds any data.
    ///
    /// # Errors
    /// Those of [`View::select`].
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        let range = self.within_retention(range);
        self.shared
            .head
            .label_names(&self.pin, matchers, range)
            .map_err(corrupt)
    }

    /// Values of a label, sorted, of the series that match; as [`View::label_names`].
    ///
    /// # Errors
    /// Those of [`View::select`].
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        let range = self.within_retention(range);
        self.shared
            .head
            .label_values(&self.pin, name, matchers, range)
            .map_err(corrupt)
    }

    fn within_retention(&self, range: TimeRange) -> TimeRange {
        TimeRange {
            start_ms: range.start_ms.max(self.earliest_ms),
            end_ms: range.end_ms,
        }
    }
}

impl Selection<'_> {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The labels of a series.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn labels(&self, series: usize) -> Labels {
        // Selected, so defined.
        self.view
            .shared
            .head
            .labels(self.series[series])
            .unwrap_or_default()
    }

    /// Calls `each` with the symbols of a series' label names and values, in order of name.
    /// Equal strings have equal symbols throughout a database. No series can be added
    /// meanwhile, so `each` should be quick, and not call the database.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn for_each_label_symbol(&self, series: usize, mut each: impl FnMut(SymbolId, SymbolId)) {
        let labels = self.view.shared.head.labels_view();
        for (name, value) in labels.symbols_of(self.series[series]).into_iter().flatten() {
            each(name, value);
        }
    }

    /// The symbol of a string, if any series has it as a label name or value.
    pub fn symbol(&self, text: &str) -> Option<SymbolId> {
        self.view.shared.head.lookup_symbol(text)
    }

    /// The samples of a series in the range of the selection, stale markers included, into
    /// `out` (emptied first).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] and [`crate::ErrorKind::Corrupt`] where the data cannot be read.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn samples(&self, series: usize, out: &mut Samples) -> Result<(), Error> {
        let id = self.series[series];
        self.view
            .shared
            .head
            .read(&self.view.pin, id, self.range, out)
            .map_err(corrupt)
    }
}

fn corrupt(error: ChunkError) -> Error {
    Error::with_source(ErrorKind::Corrupt, error.to_string(), error)
}

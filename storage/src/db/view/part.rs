//! One source of a view: its series by row, its symbols, its samples.

use std::path::Path;
use std::sync::Arc;

use super::wanted::Wanted;
use super::{extras, stored};
use crate::chunk::ChunkError;
use crate::error::{Error, ErrorKind};
use crate::head::{Head, Pin, ReadError};
use crate::maintenance::files::file_error;
use crate::maintenance::stored::{Stored, StoredReader};
use crate::model::{
    Cardinality, HistogramPoint, Labels, Matcher, Metadata, Pace, ReadBounds, Sample, Samples,
    SeriesExemplars, SeriesId, SymbolId, TimeRange,
};

/// How many series are looked at while no other can be registered, and how many strings.
const LOCKED_ROWS: usize = 1024;
const LOCKED_TEXTS: usize = 256;

/// A source of samples. Rows and symbols are its own: no other source has the same ones.
#[derive(Debug)]
pub(super) enum Part {
    /// A head, active or frozen.
    Head(PinnedHead),
    /// A file.
    Stored(Stored),
}

impl Part {
    /// What readers see of a head now.
    pub(super) fn pinned(head: &Arc<Head>) -> Self {
        let pin = head.pin();
        Self::Head(PinnedHead {
            pin,
            // Asked after the pin was taken, or it might leave out what the pin sees.
            range: head.time_range(),
            head: Arc::clone(head),
        })
    }

    /// Where its samples lie; none without a sample. Always the same, so that it may decide what
    /// a view shows.
    pub(super) fn range(&self) -> Option<TimeRange> {
        match self {
            Self::Head(own) => own.range,
            Self::Stored(own) => own.range(),
        }
    }

    /// The file that it is; none for a head.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Head(_) => None,
            Self::Stored(own) => Some(own.path()),
        }
    }

    /// The rows of the series for which all matchers hold and that have a sample in the range,
    /// in rising order: as many of the first as the bounds say.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`], [`ErrorKind::Ended`].
    pub(super) fn select(
        &self,
        wanted: Wanted<'_>,
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<u32>, Error> {
        match self {
            Self::Head(own) => {
                let series = own
                    .head
                    .select_within(&own.pin, wanted.matchers, range, bounds);
                // In place: the two have the same size.
                Ok(series
                    .map_err(read_error)?
                    .into_iter()
                    .map(|id| id.0)
                    .collect())
            }
            Self::Stored(own) => stored::select(own, wanted, range, bounds),
        }
    }

    /// Names of labels, sorted, of the series that match; without a matcher of all series. As many
    /// of the first as the bounds say.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`], [`ErrorKind::Ended`].
    pub(super) fn label_names(
        &self,
        wanted: Wanted<'_>,
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::Head(own) => own
                .head
                .label_names_within(&own.pin, wanted.matchers, range, bounds)
                .map_err(read_error),
            Self::Stored(own) => stored::label_names(own, wanted, range, bounds),
        }
    }

    /// Values of a label, sorted, of the series that match; without a matcher of all series. As
    /// many of the first as the bounds say.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`], [`ErrorKind::Ended`].
    pub(super) fn label_values(
        &self,
        name: &str,
        wanted: Wanted<'_>,
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::Head(own) => own
                .head
                .label_values_within(&own.pin, name, wanted.matchers, range, bounds)
                .map_err(read_error),
            Self::Stored(own) => stored::label_values(own, name, wanted, range, bounds),
        }
    }

    /// How many series and labels there are, and of which most: as many as the bounds say.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`], [`ErrorKind::Ended`].
    pub(super) fn cardinality(&self, bounds: ReadBounds<'_>) -> Result<Cardinality, Error> {
        let counted = match self {
            Self::Head(own) => own.head.cardinality_within(bounds)?,
            Self::Stored(own) => {
                let counted = own.with_index(|index| index.cardinality_within(bounds));
                counted.map_err(file_error)?
            }
        };
        Ok(Cardinality {
            range: self.range(),
            ..counted
        })
    }

    /// Adds the labels of `rows`, which rise and were selected, to `out`, one set for each.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn row_labels(&self, rows: &[u32], out: &mut RowLabels) -> Result<(), Error> {
        match self {
            Self::Head(own) => own.row_labels(rows, out),
            Self::Stored(own) => stored::row_labels(own, rows, out).map_err(file_error)?,
        }
        Ok(())
    }

    /// Calls `each` with the strings of symbols, which rise and came with the labels of rows.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`]; `each` may have been called with some, and may
    /// be called with some twice in any case.
    pub(super) fn texts(
        &self,
        symbols: &[SymbolId],
        each: impl FnMut(SymbolId, &str),
    ) -> Result<(), Error> {
        match self {
            Self::Head(own) => own.texts(symbols, each),
            Self::Stored(own) => stored::texts(own, symbols, each).map_err(file_error)?,
        }
        Ok(())
    }

    /// The exemplars in the range of the series for which all matchers hold.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`], [`ErrorKind::Ended`].
    pub(super) fn exemplars(
        &self,
        wanted: Wanted<'_>,
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SeriesExemplars>, Error> {
        match self {
            Self::Head(own) => own.exemplars(wanted.matchers, range, bounds),
            Self::Stored(own) => extras::of_file(own, wanted, range, bounds),
        }
    }

    /// The metadata of a metric family, or of all, in order of name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, Error> {
        match self {
            Self::Head(own) => Ok(own.head.metadata(&own.pin, metric)),
            Self::Stored(own) => own.metadata(metric).map_err(file_error),
        }
    }

    /// Reads samples; one for many rows in rising order is quicker than one for each.
    pub(super) fn reader(&self) -> PartReader<'_> {
        match self {
            Self::Head(own) => PartReader::Head(own),
            Self::Stored(own) => PartReader::Stored(own.reader()),
        }
    }
}

/// Reads samples of one source.
#[derive(Debug)]
pub(super) enum PartReader<'a> {
    /// Of a head: it has nothing to remember.
    Head(&'a PinnedHead),
    /// Of a file.
    Stored(StoredReader<'a>),
}

impl PartReader<'_> {
    /// Whether a row may have histograms, in whatever range.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn has_histograms(&mut self, row: u32) -> Result<bool, Error> {
        match self {
            Self::Head(own) => Ok(own.has_histograms(row)),
            Self::Stored(own) => own.has_histograms(row).map_err(file_error),
        }
    }

    /// Reads all samples of a row in the range into `out` (emptied first), floats and histograms
    /// with their start timestamps, in rising order of time, no timestamp twice.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn read_points(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        match self {
            Self::Head(own) => own.read_points(row, range, out),
            Self::Stored(own) => own.points(row, range, out).map_err(file_error),
        }
    }

    /// Reads the floats of a row in the range into `out` (emptied first), in rising order of
    /// time, no timestamp twice; none where a histogram came over it. Part of them where the pace
    /// ends it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn read(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), Error> {
        match self {
            Self::Head(own) => own.read(row, range, out, pace),
            Self::Stored(own) => own.read(row, range, out, pace).map_err(file_error),
        }
    }
}

/// Label sets of several rows, as symbols of their source.
#[derive(Debug, Default)]
pub(super) struct RowLabels {
    /// Names and values of all rows, each row's in order of name.
    pairs: Vec<(SymbolId, SymbolId)>,
    /// Where those of each row end in `pairs`.
    ends: Vec<usize>,
}

impl RowLabels {
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.ends.clear();
    }

    /// Takes away all rows but the first `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.pairs.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Adds the labels of the next row.
    pub(super) fn push(&mut self, labels: impl Iterator<Item = (SymbolId, SymbolId)>) {
        self.pairs.extend(labels);
        self.ends.push(self.pairs.len());
    }

    /// Names and values of all rows together.
    pub(super) fn pairs(&self) -> &[(SymbolId, SymbolId)] {
        &self.pairs
    }

    /// Names and values, row by row.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = &[(SymbolId, SymbolId)]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let row = &self.pairs[start..end];
            start = end;
            row
        })
    }
}

/// A head and what is seen of it.
#[derive(Debug)]
pub(super) struct PinnedHead {
    // Dropped before what it points into.
    pin: Pin,
    /// Where the samples lay when it was pinned.
    range: Option<TimeRange>,
    head: Arc<Head>,
}

impl PinnedHead {
    /// Where its samples lie.
    pub(super) fn range(&self) -> Option<TimeRange> {
        self.range
    }

    pub(super) fn read(
        &self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), Error> {
        self.head
            .read_within(&self.pin, SeriesId(row), range, out, pace)
            .map_err(corrupt)
    }

    pub(super) fn has_histograms(&self, row: u32) -> bool {
        self.head.has_histograms(SeriesId(row))
    }

    pub(super) fn read_histograms(
        &self,
        row: u32,
        range: TimeRange,
        out: &mut Vec<HistogramPoint>,
    ) -> Result<(), Error> {
        self.head
            .read_histograms(&self.pin, SeriesId(row), range, out)
            .map_err(corrupt)
    }

    pub(super) fn read_points(
        &self,
        row: u32,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        self.head
            .read_points(&self.pin, SeriesId(row), range, out)
            .map_err(corrupt)
    }

    fn exemplars(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SeriesExemplars>, Error> {
        let found = self
            .head
            .exemplars_within(&self.pin, matchers, range, bounds);
        let found = found.map_err(read_error)?.into_iter();
        Ok(found
            .map(|(id, exemplars)| SeriesExemplars {
                labels: self.labels(id.0),
                exemplars,
            })
            .collect())
    }

    /// The labels of a row that was selected.
    pub(super) fn labels(&self, row: u32) -> Labels {
        // Selected, so defined.
        self.head.labels(SeriesId(row)).unwrap_or_default()
    }

    /// Calls `each` with the symbols of a row's label names and values, in order of name.
    pub(super) fn for_each_label_symbol(&self, row: u32, mut each: impl FnMut(SymbolId, SymbolId)) {
        let labels = self.head.labels_view();
        for (name, value) in labels.symbols_of(SeriesId(row)).into_iter().flatten() {
            each(name, value);
        }
    }

    pub(super) fn symbol(&self, text: &str) -> Option<SymbolId> {
        self.head.lookup_symbol(text)
    }

    fn row_labels(&self, rows: &[u32], out: &mut RowLabels) {
        for rows in rows.chunks(LOCKED_ROWS) {
            let labels = self.head.labels_view();
            for &row in rows {
                let symbols = labels.symbols_of(SeriesId(row)).into_iter().flatten();
                out.push(symbols);
            }
        }
    }

    fn texts(&self, symbols: &[SymbolId], mut each: impl FnMut(SymbolId, &str)) {
        for symbols in symbols.chunks(LOCKED_TEXTS) {
            let labels = self.head.labels_view();
            for &symbol in symbols {
                each(symbol, labels.symbols().text(symbol));
            }
        }
    }
}

fn read_error(error: ReadError) -> Error {
    match error {
        ReadError::Chunk(error) => corrupt(error),
        ReadError::Ended(ended) => ended.into(),
    }
}

fn corrupt(error: ChunkError) -> Error {
    Error::with_source(ErrorKind::Corrupt, error.to_string(), error)
}

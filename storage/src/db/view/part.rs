//! One source of a view: its series by row, its symbols, its samples.

use std::sync::Arc;

use crate::chunk::ChunkError;
use crate::error::{Error, ErrorKind};
use crate::head::{Head, LabelsView, Pin};
use crate::model::{Labels, Matcher, Samples, SeriesId, SymbolId, TimeRange};

/// A source of samples. Rows and symbols are its own: no other source has the same ones.
#[derive(Debug)]
pub(super) enum Part {
    /// A head, active or frozen.
    Head(PinnedHead),
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
        }
    }

    /// The rows of the series for which all matchers hold and that have a sample in the range,
    /// in rising order.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<u32>, Error> {
        match self {
            Self::Head(own) => {
                let series = own.head.select(&own.pin, matchers, range);
                // In place: the two have the same size.
                Ok(series
                    .map_err(corrupt)?
                    .into_iter()
                    .map(|id| id.0)
                    .collect())
            }
        }
    }

    /// Names of labels, sorted, of the series that match; without a matcher of all series.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::Head(own) => own
                .head
                .label_names(&own.pin, matchers, range)
                .map_err(corrupt),
        }
    }

    /// Values of a label, sorted, of the series that match; without a matcher of all series.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::Head(own) => own
                .head
                .label_values(&own.pin, name, matchers, range)
                .map_err(corrupt),
        }
    }

    /// The labels of its series, borrowed. Of a head no series can be registered meanwhile: to
    /// be held for some hundreds of series at a time.
    pub(super) fn labels(&self) -> PartLabels<'_> {
        match self {
            Self::Head(own) => PartLabels::Head(own.head.labels_view()),
        }
    }

    /// Reads the samples of a row in the range into `out` (emptied first), in rising order of
    /// time, no timestamp twice.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn read(&self, row: u32, range: TimeRange, out: &mut Samples) -> Result<(), Error> {
        match self {
            Self::Head(own) => own.read(row, range, out),
        }
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
    pub(super) fn read(&self, row: u32, range: TimeRange, out: &mut Samples) -> Result<(), Error> {
        self.head
            .read(&self.pin, SeriesId(row), range, out)
            .map_err(corrupt)
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
}

/// The labels of a source's series.
#[derive(Debug)]
pub(super) enum PartLabels<'a> {
    /// Those of a head.
    Head(LabelsView<'a>),
}

impl PartLabels<'_> {
    /// Calls `each` with the symbols of a row's label names and values, in order of name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`].
    pub(super) fn for_each_symbol(
        &self,
        row: u32,
        mut each: impl FnMut(SymbolId, SymbolId) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Head(labels) => labels
                .symbols_of(SeriesId(row))
                .into_iter()
                .flatten()
                .try_for_each(|(name, value)| each(name, value)),
        }
    }

    /// The string of a symbol.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Corrupt`]: also for a symbol that the source does not have.
    pub(super) fn text(&self, symbol: SymbolId) -> Result<&str, Error> {
        match self {
            Self::Head(labels) => Ok(labels.symbols().text(symbol)),
        }
    }
}

fn corrupt(error: ChunkError) -> Error {
    Error::with_source(ErrorKind::Corrupt, error.to_string(), error)
}

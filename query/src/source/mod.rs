//! Where the engine gets its series from: the one thing it knows of storage.
//!
//! The trait speaks of columns and symbols rather than of samples and strings, so that an
//! aggregation can group by symbol without building a label string, and so that a source that
//! knows more about a column than its values (it is constant; its sum) can say so.

pub(crate) mod condition;
#[cfg(test)]
pub mod memory;
#[cfg(feature = "storage")]
mod silverback;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "storage")]
pub use self::silverback::StorageAllowance;

use crate::{Error, FloatHistogram, Labels};

/// How a matcher compares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

/// A condition on one label; a label that a series lacks has the value `""`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// How it compares.
    pub op: MatchOp,
    /// What it compares with.
    pub value: String,
}

/// What a source may use while it looks for an answer.
pub trait Allowance: Sync + fmt::Debug {
    /// Whether the source should go on. To be asked once in so much work as takes a millisecond or
    /// less.
    ///
    /// # Errors
    /// It should not; this is the answer then.
    fn check(&self) -> Result<(), Error>;

    /// Whether it may hold so many bytes more; to be asked before it does.
    ///
    /// # Errors
    /// It may not; this is the answer then.
    fn hold(&self, bytes: usize) -> Result<(), Error>;

    /// Takes back bytes that were held.
    fn give_back(&self, bytes: usize);
}

/// What a query asks of a source: series by matchers, within a closed range of time.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// All of them must hold.
    pub matchers: &'a [Matcher],
    /// First timestamp of interest, in milliseconds.
    pub start_ms: i64,
    /// Last timestamp of interest, in milliseconds.
    pub end_ms: i64,
    /// What the source may use until it has answered.
    pub allowance: &'a dyn Allowance,
}

/// A database that can be queried.
pub trait Source: Send + Sync {
    /// Pins what a query sees: everything acknowledged so far, nothing after.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Source`] where the database cannot be read.
    fn view(&self) -> Result<Box<dyn View + '_>, Error>;
}

/// A pinned state of a database: the same selection twice gives the same answer.
pub trait View: Send + Sync {
    /// The series that match and have a sample in the range, in an order that is the same each
    /// time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadData`] for a regular expression that does not compile,
    /// [`crate::ErrorKind::Source`] where the database cannot be read; that of the allowance.
    fn select(&self, selection: &Selection<'_>) -> Result<Box<dyn SeriesSet + '_>, Error>;

    /// What selections of this view, and what was read of them, were without so far, a sentence
    /// each: warnings that come with the answer. None by default.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A name or a value of a label as a number that is the same for the same string throughout
/// one [`SeriesSet`], and means nothing outside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Symbol(pub u32);

/// The series of a selection, by their place in it. Read from several threads at once.
pub trait SeriesSet: Send + Sync {
    /// How many series there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts the label names and values of a series, sorted by name, into `out` (emptied first).
    fn label_symbols(&self, series: usize, out: &mut Vec<(Symbol, Symbol)>);

    /// The symbol of a string, or none where no series of the set has it.
    fn symbol(&self, text: &str) -> Option<Symbol>;

    /// The labels of a series.
    fn labels(&self, series: usize) -> Labels;

    /// Calls `each` with the columns of a series in rising order of time, cut to the range of
    /// the selection; no timestamp twice. The cursor's buffers are used again. A long series asks
    /// `allowance` whether to go on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Source`] for bytes that could not be read, what `each` returns, that of
    /// the allowance.
    fn columns(
        &self,
        series: usize,
        cursor: &mut Cursor,
        allowance: &dyn Allowance,
        each: &mut dyn FnMut(Column<'_>) -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// Whether a series has native histograms within the range of the selection.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Source`] for bytes that could not be read.
    fn has_histograms(&self, _series: usize) -> Result<bool, Error> {
        Ok(false)
    }

    /// Calls `each` with the histograms of a series, stale ones included, in rising order of time:
    /// what stands beside [`SeriesSet::columns`], no timestamp in both.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Source`] for bytes that could not be read, and what `each` returns.
    fn histograms(
        &self,
        _series: usize,
        _each: &mut dyn FnMut(HistogramSample) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// A native histogram at a time.
#[derive(Clone, PartialEq, Debug)]
pub struct HistogramSample {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The histogram; its sum is the stale marker where the series ends.
    pub histogram: Arc<FloatHistogram>,
}

/// Buffers that a thread keeps from one series to the next.
#[derive(Debug, Default)]
pub struct Cursor {
    /// Decoded timestamps, in milliseconds.
    pub timestamps_ms: Vec<i64>,
    /// Decoded values.
    pub values: Vec<f64>,
}

/// A run of a series' samples. Stale markers are among them.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Milliseconds since the Unix epoch, strictly rising.
    pub timestamps_ms: &'a [i64],
    /// The values, in the cheapest form the source has.
    pub values: Values<'a>,
    /// What the source knows without reading the values, of exactly these samples.
    pub statistics: Option<Statistics>,
}

/// The values of a column.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Values<'a> {
    /// One a timestamp.
    Floats(&'a [f64]),
    /// The same bits at every timestamp.
    Constant(f64),
}

/// A column in numbers; none of them counts stale markers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Statistics {
    /// How many samples.
    pub count: u32,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// First value.
    pub first: f64,
    /// Last value.
    pub last: f64,
    /// How often a value was below the one before.
    pub resets: u32,
}

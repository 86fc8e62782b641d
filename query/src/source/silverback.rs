//! Silverback's own storage as a source: the one file of this crate that knows it.

use silverback_storage::{self as storage, model};

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Allowance, Column, Cursor, HistogramSample, MatchOp, Selection, SeriesSet, Source, Symbol,
    Values, View,
};
use crate::{Error, ErrorKind, FloatHistogram, Labels, ResetHint};

impl Source for storage::Db {
    fn view(&self) -> Result<Box<dyn View + '_>, Error> {
        Ok(Box::new(storage::Db::view(self)))
    }
}

impl View for storage::View {
    fn select(&self, selection: &Selection<'_>) -> Result<Box<dyn SeriesSet + '_>, Error> {
        let matchers = selection
            .matchers
            .iter()
            .map(storage::Matcher::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        let range = storage::TimeRange::new(selection.start_ms, selection.end_ms);
        let asked = StorageAllowance::new(selection.allowance);
        let selected = self.bounded(&asked).select(&matchers, range);
        Ok(Box::new(selected.map_err(|error| asked.error(error))?))
    }

    fn warnings(&self) -> Vec<String> {
        let damage = self.read_damage();
        damage.iter().map(ToString::to_string).collect()
    }
}

/// An [`Allowance`] as storage asks for it: storage hears yes or no, and why is kept.
#[derive(Debug)]
pub struct StorageAllowance<'a> {
    allowance: &'a dyn Allowance,
    refusal: Mutex<Option<Error>>,
}

impl<'a> StorageAllowance<'a> {
    /// For one question to storage.
    pub fn new(allowance: &'a dyn Allowance) -> Self {
        Self {
            allowance,
            refusal: Mutex::default(),
        }
    }

    fn is_granted(&self, answer: Result<(), Error>) -> bool {
        let Err(refusal) = answer else {
            return true;
        };
        let mut kept = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(refusal);
        false
    }

    /// What an error of storage means: where the allowance said no, why.
    pub fn error(self, error: storage::Error) -> Error {
        let refusal = self.refusal.into_inner();
        match refusal.unwrap_or_else(PoisonError::into_inner) {
            Some(refusal) if error.kind() == storage::ErrorKind::Ended => refusal,
            _ => Error::source_failed(error),
        }
    }
}

impl storage::Allowance for StorageAllowance<'_> {
    fn may_go_on(&self) -> bool {
        self.is_granted(self.allowance.check())
    }

    fn may_hold(&self, bytes: usize) -> bool {
        self.is_granted(self.allowance.hold(bytes))
    }

    fn give_back(&self, bytes: usize) {
        self.allowance.give_back(bytes);
    }
}

/// The same condition for storage; a regular expression is translated from Go's syntax, which
/// PromQL has, to that of the `regex` crate.
///
/// # Errors
/// [`ErrorKind::BadData`] for a regular expression that does not compile.
impl TryFrom<&super::Matcher> for storage::Matcher {
    type Error = Error;

    fn try_from(matcher: &super::Matcher) -> Result<Self, Error> {
        let op = match matcher.op {
            MatchOp::Equal => storage::MatchOp::Equal,
            MatchOp::NotEqual => storage::MatchOp::NotEqual,
            MatchOp::Regex => storage::MatchOp::Regex,
            MatchOp::NotRegex => storage::MatchOp::NotRegex,
        };
        let value = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => matcher.value.clone(),
            MatchOp::Regex | MatchOp::NotRegex => crate::parse::pattern::translate(&matcher.value)
                .map_err(|error| Error::new(ErrorKind::BadData, error))?,
        };
        Self::new(op, &matcher.name, value)
            .map_err(|error| Error::new(ErrorKind::BadData, error.to_string()))
    }
}

impl SeriesSet for storage::Selection<'_> {
    fn len(&self) -> usize {
        storage::Selection::len(self)
    }

    fn label_symbols(&self, series: usize, out: &mut Vec<(Symbol, Symbol)>) {
        out.clear();
        self.for_each_label_symbol(series, |name, value| {
            out.push((Symbol(name.0), Symbol(value.0)));
        });
    }

    fn symbol(&self, text: &str) -> Option<Symbol> {
        storage::Selection::symbol(self, text).map(|symbol| Symbol(symbol.0))
    }

    fn labels(&self, series: usize) -> Labels {
        Labels::from_pairs(storage::Selection::labels(self, series).iter())
    }

    fn columns(
        &self,
        series: usize,
        cursor: &mut Cursor,
        allowance: &dyn Allowance,
        each: &mut dyn FnMut(Column<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut samples = storage::Samples {
            timestamps_ms: std::mem::take(&mut cursor.timestamps_ms),
            values: std::mem::take(&mut cursor.values),
        };
        let asked = StorageAllowance::new(allowance);
        let read = self
            .samples_within(series, &mut samples, &asked)
            .map_err(|error| asked.error(error));
        let told = read.and_then(|()| {
            if samples.is_empty() {
                return Ok(());
            }
            each(Column {
                timestamps_ms: &samples.timestamps_ms,
                values: Values::Floats(&samples.values),
                statistics: None,
            })
        });
        // Given back even after an error: the buffers serve the next series.
        cursor.timestamps_ms = samples.timestamps_ms;
        cursor.values = samples.values;
        told
    }

    fn has_histograms(&self, series: usize) -> Result<bool, Error> {
        let mut has_any = false;
        for_each_piece(self, series, &mut |points| {
            has_any = !points.is_empty();
            Ok(has_any)
        })?;
        Ok(has_any)
    }

    fn histograms(
        &self,
        series: usize,
        each: &mut dyn FnMut(HistogramSample) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for_each_piece(self, series, &mut |points| {
            for point in points.drain(..) {
                each(HistogramSample {
                    timestamp_ms: point.timestamp_ms,
                    histogram: Arc::new(point.histogram.into()),
                })?;
            }
            Ok(false)
        })
    }
}

/// How long a piece of a series is at first that is read at once, in milliseconds.
const PIECE_MS: u64 = 3_600_000;
/// How many histograms a piece should have: pieces are made longer or shorter until they do.
const PIECE_HISTOGRAMS: std::ops::Range<usize> = 128..1024;

/// Calls `each` with the histograms of a series, piece by piece, until it is true. A histogram may
/// have thousands of buckets, so that not all of them should stand in memory in two forms at once.
fn for_each_piece(
    set: &storage::Selection<'_>,
    series: usize,
    each: &mut dyn FnMut(&mut Vec<model::HistogramPoint>) -> Result<bool, Error>,
) -> Result<(), Error> {
    let Some(range) = set.histogram_range(series).map_err(Error::source_failed)? else {
        return Ok(());
    };
    let mut points = Vec::new();
    let (mut start_ms, mut length_ms) = (range.start_ms, PIECE_MS);
    loop {
        let end_ms = start_ms
            .saturating_add_unsigned(length_ms - 1)
            .min(range.end_ms);
        let piece = storage::TimeRange::new(start_ms, end_ms);
        let read = set.histograms_in(series, piece, &mut points);
        read.map_err(Error::source_failed)?;
        if points.len() < PIECE_HISTOGRAMS.start {
            length_ms = length_ms.saturating_mul(4);
        } else if points.len() >= PIECE_HISTOGRAMS.end {
            length_ms = (length_ms / 4).max(1);
        }
        if each(&mut points)? || end_ms >= range.end_ms {
            return Ok(());
        }
        start_ms = end_ms + 1;
    }
}

impl From<model::Histogram> for FloatHistogram {
    fn from(stored: model::Histogram) -> Self {
        let (count, zero_count, positive, negative) = match stored.counts {
            model::HistogramCounts::Integer {
                count,
                zero_count,
                positive_deltas,
                negative_deltas,
            } => (
                count as f64,
                zero_count as f64,
                summed(&positive_deltas),
                summed(&negative_deltas),
            ),
            model::HistogramCounts::Float {
                count,
                zero_count,
                positive,
                negative,
            } => (count, zero_count, positive, negative),
        };
        Self {
            schema: i32::from(stored.schema),
            zero_threshold: stored.zero_threshold,
            zero_count,
            count,
            sum: stored.sum,
            reset_hint: match stored.reset_hint {
                model::ResetHint::Unknown => ResetHint::Unknown,
                model::ResetHint::Reset => ResetHint::Reset,
                model::ResetHint::NoReset => ResetHint::NoReset,
                model::ResetHint::Gauge => ResetHint::Gauge,
            },
            positive: indices(&stored.positive_spans).zip(positive).collect(),
            negative: indices(&stored.negative_spans).zip(negative).collect(),
            custom_bounds: stored.custom_bounds,
        }
    }
}

/// Counts of buckets that are stored as differences.
fn summed(deltas: &[i64]) -> Vec<f64> {
    let sums = deltas.iter().scan(0_i64, |count, delta| {
        *count = count.wrapping_add(*delta);
        Some(*count as f64)
    });
    sums.collect()
}

/// The indices of the buckets of spans.
fn indices(spans: &[model::BucketSpan]) -> impl Iterator<Item = i32> + '_ {
    let mut next = 0_i32;
    spans.iter().flat_map(move |span| {
        let first = next.wrapping_add(span.offset);
        next = first.wrapping_add(span.length.cast_signed());
        (0..span.length.cast_signed()).map(move |at| first.wrapping_add(at))
    })
}

//! Silverback's own storage as a source: the one file of this crate that knows it.

use silverback_storage as storage;

use super::{Column, Cursor, MatchOp, Selection, SeriesSet, Source, Symbol, Values, View};
use crate::{Error, ErrorKind, Labels};

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
        let selected =
            storage::View::select(self, &matchers, range).map_err(Error::source_failed)?;
        Ok(Box::new(selected))
    }

    fn warnings(&self) -> Vec<String> {
        let damage = self.read_damage();
        damage.iter().map(ToString::to_string).collect()
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
        each: &mut dyn FnMut(Column<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut samples = storage::Samples {
            timestamps_ms: std::mem::take(&mut cursor.timestamps_ms),
            values: std::mem::take(&mut cursor.values),
        };
        let read = self
            .samples(series, &mut samples)
            .map_err(Error::source_failed);
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
}

//! A file as a source of a view.

use roaring::RoaringBitmap;

use super::part::RowLabels;
use crate::error::Error;
use crate::immutable::FileError;
use crate::maintenance::files::file_error;
use crate::maintenance::stored::Stored;
use crate::model::{Matcher, SymbolId, TimeRange};

/// The rows of the series for which all matchers hold and that have a sample in the range, in
/// rising order.
pub(super) fn select(
    file: &Stored,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<Vec<u32>, Error> {
    let rows = file.with_index(|index| index.evaluate(matchers));
    let selected = rows.and_then(|rows| {
        let rows: Vec<u32> = rows.into_iter().collect();
        file.reader().with_samples(&rows, range)
    });
    selected.map_err(file_error)
}

/// Names of labels, sorted, of the series that match; without a matcher of all series.
pub(super) fn label_names(
    file: &Stored,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<Vec<String>, Error> {
    let rows = matching(file, matchers, range)?;
    let names = file.with_index(|index| index.label_names(rows.as_ref()));
    names.map_err(file_error)
}

/// Values of a label, sorted, of the series that match; without a matcher of all series.
pub(super) fn label_values(
    file: &Stored,
    name: &str,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<Vec<String>, Error> {
    let rows = matching(file, matchers, range)?;
    let values = file.with_index(|index| index.label_values(name, rows.as_ref()));
    values.map_err(file_error)
}

/// The rows whose labels are asked for; none for all.
fn matching(
    file: &Stored,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<Option<RoaringBitmap>, Error> {
    if matchers.is_empty() {
        return Ok(None);
    }
    let rows = select(file, matchers, range)?;
    Ok(Some(rows.into_iter().collect()))
}

/// Adds the labels of `rows`, which rise, to `out`, one set for each.
pub(super) fn row_labels(
    file: &Stored,
    rows: &[u32],
    out: &mut RowLabels,
) -> Result<(), FileError> {
    let before = out.rows().len();
    file.with_index(|index| {
        // It may be asked a second time.
        out.truncate(before);
        index.symbols_of_rows(rows, |_, labels| out.push(labels.iter().copied()))
    })
}

/// Calls `each` with the strings of symbols, which rise. It may be called with one twice.
pub(super) fn texts(
    file: &Stored,
    symbols: &[SymbolId],
    mut each: impl FnMut(SymbolId, &str),
) -> Result<(), FileError> {
    file.with_index(|index| index.texts(symbols, &mut each))
}

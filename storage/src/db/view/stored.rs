//! A file as a source of a view.

use roaring::RoaringBitmap;

use super::part::RowLabels;
use super::wanted::Wanted;
use crate::error::{Error, ErrorKind};
use crate::immutable::FileError;
use crate::maintenance::files::file_error;
use crate::maintenance::stored::Stored;
use crate::model::{ReadBounds, SymbolId, TimeRange};

/// How many rows are looked at from one check to the next.
const SELECT_BATCH: usize = 512;

/// The rows of the series for which all matchers hold and that have a sample in the range, in
/// rising order; those too of which damage does not let it be told: reading them does. As many of
/// the first as the bounds say.
pub(super) fn select(
    file: &Stored,
    wanted: Wanted<'_>,
    range: TimeRange,
    bounds: ReadBounds<'_>,
) -> Result<Vec<u32>, Error> {
    let rows = wanted.rows_of(file, bounds)?;
    let _rows = bounds.hold_all::<[u32; 2]>(usize::try_from(rows.len()).unwrap_or(usize::MAX))?;
    let rows: Vec<u32> = rows.into_iter().collect();
    let mut reader = file.reader();
    let mut selected = Vec::new();
    for rows in rows.chunks(SELECT_BATCH) {
        bounds.check()?;
        let mut left = vec![rows];
        while let Some(rows) = left.pop() {
            match reader.with_samples(rows, range).map_err(file_error) {
                Ok(found) if selected.is_empty() => selected = found,
                Ok(found) => selected.extend(found),
                Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
                Err(_) if rows.len() <= 1 => selected.extend(rows),
                Err(_) => {
                    let (first, second) = rows.split_at(rows.len() / 2);
                    left.extend([second, first]);
                }
            }
        }
        if selected.len() >= bounds.limit {
            break;
        }
    }
    selected.truncate(bounds.limit);
    Ok(selected)
}

/// Names of labels, sorted, of the series that match; without a matcher of all series.
pub(super) fn label_names(
    file: &Stored,
    wanted: Wanted<'_>,
    range: TimeRange,
    bounds: ReadBounds<'_>,
) -> Result<Vec<String>, Error> {
    let rows = matching(file, wanted, range, bounds)?;
    let names = file.with_index(|index| index.label_names_within(rows.as_ref(), bounds));
    names.map_err(file_error)
}

/// Values of a label, sorted, of the series that match; without a matcher of all series.
pub(super) fn label_values(
    file: &Stored,
    name: &str,
    wanted: Wanted<'_>,
    range: TimeRange,
    bounds: ReadBounds<'_>,
) -> Result<Vec<String>, Error> {
    let rows = matching(file, wanted, range, bounds)?;
    let values = file.with_index(|index| index.label_values_within(name, rows.as_ref(), bounds));
    values.map_err(file_error)
}

/// The rows whose labels are asked for; none for all.
fn matching(
    file: &Stored,
    wanted: Wanted<'_>,
    range: TimeRange,
    bounds: ReadBounds<'_>,
) -> Result<Option<RoaringBitmap>, Error> {
    if wanted.matchers.is_empty() {
        return Ok(None);
    }
    let rows = select(file, wanted, range, bounds.of_all())?;
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

//! What a file shows beside samples: exemplars.

use std::collections::BTreeMap;

use super::part::RowLabels;
use super::stored;
use super::wanted::Wanted;
use crate::error::Error;
use crate::maintenance::files::file_error;
use crate::maintenance::stored::Stored;
use crate::model::{Exemplar, Labels, ReadBounds, SeriesExemplars, SymbolId, Tally, TimeRange};

/// For how many rows exemplars and labels are asked for at once.
const BATCH: usize = 4096;

/// The exemplars in the range of the series of a file for which all matchers hold.
pub(super) fn of_file(
    file: &Stored,
    wanted: Wanted<'_>,
    range: TimeRange,
    bounds: ReadBounds<'_>,
) -> Result<Vec<SeriesExemplars>, Error> {
    if !file.has_exemplars() {
        return Ok(Vec::new());
    }
    let rows = wanted.rows_of(file, bounds)?;
    let _rows = bounds.hold_all::<u32>(usize::try_from(rows.len()).unwrap_or(usize::MAX))?;
    let rows: Vec<u32> = rows.into_iter().collect();
    let mut all = Vec::new();
    let mut tally = Tally::new(bounds);
    let mut reader = file.reader();
    for rows in rows.chunks(BATCH) {
        bounds.check()?;
        let found = reader.exemplars(rows, range).map_err(file_error)?;
        let exemplars = found.iter().flat_map(|(_, exemplars)| exemplars);
        tally.grow(exemplars.map(Exemplar::bytes).sum())?;
        for found in found.chunks(BATCH) {
            bounds.check()?;
            all.extend(with_labels(file, found)?);
        }
    }
    Ok(all)
}

/// Exemplars with the labels of their series.
fn with_labels(
    file: &Stored,
    found: &[(u32, Vec<Exemplar>)],
) -> Result<Vec<SeriesExemplars>, Error> {
    let rows: Vec<u32> = found.iter().map(|&(row, _)| row).collect();
    let mut labels = RowLabels::default();
    stored::row_labels(file, &rows, &mut labels).map_err(file_error)?;
    let symbols = labels
        .pairs()
        .iter()
        .flat_map(|&(name, value)| [name, value]);
    let mut texts: BTreeMap<SymbolId, String> =
        symbols.map(|symbol| (symbol, String::new())).collect();
    let symbols: Vec<SymbolId> = texts.keys().copied().collect();
    stored::texts(file, &symbols, |symbol, text| {
        texts.insert(symbol, text.to_owned());
    })
    .map_err(file_error)?;
    let text = |symbol: &SymbolId| texts.get(symbol).map_or("", String::as_str);
    let series = found.iter().zip(labels.rows());
    let series = series.map(|((_, exemplars), row)| SeriesExemplars {
        labels: Labels::from_label_set(row.iter().map(|(name, value)| (text(name), text(value)))),
        exemplars: exemplars.clone(),
    });
    Ok(series.collect())
}

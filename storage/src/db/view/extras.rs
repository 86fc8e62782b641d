//! What a view shows beside samples: exemplars and metadata.

use std::collections::BTreeMap;

use super::part::RowLabels;
use super::{View, stored};
use crate::error::Error;
use crate::immutable::FileError;
use crate::maintenance::stored::Stored;
use crate::model::{Exemplar, Labels, Matcher, Metadata, SeriesExemplars, SymbolId, TimeRange};

/// The exemplars in the range of the series of a file for which all matchers hold.
pub(super) fn of_file(
    file: &Stored,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<Vec<SeriesExemplars>, FileError> {
    if !file.has_exemplars() {
        return Ok(Vec::new());
    }
    let rows = file.with_index(|index| index.evaluate(matchers))?;
    let rows: Vec<u32> = rows.into_iter().collect();
    let found = file.reader().exemplars(&rows, range)?;
    let rows: Vec<u32> = found.iter().map(|&(row, _)| row).collect();
    let mut labels = RowLabels::default();
    stored::row_labels(file, &rows, &mut labels)?;
    let symbols = labels
        .pairs()
        .iter()
        .flat_map(|&(name, value)| [name, value]);
    let mut texts: BTreeMap<SymbolId, String> =
        symbols.map(|symbol| (symbol, String::new())).collect();
    let symbols: Vec<SymbolId> = texts.keys().copied().collect();
    stored::texts(file, &symbols, |symbol, text| {
        texts.insert(symbol, text.to_owned());
    })?;
    let text = |symbol: &SymbolId| texts.get(symbol).map_or("", String::as_str);
    let series = found.into_iter().zip(labels.rows());
    let series = series.map(|((_, exemplars), row)| SeriesExemplars {
        labels: Labels::from_label_set(row.iter().map(|(name, value)| (text(name), text(value)))),
        exemplars,
    });
    Ok(series.collect())
}

impl View {
    /// The exemplars in the range of the series for which all matchers hold, in order of the
    /// series' labels; series without any are left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read.
    pub fn exemplars(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, Error> {
        let range = self.within_retention(range);
        let mut joined: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for part in &self.parts {
            let found = self.damage.of_file(part, part.exemplars(matchers, range))?;
            for found in found.into_iter().flatten() {
                joined
                    .entry(found.labels)
                    .or_default()
                    .extend(found.exemplars);
            }
        }
        let series = joined.into_iter().map(|(labels, mut exemplars)| {
            Exemplar::sort(&mut exemplars);
            SeriesExemplars { labels, exemplars }
        });
        Ok(series.collect())
    }

    /// What senders said of a metric family, or of all of them, in order of name: the last that
    /// was written of each. It has no time of its own and is shown whatever its age.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read.
    pub fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, Error> {
        let mut families = BTreeMap::new();
        for part in &self.parts {
            let found = self.damage.of_file(part, part.metadata(metric))?;
            families.extend(found.into_iter().flatten());
        }
        Ok(families.into_iter().collect())
    }
}

//! What a head has most of.

use super::Head;
use crate::index::{IndexAccess, LabelCounts};
use crate::model::{Cardinality, Ended, ReadBounds, SymbolId};

/// How many values are counted while the registry is locked once.
const BATCH: usize = 1024;
/// How many values are listed from one check to the next.
const LIST_PACE: usize = 64 << 10;

impl Head {
    /// How many series and labels queries find, and of which most: as many as the bounds say. It is
    /// what there is now, whatever a pin sees, and labels that come while they are counted may be
    /// counted or not.
    ///
    /// # Errors
    /// The read was ended.
    pub fn cardinality_within(&self, bounds: ReadBounds<'_>) -> Result<Cardinality, Ended> {
        let mut counts = LabelCounts::new(bounds);
        let (series, names) = self.with_postings(|index| {
            let held = bounds.hold_all::<SymbolId>(index.names().len())?;
            let names: Vec<SymbolId> = index.names().collect();
            Ok::<_, Ended>((index.all().len(), (names, held)))
        })?;
        for &name in &names.0 {
            bounds.check()?;
            let (values, _held) = self.with_postings(|index| {
                let held = bounds.hold_all::<(SymbolId, u64)>(index.count_values(name))?;
                let mut pace = bounds.pace(LIST_PACE);
                let values = index.counted_values(name);
                let values = values.map(|value| pace.step(1).map(|()| value));
                Ok::<_, Ended>((values.collect::<Result<Vec<_>, _>>()?, held))
            })?;
            self.with_symbols(|symbols| counts.begin(symbols.text(name)))?;
            for values in values.chunks(BATCH) {
                self.with_symbols(|symbols| {
                    let mut values = values.iter();
                    values
                        .try_for_each(|&(value, series)| counts.value(symbols.text(value), series))
                })?;
            }
        }
        counts.finish(series)
    }
}

//! Filling a batch with series that are found by the bytes that their labels came in.

use std::sync::Arc;

use super::Db;
use super::epoch::Epoch;
use super::write_batch::{BatchSeries, WriteBatch};
use crate::head::Lookup;
use crate::model::LabelError;

/// Fills a [`WriteBatch`], and finds the series that the database knows by the bytes of their
/// labels, so that nobody need look at those.
///
/// The bytes are those of the repeated field `labels` (number 1) of remote write 1.0's
/// `TimeSeries`, in whatever order the labels came. Whoever names a series by both, bytes and
/// labels, answers for it that the bytes alone say the labels: the same bytes are the same series
/// from then on.
///
/// Series that are new wait while there is one of these.
#[derive(Debug)]
pub struct Filler<'a> {
    batch: &'a mut WriteBatch,
    epoch: &'a Arc<Epoch>,
    lookup: Lookup<'a>,
}

impl Filler<'_> {
    /// The batch that is filled.
    pub fn batch(&mut self) -> &mut WriteBatch {
        self.batch
    }

    /// The series whose labels came in these bytes before, if the database remembers.
    #[inline]
    pub fn known(&mut self, fields: &[u8]) -> Option<BatchSeries> {
        let id = self.lookup.find_fields(fields)?;
        Some(self.batch.known_series(id, self.epoch))
    }

    /// Names a series by its labels, in any order, and by the bytes that they came in.
    ///
    /// # Errors
    /// Those of [`WriteBatch::series`].
    pub fn series(
        &mut self,
        fields: &[u8],
        labels: &[(&str, &str)],
    ) -> Result<BatchSeries, LabelError> {
        let series = self.batch.series(labels)?;
        let hashes = match self.lookup.hashes_of_fields(fields, labels) {
            Some(hashes) => Some(hashes),
            None => {
                let kept = self.batch.named(series);
                kept.map(|kept| self.lookup.hashes(kept, fields))
            }
        };
        if let Some(hashes) = hashes {
            self.batch.set_hashes(series, hashes, self.epoch);
        }
        Ok(series)
    }
}

impl Db {
    /// Empties a batch and has it filled.
    ///
    /// # Examples
    /// ```
    /// use silverback_storage::{Db, LabelError, Options, WriteBatch};
    /// let dir = tempfile::tempdir()?;
    /// let db = Db::open(dir.path(), Options::default())?;
    /// let fields = b"\x0a\x0e\x0a\x08__name__\x12\x02up";
    /// let mut batch = WriteBatch::new();
    /// for write in 0..2 {
    ///     db.fill(&mut batch, |filler| {
    ///         let series = match filler.known(fields) {
    ///             Some(series) => series,
    ///             None => filler.series(fields, &[("__name__", "up")])?,
    ///         };
    ///         filler.batch().float(series, 1_700_000_000_000 + write, 1.0);
    ///         Ok::<(), LabelError>(())
    ///     })?;
    ///     db.write(&batch)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fill<T>(&self, batch: &mut WriteBatch, fill: impl FnOnce(&mut Filler<'_>) -> T) -> T {
        let epoch = Arc::clone(&self.0.shared.epoch.read());
        batch.clear();
        fill(&mut Filler {
            batch,
            epoch: &epoch,
            lookup: epoch.head.lookup(),
        })
    }
}

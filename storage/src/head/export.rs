//! Handing out what a frozen head holds, as it is, to be written to a file.

use super::Head;
use super::extras::Extras;
use super::shard::{SHARD_SERIES, Shard};
use crate::chunk::{HistogramParts, LateChunk, OrderedChunk, StartRun, TimeColumn};
use crate::model::Metadata;

/// Series whose ids follow each other, and the time columns that they share.
#[derive(Debug)]
pub struct ShardExport<'a> {
    first: u32,
    shard: &'a Shard,
}

impl Head {
    /// Hands out all samples, visible or not, in stretches of series by rising id, until `each`
    /// fails. A stretch is locked against writers while `each` has it, so this is for a head that
    /// no longer takes samples: only then do two calls hand out the same.
    ///
    /// # Errors
    /// What `each` fails with.
    pub fn export<E>(
        &self,
        mut each: impl FnMut(ShardExport<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (number, shard) in self.shards.iter() {
            each(ShardExport {
                first: number * SHARD_SERIES,
                shard: &shard.read(),
            })?;
        }
        Ok(())
    }

    /// Hands out the last metadata of each metric family, in order of name, until `each` fails;
    /// as [`Head::export`].
    ///
    /// # Errors
    /// What `each` fails with.
    pub fn export_metadata<E>(
        &self,
        each: impl FnMut(&str, &Metadata) -> Result<(), E>,
    ) -> Result<(), E> {
        self.metadata.for_each_last(each)
    }
}

/// What a series has beside its floats, as it is held.
#[derive(Clone, Copy, Debug)]
pub struct ExtrasExport<'a>(&'a Extras);

impl<'a> ExtrasExport<'a> {
    /// The histograms among its points in order, and among the late ones.
    pub fn histograms(self) -> [HistogramParts<'a>; 2] {
        self.0.histogram_parts()
    }

    /// The start timestamps of its points in order, and of the late ones.
    pub fn starts(self) -> [&'a [StartRun]; 2] {
        self.0.start_runs()
    }

    /// Its exemplars in the order in which they came, in blocks.
    pub fn exemplars(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.exemplar_blocks()
    }
}

impl<'a> ShardExport<'a> {
    /// The series that have something beside their floats, by rising id.
    pub fn extras(&self) -> impl Iterator<Item = (u32, ExtrasExport<'a>)> + use<'a> {
        let first = self.first;
        let all = self.shard.all_extras();
        all.map(move |(place, extras)| (first + place, ExtrasExport(extras)))
    }

    /// The ids of the stretch, from its first to the last one defined in it; some between may
    /// not be defined.
    pub fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        // A full last shard ends with the last id there is.
        let first = self.first;
        (0..self.shard.places()).map(move |place| first + place)
    }

    /// The time columns, by number.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &'a TimeColumn> {
        self.shard.times().iter()
    }

    /// The chunks in order of a series: none where it is not defined.
    pub fn in_order(&self, id: u32) -> impl Iterator<Item = OrderedChunk<'a>> + use<'a> {
        let shard = self.shard;
        let series = shard.get(id % SHARD_SERIES).into_iter();
        series.flat_map(|series| series.in_order.chunks(shard.times()))
    }

    /// The chunks of late samples of a series, as [`ShardExport::in_order`].
    pub fn late(&self, id: u32) -> impl Iterator<Item = LateChunk<'a>> + use<'a> {
        let series = self.shard.get(id % SHARD_SERIES);
        let late = series.and_then(|series| series.overflow.as_deref());
        late.into_iter().flat_map(|late| late.chunks.chunks())
    }
}

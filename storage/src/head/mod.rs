//! The head: the newest samples, in memory, compressed and queryable while they are written.
//!
//! One thread at a time applies commit groups ([`Head::apply`]), after their bytes are durable
//! and in the order of their seqs; any number of threads reads. What a reader sees is fixed by
//! its [`Pin`]: all samples of the batches up to the pin's seq and none of later ones. Nothing is
//! copied for that. Samples of a series are only ever added at the end of its two lists of chunks
//! (in order, and late), so a state is a pair of counts, and each series remembers how many
//! samples there were before the last group that touched it. Only while a reader holds on to a
//! state older than that, the counts before earlier groups are kept in a list beside.
//!
//! A histogram takes its place among the samples of its series as a placeholder, so that all of
//! this holds for it too; the histogram itself stands beside, by the ordinal of its sample, as do
//! start timestamps ([`extras`]).
//!
//! Locks, in the order in which they may be held together: the applier's, the registry, the
//! index, one shard, the totals, the visibility; that of the metadata stands alone. A reader holds one at a time and each for some
//! thousands of cheap steps at most, so that writers wait little.

mod aliases;
mod append;
mod cardinality;
mod chunk_list;
mod exemplar_list;
mod export;
mod extras;
mod histogram_list;
mod id_table;
mod in_order;
mod index_input;
mod label_sets;
mod labels;
mod lookup;
mod metadata;
mod points;
mod read;
mod registry;
mod replay;
mod retire;
mod series;
mod shard;
mod start_runs;
mod stats;
mod succession;
#[cfg(test)]
pub(crate) mod tests;
mod time_columns;
mod visibility;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::index::PostingsIndex;
#[cfg(test)]
use crate::model::LabelsRef;
use crate::model::{Labels, Seq, SeriesId};

pub use append::Applied;
pub use index_input::HeadInput;
pub use lookup::{LabelHashes, Lookup, Registrar};
pub use read::ReadError;
pub use registry::{LabelsView, RegistryError};
pub use replay::ReplayBatch;
pub use stats::HeadStats;
pub use visibility::Pin;

use metadata::MetadataTable;
use registry::Registry;
use shard::Shards;
use stats::Totals;
use visibility::Visibility;

/// The newest samples of a database.
#[derive(Debug, Default)]
pub struct Head {
    /// Label sets and ids, also of series that are not durable yet.
    registry: Registry,
    /// The series that queries find: those whose definition was applied.
    index: RwLock<Index>,
    /// Samples by series.
    shards: Shards,
    metadata: MetadataTable,
    visibility: Arc<Visibility>,
    totals: Mutex<Totals>,
    /// Held while a group is applied: there is one applier at a time, and its list of pinned
    /// states uses its memory again.
    applier: Mutex<Vec<Seq>>,
}

/// The postings and how new they are.
#[derive(Debug, Default)]
struct Index {
    postings: PostingsIndex,
    /// Seq of the last group that defined a series.
    defined_seq: Seq,
}

impl Head {
    /// An empty head.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds series until it is dropped.
    pub fn lookup(&self) -> Lookup<'_> {
        self.registry.lookup()
    }

    /// Registers series until it is dropped: a label set gets the next free id if it has none yet.
    ///
    /// Queries find a series once a batch that defines it is applied. Ids rise in the order of
    /// the calls, so a caller whose log must see them rise keeps calls and log in one order.
    pub fn registrar(&self) -> Registrar<'_> {
        self.registry.registrar()
    }

    /// The labels of a series; none for an id that was not given out.
    pub fn labels_of(&self, id: SeriesId) -> Option<Labels> {
        self.registry.view().labels(id)
    }

    /// The id of a label set, if it has one.
    #[cfg(test)]
    pub fn resolve(&self, labels: LabelsRef<'_>) -> Option<SeriesId> {
        self.lookup().find_labels(labels, None)
    }

    /// The id of a label set; the next free one if it has none yet.
    #[cfg(test)]
    pub fn register(&self, labels: LabelsRef<'_>) -> Result<SeriesId, RegistryError> {
        let registered = self.registrar().register(labels, None, |_| true)?;
        registered
            .map(|(id, _)| id)
            .ok_or(RegistryError::IdsExhausted)
    }

    /// Gives a label set the id that a log says it has. The same once more is fine; ids may be
    /// left out. New series get ids above it.
    ///
    /// # Errors
    /// The id stands for other labels, or the labels have another id; ids, label strings or
    /// labels are used up.
    pub fn define(&self, id: SeriesId, labels: &Labels) -> Result<(), RegistryError> {
        self.registry.define(id, labels)
    }

    /// Pins what readers see now.
    pub fn pin(&self) -> Pin {
        self.visibility.pin()
    }

    /// The last batch that a new pin sees.
    pub fn visible_seq(&self) -> Seq {
        self.visibility.visible()
    }
}

//! What a query sees: the sources of a database at one moment, and their series joined by labels.

mod bounded;
mod damage;
mod extras;
mod join;
mod lists;
mod merge;
mod part;
mod selection;
mod stored;
mod symbol_map;
#[cfg(test)]
mod tests;
mod wanted;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use self::damage::Damage;
use self::part::Part;
use self::wanted::Wanted;
use super::Shared;
use super::sources::Sources;
use crate::error::Error;
use crate::maintenance::stored::Stored;
use crate::model::{
    Allowance, Cardinality, Matcher, Metadata, ReadBounds, ReadDamage, SeriesExemplars, TimeRange,
};

pub use self::bounded::Bounded;
pub(super) use self::damage::DamageLog;
pub use self::selection::Selection;

/// A pinned state of a database: what was visible when it was made, and nothing after, however
/// long it is read. Selecting twice gives the same answer.
///
/// Damage in a file fails no call: the answer is without what cannot be read, and
/// [`View::read_damage`] tells of it.
#[derive(Debug)]
pub struct View {
    /// In the order of their seqs: what a later one says about a timestamp of a series counts. The
    /// seqs of two that overlap in time do not overlap.
    parts: Vec<Part>,
    /// What is older is past the retention and not shown, whether or not its space was taken
    /// back. Fixed when the view is made, so that two selections see the same.
    earliest_ms: i64,
    /// What its answers are without.
    damage: Damage,
}

/// Pins what readers see now of each source, in the order of seqs.
fn pin(sources: &Sources) -> Vec<Part> {
    // The newest is pinned first. A write that it shows came after all writes of the older ones,
    // which are then shown too: a view never shows a write and misses one before it.
    let active = Part::pinned(&sources.active);
    let frozen = sources
        .frozen
        .iter()
        .map(|frozen| Part::pinned(&frozen.head));
    let files = sources.files.iter();
    let files = files.map(|file| Part::Stored(Stored::clone(file)));
    files.chain(frozen).chain([active]).collect()
}

impl View {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.counters.views.fetch_add(1, Relaxed);
        let sources = shared.sources.get();
        let newest_ms = sources.range().map(|range| range.end_ms);
        let earliest_ms = shared.bounds.window(newest_ms).start_ms;
        Self {
            parts: pin(&sources),
            earliest_ms,
            damage: Damage::new(shared),
        }
    }

    /// The same with bounds on what its answers take.
    pub fn bounded<'v, 'b>(&'v self, allowance: &'b dyn Allowance) -> Bounded<'v, 'b> {
        Bounded::new(self, ReadBounds::new(allowance))
    }

    /// [`Bounded::select`] without bounds.
    ///
    /// # Errors
    /// As there.
    pub fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<Selection<'_>, Error> {
        self.unbounded().select(matchers, range)
    }

    /// All that [`Bounded::label_names`] can give, without bounds.
    ///
    /// # Errors
    /// As there.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        self.unbounded().label_names(&[matchers], range, usize::MAX)
    }

    /// All that [`Bounded::label_values`] can give, without bounds.
    ///
    /// # Errors
    /// As there.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        self.unbounded()
            .label_values(name, &[matchers], range, usize::MAX)
    }

    /// [`Bounded::cardinality`] without bounds.
    ///
    /// # Errors
    /// As there.
    pub fn cardinality(&self, range: TimeRange, limit: usize) -> Result<Cardinality, Error> {
        self.unbounded().cardinality(range, limit)
    }

    /// [`Bounded::exemplars`] without bounds.
    ///
    /// # Errors
    /// As there.
    pub fn exemplars(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, Error> {
        self.unbounded().exemplars(matchers, range)
    }

    /// [`Bounded::metadata`] without bounds.
    ///
    /// # Errors
    /// As there.
    pub fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, Error> {
        self.unbounded().metadata(metric)
    }

    /// What the answers of this view and of its selections were without so far, for damage: one
    /// entry a file, in order of path. To be asked once all is read.
    pub fn read_damage(&self) -> Vec<ReadDamage> {
        self.damage.list()
    }

    fn unbounded(&self) -> Bounded<'_, 'static> {
        Bounded::new(self, ReadBounds::NONE)
    }

    /// These matchers, with what is known of them.
    fn wanted<'a>(&'a self, matchers: &'a [Matcher]) -> Wanted<'a> {
        Wanted {
            matchers,
            cache: &self.damage.shared().sources.matcher_cache,
        }
    }

    /// The sources that may have samples in a range.
    fn parts_in(&self, range: TimeRange) -> impl Iterator<Item = &Part> {
        self.parts
            .iter()
            .filter(move |part| part.range().is_some_and(|own| own.overlaps(range)))
    }

    fn within_retention(&self, range: TimeRange) -> TimeRange {
        TimeRange {
            start_ms: range.start_ms.max(self.earliest_ms),
            end_ms: range.end_ms,
        }
    }
}

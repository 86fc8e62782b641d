//! What a query sees: the sources of a database at one moment, and their series joined by labels.

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

use std::sync::Arc;

use self::damage::Damage;
use self::part::Part;
use super::Shared;
use super::sources::Sources;
use crate::error::Error;
use crate::maintenance::stored::Stored;
use crate::model::{Matcher, ReadDamage, TimeRange};

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
        let sources = shared.sources.get();
        let newest_ms = sources.range().map(|range| range.end_ms);
        let earliest_ms = shared.bounds.window(newest_ms).start_ms;
        Self {
            parts: pin(&sources),
            earliest_ms,
            damage: Damage::new(shared),
        }
    }

    /// The series for which all matchers hold and that have a sample (a stale marker counts) in
    /// the range: in the order in which they were first written, as far as the sources of the
    /// view still tell it. The same matchers and range give the same order each time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read,
    /// [`crate::ErrorKind::TooManySeries`] where the label strings selected take 4 GiB.
    pub fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<Selection<'_>, Error> {
        let range = self.within_retention(range);
        let mut selected = Vec::new();
        for part in self.parts_in(range) {
            let rows = self.damage.of_file(part, part.select(matchers, range))?;
            if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
                selected.push((part, rows));
            }
        }
        Selection::new(selected, range, &self.damage)
    }

    /// What the answers of this view and of its selections were without so far, for damage: one
    /// entry a file, in order of path. To be asked once all is read.
    pub fn read_damage(&self) -> Vec<ReadDamage> {
        self.damage.list()
    }

    /// Names of labels, sorted, of the series that match. Without a matcher, of all series of
    /// the sources whose samples lie around the range.
    ///
    /// # Errors
    /// Those of [`View::select`].
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        let range = self.within_retention(range);
        self.union(range, |part| part.label_names(matchers, range))
    }

    /// Values of a label, sorted, of the series that match; as [`View::label_names`].
    ///
    /// # Errors
    /// Those of [`View::select`].
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        let range = self.within_retention(range);
        self.union(range, |part| part.label_values(name, matchers, range))
    }

    /// The sources that may have samples in a range.
    fn parts_in(&self, range: TimeRange) -> impl Iterator<Item = &Part> {
        self.parts
            .iter()
            .filter(move |part| part.range().is_some_and(|own| own.overlaps(range)))
    }

    /// The strings of all sources, sorted, each once; `list` gives those of one, sorted.
    fn union(
        &self,
        range: TimeRange,
        list: impl Fn(&Part) -> Result<Vec<String>, Error>,
    ) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        for part in self.parts_in(range) {
            let Some(own) = self.damage.of_file(part, list(part))? else {
                continue;
            };
            if texts.is_empty() {
                texts = own;
            } else if !own.is_empty() {
                texts.extend(own);
                // The stable sort finds the two runs and merges them.
                texts.sort();
                texts.dedup();
            }
        }
        Ok(texts)
    }

    fn within_retention(&self, range: TimeRange) -> TimeRange {
        TimeRange {
            start_ms: range.start_ms.max(self.earliest_ms),
            end_ms: range.end_ms,
        }
    }
}

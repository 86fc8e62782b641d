//! What can be asked of a view, within bounds.

use std::collections::BTreeMap;

use super::part::Part;
use super::wanted::Wanted;
use super::{Selection, View};
use crate::error::Error;
use crate::index::{SortedList, taken};
use crate::model::{
    Cardinality, Exemplar, Labels, Matcher, Metadata, ReadBounds, SeriesExemplars, Tally, TimeRange,
};

/// How many label sets are made from one check to the next.
const LABELS_PACE: usize = 256;

/// A [`View`] whose answers take no more than an [`crate::Allowance`] lets them: see
/// [`View::bounded`]. Each question fails with [`crate::ErrorKind::Ended`] soon after the allowance
/// says no.
#[derive(Clone, Copy, Debug)]
pub struct Bounded<'v, 'b> {
    view: &'v View,
    bounds: ReadBounds<'b>,
}

impl<'v, 'b> Bounded<'v, 'b> {
    pub(super) fn new(view: &'v View, bounds: ReadBounds<'b>) -> Self {
        Self { view, bounds }
    }

    /// The series for which all matchers hold and that have a sample (a stale marker counts) in
    /// the range: in the order in which they were first written, as far as the sources of the
    /// view still tell it. The same matchers and range give the same order each time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read,
    /// [`crate::ErrorKind::TooManySeries`] where the label strings selected take 4 GiB,
    /// [`crate::ErrorKind::Ended`].
    pub fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<Selection<'v>, Error> {
        self.select_first(matchers, range, usize::MAX)
    }

    /// A selection that has `limit` series if there are as many. Each source gives that many rows
    /// at most, so what the selection says of their samples may not be all.
    fn select_first(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        limit: usize,
    ) -> Result<Selection<'v>, Error> {
        let range = self.view.within_retention(range);
        let bounds = self.bounds.limited(limit);
        let mut selected = Vec::new();
        for part in self.view.parts_in(range) {
            bounds.check()?;
            let rows = part.select(self.view.wanted(matchers), range, bounds);
            let rows = self.view.damage.of_file(part, rows)?;
            if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
                let is_enough = rows.len() == limit;
                selected.push((part, rows));
                if is_enough {
                    break;
                }
            }
        }
        Selection::new(selected, range, &self.view.damage, self.bounds)
    }

    /// The label sets of the series for which all matchers of one of `sets` hold and that have a
    /// sample in the range, sorted. Of more than `limit` it is some of them, the same ones each
    /// time.
    ///
    /// # Errors
    /// Those of [`Bounded::select`].
    pub fn series(
        &self,
        sets: &[impl AsRef<[Matcher]>],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Labels>, Error> {
        let mut found = SortedList::new(self.bounds.limited(limit));
        for matchers in sets {
            let selection = self.select_first(matchers.as_ref(), range, limit)?;
            let mut pace = self.bounds.pace(LABELS_PACE);
            for place in 0..selection.len().min(limit) {
                pace.step(1)?;
                found.push_own(selection.labels(place))?;
            }
        }
        Ok(found.finish()?)
    }

    /// Names of labels, sorted, of the series that match one of `sets`; the first `limit` of them.
    /// Where a set has no matcher, of all series of the sources whose samples lie around the range.
    ///
    /// # Errors
    /// Those of [`Bounded::select`].
    pub fn label_names(
        &self,
        sets: &[impl AsRef<[Matcher]>],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let range = self.view.within_retention(range);
        let bounds = self.bounds.limited(limit);
        self.union(sets, range, bounds, |part, wanted| {
            part.label_names(wanted, range, bounds)
        })
    }

    /// Values of a label, sorted, of the series that match; as [`Bounded::label_names`].
    ///
    /// # Errors
    /// Those of [`Bounded::select`].
    pub fn label_values(
        &self,
        name: &str,
        sets: &[impl AsRef<[Matcher]>],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let range = self.view.within_retention(range);
        let bounds = self.bounds.limited(limit);
        self.union(sets, range, bounds, |part, wanted| {
            part.label_values(name, wanted, range, bounds)
        })
    }

    /// The strings of all sources that come first, each once; `list` gives those of one, sorted.
    fn union(
        &self,
        sets: &[impl AsRef<[Matcher]>],
        range: TimeRange,
        bounds: ReadBounds<'_>,
        list: impl Fn(&Part, Wanted<'_>) -> Result<Vec<String>, Error>,
    ) -> Result<Vec<String>, Error> {
        let mut texts = SortedList::new(bounds);
        for matchers in sets {
            let wanted = self.view.wanted(matchers.as_ref());
            for part in self.view.parts_in(range) {
                bounds.check()?;
                let own = list(part, wanted);
                let own = self.view.damage.of_file(part, own)?;
                texts.push_sorted(own.unwrap_or_default())?;
            }
        }
        Ok(texts.finish()?)
    }

    /// How many series and labels there are in the sources whose samples lie around the range, and of
    /// which there are most, with `limit` of each: from the indexes alone, no series is looked at.
    ///
    /// Each figure is that of the source (head, segment or block) that has most of it. So a series that
    /// stands in several sources is counted once, and where one source has all that is asked about, as with
    /// series that were written all the time, figures are exact. Where series came and went they are
    /// the least there can be. What counts the same is in order of name. A head tells
    /// what it has now, which may be more than the view shows.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read,
    /// [`crate::ErrorKind::Ended`].
    pub fn cardinality(&self, range: TimeRange, limit: usize) -> Result<Cardinality, Error> {
        let range = self.view.within_retention(range);
        let bounds = self.bounds.limited(limit);
        let bytes = |of: &Cardinality| of.counts().map(|count| taken(&count.name)).sum::<usize>();
        let mut all = Cardinality::default();
        let mut tally = Tally::new(bounds);
        for part in self.view.parts_in(range) {
            bounds.check()?;
            let own = self.view.damage.of_file(part, part.cardinality(bounds))?;
            let Some(own) = own else {
                continue;
            };
            let before = bytes(&all);
            let both = before + bytes(&own);
            tally.grow(both - before)?;
            all.join(own, limit);
            tally.shrink(both - bytes(&all));
        }
        Ok(all)
    }

    /// The exemplars in the range of the series for which all matchers hold, in order of the
    /// series' labels; series without any are left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read,
    /// [`crate::ErrorKind::Ended`].
    pub fn exemplars(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, Error> {
        let range = self.view.within_retention(range);
        let mut joined: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        let mut tally = Tally::new(self.bounds);
        let mut pace = self.bounds.pace(LABELS_PACE);
        for part in &self.view.parts {
            self.bounds.check()?;
            let found = part.exemplars(self.view.wanted(matchers), range, self.bounds);
            let found = self.view.damage.of_file(part, found)?;
            for found in found.into_iter().flatten() {
                pace.step(1)?;
                let exemplars = found.exemplars.iter().map(Exemplar::bytes);
                let bytes = exemplars.sum::<usize>() + found.labels.text_bytes();
                tally.grow(ENTRY_BYTES + bytes)?;
                joined
                    .entry(found.labels)
                    .or_default()
                    .extend(found.exemplars);
            }
        }
        let mut series = Vec::with_capacity(joined.len());
        for (labels, mut exemplars) in joined {
            pace.step(1 + exemplars.len())?;
            Exemplar::sort(&mut exemplars);
            series.push(SeriesExemplars { labels, exemplars });
        }
        Ok(series)
    }

    /// What senders said of a metric family, or of all of them, in order of name: the last that
    /// was written of each. It has no time of its own and is shown whatever its age.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read,
    /// [`crate::ErrorKind::Ended`].
    pub fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, Error> {
        let mut families = BTreeMap::new();
        let mut tally = Tally::new(self.bounds);
        for part in &self.view.parts {
            self.bounds.check()?;
            let found = self.view.damage.of_file(part, part.metadata(metric))?;
            for (name, metadata) in found.into_iter().flatten() {
                let bytes = name.len() + metadata.unit.len() + metadata.help.len();
                tally.grow(ENTRY_BYTES + bytes)?;
                families.insert(name, metadata);
            }
        }
        Ok(families.into_iter().collect())
    }
}

/// What a series with exemplars, or a family with metadata, takes beside its texts.
const ENTRY_BYTES: usize = 256;

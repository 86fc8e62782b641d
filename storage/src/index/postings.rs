//! Postings: for each label the ids of the series that have it.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use roaring::{MultiOps, RoaringBitmap};

use crate::model::{Ended, ReadBounds, SeriesId, SymbolId};

/// How many lists are joined from one check to the next.
const UNION_BATCH: usize = 16 << 10;

/// The series that have one label.
#[derive(Clone, Debug)]
pub enum Postings {
    /// A single series, as most values of a churning label have.
    One(u32),
    /// Several.
    Many(Box<RoaringBitmap>),
}

impl Postings {
    fn insert(&mut self, id: u32) {
        match self {
            Self::One(one) if *one == id => {}
            Self::One(one) => *self = Self::Many(Box::new(RoaringBitmap::from_iter([*one, id]))),
            Self::Many(many) => {
                many.insert(id);
            }
        }
    }

    /// How many they are.
    fn count(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    /// As a bitmap.
    pub fn to_bitmap(&self) -> Cow<'_, RoaringBitmap> {
        match self {
            Self::One(one) => Cow::Owned(RoaringBitmap::from_iter([*one])),
            Self::Many(many) => Cow::Borrowed(many),
        }
    }
}

/// Postings of all labels, by symbols.
#[derive(Clone, Debug, Default)]
pub struct PostingsIndex {
    names: HashMap<SymbolId, LabelPostings, RandomState>,
    all: RoaringBitmap,
}

/// Postings of one label name.
#[derive(Clone, Debug, Default)]
struct LabelPostings {
    values: HashMap<SymbolId, Postings, RandomState>,
    /// The series that have the label, whatever its value: what `name!=""` asks for and
    /// `name=""` leaves out, without a union of all values.
    present: RoaringBitmap,
}

impl PostingsIndex {
    /// Adds a series with its labels; says whether it is new. Once more does nothing.
    pub fn insert(
        &mut self,
        id: SeriesId,
        labels: impl IntoIterator<Item = (SymbolId, SymbolId)>,
    ) -> bool {
        if !self.all.insert(id.0) {
            return false;
        }
        for (name, value) in labels {
            let label = self.names.entry(name).or_default();
            label.present.insert(id.0);
            label
                .values
                .entry(value)
                .and_modify(|postings| postings.insert(id.0))
                .or_insert(Postings::One(id.0));
        }
        true
    }

    /// The lists of each label name, to be taken apart.
    pub fn into_lists(self) -> impl Iterator<Item = impl Iterator<Item = Postings>> {
        let labels = self.names.into_values();
        labels.map(|label| label.values.into_values())
    }

    /// Every series.
    pub fn all(&self) -> &RoaringBitmap {
        &self.all
    }

    /// Every label name, in no order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = SymbolId> + '_ {
        self.names.keys().copied()
    }

    /// The values of a label name, in no order; none for a name that no series has.
    pub fn values(&self, name: SymbolId) -> impl Iterator<Item = SymbolId> + '_ {
        let label = self.names.get(&name);
        label
            .into_iter()
            .flat_map(|label| label.values.keys().copied())
    }

    /// The same, each with how many series have it.
    pub fn counted_values(&self, name: SymbolId) -> impl Iterator<Item = (SymbolId, u64)> + '_ {
        let label = self.names.get(&name).into_iter();
        let values = label.flat_map(|label| label.values.iter());
        values.map(|(&value, postings)| (value, postings.count()))
    }

    /// The series with a label.
    pub fn postings(&self, name: SymbolId, value: SymbolId) -> Option<&Postings> {
        self.names.get(&name)?.values.get(&value)
    }

    /// The series that have a label of this name.
    pub fn present(&self, name: SymbolId) -> Option<&RoaringBitmap> {
        Some(&self.names.get(&name)?.present)
    }

    /// How many values a label name has.
    pub fn count_values(&self, name: SymbolId) -> usize {
        self.names.get(&name).map_or(0, |label| label.values.len())
    }

    /// The series whose label `name` has one of `values`.
    ///
    /// # Errors
    /// The read was ended.
    pub fn union(
        &self,
        name: SymbolId,
        values: &[SymbolId],
        bounds: ReadBounds<'_>,
    ) -> Result<RoaringBitmap, Ended> {
        let mut found = RoaringBitmap::new();
        let Some(label) = self.names.get(&name) else {
            return Ok(found);
        };
        for values in values.chunks(UNION_BATCH) {
            bounds.check()?;
            let mut single = Vec::new();
            let mut many = Vec::new();
            for value in values {
                match label.values.get(value) {
                    Some(Postings::One(one)) => single.push(*one),
                    Some(Postings::Many(bitmap)) => many.push(&**bitmap),
                    None => {}
                }
            }
            single.sort_unstable();
            found |= many.into_iter().union() | RoaringBitmap::from_iter(single);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: u8) -> SymbolId {
        SymbolId(u32::from(text))
    }

    #[test]
    fn one_series_stays_inline_and_names_and_values_are_listed() {
        let mut index = PostingsIndex::default();
        let (job, zone) = (symbol(b'j'), symbol(b'z'));
        index.insert(SeriesId(7), [(job, symbol(b'a'))]);
        index.insert(SeriesId(7), [(job, symbol(b'a'))]);
        index.insert(SeriesId(3), [(job, symbol(b'b')), (zone, symbol(b'c'))]);
        let one = index.postings(job, symbol(b'a')).unwrap();
        assert!(matches!(one, Postings::One(7)), "{one:?}");
        index.insert(SeriesId(9), [(job, symbol(b'a'))]);
        let two = index.postings(job, symbol(b'a')).unwrap();
        assert_eq!(two.to_bitmap().iter().collect::<Vec<_>>(), [7, 9]);

        let mut names: Vec<_> = index.names().collect();
        names.sort();
        assert_eq!(names, [job, zone]);
        let mut values: Vec<_> = index.values(job).collect();
        values.sort();
        assert_eq!(values, [symbol(b'a'), symbol(b'b')]);
        assert_eq!(index.values(symbol(b'?')).count(), 0);
        let values = [symbol(b'b'), symbol(b'a'), symbol(b'?')];
        let union = index.union(job, &values, ReadBounds::NONE).unwrap();
        assert_eq!(union.iter().collect::<Vec<_>>(), [3, 7, 9]);
        assert_eq!(index.present(zone).unwrap().len(), 1);
        assert_eq!(index.all().len(), 3);
    }
}

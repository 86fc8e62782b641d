//! What senders say of metrics: the last metadata of each, and what readers of older states see.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use super::shard::Group;
use super::{Head, Pin};
use crate::model::{Metadata, MetadataRow, Seq};

/// Metadata by name of the metric family.
#[derive(Debug, Default)]
pub(super) struct MetadataTable {
    families: RwLock<BTreeMap<Box<str>, Versions>>,
}

/// The metadata of a family, in rising order of the groups that brought them; the last one
/// counts. There are as many others as pinned states that differ, mostly none.
#[derive(Debug, Default)]
struct Versions(Vec<(Seq, Metadata)>);

impl Versions {
    fn set(&mut self, metadata: &Metadata, group: &Group<'_>, visible: Seq) {
        match self.0.last_mut() {
            Some((_, last)) if last == metadata => return,
            // Nobody sees a state within a group.
            Some((seq, last)) if *seq == group.seq => last.clone_from(metadata),
            _ => self.0.push((group.seq, metadata.clone())),
        }
        let ends: Vec<Seq> = self.0.iter().skip(1).map(|version| version.0).collect();
        let mut ends = ends.into_iter();
        self.0.retain(|&(seq, _)| {
            let Some(end) = ends.next() else {
                return true;
            };
            // The state that is visible now may be pinned before the group is applied.
            let mut readers = group.pinned.iter().chain([&visible]);
            readers.any(|&reader| seq <= reader && reader < end)
        });
    }

    fn at(&self, seq: Seq) -> Option<&Metadata> {
        let version = self.0.iter().rev().find(|version| version.0 <= seq);
        version.map(|(_, metadata)| metadata)
    }

    fn bytes(&self) -> usize {
        self.0
            .iter()
            .map(|(_, metadata)| {
                size_of::<(Seq, Metadata)>() + metadata.unit.len() + metadata.help.len()
            })
            .sum()
    }
}

impl MetadataTable {
    /// Takes rows of a batch, of two of one family the later one. Returns by how many bytes the
    /// table grew.
    pub(super) fn apply(&self, rows: &[MetadataRow], group: &Group<'_>, visible: Seq) -> isize {
        if rows.is_empty() {
            return 0;
        }
        let mut grown = 0;
        let mut families = self.families.write();
        for row in rows {
            if !families.contains_key(row.metric.as_str()) {
                grown += (row.metric.len() + size_of::<(Box<str>, Versions)>()) as isize;
            }
            let versions = families.entry(row.metric.as_str().into()).or_default();
            grown -= versions.bytes() as isize;
            versions.set(&row.metadata, group, visible);
            grown += versions.bytes() as isize;
        }
        grown
    }
}

impl MetadataTable {
    /// Calls `each` with the last metadata of each family, in order of name, until it fails.
    pub(super) fn for_each_last<E>(
        &self,
        mut each: impl FnMut(&str, &Metadata) -> Result<(), E>,
    ) -> Result<(), E> {
        let families = self.families.read();
        families.iter().try_for_each(|(name, versions)| {
            let last = versions.0.last();
            last.map_or(Ok(()), |(_, metadata)| each(name, metadata))
        })
    }
}

impl Head {
    /// The metadata that the pin sees, of one metric family or of all that have some, in order
    /// of name.
    pub fn metadata(&self, pin: &Pin, metric: Option<&str>) -> Vec<(String, Metadata)> {
        let families = self.metadata.families.read();
        let found = |name: &str, versions: &Versions| {
            Some((name.to_owned(), versions.at(pin.seq())?.clone()))
        };
        match metric {
            Some(name) => families
                .get(name)
                .and_then(|versions| found(name, versions))
                .into_iter()
                .collect(),
            None => families
                .iter()
                .filter_map(|(name, versions)| found(name, versions))
                .collect(),
        }
    }
}
